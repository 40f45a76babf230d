import { meet, type PortMapping } from '../../config/port-mappings.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import { type Family, formatAddr, parseAddr } from '../../model/addr.ts';
import type { Protocol } from '../../model/firewall.ts';

/** A port of a container that is to be reached by a port of the host. */
export interface PortRequest {
  readonly protocol: Protocol;
  /** One address of the host; `0.0.0.0` and `::` stand for every one of their family, absent for every one. */
  readonly hostIp?: string;
  /** The first port that will do; 0: any. */
  readonly hostPort: number;
  /** The last port that will do; below the first: only that. */
  readonly hostPortEnd: number;
  readonly containerPort: number;
}

/** From `first` to `last`, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** What a choice depends on. */
export interface PortScene {
  /** What is in force already: a request that one of these answers keeps its host port. */
  readonly current: readonly PortMapping[];
  /** Where a port is chosen that nobody names (net.ipv4.ip_local_port_range). */
  readonly ephemeral: PortRange;
  /** Never chosen, only named (net.ipv4.ip_local_reserved_ports). */
  readonly reserved: readonly PortRange[];
  /** Where among the ephemeral ports the search begins: any whole number. */
  readonly start: number;
  /** Says who listens on it when called; undefined where nobody does. */
  readonly listener: (mapping: PortMapping) => (() => string) | undefined;
  /** Takes it for the caller, or returns why that cannot be. */
  readonly claim: (mapping: PortMapping) => NetError | undefined;
}

/** So many holders are named where a range is exhausted. */
const NAMED = 3;

/**
 * One mapping a request, each claimed: fixed ports first, then ranges in ascending order of container port, then any
 * ports. A request that comes twice counts once. Throws NetError `conflict` where a port or all of a range is taken,
 * naming the holders, `invalid-config` for a host address that is none.
 */
export function pickPorts(requests: readonly PortRequest[], scene: PortScene): PortMapping[] {
  const picked: PortMapping[] = [];
  for (const request of inOrder(requests)) {
    const base = baseOf(request);
    const { first, last } = rangeOf(request);
    const fixed = { ...base, hostPort: first };
    if (request.hostPort !== 0 && first === last) {
      if (picked.some((other) => sameMapping(other, fixed))) continue;
      takeFixed(fixed, picked, scene);
      picked.push(fixed);
    } else {
      picked.push(kept(base, request, picked, scene) ?? takeFree(base, request, picked, scene));
    }
  }
  return picked;
}

/** The mapping that a request comes to, but for its host port. Throws NetError `invalid-config`. */
export function baseOf({ protocol, hostIp, containerPort }: PortRequest): Omit<PortMapping, 'hostPort'> {
  if (hostIp === undefined || hostIp === '') return { protocol, containerPort };
  const addr = parseAddr(hostIp);
  if (addr === undefined) throw noAddress(hostIp);
  const family: Family = addr.family;
  return addr.value === 0n
    ? { protocol, containerPort, family }
    : { protocol, containerPort, family, hostIp: formatAddr(addr) };
}

function sameMapping(a: PortMapping, b: PortMapping): boolean {
  const same = a.protocol === b.protocol && a.hostIp === b.hostIp && a.family === b.family;
  return same && a.containerPort === b.containerPort && a.hostPort === b.hostPort;
}

/** dockerd's own order among ranges; what it sends has none. */
function inOrder(requests: readonly PortRequest[]): PortRequest[] {
  const rank = ({ hostPort, hostPortEnd }: PortRequest): number =>
    hostPort === 0 ? 2 : hostPortEnd > hostPort ? 1 : 0;
  return requests.toSorted(
    (a, b) =>
      rank(a) - rank(b) ||
      a.containerPort - b.containerPort ||
      a.protocol.localeCompare(b.protocol) ||
      (a.hostIp ?? '').localeCompare(b.hostIp ?? ''),
  );
}

function rangeOf({ hostPort, hostPortEnd }: PortRequest): PortRange {
  return { first: hostPort, last: Math.max(hostPort, hostPortEnd) };
}

