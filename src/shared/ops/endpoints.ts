import type { Core } from '../core/core.ts';
import { formatAddr } from '../model/addr.ts';
import { type Attachment, type CampName, campName } from '../model/attachment.ts';
import { dockerFactsOf, type Endpoint, hostIfOf, scopeOf } from '../model/endpoint.ts';
import { given } from '../model/given.ts';
import { type PortInfo, portsOf } from './ports.ts';

/** One endpoint in operator commands. */
export interface EndpointInfo {
  readonly network: string;
  readonly camp: CampName;
  /** Container id of a CNI endpoint, or Docker's EndpointID. */
  readonly id: string;
  /** Its name in the sandbox: CNI_IFNAME, or what a Docker user has given; absent if dockerd chooses it. */
  readonly interface?: string;
  readonly hostInterface?: string;
  readonly mac?: string;
  /** With prefix lengths if known. */
  readonly addresses: readonly string[];
  readonly aliases: readonly string[];
  readonly ports: readonly PortInfo[];
  /** Path of the sandbox when it was attached. */
  readonly sandbox?: string;
  /** NetworkID of its Docker network. */
  readonly dockerNetwork?: string;
  /** False while a call creates or deletes it, and after a crash during either. */
  readonly ready: boolean;
}

/** Lists the recorded endpoints, all or one network's; sorted by network, camp, id and interface. */
export function listEndpoints({ store }: Core, network?: string): EndpointInfo[] {
  return attachmentsOf(store.endpoints.list(network)).map((rows) => describe(store.leases, rows));
}

/** The parts of each attachment together, in their order. */
export function attachmentsOf(rows: readonly Endpoint[]): readonly (readonly [Endpoint, ...Endpoint[]])[] {
  const parts = new Map<string, [Endpoint, ...Endpoint[]]>();
  for (const row of rows) {
    const key = keyOf(row.attachment);
    const known = parts.get(key);
    if (known === undefined) parts.set(key, [row]);
    else known.push(row);
  }
  return [...parts.values()];
}

/** False while a call creates or deletes it, and after a crash during either. */
export function isReady(rows: readonly Endpoint[]): boolean {
  return rows.every(({ progress }) => progress === 'ready');
}

/** `rows` are the parts of one attachment. */
function describe(leases: Core['store']['leases'], rows: readonly [Endpoint, ...Endpoint[]]): EndpointInfo {
  const main = rows.find(({ role }) => role === 'interface') ?? rows[0];
  const { attachment, sandbox } = main;
  const { addresses, dockerNetwork, ifName: asked } = dockerFactsOf(main);
  const { network, camp, containerId, ifName } = attachment;
  const mac = macOf(main);
  const hostIf = rows.map(hostIfOf).find((name) => name !== undefined);
  const inside = 'inside' in main ? main.inside.addresses.map(({ address }) => address) : [];
  return {
    network,
    camp: campName(camp),
    id: containerId,
    ...given({ interface: camp === 'cnm' ? asked : ifName, hostInterface: hostIf, mac }),
    addresses: addresses ?? (inside.length > 0 ? inside : leasedBy(leases, rows)),
    aliases: 'aliases' in main ? main.aliases : [],
    ports: rows.flatMap(portsOf),
    ...(sandbox.path === '' ? {} : { sandbox: sandbox.path }),
    ...given({ dockerNetwork }),
    ready: isReady(rows),
  };
}

function macOf(main: Endpoint): string | undefined {
  if (main.kind === 'docker' && main.lone !== undefined) return main.lone.mac;
  return 'link' in main ? main.link?.mac : undefined;
}

function leasedBy(leases: Core['store']['leases'], rows: readonly Endpoint[]): string[] {
  return rows.flatMap((row) => {
    const scope = scopeOf(row);
    return scope === undefined ? [] : leases.list(scope, row.attachment).map(({ address }) => formatAddr(address));
  });
}

function keyOf({ network, camp, containerId, ifName }: Attachment): string {
  return [network, camp, containerId, ifName].join('\0');
}
