import type { FirewallOptions } from '../config/firewall.ts';
import type { PortMapping } from '../config/port-mappings.ts';
import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { BITS, type Family, formatAddr } from '../model/addr.ts';
import type { DeviceRules } from '../model/endpoint.ts';
import {
  type AdmitEntry,
  entryKey,
  type FirewallBackend,
  type FirewallEntry,
  type PortEntry,
  type PublishedEntry,
} from '../model/firewall.ts';
import { given } from '../model/given.ts';
import type { Op, Plan } from '../model/op.ts';
import { formatPrefix, networkOf, parsePrefix } from '../model/prefix.ts';
import type { Addressing, Assigned } from './driver.ts';
import { assertReachable, LOOPBACK6, relayOf } from './relays.ts';

/** Packet filter rules of a network and one of its endpoints, decided before anything is created. */
export interface Rules {
  readonly backend: FirewallBackend;
  readonly options: FirewallOptions;
  readonly mappings: readonly PortMapping[];
  /** True accepts the network's traffic in foreign chains that drop unknown traffic. */
  readonly admit: boolean;
}

/** Entries that the network's endpoints share. `device` is empty where each has a device of its own. */
export function networkEntries(rules: Rules, device: string, addressing: Addressing): FirewallEntry[] {
  return device === '' ? entriesOn(rules, device, addressing).filter(isShared) : entriesOn(rules, device, addressing);
}

/** Entries of one endpoint whose own host side is the device; undefined without any. */
export function deviceRules(rules: Rules, device: string, addressing: Addressing): DeviceRules | undefined {
  const entries = entriesOn(rules, device, addressing).filter((entry) => !isShared(entry));
  return entries.length === 0 ? undefined : { backend: rules.backend, entries };
}

/** True for an entry about a subnet that other endpoints of the network have addresses of. */
function isShared(entry: FirewallEntry): boolean {
  const subnet = entry.kind === 'masquerade' ? parsePrefix(entry.subnet) : undefined;
  return subnet !== undefined && subnet.length < BITS[subnet.addr.family];
}

function entriesOn(rules: Rules, device: string, addressing: Addressing): FirewallEntry[] {
  const { options, mappings } = rules;
  const subnets = new Map(
    addressing.addresses.map(({ address }) => [formatPrefix(networkOf(address)), address.addr.family]),
  );
  const entries: FirewallEntry[] = rules.admit ? [admission(options, device)] : [];
  const { policy, vxlan } = options;
  if (rules.admit || policy !== 'open') entries.push({ kind: 'policy', device, policy, ...given({ vxlan }) });
  entries.push(...exposures(options, device, new Set(subnets.values())));
  for (const [subnet, family] of subnets) {
    if (options.masquerade?.families?.includes(family) !== false && options.masquerade !== undefined) {
      const { except, to } = options.masquerade;
      const source = to[family];
      const fixed = source === undefined ? {} : { to: formatAddr(source) };
      const same = except.filter(({ addr }) => addr.family === family).map(formatPrefix);
      entries.push({ kind: 'masquerade', subnet, except: same, ...fixed });
    }
    const translated = options.ports.routed?.includes(family) !== true;
    if (mappings.length > 0 && options.ports.snat && translated) entries.push({ kind: 'hairpin', device, subnet });
  }
  return entries;
}

function admission(
  { policy, masquerade, unprotected = [], trusted = [], vxlan, ports, adminChain }: FirewallOptions,
  device: string,
): AdmitEntry {
  const from = policy === 'open' ? (masquerade?.except ?? []).map(formatPrefix) : [];
  const through = [...(policy === 'internal' ? [] : trusted), ...(vxlan === undefined ? [] : [vxlan])];
  // Our own chains drop what a closed network does not publish.
  const isPartlyOpen = policy === 'closed' && unprotected.length + (ports.routed?.length ?? 0) > 0;
  return {
    kind: 'admit',
    device,
    ...(from.length > 0 ? { from } : {}),
    ...(through.length > 0 ? { through } : {}),
    ...(policy === 'reachable' || isPartlyOpen ? { reachable: true } : {}),
    ...(adminChain === undefined ? {} : { admin: adminChain }),
  };
}

/** Exposures of a closed network's routed families: a host that may open its ports may ping it too. */
function exposures(
  { policy, unprotected = [], ports: { routed = [] } }: FirewallOptions,
  device: string,
  families: ReadonlySet<Family>,
): FirewallEntry[] {
  if (policy !== 'closed') return [];
  return [...families].flatMap((family): FirewallEntry[] => {
    if (unprotected.includes(family)) return [{ kind: 'exposure', device, family, what: 'all' }];
    return routed.includes(family) ? [{ kind: 'exposure', device, family, what: 'icmp' }] : [];
  });
}

/** Devices that packets of 127.0.0.0/8 must be routed to, so that published ports work at 127.0.0.1. */
export function loopbackDevices(entries: readonly FirewallEntry[]): string[] {
  const devices = entries.flatMap((entry) =>
    entry.kind === 'hairpin' && !entry.subnet.includes(':') ? [entry.device] : [],
  );
  return [...new Set(devices)];
}

/**
 * Adds the network's missing entries, and lets packets of 127.0.0.0/8 be routed to `closed` devices. Plans each entry
 * separately, because another ADD may have added any of them.
 */
