import { attr, body } from './attrs.ts';
import { be16, ip, mac, u16, u32 } from './codec.ts';

/** linux/neighbour.h, struct ndmsg. */
const NDMSG = { family: 'u8', _pad1: 'u8', _pad2: 'u16', index: 's32', state: 'u16', flags: 'u8', type: 'u8' } as const;

/** linux/neighbour.h, NDA_*. */
const NEIGHBOUR_ATTRS = {
  dst: attr(1, ip),
  mac: attr(2, mac),
  vlan: attr(5, u16),
  port: attr(6, be16),
  vni: attr(7, u32),
  index: attr(8, u32),
  master: attr(9, u32),
};

/** RTM_NEWNEIGH, RTM_GETNEIGH, RTM_DELNEIGH: neighbours, and with family AF_BRIDGE the FDB. */
export const neighbour = body(NDMSG, NEIGHBOUR_ATTRS);

export type NeighbourMessage = NonNullable<ReturnType<typeof neighbour.decode>>;
