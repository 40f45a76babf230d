import type { FirewallOptions, PortOptions } from '../config/firewall.ts';
import { invalid } from '../config/invalid.ts';
import type { PortMapping } from '../config/port-mappings.ts';
import { fault } from '../errors/fault.ts';
import { formatAddr } from '../model/addr.ts';
import type { RelayFacts } from '../model/firewall.ts';
import { given } from '../model/given.ts';
import type { Addressing, Assigned } from './driver.ts';

/** The ports of an endpoint, and how its network publishes ports. */
interface Mapped {
  readonly options: FirewallOptions;
  readonly mappings: readonly PortMapping[];
}

/** The kernel has no route_localnet for IPv6: it forwards no packet from or to this address. */
export const LOOPBACK6 = '::1';

/** Ports of one endpoint that a daemon relays: each takes a socket and a handler in the daemon. */
const MAX_RELAYED = 1024;

/** What the daemon relays from IPv6. Throws NetError `invalid-config` for more ports than it relays. */
export function relaysOf({ options, mappings }: Mapped, addressing: Addressing): RelayFacts[] {
  const relays = mappings.flatMap((mapping) => relayOf(mapping, options.ports, addressing) ?? []);
  const size = relays.reduce((sum, { count = 1 }) => sum + count, 0);
  if (size <= MAX_RELAYED) return relays;
  const what = `proxy6to4 relays ${MAX_RELAYED} ports of a container at most`;
  throw fault.invalidConfig('ports', `${size} ports`, what, 'Publish fewer, or give the network an IPv6 subnet');
}

/** Undefined for a mapping that the packet filter carries in IPv6 itself, or that is not meant for it. */
export function relayOf(
  mapping: PortMapping,
  { proxy6to4 }: PortOptions,
  addressing: Addressing,
): RelayFacts | undefined {
  const { protocol, hostPort, hostIp, family, containerPort: port, count } = mapping;
  const [four, six] = ([4, 6] as const).map((one) =>
    addressing.addresses.find(({ address }) => address.addr.family === one),
  );
  if (!proxy6to4 || protocol === 'sctp' || family === 4 || hostPort === 0 || four === undefined) return undefined;
  if (six !== undefined && hostIp !== LOOPBACK6) return undefined;
  return { protocol, hostPort, address: formatAddr(four.address.addr), port, ...given({ hostIp, count }) };
}

/** Why a port cannot be published on `::1`. */
export const NOT_FROM_LOOPBACK6 = 'the kernel does not lead connections to ::1 to another address';
const HINT_6TO4 = ', or set "proxy6to4": true';

/** Throws NetError `invalid-config` for a host address whose connections neither the kernel nor a relay leads to the pod. */
export function assertReachable(
  { hostIp, family }: PortMapping,
  index: number,
  targets: readonly Assigned[],
  { addresses }: Addressing,
): void {
  const isLoopback = hostIp === LOOPBACK6;
  if (addresses.length === 0 || (targets.length > 0 && !isLoopback)) return;
  const path = `.runtimeConfig.portMappings[${index}].hostIP`;
  const what = isLoopback ? NOT_FROM_LOOPBACK6 : `the pod has no IPv${family} address to lead to`;
  const hint = family === 6 && addresses.some(({ address }) => address.addr.family === 4) ? HINT_6TO4 : undefined;
  throw invalid(
    path,
    hostIp ?? (family === 6 ? '::' : '0.0.0.0'),
    what,
    `Use an address of the other family${hint ?? ''}`,
  );
}
