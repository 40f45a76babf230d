import * as is from './shapes.ts';

/** The shapes of the facts of interfaces in rows: the types of model/interface-facts.ts. */

const scope = is.either(is.u32, is.oneOf('global', 'site', 'link', 'host', 'nowhere'));

export const route = is.record({
  dst: is.prefix,
  gateway: is.optional(is.addr),
  dev: is.optional(is.device),
  source: is.optional(is.addr),
  mtu: is.optional(is.u32),
  advmss: is.optional(is.u32),
  priority: is.optional(is.u32),
  table: is.optional(is.u32),
  scope: is.optional(scope),
  onlink: is.optional(is.flag),
});

export const vlan = is.record({
  vid: is.port,
  vidEnd: is.optional(is.port),
  pvid: is.optional(is.flag),
  untagged: is.optional(is.flag),
  self: is.optional(is.flag),
});
export const portFacts = is.record({ port: is.device, addresses: is.list(is.addr) });

/** LinkFacts */
export const link = is.record({
  hostIf: is.device,
  ifName: is.device,
  mac: is.mac,
  hostMac: is.mac,
  mtu: is.u32,
  bridge: is.optional(is.device),
  host: is.optional(is.record({ addresses: is.list(is.prefix), routes: is.list(route) })),
  alias: is.text,
  hairpin: is.optional(is.flag),
  isolated: is.optional(is.flag),
  byFlag: is.optional(is.flag),
  guarded: is.optional(is.flag),
  spoofGuard: is.optional(is.flag),
  partners: is.optional(is.list(portFacts)),
  vlans: is.optional(is.list(vlan)),
  leavesDefaultVlan: is.optional(is.flag),
});

/** InsideFacts */
export const inside = is.record({
  addresses: is.list(
    is.record({ address: is.prefix, gateway: is.optional(is.addr), noPrefixRoute: is.optional(is.flag) }),
  ),
  routes: is.list(route),
  up: is.flag,
  detectDuplicates: is.flag,
  ipv6: is.optional(is.oneOf('on', 'off')),
});
