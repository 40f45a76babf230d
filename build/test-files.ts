import { globSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const SUITES = ['unit', 'property', 'golden', 'arch', 'netns', 'fuzz', 'conformance', 'e2e'] as const;

/**
 * The test files for `names`, in the given order: a directory stands for its tests, no name for all suites. Throws if a
 * name matches no test, so that a misspelt one does not pass.
 */
export function testFiles(names: readonly string[]): string[] {
  if (names.length === 0) return SUITES.flatMap((suite) => inDirectory(join('test', suite)));
  return names.flatMap((name) => {
    const path = relative(ROOT, name);
    const stat = statSync(join(ROOT, path), { throwIfNoEntry: false });
    const files = stat?.isDirectory() ? inDirectory(path) : stat === undefined ? [] : [path];
    if (files.length === 0) throw new Error(`${name}: no such test file, and no directory with *.test.ts in it`);
    return files;
  });
}

function inDirectory(path: string): string[] {
  return globSync(`${path}/**/*.test.ts`, { cwd: ROOT }).sort();
}
