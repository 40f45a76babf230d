import type { NetworkOptions } from '../config/network-spec.ts';
import { FIREWALL_BACKENDS, type FirewallEntry } from '../model/firewall.ts';
import type { Owned } from '../model/owned.ts';
import { portFacts, route, vlan } from './interface-shapes.ts';
import * as is from './shapes.ts';

/**
 * The shapes of the facts in rows: the types of model/endpoint.ts, model/firewall.ts, model/op.ts and model/owned.ts. A
 * row with any other value is broken, and DEL removes a broken endpoint by its identity. So a reader of a fact need not
 * check it again.
 */

const backend = is.oneOf(...FIREWALL_BACKENDS);
const protocol = is.oneOf('tcp', 'udp', 'sctp');
const policy = is.oneOf('open', 'reachable', 'same-bridge', 'isolated', 'closed', 'internal');
const mark = is.either(is.record({ bit: is.u32 }), is.record({ chain: is.text }));
const ns = is.oneOf('host', 'sandbox');

/** Kinds of entries that follow from other facts, so that no row has them. */
type Derived = 'isolated' | 'source';

/** A row with an entry of a kind that is not here reads as broken, so the compiler asks for each. */
const ENTRIES = {
  masquerade: is.record({ subnet: is.prefix, except: is.list(is.prefix), to: is.optional(is.addr) }),
  hairpin: is.record({ device: is.device, subnet: is.prefix }),
  policy: is.record({ device: is.device, policy, vxlan: is.optional(is.device) }),
  separate: is.record({ device: is.device }),
  underlay: is.record({ family: is.family, port: is.port }),
  ...{ peer: is.record({ port: is.port, address: is.addr }), sealed: is.record({ family: is.family, port: is.port }) },
  admit: is.record({
    device: is.device,
    from: is.optional(is.list(is.prefix)),
    through: is.optional(is.list(is.device)),
    admin: is.optional(is.text),
  }),
  exposure: is.record({ device: is.device, family: is.family, what: is.oneOf('icmp', 'all') }),
  port: is.record({
    protocol,
    hostIp: is.optional(is.addr),
    hostPort: is.port,
    address: is.addr,
    port: is.port,
    count: is.optional(is.port),
    snat: is.flag,
    masqAll: is.flag,
    conditions: is.list(is.text),
    mark: is.optional(mark),
  }),
  direct: is.record({
    device: is.device,
    protocol,
    address: is.addr,
    port: is.port,
    count: is.optional(is.port),
    through: is.optional(is.device),
  }),
  guard: is.record({
    port: is.device,
    mac: is.mac,
    addresses: is.optional(is.list(is.addr)),
    partners: is.optional(is.list(portFacts)),
  }),
  mac: is.record({ port: is.device, mac: is.mac }),
  gateways: is.record({ device: is.device, addresses: is.list(is.addr) }),
} as const satisfies Readonly<Record<Exclude<FirewallEntry['kind'], Derived>, is.Shape>>;

const entry = is.variant('kind', ENTRIES);

/** PublishedFacts */
export const published = is.record({
  backend,
  entries: is.list(is.variant('kind', { port: ENTRIES.port, direct: ENTRIES.direct })),
});

/** DeviceRules */
export const rules = is.record({ backend, entries: is.list(entry) });

const limit = is.record({ rate: is.positive, burst: is.positive });

/** ShapingFacts */
export const shaping = is.record({
  hostIf: is.device,
  ifb: is.device,
  mtu: is.u32,
  alias: is.optional(is.text),
  ingress: is.optional(limit),
  egress: is.optional(limit),
});

const linkChanges = is.record({
  up: is.optional(is.flag),
  mtu: is.optional(is.u32),
  mac: is.optional(is.mac),
  master: is.optional(is.either(is.device, is.oneOf(null))),
  alias: is.optional(is.text),
  group: is.optional(is.u32),
  promisc: is.optional(is.flag),
  allMulticast: is.optional(is.flag),
  txQueueLength: is.optional(is.u32),
  addrGenMode: is.optional(is.oneOf('none', 'eui64')),
});

const isPair: is.Shape = (value) => Array.isArray(value) && value.length === 2 && value.every(is.text);

/** ZoneFacts */
export const zone = is.record({
  name: is.text,
  sources: is.list(is.prefix),
  required: is.optional(is.oneOf(true)),
});

/** TunedFacts */
export const tuned = is.record({ sysctls: is.list(isPair), link: linkChanges });

const address = is.record({ ns, dev: is.device, address: is.prefix });
const routed = is.record({ ns, route });

