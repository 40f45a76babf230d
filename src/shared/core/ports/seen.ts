import type { PortMapping } from '../../config/port-mappings.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { Holder, PortQuery } from '../../host/host.ts';
import type { Attachment } from '../../model/attachment.ts';
import type { PortSpan } from '../../model/firewall.ts';
import { given } from '../../model/given.ts';
import type { Core } from '../core.ts';

/**
 * What the host showed of some ports. Looked up before the transaction that claims them: another process may take one
 * in between, as it may at any time later.
 */
export interface PortsSeen {
  /** Publish addresses that the host neither has, nor lets processes bind to before it is there. */
  readonly foreign: readonly string[];
  /** Inodes of the sockets that listen, by place and port. */
  readonly sockets: ReadonlyMap<string, ReadonlyMap<number, number>>;
  /** Processes by the inodes of their sockets. */
  readonly names: Map<number, Holder>;
  /** Inodes that an error could not name. */
  readonly unnamed: Set<number>;
  /** The attachment that the daemon has reserved the ports for, if it has. */
  readonly owner?: Attachment;
}

/** Where a mapping is published. */
type Place = Pick<PortMapping, 'protocol' | 'hostIp' | 'family'>;

/** Ports to look at. */
export interface PortsWanted extends Place, PortSpan {
  readonly first: number;
}

/**
 * Reads the host's addresses if one is named, and all its sockets once for each protocol of the ports that are not
 * `tested`. Names no process.
 */
export function lookAtPorts(
  { host }: Pick<Core, 'host'>,
  wanted: readonly PortsWanted[],
  untested: readonly PortsWanted[] = wanted,
): PortsSeen {
  const sockets = new Map<string, Map<number, number>>();
  const seen = { foreign: [], sockets, names: new Map<number, Holder>(), unnamed: new Set<number>() };
  if (wanted.length === 0) return seen;
  const named = [...new Set(wanted.flatMap(({ hostIp }) => hostIp ?? []))];
  // A port that the daemon could not bind may have a socket that does not listen.
  const idle = untested !== wanted || undefined;
  const listeners = untested.map(({ protocol, hostIp, family, first, count }): PortQuery => {
    return { protocol, port: first, ...given({ count, address: hostIp, family, idle }) };
  });
  const view = host.observe(host.own, { listeners, ...(named.length > 0 ? { addresses: 'all' } : {}) });
  for (const { protocol, address, family, port, inode } of view.listeners) {
    const place = placeOf({ protocol, ...given({ hostIp: address, family }) });
    const ports = sockets.get(place) ?? new Map<number, number>();
    sockets.set(place, ports.set(port, inode));
  }
  const own = new Set(view.addresses.map(({ address }) => address.slice(0, address.lastIndexOf('/'))));
  const absent = named.filter((address) => !own.has(address) && !address.startsWith('127.'));
  return { ...seen, foreign: absent.filter((address) => !mayComeLater(host, address)) };
}

/**
 * Reserves the ports of a container where the daemon holds ports, which is the exact test, and looks at the others with
 * `lookAtPorts`. Ignores the container's conmon, which holds each port for podman.
 */
export async function lookAtMappings(
  core: Core,
  mappings: readonly PortMapping[],
  owner: Attachment,
): Promise<PortsSeen> {
  const seen = await lookAtReserved(
    core,
    mappings.map((mapping) => ({ ...mapping, first: mapping.hostPort })),
    owner,
  );
  const inodes = [...seen.sockets.values()].flatMap((ports) => [...ports.values()]);
  if (inodes.length === 0) return seen;
  const { host } = core;
  const { holders } = host.observe(host.own, { holders: inodes, program: 'conmon' });
  const isOther = ([, inode]: readonly [number, number]): boolean => !isConmonOf(holders.get(inode), owner.containerId);
  const sockets = [...seen.sockets].map(([place, ports]) => [place, new Map([...ports].filter(isOther))] as const);
  return { ...seen, sockets: new Map(sockets) };
}

/** `lookAtPorts` for those of the ports that the daemon does not hold and could not reserve. */
export async function lookAtReserved(
  core: Core,
  wanted: readonly PortsWanted[],
  owner: Attachment,
  isFixed: (one: PortsWanted) => boolean = () => true,
): Promise<PortsSeen> {
  if (core.held === undefined || wanted.length === 0) return lookAtPorts(core, wanted);
  const fixed = wanted.filter(isFixed).map((one) => ({ ...one, hostPort: one.first }));
  const taken = await core.held.reserve(owner, fixed);
  const open = wanted.filter((one) => !isFixed(one));
  return { ...lookAtPorts(core, wanted, [...taken, ...open]), owner };
}

