import { attr, body } from './attrs.ts';
import { s32 } from './codec.ts';

/** linux/netconf.h, struct netconfmsg, padded to the alignment of attributes. */
const NETCONFMSG = { family: 'u8', _pad1: 'u8', _pad2: 'u16' } as const;

/** RTM_NEWNETCONF. linux/netconf.h, NETCONFA_*. */
export const netconf = body(NETCONFMSG, { index: attr(1, s32), forwarding: attr(2, s32) });

/** NETCONFA_IFINDEX_ALL: `net.ipv4.conf.all`, which is what `net.ipv4.ip_forward` sets. */
export const ALL_LINKS = -1;
