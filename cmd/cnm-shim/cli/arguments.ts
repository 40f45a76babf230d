import { InvalidArgumentError } from 'commander';

/** Argument of an option that takes an absolute path. */
export function absolutePath(path: string): string {
  if (path.startsWith('/')) return path;
  throw new InvalidArgumentError('It is no absolute path.');
}

/** Argument of an option that may be given several times. */
export function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
