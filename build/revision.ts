import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

/** What dist/ is made of; setup.mjs builds again when it changes. */
const SOURCES = ['build', 'cmd', 'netconf-examples', 'package-lock.json', 'package.json', 'src'] as const;
/** Hexadecimal digits of a commit, and of a digest of the sources. */
const [COMMIT_DIGITS, DIGEST_DIGITS] = [12, 8];

/**
 * Names the sources below `root`, in characters that build metadata of a semantic version may have: `5c6b227c8014` for a
 * commit; `5c6b227c8014.dirty.1f3a9c04` where tracked files differ from it, and `source.1f3a9c04` without git or outside
 * of a repository of its own. The last part is a digest of the sources, so different ones have different names.
 */
export function readRevision(root: string): string {
  const [commit, dirty] = git(
    root,
    'describe',
    '--always',
    '--dirty',
    '--exclude=*',
    `--abbrev=${COMMIT_DIGITS}`,
  ).split('-');
  if (commit === undefined || commit === '') return `source.${digestOf(root)}`;
  return dirty === undefined ? commit : `${commit}.dirty.${digestOf(root)}`;
}

/**
 * Runs git in the repository whose top directory is `root`, and returns its output. The output is empty if git fails, if
 * git is not installed, and if `root` is a subdirectory of another repository.
 */
export function git(root: string, ...args: readonly string[]): string {
  // The owner of a clone that root builds is often another user: without this, git refuses to read it.
  const run = (words: readonly string[]): string => {
    const { status, stdout } = spawnSync('git', ['-c', `safe.directory=${root}`, '-C', root, ...words], {
      encoding: 'utf8',
    });
    return status === 0 ? stdout.trim() : '';
  };
  const top = run(['rev-parse', '--show-toplevel']);
  return top === '' || realpathSync(top) !== realpathSync(root) ? '' : run(args);
}

function digestOf(root: string): string {
  const hash = createHash('sha256');
  for (const file of SOURCES.flatMap((name) => filesBelow(join(root, name)))) {
    const content = readFileSync(file);
    hash.update(`${relative(root, file)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex').slice(0, DIGEST_DIGITS);
}

/** The file, or the files of the directory, in an order that does not depend on the file system. */
function filesBelow(path: string): string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [];
  if (!found.isDirectory()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesBelow(join(path, name)));
}
