import { InvalidArgumentError } from 'commander';

/** Parses the argument of an option that takes an absolute path. */
export function absolutePath(path: string): string {
  if (path.startsWith('/')) return path;
  throw new InvalidArgumentError('It is not an absolute path.');
}

/** Parses the argument of an option that can be repeated. */
export function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
