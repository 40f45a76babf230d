import { attr, body } from './attrs.ts';
import { be16, type Codec, decodeStruct, encodeStruct, ip, mac, type Struct, s32, string, u16, u32 } from './codec.ts';

/** linux/if_addr.h, struct ifaddrmsg. */
const IFADDRMSG = { family: 'u8', length: 'u8', flags: 'u8', scope: 'u8', index: 's32' } as const;

/** linux/if_addr.h, struct ifa_cacheinfo: seconds, and when the address was made and changed. */
const CACHEINFO = { preferred: 'u32', valid: 'u32', created: 'u32', updated: 'u32' } as const;
const lifetimes: Codec<Struct<typeof CACHEINFO>> = {
  decode: (bytes) => decodeStruct(CACHEINFO, bytes),
  encode: (value) => encodeStruct(CACHEINFO, value),
};

/** linux/if_addr.h, IFA_*. `local` is the interface's own address, `address` its peer's if it has one. */
const ADDRESS_ATTRS = {
  address: attr(1, ip),
  local: attr(2, ip),
  label: attr(3, string),
  broadcast: attr(4, ip),
  lifetimes: attr(6, lifetimes),
  flags: attr(8, u32),
};

/** RTM_NEWADDR, RTM_GETADDR, RTM_DELADDR. */
export const address = body(IFADDRMSG, ADDRESS_ATTRS);

export type AddressMessage = NonNullable<ReturnType<typeof address.decode>>;

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

/** linux/netconf.h, struct netconfmsg, padded to the alignment of attributes. */
const NETCONFMSG = { family: 'u8', _pad1: 'u8', _pad2: 'u16' } as const;

/** RTM_NEWNETCONF. linux/netconf.h, NETCONFA_*. */
export const netconf = body(NETCONFMSG, { index: attr(1, s32), forwarding: attr(2, s32) });

/** NETCONFA_IFINDEX_ALL: `net.ipv4.conf.all`, which is what `net.ipv4.ip_forward` sets. */
export const ALL_LINKS = -1;
