import { meet, type PortMapping } from '../../config/port-mappings.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import { type Addr, formatAddr } from '../../model/addr.ts';
import { formatPorts, type PortSpan, type Protocol } from '../../model/firewall.ts';
import { given } from '../../model/given.ts';

/** A request to publish a container's port on a host port, or a span of ports on one of fixed host ports. */
export interface PortRequest extends PortSpan {
  readonly protocol: Protocol;
  /** One address of the host. `0.0.0.0` and `::` mean every address of their family; absent means every address. */
  readonly hostIp?: Addr;
  /** First acceptable port; 0: any. */
  readonly hostPort: number;
  /** Last acceptable port; if below the first, only the first. */
  readonly hostPortEnd: number;
  readonly containerPort: number;
}

/** A port range that includes both ends. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** The state of the host that a choice depends on. */
export interface PortScene {
  /** Mappings in force. A request that matches one keeps its host port. */
  readonly current: readonly PortMapping[];
  /** Range for requests that name no port (net.ipv4.ip_local_port_range). */
  readonly ephemeral: PortRange;
  /** Ports that are used only if a request names them (net.ipv4.ip_local_reserved_ports). */
  readonly reserved: readonly PortRange[];
  /** Offset in the ephemeral range at which the search starts: any whole number. */
  readonly start: number;
  /** Returns a function that names the listener; undefined if no process listens. */
  readonly listener: (mapping: PortMapping) => (() => string) | undefined;
  /** Claims the mapping, or returns the error that prevents it. */
  readonly claim: (mapping: PortMapping) => NetError | undefined;
}

/** How many holders an error names for an exhausted range. */
const NAMED = 3;

/**
 * Claims one mapping for each request: fixed ports first, then ranges in ascending order of container port, then
 * requests without a port. Counts a repeated request once. Throws NetError `conflict`, naming the holders, if a port or
 * a whole range is in use; `invalid-config` for a malformed host address.
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

/** The mapping of a request, without its host port. */
export function baseOf({ protocol, hostIp, containerPort, count }: PortRequest): Omit<PortMapping, 'hostPort'> {
  const ports = { protocol, containerPort, ...given({ count }) };
  if (hostIp === undefined) return ports;
  const { family } = hostIp;
  return hostIp.value === 0n ? { ...ports, family } : { ...ports, family, hostIp: formatAddr(hostIp) };
}

function sameMapping(a: PortMapping, b: PortMapping): boolean {
  const same = a.protocol === b.protocol && a.hostIp === b.hostIp && a.family === b.family;
  return same && a.containerPort === b.containerPort && a.hostPort === b.hostPort && a.count === b.count;
}

/** Sorts ranges as dockerd does; its messages do not sort them. */
function inOrder(requests: readonly PortRequest[]): PortRequest[] {
  const rank = ({ hostPort, hostPortEnd }: PortRequest): number =>
    hostPort === 0 ? 2 : hostPortEnd > hostPort ? 1 : 0;
  return requests.toSorted(
    (a, b) =>
      rank(a) - rank(b) ||
      a.containerPort - b.containerPort ||
      a.protocol.localeCompare(b.protocol) ||
      textOf(a).localeCompare(textOf(b)),
  );
}

function textOf({ hostIp }: PortRequest): string {
  return hostIp === undefined ? '' : formatAddr(hostIp);
}

/** The ports that a request names; 0 to 0 for any. */
export function rangeOf({ hostPort, hostPortEnd }: PortRequest): PortRange {
  return { first: hostPort, last: Math.max(hostPort, hostPortEnd) };
}

function takeFixed(mapping: PortMapping, picked: readonly PortMapping[], scene: PortScene): void {
  const other = picked.find((one) => meet(one, mapping));
  if (other !== undefined) throw twice(mapping, other);
  const refusal = scene.claim(mapping);
  if (refusal !== undefined) throw refusal;
}

/** The mapping in force for this request. */
function kept(
  base: Omit<PortMapping, 'hostPort'>,
  request: PortRequest,
  picked: readonly PortMapping[],
  scene: PortScene,
): PortMapping | undefined {
  const { first, last } = request.hostPort === 0 ? scene.ephemeral : rangeOf(request);
  return scene.current
    .filter(({ protocol, hostIp, containerPort, hostPort, count }) => {
      if (count !== undefined) return false;
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

/** Claims the port, or returns who holds it. */
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

function twice(mapping: PortMapping, other: PortMapping): NetError {
  const { protocol, hostPort, hostIp, containerPort } = mapping;
  return fault.conflict(
    'ports',
    `host port ${hostIp === undefined ? '' : `${hostIp} `}${formatPorts(hostPort, mapping)}/${protocol}`,
    `is requested twice: for port ${formatPorts(other.containerPort, other)} and for port ${formatPorts(containerPort, mapping)} of the container`,
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
