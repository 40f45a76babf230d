import { strict as assert } from 'node:assert';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseClusterConfig } from '../../src/shared/config/cluster.ts';
import { KEYS_OF } from '../../src/shared/config/driver-keys.ts';
import { CATALOG } from '../../src/shared/errors/catalog.ts';
import {
  anchorsOf,
  blocksOf,
  codesOf,
  linksOf,
  proseOf,
  ROOT,
  readBlocks,
  readPage,
  readPages,
  tableRows,
} from '../support/docs.ts';

const SCHEMAS = join(ROOT, 'src/shared/config/schemas');

/** Drivers with a table of their own keys. */
const WITH_TABLE = ['macvlan', 'ipvlan', 'vlan', 'ptp', 'tap', 'host-device', 'remote'] as const;

/** Keys of these drivers that are in the first table. */
const COMMON_KEYS = ['ipam', 'exhaustedStatus'];

/** Keys that a runtime, not a person, adds to a configuration, or that libcni reads itself. */
const NOT_FOR_PEOPLE = [
  ...['$schema', 'cniVersion', 'cniVersions', 'runtimeConfig', 'prevResult'],
  ...['disableCheck', 'disableGC', 'loadOnlyInlinedPlugins'],
];

describe('README.md', () => {
  const markdown = readPage('README.md');

  it('is one page', () => {
    assert.ok(markdown.split('\n').length <= 100);
  });

  it('links to every page', () => {
    const links = linksOf(markdown);
    for (const { file } of readPages()) assert.ok(file === 'README.md' || links.includes(file), file);
  });

  it('installs with commands of docs/install.md', () => {
    const own = blocksOf(markdown).filter(({ run }) => run);
    const install = blocksOf(readPage('docs/install.md')).map(({ text }) => text);
    assert.ok(own.length > 0);
    for (const { text } of own) assert.ok(install.includes(text), text);
  });

  it('quotes figures of docs/figures.md', () => {
    const quoted = tableRows(markdown, '').flatMap((row) => row.slice(1).map((cell) => cell.replace(' ms', '')));
    const measured = new Set(readPage('docs/figures.md').match(/\d+\.\d+/g));
    assert.ok(quoted.length > 4);
    for (const figure of quoted) assert.ok(measured.has(figure), figure);
  });
});

