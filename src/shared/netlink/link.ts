import { attr, body, nested, repeated } from './attrs.ts';
import { be16, type Codec, flag8, ip, mac, s32, string, u8, u16, u32 } from './codec.ts';
import { loadLibrary } from './sys.ts';

/** linux/rtnetlink.h, struct ifinfomsg. `change` is the mask of `flags` that a request changes. */
const IFINFOMSG = { family: 'u8', _pad: 'u8', type: 'u16', index: 's32', flags: 'u32', change: 'u32' } as const;

/** linux/if_link.h, IFLA_BR_*. */
const BRIDGE = { vlanFiltering: attr(7, flag8), defaultPvid: attr(39, u16) };

/** linux/if_link.h, IFLA_BRPORT_*. */
const BRIDGE_PORT = {
  hairpin: attr(4, flag8),
  learning: attr(8, flag8),
  unicastFlood: attr(9, flag8),
  mcastFlood: attr(27, flag8),
  bcastFlood: attr(30, flag8),
  neighSuppress: attr(32, flag8),
  isolated: attr(33, flag8),
};

/** linux/if_link.h, struct ifla_vxlan_port_range. */
const portRange: Codec<{ readonly low: number; readonly high: number }> = {
  decode: (bytes) => {
    const [low, high] = [be16.decode(bytes.subarray(0, 2)), be16.decode(bytes.subarray(2))];
    return low === undefined || high === undefined ? undefined : { low, high };
  },
  encode: ({ low, high }) => Buffer.concat([be16.encode(low), be16.encode(high)]),
};

/** linux/if_link.h, IFLA_VXLAN_*. */
const VXLAN = {
  id: attr(1, u32),
  group: attr(2, ip),
  link: attr(3, u32),
  local: attr(4, ip),
  ttl: attr(5, u8),
  learning: attr(7, flag8),
  portRange: attr(10, portRange),
  proxy: attr(11, flag8),
  port: attr(15, be16),
  group6: attr(16, ip),
  local6: attr(17, ip),
  udpCsum: attr(18, flag8),
  zeroCsum6Tx: attr(19, flag8),
  zeroCsum6Rx: attr(20, flag8),
  df: attr(29, u8),
};

/** linux/if_link.h, IFLA_MACVLAN_*. */
const MACVLAN = { mode: attr(1, u32), bcQueueLength: attr(7, u32) };

/** linux/if_link.h, IFLA_IPVLAN_*. */
const IPVLAN = { mode: attr(1, u16), flags: attr(2, u16) };

/** linux/if_link.h, IFLA_VLAN_*. */
const VLAN = { id: attr(1, u16), protocol: attr(5, be16) };

/** linux/if_link.h, IFLA_VRF_*; IFLA_VRF_PORT_* has the same number. */
const VRF = { table: attr(1, u32) };

/** linux/if_link.h, IFLA_TUN_*. The kernel only reports them: a tap is made by ioctl. */
const TUN = {
  owner: attr(1, u32),
  group: attr(2, u32),
  type: attr(3, u8),
  vnetHdr: attr(5, flag8),
  multiQueue: attr(7, flag8),
};

/** The rows that a link shares with its veth peer. linux/if_link.h, IFLA_*. */
const COMMON = {
  address: attr(1, mac),
  name: attr(3, string),
  mtu: attr(4, u32),
  netnsFd: attr(28, u32),
};

/** linux/if_link.h, IFLA_INFO_*. */
const LINK_INFO = {
  kind: attr(1, string),
  slaveKind: attr(4, string),
  bridge: { ...attr(2, nested(BRIDGE)), when: ['kind', 'bridge'] },
  vxlan: { ...attr(2, nested(VXLAN)), when: ['kind', 'vxlan'] },
  macvlan: { ...attr(2, nested(MACVLAN)), when: ['kind', 'macvlan'] },
  ipvlan: { ...attr(2, nested(IPVLAN)), when: ['kind', 'ipvlan'] },
  vlan: { ...attr(2, nested(VLAN)), when: ['kind', 'vlan'] },
  vrf: { ...attr(2, nested(VRF)), when: ['kind', 'vrf'] },
  tun: { ...attr(2, nested(TUN)), when: ['kind', 'tun'] },
  /** linux/veth.h, VETH_INFO_PEER. */
  veth: { ...attr(2, nested({ peer: attr(1, body(IFINFOMSG, COMMON)) })), when: ['kind', 'veth'] },
  bridgePort: { ...attr(5, nested(BRIDGE_PORT)), when: ['slaveKind', 'bridge'] },
  vrfPort: { ...attr(5, nested(VRF)), when: ['slaveKind', 'vrf'] },
} as const;

