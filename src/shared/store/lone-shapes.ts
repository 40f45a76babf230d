import type { LoneLink } from '../model/interface-facts.ts';
import * as is from './shapes.ts';

const parent = { dev: is.device, devNs: is.optional(is.oneOf('host', 'sandbox')) };

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
} satisfies Readonly<Record<LoneLink['kind'], is.Shape>>);

/** LoneLinkFacts */
export const loneLink = is.record({
  ifName: is.device,
  link,
  mac: is.optional(is.mac),
  mtu: is.optional(is.u32),
  alias: is.text,
});