describe('the documentation', () => {
  const pages = readPages();
  const blocks = readBlocks();
  const configuration = readPage('docs/configuration.md');

  it('has no untested shell example, except test commands and a build that a test makes', () => {
    const idle = blocks.filter(({ language, run }) => language === 'sh' && !run);
    assert.deepEqual(
      idle.map(({ text }) => text.replaceAll(/ *#.*/g, '')),
      ['npm run demo\nnpm test\n', 'npm run docker-plugin\n'],
    );
  });

  it('shows the same configurations as netconf-examples', () => {
    const examples = globSync(join(ROOT, 'netconf-examples/*.conflist')).map((file) => readFileSync(file, 'utf8'));
    const shown = blocks.filter(({ language, text }) => language === 'json' && text.includes('"plugins"'));
    assert.ok(shown.length > 0);
    for (const { text } of shown) assert.ok(examples.includes(text), `no example is\n${text}`);
  });

  it('explains every configuration key, and no other', () => {
    const explained = keyRows(configuration, 'key');
    assert.equal(new Set(explained).size, explained.length, 'a key is explained twice');
    const all = new Set([...explained, ...WITH_TABLE.flatMap((driver) => driverRows(configuration, driver))]);
    assert.deepEqual([...all].toSorted(), propertiesOf('netconf', NOT_FOR_PEOPLE).toSorted());
  });

  for (const driver of WITH_TABLE)
    it(`explains every key of driver ${driver}, and no other`, () => {
      const elsewhere =
        driver === 'ptp' || driver === 'remote'
          ? keyRows(configuration, 'key').filter((key) => key !== 'mtu')
          : COMMON_KEYS;
      const own = KEYS_OF[driver].filter((key) => !elsewhere.includes(key));
      assert.deepEqual(driverRows(configuration, driver).toSorted(), own.toSorted());
    });

  it('explains every key of dhcp, and no other', () => {
    const explained = keyRows(configuration, 'key of `dhcp`');
    assert.deepEqual(explained.toSorted(), propertiesOf('ipam-dhcp', ['name', 'type']).toSorted());
  });

  it('explains every key of ipam of type remote, and no other', () => {
    const explained = keyRows(readPage('docs/remote.md'), 'key of `ipam` of type `remote`');
    assert.deepEqual(explained.toSorted(), propertiesOf('ipam-remote', ['type']).toSorted());
  });

  it('explains every ipam key, and no other', () => {
    const known = [...propertiesOf('ipam-host-local', ['name']), ...propertiesOf('ipam-static', ['name', 'dns'])];
    const top = new Set(keyRows(configuration, 'key of `ipam`').map((key) => key.replace(/^ranges\[\].*/, 'ranges')));
    assert.deepEqual([...top].toSorted(), [...new Set(known)].toSorted());
  });

  it('explains every key of cluster.json, and no other', () => {
    const { properties } = JSON.parse(readFileSync(join(SCHEMAS, 'cluster.schema.json'), 'utf8'));
    const below = ['etcd', 'zookeeper'].flatMap((store) =>
      Object.keys(properties[store].properties).map((key) => `${store}.${key}`),
    );
    const known = [...Object.keys(properties), ...below].filter((key) => key !== '$schema');
    const overlay = readPage('docs/overlay.md');
    assert.deepEqual(keyRows(overlay, 'key of `cluster.json`').toSorted(), known.toSorted());
    for (const [keys = '', standard = ''] of tableRows(overlay, 'key of `cluster.json`'))
      assert.ok(standard !== '', `${keys} has an empty cell`);
    const shown = blocks.filter(({ language, text }) => language === 'json' && /"(etcd|zookeeper)": /.test(text));
    assert.equal(shown.length, 2);
    for (const { text } of shown) assert.equal(parseClusterConfig(JSON.parse(text), 'cluster.json').name, 'prod');
  });

  it('quotes errors of overlay networks that the program has', () => {
    const sources = globSync(join(ROOT, '{src,cmd}/**/*.ts')).map((file) => readFileSync(file, 'utf8'));
    const parts = keyRows(readPage('docs/overlay.md'), 'message').flatMap((text) => text.split('…'));
    for (const part of parts.map((text) => text.trim()).filter((text) => text !== ''))
      assert.ok(
        sources.some((text) => text.includes(part)),
        part,
      );
  });

  it('gives the default of every key', () => {
    for (const [keys = '', standard = ''] of tableRows(configuration, 'key'))
      assert.ok(standard !== '', `${keys} has an empty cell`);
  });

  it('lists every error of the catalog', () => {
    const listed = tableRows(readPage('docs/errors.md'), 'code').map((row) => row.join(' | '));
    const rows = Object.values(CATALOG).map(
      ({ cni, meaning, retry }) => `${cni} | ${meaning} | ${retry ? 'yes' : 'no'}`,
    );
    assert.deepEqual(listed, rows);
  });

  it('explains every environment variable that the program reads', () => {
    const sources = globSync(join(ROOT, '{src,cmd}/**/*.{ts,c}')).map((file) => readFileSync(file, 'utf8'));
    const read = new Set(sources.flatMap((text) => text.match(/\b(ISTHMUS_[A-Z_]+|TRACEPARENT)\b/g) ?? []));
    const explained = keyRows(readPage('docs/operations.md'), 'variable').filter((name) => !name.startsWith('CNI_'));
    assert.deepEqual(explained.toSorted(), [...read].toSorted());
  });

  it('runs the examples of a heading on one page only, so that a test names them by it', () => {
    const sections = pages.flatMap(({ text }) => [
      ...new Set(blocksOf(text).flatMap(({ run, section }) => (run ? [section] : []))),
    ]);
    assert.deepEqual(sections, [...new Set(sections)]);
  });

  for (const file of globSync(['*.md', 'docs/*.md', 'src/**/*.md', 'test/*.md'], { cwd: ROOT }).toSorted())
    it(`${file}: every link leads to a file and a heading`, () => {
      assert.deepEqual(
        linksOf(readPage(file)).filter((link) => !leadsSomewhere(file, link)),
        [],
      );
    });

  it('has links, with and without headings', () => {
    const links = pages.flatMap(({ text }) => linksOf(text));
    assert.ok(links.filter((link) => link.includes('#')).length > 10);
    assert.ok(links.filter((link) => !link.includes('#')).length > 20);
  });

  it('notices a link that leads nowhere', () => {
    for (const link of ['docs/none.md', '#none', 'docs/install.md#none', 'LICENSE#none'])
      assert.equal(leadsSomewhere('README.md', link), false, link);
  });

  it('names only existing scripts', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const text = pages.map((page) => page.text).join('\n');
    const named = [...text.matchAll(/\bnpm (?:run ([\w-]+)|(test))/g)].map(([, run, test]) => run ?? test ?? '');
    assert.deepEqual(
      named.filter((name) => !Object.hasOwn(scripts, name)),
      [],
    );
  });

  it('has short lines, except in tables', () => {
    const lines = pages.flatMap(({ text }) => proseOf(text));
    const long = lines.filter((line) => !line.startsWith('|') && line.length > 220);
    assert.deepEqual(long, []);
  });
});

/** True if the file that a link of page `from` names exists, and has the heading that the link names. */
function leadsSomewhere(from: string, link: string): boolean {
  if (/^https?:/.test(link)) return true;
  const [path = '', anchor] = link.split('#');
  const file = path === '' ? from : join(dirname(from), path);
  if (!existsSync(join(ROOT, file))) return false;
  return anchor === undefined || (file.endsWith('.md') && anchorsOf(readPage(file)).includes(anchor));
}

/** The first cells of the tables headed `head`; each may name several keys. */
function keyRows(markdown: string, head: string): string[] {
  const rows = tableRows(markdown, head);
  assert.ok(rows.length > 0, `no table of "${head}"`);
  return rows.flatMap(([keys = '']) => codesOf(keys));
}

/** The keys in the table of a driver, in which no cell is empty. */
function driverRows(markdown: string, driver: string): string[] {
  const rows = tableRows(markdown, `key of \`${driver}\``);
  assert.ok(rows.length > 0, `no table of ${driver}`);
  for (const row of rows) assert.ok(row.length === 3 && !row.includes(''), `${row[0]} has an empty cell`);
  return rows.flatMap(([keys = '']) => codesOf(keys));
}

function propertiesOf(schema: string, without: readonly string[]): string[] {
  const { properties } = JSON.parse(readFileSync(join(SCHEMAS, `${schema}.schema.json`), 'utf8'));
  return Object.keys(properties).filter((key) => !without.includes(key));
}
