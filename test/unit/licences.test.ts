import { strict as assert } from 'node:assert';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../../build/bundle.ts';
import { formatNotices, isShippable, noticesOf, ownNotices } from '../../build/licences.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Names of process.versions, as notices call them. Undefined: no code, or a version of something listed. */
const PART_OF_NODE: Readonly<Record<string, string | undefined>> = {
  ares: 'c-ares',
  cldr: 'ICU',
  icu: 'ICU',
  modules: undefined,
  napi: undefined,
  node: undefined,
  sqlite: 'SQLite',
  tz: 'ICU',
  unicode: 'ICU',
  uv: 'libuv',
  openssl: 'OpenSSL',
  v8: 'V8',
};

describe('licences', () => {
  let temp: TempDir;
  beforeEach(() => {
    temp = makeTempDir();
  });
  afterEach(() => temp[Symbol.dispose]());

  /** Bundles a program that imports the made-up package `made-up`, statically or on demand. */
  async function bundleWith(files: Readonly<Record<string, string>>, statement = "import 'made-up';") {
    const directory = join(temp.path, 'node_modules/made-up');
    mkdirSync(directory, { recursive: true });
    for (const [name, text] of Object.entries({ 'index.js': 'console.log(1);', ...files }))
      writeFileSync(join(directory, name), text);
    writeFileSync(join(temp.path, 'main.ts'), statement);
    return await bundle(join(temp.path, 'main.ts'), join(temp.path, 'main.cjs'));
  }
  const manifest = (licence: object): string => JSON.stringify({ name: 'made-up', version: '1.2.3', ...licence });

  for (const program of ['cni-plugin', 'cnm-shim'])
    it(`every package in ${program} has a licence that Apache-2.0 can ship`, async () => {
      const { inputs } = await bundle(join(ROOT, 'cmd', program, 'main.ts'), join(temp.path, 'main.cjs'));
      const names = noticesOf(inputs).map(({ name }) => name);
      for (const expected of ['@noble/hashes', 'ajv', 'execa', 'ip-cidr', 'signal-exit'])
        assert.ok(names.includes(expected), `${expected} is not in ${names.join(' ')}`);
    });

  it("the clients of clusters can be shipped, and ZooKeeper's is a file of its own", async () => {
    const entry = join(ROOT, 'src/shared/store/cluster/open.ts');
    const { packages, inputs } = await bundle(entry, join(temp.path, 'main.cjs'));
    assert.deepEqual(Object.keys(packages), ['node-zookeeper-client']);
    const names = noticesOf(inputs).map(({ name }) => name);
    for (const expected of ['@bufbuild/protobuf', 'async', 'node-zookeeper-client', 'underscore'])
      assert.ok(names.includes(expected), `${expected} is not in ${names.join(' ')}`);
  });

  for (const [what, files, fault] of [
    ['names no licence', { 'package.json': manifest({}), LICENSE: 'Do as you like.' }, /1\.2\.3: .*names no licence/],
    ['ships no text', { 'package.json': manifest({ license: 'MIT' }) }, /no file.*Add build\/licences\/made-up\.txt/],
    ...['GPL-3.0-only', 'AGPL-3.0', 'LGPL-2.1', 'SSPL-1.0', 'UNLICENSED', 'SEE LICENSE IN x', 'MIT AND GPL-2.0'].map(
      (license) =>
        [
          `is under "${license}"`,
          { 'package.json': manifest({ license }), LICENSE: 'text' },
          new RegExp(`made-up 1\\.2\\.3: .* cannot ship "${license}"`),
        ] as const,
    ),
  ] as const)
    it(`a package that ${what} fails the build`, async () => {
      for (const statement of ["import 'made-up';", "void import('made-up');"]) {
        const { inputs } = await bundleWith(files, statement);
        assert.throws(() => noticesOf(inputs), fault);
      }
    });

  it('the error names every package at fault', async () => {
    const other = join(temp.path, 'node_modules/other');
    mkdirSync(other, { recursive: true });
    writeFileSync(join(other, 'package.json'), JSON.stringify({ name: 'other', version: '2.0.0' }));
    writeFileSync(join(other, 'index.js'), 'console.log(2);');
    const { inputs } = await bundleWith({
      'package.json': manifest({ license: 'GPL-2.0' }),
      'index.js': "require('other');console.log(1);",
    });
    assert.throws(() => noticesOf(inputs), /\nmade-up 1\.2\.3: .*\nother 2\.0\.0: /);
  });

  it('a package with several files of its licence ships all of them', async () => {
    const { inputs } = await bundleWith({
      'package.json': manifest({ licenses: [{ type: 'MIT' }, { type: 'GPL-2.0' }] }),
      'LICENSE-MIT.txt': 'one',
      'NOTICE.md': 'two',
      COPYING: 'three',
    });
    const [notice] = noticesOf(inputs);
    assert.deepEqual(notice, {
      name: 'made-up',
      version: '1.2.3',
      licence: 'MIT OR GPL-2.0',
      text: 'three\n\none\n\ntwo',
    });
  });

  for (const [expression, shippable] of [
    ['MIT', true],
    ['(MIT OR GPL-3.0-only)', true],
    ['GPL-2.0-only OR (MIT AND BSD-3-Clause)', true],
    ['(MIT OR Apache-2.0) AND GPL-2.0-only', false],
    ['GPL-2.0-only WITH Classpath-exception-2.0', false],
    ['(MIT', false],
    ['', false],
    ['mit', false],
  ] as const)
    it(`${JSON.stringify(expression)} ${shippable ? 'can' : 'cannot'} be shipped`, () =>
      assert.equal(isShippable(expression), shippable));

  it('Node comes with the licence of each of its parts', () => {
    const [node] = ownNotices();
    const text = node?.text ?? '';
    assert.match(text, /^Node\.js is licensed for use as follows:/);
    for (const version of Object.keys(process.versions)) {
      const part = version in PART_OF_NODE ? PART_OF_NODE[version] : version;
      if (part !== undefined) assert.match(text, new RegExp(`^(- .*)?\\b${part}, located at`, 'im'), version);
    }
  });

  it('a launcher without musl is refused: it would contain glibc', () => {
    assert.throws(() => ownNotices(process.execPath, join(temp.path, 'none')), /install musl-tools/);
  });

  it('the file begins with the licence of this program and lists every work', () => {
    const text = formatNotices([{ name: 'made-up', version: '1.2.3', licence: 'MIT', text: 'Copyright Somebody' }]);
    assert.match(text, /^Isthmus is licensed .*\n {2}made-up 1\.2\.3 \(MIT\)\n.*Copyright Somebody\n$/s);
    assert.ok(text.includes(readFileSync(join(ROOT, 'LICENSE'), 'utf8').trim()));
  });
});
