import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { confDir, reference } from './e2e.ts';
import type { TestHost } from './test-host.ts';

/** A network configuration list that a runtime has in `confDir`. */
export interface InstalledNetwork {
  readonly name: string;
  /** An address of its first subnet: `address(77)` ends in .77. */
  address(last: number): string;
}

const EXAMPLES = join(import.meta.dirname, '../../netconf-examples');

/** What is read here of a configuration list. */
interface List {
  readonly name: string;
  readonly plugins: readonly {
    readonly ipam: { readonly ranges: readonly (readonly { readonly subnet: string }[])[] };
  }[];
}

const REFERENCE = {
  cniVersion: '1.0.0',
  name: 'web',
  plugins: [
    {
      type: 'bridge',
      bridge: 'isth0',
      isGateway: true,
      hairpinMode: true,
      capabilities: { ips: true, mac: true },
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.88.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
  ],
};

const ISTHMUS = {
  ...REFERENCE,
  plugins: REFERENCE.plugins.map(({ type, ipam: { type: _, ...ipam }, ...rest }) => ({
    type: 'isthmus',
    driver: type,
    ...rest,
    ipam,
  })),
};

/** What a test changes of a configuration. */
export interface NetworkChanges {
  readonly subnet?: string;
}

/** The host's only network is the example `bridge.conflist`, unchanged; of the reference, the same by its keys. */
export function installNetwork(host: TestHost, changes: NetworkChanges = {}): InstalledNetwork {
  const example = join(EXAMPLES, 'bridge.conflist');
  if (reference) return install(host, REFERENCE, changes);
  return install(host, existsSync(example) ? JSON.parse(readFileSync(example, 'utf8')) : ISTHMUS, changes);
}

/** The host's only network is a configuration of the reference, which the executable has to take as it is. */
export function installReference(host: TestHost): InstalledNetwork {
  return install(host, REFERENCE, {});
}

/** No network is configured; those that packages of the machine bring are out of sight too. */
export function removeNetworks(host: TestHost): void {
  host.run('sh', '-c', `rm -f ${confDir}/*`);
}

function install(host: TestHost, list: List, changes: NetworkChanges): InstalledNetwork {
  removeNetworks(host);
  const subnet = list.plugins[0]?.ipam.ranges[0]?.[0]?.subnet ?? '';
  const text = JSON.stringify(list, undefined, 2).replaceAll(subnet, changes.subnet ?? subnet);
  host.write(`${confDir}/10-${list.name}.conflist`, text);
  const [a, b, c] = subnet.split('.');
  return { name: list.name, address: (last) => `${a}.${b}.${c}.${last}` };
}
