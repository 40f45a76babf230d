import type { LoneLink } from '../model/interface-facts.ts';
import { route } from './interface-shapes.ts';
import * as is from './shapes.ts';

const parent = { dev: is.device, devNs: is.optional(is.oneOf('host', 'sandbox')) };

/** DeviceState. A hardware address may have another length than Ethernet's. */
const deviceState = is.record({
  ...{ mac: is.text, mtu: is.u32, up: is.flag, alias: is.optional(is.text), master: is.optional(is.device) },
  addresses: is.list(is.record({ address: is.prefix, noPrefixRoute: is.optional(is.oneOf(true)) })),
  routes: is.list(route),
});

/** The link of LoneLinkFacts, by kind. */
const link = is.variant('kind', {
  macvlan: is.record({
    ...parent,
    mode: is.oneOf('private', 'vepa', 'bridge', 'passthru', 'source'),
    bcQueueLength: is.optional(is.u32),
  }),
  ipvlan: is.record({ ...parent, mode: is.oneOf('l2', 'l3', 'l3s'), flag: is.oneOf('bridge', 'private', 'vepa') }),
  vlan: is.record({ ...parent, id: is.port, protocol: is.optional(is.oneOf('802.1Q', '802.1ad')) }),
  dummy: is.record({}),
  tap: is.record({
    owner: is.optional(is.u32),
    group: is.optional(is.u32),
    multiQueue: is.optional(is.oneOf(true)),
    vnetHdr: is.optional(is.oneOf(true)),
  }),
  moved: is.record({
    dev: is.device,
    ...{ type: is.optional(is.text), permMac: is.optional(is.text), parentDev: is.optional(is.text) },
    before: deviceState,
  }),
  userspace: is.record({ device: is.text }),
  awaited: is.record({}),
} satisfies Readonly<Record<LoneLink['kind'], is.Shape>>);

/** LoneLinkFacts */
export const loneLink = is.record({
  ifName: is.device,
  link,
  mac: is.optional(is.mac),
  mtu: is.optional(is.u32),
  master: is.optional(is.device),
  alias: is.text,
});
