import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { withTables } from '../../build/config-tables.ts';
import { readSchemas } from '../../build/schemas.ts';
import { KEYS_OF } from '../../src/shared/config/driver-keys.ts';
import { publishedSchema, SCHEMA_NAMES, type SchemaName, WORDS } from '../../src/shared/config/published-schema.ts';
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { readPage } from '../support/docs.ts';
import { EXAMPLES } from '../support/runtime.ts';

const MAIN = join(import.meta.dirname, '../../cmd/cnm-shim/main.ts');
/** Keys that runtimes write or that docs/configuration.md describes elsewhere, in words of their own. */
const WITHOUT_WORDS = [
  '$schema',
  'cniVersion',
  'cniVersions',
  'runtimeConfig',
  'prevResult',
  'disableCheck',
  'disableGC',
  'loadOnlyInlinedPlugins',
];

function validator(name: SchemaName) {
  const ajv = new Ajv({ strict: false, allErrors: true });
  return ajv.compile(publishedSchema(name));
}

function isValid(name: SchemaName, value: unknown): boolean {
  return validator(name)(value);
}

const list = (...plugins: readonly object[]) => ({ cniVersion: '1.0.0', name: 'web', plugins });

describe('published schemas', () => {
  for (const name of SCHEMA_NAMES)
    it(`${name} is one document that refers to nothing outside of it`, () => {
      const text = JSON.stringify(publishedSchema(name));
      for (const [, target = ''] of text.matchAll(/"\$ref":"([^"]*)"/g)) {
        const definition = target.replace('#/definitions/', '');
        assert.ok(text.includes(`"${definition}":{`), target);
      }
      validator(name);
    });

  it('accept every example', () => {
    const check = validator('conflist');
    for (const file of readdirSync(EXAMPLES).filter((name) => name.endsWith('.conflist')))
      assert.ok(
        check(JSON.parse(readFileSync(join(EXAMPLES, file), 'utf8'))),
        `${file}: ${JSON.stringify(check.errors)}`,
      );
  });

  for (const [title, value, expected] of [
    ['a key of no driver', list({ type: 'isthmus', isGatway: true }), false],
    ['a key of another driver', list({ type: 'isthmus', driver: 'macvlan', hairpinMode: true }), false],
    ['a key of its driver', list({ type: 'isthmus', driver: 'macvlan', mode: 'private' }), true],
    ['a key of another driver than the default', list({ type: 'isthmus', master: 'eth0' }), false],
    ['a key of ipam that it does not have', list({ type: 'isthmus', ipam: { subnets: '10.0.0.0/8' } }), false],
    ['a range without a subnet', list({ type: 'isthmus', ipam: { ranges: [[{}]] } }), false],
    [
      'addresses of static',
      list({ type: 'isthmus', ipam: { type: 'static', addresses: [{ address: '10.0.0.1/8' }] } }),
      true,
    ],
    ['any ipam of another program', list({ type: 'isthmus', ipam: { type: 'whereabouts', range: 'x' } }), true],
    ['any plugin of another program', list({ type: 'cilium-cni', key: 1 }), true],
    ['a plugin without a type', list({ bridge: 'isth0' }), false],
    ['its own name', { $schema: 'x.json', ...list({ type: 'isthmus' }) }, true],
    ['no plugin', list(), false],
  ] as const)
    it(`${expected ? 'accept' : 'refuse'} ${title}`, () => assert.equal(isValid('conflist', value), expected));

  it('netconf is for a file with one plugin', () => {
    assert.equal(isValid('netconf', { name: 'web', type: 'isthmus', mtu: 1400 }), true);
    assert.equal(isValid('netconf', { type: 'isthmus', mtu: 1400 }), false);
    assert.equal(isValid('netconf', { name: 'web', type: 'isthmus', mtuu: 1400 }), false);
  });

  it('have the words of every key, and words of no other', () => {
    const keysIn = (name: string): string[] =>
      Object.keys(readSchemas().find((one) => one.name === name)?.schema.properties ?? {});
    const all = Object.values(WORDS).flatMap((keys) => Object.keys(keys));
    for (const key of keysIn('netconf')) assert.equal(all.includes(key), !WITHOUT_WORDS.includes(key), key);
    const known: Readonly<Record<string, readonly string[]>> = {
      netconf: keysIn('netconf'),
      ipam: [...keysIn('ipamHostLocal'), ...keysIn('ipamStatic')],
      dhcp: keysIn('ipamDhcp'),
      ...KEYS_OF,
    };
    for (const [table, keys] of Object.entries(WORDS))
      for (const key of Object.keys(keys).filter((one) => !one.includes('['))) {
        const own = known[table];
        assert.ok(own === undefined || own.includes(key), `${table} has no ${key}`);
      }
    // An editor shows them.
    const { properties } = publishedSchema('netconf') as {
      properties: Record<string, { markdownDescription?: string }>;
    };
    assert.match(
      properties.isGateway?.markdownDescription ?? '',
      /^The bridge has the gateway's addresses.* Default: `false`\.$/,
    );
    assert.match(properties.mode?.markdownDescription ?? '', /`macvlan`: .*`ipvlan`: /s);
  });

  it('the tables of docs/configuration.md are made of them', () => {
    const page = readPage('docs/configuration.md');
    assert.equal(withTables(page), page, 'run: npm run schemas');
    assert.throws(() => withTables(page.replace('| `vni` |', '| `vnii` |')), /has no words for vnii/);
    assert.throws(() => withTables(page.replace(/^\| `vni` .*\n/m, '')), /no row of netconf has vni/);
  });

  it('isthmus schema prints them', () => {
    const run = (...args: readonly string[]) => {
      const words = ['--no-warnings', MAIN, 'schema', ...args];
      return spawnSync(process.execPath, words, {
        env: { PATH: process.env.PATH ?? '', ...COMPILE_CACHE },
        encoding: 'utf8',
      });
    };
    assert.deepEqual(JSON.parse(run().stdout), JSON.parse(JSON.stringify(publishedSchema('conflist'))));
    assert.deepEqual(JSON.parse(run('cluster').stdout), publishedSchema('cluster'));
    const { status, stderr } = run('network');
    assert.equal(status, 2);
    assert.match(stderr, /Allowed choices are conflist, netconf, cluster/);
  });
});