export function planNetworkRules(
  backend: FirewallBackend,
  missing: readonly FirewallEntry[],
  closed: readonly string[] = [],
): Plan {
  const localnet = (value: string) => (device: string) => routeLocalnet(device, value);
  return {
    ops: [
      ...(missing.length === 0 ? [] : [{ op: 'firewall.add', ns: 'host', backend, entries: missing } as const]),
      ...closed.map(localnet('1')),
    ],
    undo: [
      ...closed.map(localnet('0')),
      ...missing.map((entry): Op => ({ op: 'firewall.delete', ns: 'host', backend, entries: [entry] })),
    ],
  };
}

/** The entries of one endpoint's own device. The device takes its settings with it. */
export function planDeviceRules({ backend, entries }: DeviceRules): Plan {
  const { ops } = planNetworkRules(backend, entries, loopbackDevices(entries));
  return { ops, undo: entries.length === 0 ? [] : [{ op: 'firewall.delete', ns: 'host', backend, entries }] };
}

/**
 * The port entries of one endpoint: one for each mapping and each family that both the pod and the mapping have. In
 * routed families, the port is open on `device` at the endpoint's own address, once, whatever host port the mappings
 * name; in others of a `closed` network, by its trusted interfaces. Throws NetError `invalid-config` for a host address
 * of a family that the pod lacks.
 */
export function portEntries({ options, mappings }: Rules, addressing: Addressing, device?: string): PublishedEntry[] {
  const { snat, masqAll, mark, conditions, routed } = options.ports;
  const { trusted = [] } = options.policy === 'closed' ? options : {};
  const entries = mappings.flatMap((mapping, i) => {
    const { protocol, hostPort, containerPort: port, hostIp, family: wanted, count } = mapping;
    const targets = ([4, 6] as const).flatMap((family) => {
      const first = addressing.addresses.find(({ address }) => address.addr.family === family);
      return first === undefined || (wanted !== undefined && wanted !== family) ? [] : [first];
    });
    const relayed = relayOf(mapping, options.ports, addressing);
    if (relayed === undefined) assertReachable(mapping, i, targets, addressing);
    if (hostIp === LOOPBACK6) return [];
    return targets.flatMap(({ address: { addr } }: Assigned): PublishedEntry[] => {
      const address = formatAddr(addr);
      if (routed?.includes(addr.family)) {
        if (device === undefined) throw withoutDevice(address);
        return [{ kind: 'direct', device, protocol, address, port, ...given({ count }) }];
      }
      const translated: PortEntry = {
        kind: 'port',
        protocol,
        ...given({ hostIp }),
        hostPort,
        address,
        port,
        snat,
        masqAll,
        conditions: conditions[addr.family],
        ...given({ mark, count }),
      };
      if (device === undefined || options.unprotected?.includes(addr.family)) return [translated];
      const place = { kind: 'direct', device, protocol, address, port, ...given({ count }) } as const;
      return [translated, ...trusted.map((through) => ({ ...place, through }))];
    });
  });
  if (routed === undefined && trusted.length === 0) return entries;
  return [...new Map(entries.map((entry) => [entryKey(entry), entry])).values()];
}

function withoutDevice(subject: string): NetError {
  const what = 'its ports are routed, and the device of its network is not known';
  return fault.internal('ports', subject, what);
}

/** Publishes ports, and deletes conntrack entries of UDP traffic to them, which would lead to their previous holder. */
export function planPorts(backend: FirewallBackend, entries: readonly PublishedEntry[]): Plan {
  const flush = planFlushes(entries);
  const lots = lotsOf(entries, LOT);
  return {
    ops: [...lots.map((lot): Op => ({ op: 'firewall.add', ns: 'host', backend, entries: lot })), ...flush],
    undo: [...lots.map((lot): Op => ({ op: 'firewall.delete', ns: 'host', backend, entries: lot })), ...flush],
  };
}

/** Deletes conntrack entries of UDP traffic to the ports: of what came before a port led anywhere, nothing reaches it. */
export function planFlushes(entries: readonly FirewallEntry[]): Op[] {
  return entries.flatMap((entry) => (entry.kind === 'port' && entry.protocol === 'udp' ? [flushOf(entry)] : []));
}

/** How many ports one op changes: some milliseconds of work. */
const LOT = 256;

/**
 * Divides the entries so that the ports of a lot, and the words of their conditions, are `limit` at most; a longer span is
 * a lot of its own.
 */
export function lotsOf<T extends FirewallEntry>(entries: readonly T[], limit: number): T[][] {
  const lots: T[][] = [];
  let size = limit;
  for (const entry of entries) {
    const work = workOf(entry);
    if (size + work > limit) {
      lots.push([]);
      size = 0;
    }
    lots.at(-1)?.push(entry);
    size += work;
  }
  return lots;
}

/** One for each port and each word of a condition: an expression of a rule costs as much as an element of a set. */
function workOf(entry: FirewallEntry): number {
  const { count = 1 } = 'count' in entry ? entry : {};
  return count + (entry.kind === 'port' ? entry.conditions.length : 0);
}

function flushOf({ protocol, hostIp, hostPort, address, count }: PortEntry): Op {
  const family = familyOf(address);
  const target = hostIp === undefined ? {} : { address: hostIp };
  return { op: 'conntrack.flush', ns: 'host', protocol, family, port: hostPort, ...given({ count }), ...target };
}

function familyOf(text: string): Family {
  return text.includes(':') ? 6 : 4;
}

/**
 * Sets route_localnet: packets of 127.0.0.0/8 may be routed to the device. The hairpin entry guards them against
 * outsiders.
 */
function routeLocalnet(device: string, value: string): Op {
  return { op: 'sysctl.set', ns: 'host', key: localnetKey(device), value, optional: true };
}

export function localnetKey(device: string): string {
  return `net/ipv4/conf/${device}/route_localnet`;
}
