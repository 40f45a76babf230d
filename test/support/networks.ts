import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { confDir, reference } from './e2e.ts';
import type { TestHost } from './test-host.ts';

/** A network configuration list that runtimes find in `confDir`. */
export interface InstalledNetwork {
  readonly name: string;
  /** An IPv4 address of its first subnet: `address(77)` ends in .77. */
  address(last: number): string;
}

/** The changes of a test to an example. */
export interface NetworkChanges {
  readonly subnet?: string;
  /** The networks that are there already stay. */
  readonly beside?: boolean;
}

/** Files of netconf-examples: one by this project's keys, and one of the reference that is to be taken as it is. */
export const EXAMPLES = reference ? ['drop-in'] : ['bridge', 'drop-in'];

const DIR = join(import.meta.dirname, '../../netconf-examples');
const [DEFAULT = ''] = EXAMPLES;

/** The host's only network is the example, unchanged but for `changes`. */
export function installNetwork(
  host: TestHost,
  example: string = DEFAULT,
  changes: NetworkChanges = {},
): InstalledNetwork {
  if (!changes.beside) removeNetworks(host);
  const text = readFileSync(join(DIR, `${example}.conflist`), 'utf8');
  const list: { name: string } = JSON.parse(text);
  const subnet = /"subnet": "([^"]+)"/.exec(text)?.[1] ?? '';
  host.write(`${confDir}/10-${example}.conflist`, text.replace(subnet, changes.subnet ?? subnet));
  const [a, b, c] = subnet.split('.');
  return { name: list.name, address: (last) => `${a}.${b}.${c}.${last}` };
}

/** No network is configured; those that packages of the machine bring are out of sight too. */
export function removeNetworks(host: TestHost): void {
  host.run('sh', '-c', `rm -f ${confDir}/*`);
}