function takeFixed(mapping: PortMapping, picked: readonly PortMapping[], scene: PortScene): void {
  const other = picked.find((one) => meet(one, mapping));
  if (other !== undefined) throw twice(mapping, other);
  const refusal = scene.claim(mapping);
  if (refusal !== undefined) throw refusal;
}

/** The mapping that is in force for this request already. */
function kept(
  base: Omit<PortMapping, 'hostPort'>,
  request: PortRequest,
  picked: readonly PortMapping[],
  scene: PortScene,
): PortMapping | undefined {
  const { first, last } = request.hostPort === 0 ? scene.ephemeral : rangeOf(request);
  return scene.current
    .filter(({ protocol, hostIp, containerPort, hostPort }) => {
      const same = protocol === base.protocol && hostIp === base.hostIp && containerPort === base.containerPort;
      return same && hostPort >= first && hostPort <= last;
    })
    .map(({ hostPort }) => ({ ...base, hostPort }))
    .find((one) => !picked.some((other) => meet(other, one)) && scene.claim(one) === undefined);
}

function takeFree(
  base: Omit<PortMapping, 'hostPort'>,
  request: PortRequest,
  picked: readonly PortMapping[],
  scene: PortScene,
): PortMapping {
  const any = request.hostPort === 0;
  const range = any ? scene.ephemeral : rangeOf(request);
  const size = range.last - range.first + 1;
  const holders: (() => string)[] = [];
  for (let i = 0; i < size; i++) {
    const hostPort = any ? range.first + ((scene.start + i) % size) : range.first + i;
    const mapping = { ...base, hostPort };
    const holder = holderOf(mapping, any ? scene.reserved : [], picked, scene);
    if (holder === undefined) return mapping;
    if (holders.length < NAMED) holders.push(() => `${hostPort}: ${holder()}`);
  }
  throw exhausted(
    base,
    range,
    holders.map((say) => say()),
    size,
  );
}

/** Says who keeps the port from being chosen; undefined where it is the caller's from now on. */
function holderOf(
  mapping: PortMapping,
  reserved: readonly PortRange[],
  picked: readonly PortMapping[],
  scene: PortScene,
): (() => string) | undefined {
  const { hostPort } = mapping;
  if (reserved.some(({ first, last }) => hostPort >= first && hostPort <= last)) return () => 'reserved on this host';
  const other = picked.find((one) => meet(one, mapping));
  if (other !== undefined) return () => `this container's port ${other.containerPort}/${other.protocol} has it`;
  const listener = scene.listener(mapping);
  if (listener !== undefined) return listener;
  const refusal = scene.claim(mapping);
  return refusal === undefined ? undefined : () => refusal.what;
}

function twice({ protocol, hostPort, hostIp, containerPort }: PortMapping, other: PortMapping): NetError {
  return fault.conflict(
    'ports',
    `host port ${hostIp === undefined ? '' : `${hostIp} `}${hostPort}/${protocol}`,
    `is asked for twice: for port ${other.containerPort} and for port ${containerPort} of the container`,
    'Publish each host port once',
  );
}

function exhausted(
  { protocol, hostIp, containerPort }: Omit<PortMapping, 'hostPort'>,
  { first, last }: PortRange,
  holders: readonly string[],
  size: number,
): NetError {
  const more = size > holders.length ? `; and ${size - holders.length} more` : '';
  return fault.conflict(
    'ports',
    `host ports ${hostIp === undefined ? '' : `${hostIp} `}${first}-${last}/${protocol}`,
    `none is free for port ${containerPort} of the container (${holders.join('; ')}${more})`,
    'Stop what holds one of them, or give a wider range',
  );
}

function noAddress(hostIp: string): NetError {
  return fault.invalidConfig(
    'ports',
    `host address ${JSON.stringify(hostIp)}`,
    'it is not an IP address',
    'Give one of this host, or leave it out for all of them',
  );
}