/** linux/if_link.h, IFLA_*. */
const LINK_ATTRS = {
  ...COMMON,
  broadcast: attr(2, mac),
  link: attr(5, u32),
  master: attr(10, u32),
  txQueueLength: attr(13, u32),
  operState: attr(16, u8),
  linkMode: attr(17, u8),
  info: attr(18, nested(LINK_INFO)),
  alias: attr(20, string),
  group: attr(27, u32),
  extMask: attr(29, u32),
  promiscuity: attr(30, u32),
  linkNetnsId: attr(37, s32),
  altNames: { ...attr(52, nested({ names: repeated(53, string) })), flagged: true },
  permAddress: attr(54, mac),
  parentDev: attr(56, string),
  parentBus: attr(57, string),
} as const;

/** linux/if_bridge.h, struct bridge_vlan_info. */
const VLAN_INFO = body({ flags: 'u16', vid: 'u16' }, {});

/** linux/if_link.h and if_bridge.h: IFLA_* as AF_BRIDGE messages use them. */
const BRIDGE_LINK_ATTRS = {
  name: attr(3, string),
  master: attr(10, u32),
  port: { ...attr(12, nested(BRIDGE_PORT)), flagged: true },
  vlans: attr(26, nested({ flags: attr(0, u16), info: repeated(2, VLAN_INFO) })),
} as const;

/** RTM_NEWLINK, RTM_GETLINK, RTM_SETLINK, RTM_DELLINK. */
export const link = body(IFINFOMSG, LINK_ATTRS);

/** linux/if_link.h, IFLA_INET6_*: what a link's IFLA_AF_SPEC has for AF_INET6. */
const INET6_SPEC = { addrGenMode: attr(8, u8) };

/** linux/if_link.h, IFLA_INET_*; linux/ip.h, IPV4_DEVCONF_*: the keys of `net/ipv4/conf/<device>/`. */
const INET_SPEC = { conf: attr(1, nested({ arpNotify: attr(22, u32) })) };

/** RTM_SETLINK for the few attributes that we set; answers hold many more, which no caller needs. */
export const linkSpec = body(IFINFOMSG, {
  name: attr(3, string),
  spec: attr(26, nested({ inet: attr(2, nested(INET_SPEC)), inet6: attr(10, nested(INET6_SPEC)) })),
});

/** linux/if_link.h, enum in6_addr_gen_mode. */
export const IN6_ADDR_GEN_MODE = { eui64: 0, none: 1 } as const;

/** The same messages with family AF_BRIDGE: port flags and VLANs. */
export const bridgeLink = body(IFINFOMSG, BRIDGE_LINK_ATTRS);

export type LinkMessage = NonNullable<ReturnType<typeof link.decode>>;
export type LinkAttrs = LinkMessage['attrs'];
export type LinkInfo = NonNullable<LinkAttrs['info']>;

/** linux/if_link.h, enum ifla_vxlan_df. */
export const VXLAN_DF = { unset: 0, set: 1, inherit: 2 } as const;

/** linux/if_link.h, enum macvlan_mode. */
export const MACVLAN_MODE = { private: 1, vepa: 2, bridge: 4, passthru: 8, source: 16 } as const;

/** linux/if_link.h, enum ipvlan_mode and IPVLAN_F_*. */
export const IPVLAN_MODE = { l2: 0, l3: 1, l3s: 2 } as const;
export const IPVLAN_FLAG = { bridge: 0, private: 1, vepa: 2 } as const;

/** linux/if_ether.h, ETH_P_*. */
export const VLAN_PROTOCOL = { '802.1Q': 0x8100, '802.1ad': 0x88a8 } as const;

/** linux/if_tun.h, IFF_TUN and IFF_TAP. */
export const TUN_TYPE = { tun: 1, tap: 2 } as const;

const SIOCGIFNAME = 0x8910;
const SIOCGIFFLAGS = 0x8913;
/** linux/if.h */
const IFF_RUNNING = 0x40;
/** struct ifreq: the name (IFNAMSIZ), then a union. linux/if.h */
const IFREQ_BYTES = 40;
const IFNAMSIZ = 16;

let libc: { readonly ioctl: (fd: number, request: bigint, argument: Uint8Array) => number } | undefined;

/**
 * Returns the name of the link with that index in a socket's network namespace; undefined if it does not exist. Source:
 * netdevice(7).
 */
export function linkName(socketFd: number, index: number): string | undefined {
  const request = Buffer.alloc(IFREQ_BYTES);
  request.writeInt32LE(index, IFNAMSIZ);
  if (!ask(socketFd, SIOCGIFNAME, request)) return undefined;
  return request.toString('utf8', 0, request.indexOf(0));
}

/** True for a link in the socket's network namespace that is up and has a carrier. Source: netdevice(7). */
export function isRunning(socketFd: number, name: string): boolean {
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write(name, 0, IFNAMSIZ - 1);
  return ask(socketFd, SIOCGIFFLAGS, request) && (request.readUInt16LE(IFNAMSIZ) & IFF_RUNNING) !== 0;
}

function ask(socketFd: number, command: number, request: Buffer): boolean {
  libc ??= loadLibrary(null, { ioctl: { return: 'i32', arguments: ['i32', 'u64', 'pointer'] } });
  return libc.ioctl(socketFd, BigInt(command), request) === 0;
}