/** An Op of a journal: of those that restore the prior state of a sandbox, or undo an interrupted call. */
export const op = is.variant('op', {
  'link.set': is.record({ ns, name: is.device, set: linkChanges }),
  'link.delete': is.record({ ns, name: is.device, kind: is.optional(is.text) }),
  'addr.add': address,
  'addr.delete': address,
  'route.add': routed,
  'route.delete': routed,
  'sysctl.set': is.record({ ns, key: is.text, value: is.text, optional: is.optional(is.flag) }),
});

const onDevice = is.record({ dev: is.device, address: is.prefix });

/** Owned */
export const owned = is.variant('kind', {
  link: is.record({ name: is.device, link: is.oneOf('bridge', 'veth', 'vxlan', 'vlan', 'dummy', 'macvlan', 'ipvlan') }),
  promisc: is.record({ dev: is.device }),
  localnet: is.record({ dev: is.device }),
  address: onDevice,
  replaced: onDevice,
  entry: is.record({ backend, entry }),
} satisfies Readonly<Record<Owned['kind'], is.Shape>>);

const families = is.list(is.family);

const bridge = {
  bridge: is.device,
  ...{ isGateway: is.flag, isDefaultGateway: is.flag, forceAddress: is.flag },
  mtu: is.optional(is.u32),
  hairpin: is.flag,
  promisc: is.flag,
  vlan: is.optional(is.port),
  trunk: is.list(vlan),
  preserveDefaultVlan: is.flag,
  macspoofchk: is.flag,
  spoofGuard: is.optional(is.flag),
  enabledad: is.flag,
  disableContainerInterface: is.flag,
  portIsolation: is.flag,
  isolatesByFlag: is.optional(is.flag),
  inhibit4: is.optional(is.flag),
  gatewayFamilies: is.optional(families),
  ipv6: is.optional(is.oneOf('on', 'off', 'reference')),
};

/** ParentedOptions and HostAccessOptions, but for the driver's own. */
const parented = {
  offered: is.optional(is.oneOf(true)),
  master: is.optional(is.device),
  ...{ mtu: is.optional(is.u32), linkInContainer: is.flag, internal: is.optional(is.oneOf(true)) },
  made: is.optional(is.variant('kind', { vlan: is.record({ dev: is.device, id: is.port }), dummy: is.record({}) })),
  hostAccess: is.optional(is.record({ addresses: is.list(is.addr), routes: is.list(is.prefix) })),
};

const texts: is.Shape = (value) => is.isFields(value) && Object.values(value).every(is.text);

const remotePool = is.record({
  ...{
    family: is.family,
    subnet: is.optional(is.prefix),
    ipRange: is.optional(is.prefix),
    gateway: is.optional(is.addr),
  },
});

/** The options of a NetworkSpec. */
const options = is.variant('driver', {
  null: is.record({}),
  cni: is.record({}),
  bridge: is.record(bridge),
  ptp: is.record({ mtu: is.optional(is.u32) }),
  macvlan: is.record({
    ...parented,
    mode: is.oneOf('bridge', 'private', 'vepa', 'passthru'),
    bcQueueLength: is.optional(is.u32),
  }),
  ipvlan: is.record({
    ...parented,
    ...{ mode: is.oneOf('l2', 'l3', 'l3s'), flag: is.oneOf('bridge', 'private', 'vepa') },
  }),
  remote: is.record({
    ...{ plugin: is.text, options: texts, internal: is.optional(is.oneOf(true)) },
    ipam: is.optional(is.record({ plugin: is.text, options: texts, pools: is.list(remotePool) })),
  }),
  overlay: is.record({
    network: is.text,
    mode: is.oneOf('shared', 'per-host'),
    bridge: is.record(bridge),
    vxlan: is.record({ device: is.device, id: is.u32, port: is.port, local: is.addr, mac: is.mac }),
    ...{ pools: is.optional(is.list(is.prefix)), hostAddresses: is.optional(is.list(is.prefix)) },
  }),
} satisfies Readonly<Record<NetworkOptions['driver'], is.Shape>>);

/** The rules of a NetworkSpec, but for the addresses that parseSpec reads. */
const specRules = is.record({
  backend,
  admit: is.flag,
  options: is.record({
    backend: is.oneOf('auto', 'nftables', 'iptables', 'none'),
    policy,
    unprotected: is.optional(families),
    ...{ trusted: is.optional(is.list(is.device)), vxlan: is.optional(is.device) },
    ports: is.record({
      snat: is.flag,
      masqAll: is.flag,
      mark: is.optional(mark),
      conditions: is.record({ 4: is.list(is.text), 6: is.list(is.text) }),
      routed: is.optional(families),
    }),
    adminChain: is.optional(is.text),
  }),
});

/** SpecText, but for the addresses that parseSpec reads. */
export const spec = is.record({
  options,
  rules: is.optional(specRules),
  scope: is.optional(is.text),
  allocator: is.optional(is.text),
});
