import { strict as assert } from 'node:assert';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CATALOG } from '../../src/shared/errors/catalog.ts';
import { blocksOf, codesOf, headingsOf, proseOf, ROOT, readReadme, tableRows } from '../support/readme.ts';

const SCHEMAS = join(ROOT, 'src/shared/config/schemas');

/** Keys that a runtime, not a person, adds to a configuration, or that libcni reads itself. */
const NOT_FOR_PEOPLE = [
  ...['$schema', 'cniVersion', 'cniVersions', 'runtimeConfig', 'prevResult'],
  ...['disableCheck', 'disableGC', 'loadOnlyInlinedPlugins'],
];

describe('README.md', () => {
  const markdown = readReadme();
  const blocks = blocksOf(markdown);

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
    const explained = keyRows(markdown, 'key');
    assert.deepEqual(explained.toSorted(), propertiesOf('netconf', NOT_FOR_PEOPLE).toSorted());
  });

  it('explains every ipam key, and no other', () => {
    const known = [...propertiesOf('ipam-host-local', ['name']), ...propertiesOf('ipam-static', ['name', 'dns'])];
    const top = new Set(keyRows(markdown, 'key of `ipam`').map((key) => key.replace(/^ranges\[\].*/, 'ranges')));
    assert.deepEqual([...top].toSorted(), [...new Set(known)].toSorted());
  });

  it('gives the default of every key', () => {
    for (const [keys = '', standard = ''] of tableRows(markdown, 'key'))
      assert.ok(standard !== '', `${keys} has an empty cell`);
  });

  it('lists every error of the catalog', () => {
    const listed = tableRows(markdown, 'code').map((row) => row.join(' | '));
    const rows = Object.values(CATALOG).map(
      ({ cni, meaning, retry }) => `${cni} | ${meaning} | ${retry ? 'yes' : 'no'}`,
    );
    assert.deepEqual(listed, rows);
  });

  it('explains every environment variable that the program reads', () => {
    const sources = globSync(join(ROOT, '{src,cmd}/**/*.{ts,c}')).map((file) => readFileSync(file, 'utf8'));
    const read = new Set(sources.flatMap((text) => text.match(/\b(ISTHMUS_[A-Z_]+|TRACEPARENT)\b/g) ?? []));
    const explained = keyRows(markdown, 'variable').filter((name) => !name.startsWith('CNI_'));
    assert.deepEqual(explained.toSorted(), [...read].toSorted());
  });

  it('has no broken links', () => {
    const anchors = headingsOf(markdown).map((text) => `#${text.toLowerCase().replaceAll(' ', '-')}`);
    const links = [...markdown.matchAll(/\]\(([^)]+)\)/g)].map(([, target = '']) => target);
    assert.ok(links.length > 5);
    for (const link of links)
      assert.ok(link.startsWith('#') ? anchors.includes(link) : existsSync(join(ROOT, link)), link);
  });

  it('names only existing scripts', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const named = [...markdown.matchAll(/\bnpm (?:run ([\w-]+)|(test))/g)].map(([, run, test]) => run ?? test ?? '');
    assert.deepEqual(
      named.filter((name) => !Object.hasOwn(scripts, name)),
      [],
    );
  });

  it('has short lines, except in tables', () => {
    const long = proseOf(markdown).filter((line) => !line.startsWith('|') && line.length > 220);
    assert.deepEqual(long, []);
  });
});

/** The first cells of the tables headed `head`; each may name several keys. */
function keyRows(markdown: string, head: string): string[] {
  const rows = tableRows(markdown, head);
  assert.ok(rows.length > 0, `no table of "${head}"`);
  return rows.flatMap(([keys = '']) => codesOf(keys));
}

function propertiesOf(schema: string, without: readonly string[]): string[] {
  const { properties } = JSON.parse(readFileSync(join(SCHEMAS, `${schema}.schema.json`), 'utf8'));
  return Object.keys(properties).filter((key) => !without.includes(key));
}
