import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DRIVERS } from '../../cmd/cnm-shim/cli/network-create.ts';
import { readOptions } from '../../cmd/cnm-shim/cli/network-options.ts';
import { DOCKER_KEYS, OWN_KEYS, parseOptions } from '../../cmd/cnm-shim/docker/options.ts';
import { KEYS_OF } from '../../src/shared/config/driver-keys.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { ROOT, readPage } from '../support/docs.ts';

const PAGE = 'docs/configuration.md';
const HEAD = ['option', 'CNI', 'Docker: `-o`', '`isthmus network create`'];

/** Drivers that take no options of their own; Docker's `-o` of a bridge is accepted with `null`, and of no effect. */
const WITHOUT_OPTIONS = ['host', 'null'];
/** One of these is a value of each option. */
const VALUES = [
  'true',
  '1',
  '1400',
  'eth0',
  '10.0.0.9',
  'fd00::9',
  'nat',
  'bridge',
  'shared',
  'l2',
  '/opt/cni/bin',
  'A=b',
];
/** What a driver cannot do without. */
const NEEDED: Readonly<Record<string, Readonly<Record<string, string>>>> = { cni: { conf: 'web' } };

describe('the table of drivers and their options', () => {
  it(`is in ${PAGE} as the parsers of both camps have it (UPDATE_GOLDEN=1 writes it)`, () => {
    const page = readPage(PAGE);
    const begin = page.indexOf(`| ${HEAD.join(' | ')} |\n`);
    assert.ok(begin >= 0, 'the table is there');
    const end = page.indexOf('\n\n', begin) + 1;
    const table = [HEAD, HEAD.map(() => '---'), ...rows()].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
    if (process.env.UPDATE_GOLDEN === '1')
      writeFileSync(join(ROOT, PAGE), page.slice(0, begin) + table + page.slice(end));
    else assert.equal(page.slice(begin, end), table);
  });
});

function rows(): string[][] {
  const drivers = Object.keys(KEYS_OF);
  const inDocker = [...drivers, 'cni'].filter((driver) => accepts({ driver, ...NEEDED[driver] }));
  const cell = (names: readonly string[]): string => (names.length === 0 ? '–' : names.join(', '));
  const cniKeys = [...new Set(Object.values(KEYS_OF).flat())];
  const dockerKeys = [...Object.values(DOCKER_KEYS), ...OWN_KEYS].filter((key) => key !== 'driver');
  const options = [...new Set([...cniKeys, ...dockerKeys])].map((key): string[] => {
    const cni = Object.entries(KEYS_OF).flatMap(([driver, keys]: [string, readonly string[]]) =>
      keys.includes(key) ? [driver] : [],
    );
    const isDockers = dockerKeys.some((known) => known === key);
    const own = inDocker.filter((driver) => isDockers && !WITHOUT_OPTIONS.includes(driver) && takes(driver, key));
    assert.equal(own.length > 0, isDockers, `${key}: no driver takes one of the values that are tried`);
    return [`\`${key}\``, cell(cni), cell(own), isOfVerb(key) ? 'bridge' : '–'];
  });
  return [['`driver`', cell(drivers), cell(inDocker), cell(DRIVERS)], ...options];
}

/** `host_access` needs a parent. */
function takes(driver: string, key: string): boolean {
  const parent = key === 'host_access' ? { parent: 'eth0' } : {};
  return VALUES.some((value) => accepts({ driver, ...NEEDED[driver], ...parent, [key]: value }));
}

function accepts(options: Readonly<Record<string, string>>): boolean {
  try {
    parseOptions(options);
    return true;
  } catch (error) {
    if (error instanceof NetError) return false;
    throw error;
  }
}

/** True for a key of `--opt`. */
function isOfVerb(key: string): boolean {
  try {
    readOptions([`${key}=1`]);
    return true;
  } catch {
    return false;
  }
}
