import type { Step } from '../netlink/bpf.ts';
import {
  AF_BRIDGE,
  AF_UNSPEC,
  IFF_UP,
  RT_SCOPE_LINK,
  RT_TABLE_LOCAL,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELROUTE,
  RTM_NEWLINK,
  RTM_NEWNETCONF,
  RTPROT_BOOT,
  RTPROT_KERNEL,
  RTPROT_STATIC,
} from '../netlink/constants.ts';

// Offsets in a datagram of rtnetlink: struct nlmsghdr has 16 bytes. Numbers of types and of flags are below 256.
const TYPE = 4;
const FAMILY = 16;
const LINK_FLAGS = 24;
const LINK_ATTRS = 32;
const ADDRESS_SCOPE = 19;
const ROUTE_TABLE = 20;
const ROUTE_PROTOCOL = 21;
const ROUTE_ATTRS = 28;
const NETCONF_ATTRS = 20;

const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_IFALIAS = 20;
const RTA_DST = 1;
const NETCONFA_IFINDEX = 1;
const NETCONFA_FORWARDING = 2;

/** The first four letters of a text, as a word in network order. */
const word = (text: string): number => Buffer.from(text.slice(0, 4)).readUInt32BE();

/**
 * Passes only rtnetlink messages that may mean damage to our objects, so that other programs that create and delete
 * thousands of links wake no process:
 * - deletion or shutdown of a link with our alias, or of any bridge; a veth with our alias that is not a bridge port;
 * - a bridge of others that is up;
 * - a bridge port that comes or goes and whose name is not that of a container's interface;
 * - deletion of an address, unless link-local;
 * - deletion of a route of the kernel, of a person or of a boot script, unless link-local or in table `local`;
 * - forwarding turned off for a family.
 */
export const LINK_FILTER: readonly Step[] = [
  { load: 'byte', at: TYPE },
  { equals: RTM_NEWLINK, yes: 'newlink' },
  { equals: RTM_DELLINK, yes: 'dellink' },
  { equals: RTM_DELADDR, yes: 'address' },
  { equals: RTM_DELROUTE, yes: 'route' },
  { equals: RTM_NEWNETCONF, yes: 'netconf', no: 'drop' },

  { label: 'newlink' },
  { load: 'byte', at: FAMILY },
  { equals: AF_BRIDGE, yes: 'port' },
  { load: 'byte', at: LINK_FLAGS },
  { anyBit: IFF_UP, yes: 'up', no: 'dellink' },
  { label: 'up' },
  { attr: IFLA_MASTER, from: LINK_ATTRS },
  { equals: 0, yes: 'free', no: 'drop' },
  { label: 'free' },
  { attr: IFLA_IFALIAS, from: LINK_ATTRS },
  { equals: 0, yes: 'kind' },
  { value: 'word' },
  { equals: word('isthmus'), yes: 'free-of-ours', no: 'drop' },
  { label: 'free-of-ours' },
  { attr: IFLA_LINKINFO, from: LINK_ATTRS },
  { equals: 0, yes: 'drop' },
  { nestedAttr: IFLA_INFO_KIND },
  { equals: 0, yes: 'drop' },
  { value: 'word' },
  { equals: word('veth'), yes: 'keep', no: 'drop' },

  { label: 'dellink' },
  { load: 'byte', at: FAMILY },
  { equals: AF_BRIDGE, yes: 'port' },
  { equals: AF_UNSPEC, yes: 'link', no: 'drop' },
  { label: 'link' },
  { attr: IFLA_IFALIAS, from: LINK_ATTRS },
  { equals: 0, yes: 'kind' },
  { value: 'word' },
  { equals: word('isthmus'), yes: 'keep' },
  { label: 'kind' },
  { attr: IFLA_LINKINFO, from: LINK_ATTRS },
  { equals: 0, yes: 'drop' },
  { nestedAttr: IFLA_INFO_KIND },
  { equals: 0, yes: 'drop' },
  { value: 'word' },
  { equals: word('bridge'), yes: 'keep', no: 'drop' },

  { label: 'port' },
  { attr: IFLA_IFNAME, from: LINK_ATTRS },
  { equals: 0, yes: 'drop' },
  { value: 'word' },
  { equals: word('veth'), yes: 'drop', no: 'keep' },

  { label: 'address' },
  { load: 'byte', at: ADDRESS_SCOPE },
  { equals: RT_SCOPE_LINK, yes: 'drop', no: 'keep' },

  { label: 'route' },
  { load: 'byte', at: ROUTE_TABLE },
  { equals: RT_TABLE_LOCAL, yes: 'drop' },
  { load: 'byte', at: ROUTE_PROTOCOL },
  { equals: RTPROT_KERNEL, yes: 'destination' },
  { equals: RTPROT_BOOT, yes: 'destination' },
  { equals: RTPROT_STATIC, yes: 'destination', no: 'drop' },
  { label: 'destination' },
  { attr: RTA_DST, from: ROUTE_ATTRS },
  { equals: 0, yes: 'keep' },
  { value: 'half' },
  { equals: 0xfe80, yes: 'drop', no: 'keep' },

  { label: 'netconf' },
  { attr: NETCONFA_IFINDEX, from: NETCONF_ATTRS },
  { equals: 0, yes: 'drop' },
  { value: 'word' },
  { equals: 0xffffffff, yes: 'all', no: 'drop' },
  { label: 'all' },
  { attr: NETCONFA_FORWARDING, from: NETCONF_ATTRS },
  { equals: 0, yes: 'drop' },
  { value: 'word' },
  { equals: 0, yes: 'keep', no: 'drop' },

  { label: 'keep' },
  { keep: true },
  { label: 'drop' },
  { keep: false },
];
