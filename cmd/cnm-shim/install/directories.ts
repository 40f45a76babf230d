import { lstatSync, mkdirSync, realpathSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fault } from '../../../src/shared/errors/fault.ts';
import { hasCode, type NetError } from '../../../src/shared/errors/net-error.ts';
import { attempt } from './files.ts';

/**
 * Directories that every system has before anything is installed. If one is missing, the root is not what was meant: a
 * volume that is not mounted, say.
 */
const REQUIRED = ['/etc', '/opt', '/usr/bin', '/usr/lib', '/var/lib'];

/**
 * Checks the directories of these paths before anything is written. Throws NetError `conflict` if one is missing that
 * an installation must not make, is a file, or leads out of the root.
 */
export function assertDirectories(root: string, paths: readonly string[]): void {
  if (!isDirectory(root)) throw refusal(root, 'there is no such directory', 'Give the root of a system as --root');
  const real = realpathSync(root);
  for (const directory of directoriesOf(paths)) {
    const existing = deepest(root, directory);
    const at = join(root, existing);
    if (!isDirectory(at)) throw refusal(at, 'it is a file, or a link that leads nowhere', 'Move it away');
    const target = realpathSync(at);
    if (real !== '/' && target !== real && !target.startsWith(`${real}/`))
      throw refusal(at, `it leads to ${target}, out of ${real}`, 'Make it a relative link');
    const required = REQUIRED.find((path) => isIn(directory, path));
    if (required === undefined || !isIn(existing, required))
      throw refusal(join(root, required ?? directory), 'there is no such directory', 'Make or mount it');
  }
}

/** Returns the directories of these paths that are missing, outermost first. */
export function missingDirectories(root: string, paths: readonly string[]): string[] {
  const missing = new Set<string>();
  for (const directory of directoriesOf(paths))
    for (let at = directory; !exists(join(root, at)); at = dirname(at)) missing.add(at);
  return [...missing].sort();
}

/** The directories, outermost first, exist. Throws NetError `io`. */
export function makeDirectories(root: string, directories: readonly string[]): void {
  for (const path of directories.map((directory) => join(root, directory)))
    if (!exists(path)) attempt(path, 'it cannot be made', () => mkdirSync(path, { mode: 0o755 }));
}

/** Those that are empty are gone, innermost first. Returns the others. */
export function removeDirectories(root: string, directories: readonly string[]): string[] {
  const left = directories.toReversed().filter((directory) => {
    const path = join(root, directory);
    try {
      rmdirSync(path);
    } catch {
      return exists(path);
    }
    return false;
  });
  return left.toReversed();
}

function directoriesOf(paths: readonly string[]): Set<string> {
  return new Set(paths.map((path) => dirname(path)));
}

/** The innermost part of the directory that is there, be it a link. */
function deepest(root: string, directory: string): string {
  let at = directory;
  while (at !== '/' && !exists(join(root, at))) at = dirname(at);
  return at;
}

function isIn(directory: string, parent: string): boolean {
  return directory === parent || directory.startsWith(`${parent}/`);
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** False below a file. */
function exists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    if (hasCode(error, ['ENOENT', 'ENOTDIR'])) return false;
    throw error;
  }
}

function refusal(path: string, what: string, hint: string): NetError {
  return fault.conflict('install', `directory ${path}`, what, hint);
}
