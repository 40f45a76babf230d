import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../../build/bundle.ts';
import { git, readRevision } from '../../build/revision.ts';
import manifest from '../../package.json' with { type: 'json' };
import { skipIf } from '../support/skip.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const ROOT = join(import.meta.dirname, '../..');
const WRITER = ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'commit.gpgsign=false'];
const NOBODY = 65_534;

describe('the revision of a build', function () {
  this.timeout(60_000);
  let temp: TempDir;
  let tree: string;
  beforeEach(() => {
    temp = makeTempDir();
    tree = join(temp.path, 'tree');
    mkdirSync(join(tree, 'src'), { recursive: true });
    write('one');
  });
  afterEach(() => temp[Symbol.dispose]());

  const write = (text: string): void => writeFileSync(join(tree, 'src/main.ts'), text);
  const commit = (root: string): string => {
    const run = (...args: readonly string[]): string =>
      execFileSync('git', ['-C', root, ...WRITER, ...args], { encoding: 'utf8' });
    run('init', '--quiet');
    run('add', '.');
    run('commit', '--quiet', '--message=first');
    return run('rev-parse', '--short=12', 'HEAD').trim();
  };

  it('is the commit, also where a tag names it', () => {
    const made = commit(tree);
    assert.equal(readRevision(tree), made);
    execFileSync('git', ['-C', tree, 'tag', 'v9.9.9']);
    assert.equal(readRevision(tree), made);
    writeFileSync(join(tree, 'note'), 'not tracked');
    assert.equal(readRevision(tree), made);
  });

  it('tells changes of a commit apart', () => {
    const made = commit(tree);
    write('two');
    const two = readRevision(tree);
    write('three');
    const three = readRevision(tree);
    for (const revision of [two, three]) assert.match(revision, new RegExp(`^${made}\\.dirty\\.[0-9a-f]{8}$`));
    assert.notEqual(two, three);
    write('two');
    assert.equal(readRevision(tree), two);
  });

  it('is a digest of the sources without a repository of its own', () => {
    const alone = readRevision(tree);
    assert.match(alone, /^source\.[0-9a-f]{8}$/);
    commit(temp.path);
    assert.equal(readRevision(tree), alone);
    assert.equal(git(tree, 'log', '-1', '--format=%h'), '');
    write('two');
    assert.match(readRevision(tree), /^source\./);
    assert.notEqual(readRevision(tree), alone);
    rmSync(join(tree, 'src'), { recursive: true });
    assert.match(readRevision(tree), /^source\./);
  });

  it("is the commit of another user's clone", function () {
    skipIf(this, process.getuid?.() === 0 ? undefined : 'this test needs root');
    const made = commit(tree);
    for (const path of ['', '.git']) chownSync(join(tree, path), NOBODY, NOBODY);
    assert.equal(readRevision(tree), made);
  });

  it('stands in the version of what is built', async () => {
    const outfile = join(temp.path, 'main.cjs');
    const { program } = await bundle(join(ROOT, 'cmd/cni-plugin/main.ts'), outfile, {
      REVISION_OF_BUILD: '5c6b227c8014.dirty.1f3a9c04',
    });
    const { stderr } = spawnSync(process.execPath, ['--no-warnings', program], { env: {}, encoding: 'utf8' });
    assert.match(stderr, new RegExp(`^CNI \\S+ plugin v${manifest.version}\\+5c6b227c8014\\.dirty\\.1f3a9c04$`, 'm'));
  });
});