/** Returns a function that names the listener on a port of the mapping; undefined if no process listens. */
export function listenerOn(seen: PortsSeen, mapping: PortMapping): (() => string) | undefined {
  const [, inode] = takenIn(seen, mapping) ?? [];
  return inode === undefined ? undefined : () => nameOf(seen, inode);
}

/** The first port of the mapping that a process listens on, with the inode of its socket. */
function takenIn({ sockets }: PortsSeen, mapping: PortMapping): readonly [number, number] | undefined {
  const { hostPort, count = 1 } = mapping;
  const ports = sockets.get(placeOf(mapping));
  const isIn = ([port]: readonly [number, number]): boolean => port >= hostPort && port < hostPort + count;
  if (count > 1) return [...(ports ?? [])].find(isIn);
  const inode = ports?.get(hostPort);
  return inode === undefined ? undefined : [hostPort, inode];
}

function nameOf({ names, unnamed }: PortsSeen, inode: number): string {
  const holder = names.get(inode);
  if (holder === undefined) unnamed.add(inode);
  return listens(holder);
}

/** `nginx (pid 812) listens on it`. */
export function listens(holder: Holder | undefined): string {
  return `${holder?.process ?? 'a process'} listens on it`;
}

/**
 * Throws NetError `conflict` if a process of the host listens on one of the ports, `invalid-config` if the host does
 * not have the publish address, and it is not among those that are `coming`.
 */
export function assertPortsFree(
  seen: PortsSeen,
  mappings: readonly PortMapping[],
  coming: readonly string[] = [],
): void {
  const named = new Set(mappings.map(({ hostIp }) => hostIp));
  const foreign = seen.foreign.find((address) => named.has(address) && !coming.includes(address));
  if (foreign !== undefined) throw notOurs(foreign);
  for (const mapping of mappings) {
    const [port, inode] = takenIn(seen, mapping) ?? [];
    if (port !== undefined && inode !== undefined) throw listening(mapping, port, nameOf(seen, inode));
  }
}

/**
 * Runs `work`, whose errors name what was seen. To name a process takes a scan of all of them, so the scan runs after
 * the transaction of `work` has failed; `work` then fails again, with the name, or succeeds if the port is free by now.
 * Then gives up the ports that were reserved and not claimed.
 */
export async function naming<T>(core: Core, seen: PortsSeen, work: () => Promise<T>): Promise<T> {
  const { host } = core;
  try {
    return await work();
  } catch (thrown) {
    if (seen.unnamed.size === 0) throw thrown;
    const { holders } = host.observe(host.own, { holders: [...seen.unnamed] });
    for (const [inode, holder] of holders) seen.names.set(inode, holder);
    return await work();
  } finally {
    if (seen.owner !== undefined) core.held?.settle(core.store, seen.owner);
  }
}

/**
 * True for the conmon that podman started for this container: it runs as the same user, with `-c ID`, `--cid ID` or
 * `--cid=ID`. conmon(8): it holds each published port while the container lives.
 */
export function isConmonOf(holder: Holder | undefined, containerId: string): boolean {
  if (holder?.program !== 'conmon' || !holder.isOwnUser) return false;
  const { words } = holder;
  return words.some((word, i) => {
    if (word.startsWith('--cid=')) return word === `--cid=${containerId}`;
    return (word === '-c' || word === '--cid') && words[i + 1] === containerId;
  });
}

function placeOf({ protocol, hostIp, family }: Place): string {
  return [protocol, hostIp, family].join();
}

function notOurs(address: string): NetError {
  return fault.invalidConfig(
    'ports',
    `hostIP ${address}`,
    'it is not an address of this host',
    `Use one that "ip addr" shows, or leave hostIP out for all of them. For one that comes later, run: sysctl -w ${nonlocalBind(address)}=1`,
  );
}

/** True if processes may bind to an address that the host does not have now: one that keepalived moves. */
function mayComeLater(host: Core['host'], address: string): boolean {
  const key = nonlocalBind(address);
  return host.observe(host.own, { sysctls: [key] }).sysctls.get(key) === '1';
}

/** ip-sysctl.rst: the host may use addresses that it does not have. */
function nonlocalBind(address: string): string {
  return address.includes(':') ? 'net/ipv6/ip_nonlocal_bind' : 'net/ipv4/ip_nonlocal_bind';
}

function listening({ protocol, hostIp }: PortMapping, port: number, what: string): NetError {
  const subject = `host port ${hostIp === undefined ? '' : `${hostIp} `}${port}/${protocol}`;
  return fault.conflict('ports', subject, what, 'Stop it, or choose another host port');
}
