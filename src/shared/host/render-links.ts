import type { LinkKind, NsRef, VxlanLink } from '../model/link.ts';
import type { LinkChanges, Op, PortChanges, VlanRange } from '../model/op.ts';
import { onOff, pair, type RenderOptions, type Word } from './render-words.ts';

export function createWords(op: Extract<Op, { op: 'link.create' }>, options: RenderOptions): Word[] {
  const { name, link, mac, mtu, master, group, up } = op;
  return [
    ...['name', name],
    ...(link.kind === 'macvlan' ? ['link', link.dev] : []),
    ...pair('address', mac),
    ...pair('mtu', mtu),
    ...pair('group', group),
    ...pair('master', master),
    up && 'up',
    ...['type', link.kind],
    ...kindWords(link, op.ns, options),
  ];
}

function kindWords(link: LinkKind, ns: NsRef, { sandbox, host = '1' }: RenderOptions): Word[] {
  switch (link.kind) {
    case 'bridge':
      return [...pair('vlan_filtering', bit(link.vlanFiltering)), ...pair('vlan_default_pvid', link.defaultPvid)];
    case 'veth': {
      const { peer } = link;
      const where = peer.ns === ns ? [] : ['netns', peer.ns === 'sandbox' ? sandbox : host];
      return ['peer', 'name', peer.name, ...pair('address', peer.mac), ...pair('mtu', peer.mtu), ...where];
    }
    case 'vxlan':
      return vxlanWords(link);
    case 'macvlan':
      return ['mode', link.mode];
    case 'ifb':
      return [];
  }
}

export function changeWords({
  up,
  promisc,
  allMulticast,
  txQueueLength,
  mtu,
  mac,
  master,
  alias,
  group,
  addrGenMode,
  vxlan,
}: LinkChanges): Word[] {
  return [
    ...pair('address', mac),
    ...pair('mtu', mtu),
    ...pair('group', group),
    ...(master === undefined ? [] : master === null ? ['nomaster'] : ['master', master]),
    ...onOff('promisc', promisc),
    ...onOff('allmulticast', allMulticast),
    ...pair('txqueuelen', txQueueLength),
    ...pair('alias', alias),
    ...pair('addrgenmode', addrGenMode),
    up !== undefined && (up ? 'up' : 'down'),
    ...(vxlan === undefined ? [] : ['type', 'vxlan', ...pair('local', vxlan.local), word('learning', vxlan.learning)]),
  ];
}

export function portWords(set: PortChanges): Word[] {
  return [
    ...onOff('hairpin', set.hairpin),
    ...onOff('isolated', set.isolated),
    ...onOff('learning', set.learning),
    ...onOff('neigh_suppress', set.neighSuppress),
    ...onOff('flood', set.unicastFlood),
    ...onOff('mcast_flood', set.mcastFlood),
    ...onOff('bcast_flood', set.bcastFlood),
  ];
}

export function vlanWords({ vid, vidEnd, pvid, untagged, self }: VlanRange, flags: boolean): Word[] {
  const range = vidEnd === undefined || vidEnd === vid ? vid : `${vid}-${vidEnd}`;
  return ['vid', range, flags && pvid && 'pvid', flags && untagged && 'untagged', self && 'self'];
}

/** Without `ttl 0` and `df unset`, the kernel's defaults. */
function vxlanWords({ id, port = 4789, local, group, dev, ...more }: VxlanLink): Word[] {
  const { learning, proxy, portRange, ttl, df, udpCsum, zeroCsum6Tx, zeroCsum6Rx } = more;
  return [
    ...['id', id, 'dstport', port],
    ...pair('local', local),
    ...pair('group', group),
    ...pair('dev', dev),
    ...(portRange === undefined ? [] : ['srcport', portRange.low, portRange.high]),
    ...pair('ttl', ttl || undefined),
    ...pair('df', df),
    word('learning', learning),
    word('proxy', proxy),
    word('udpcsum', udpCsum),
    word('udp6zerocsumtx', zeroCsum6Tx),
    word('udp6zerocsumrx', zeroCsum6Rx),
  ];
}

/** `learning` or `nolearning`. */
function word(name: string, value: boolean | undefined): Word {
  return value !== undefined && (value ? name : `no${name}`);
}

function bit(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : value ? 1 : 0;
}
