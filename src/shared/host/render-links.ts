import { given } from '../model/given.ts';
import { type LinkKind, type NsRef, parentedLink, type VxlanLink } from '../model/link.ts';
import type { TapLink } from '../model/link-data.ts';
import type { LinkChanges, Op, PortChanges, VlanRange } from '../model/op.ts';
import { onOff, pair, type RenderOptions, type Word } from './render-words.ts';

type CreateOp = Extract<Op, { op: 'link.create' }>;

/** The arguments of `ip` that create a link, with its namespace `-n` where that is the sandbox. */
export function createWords(op: CreateOp, options: RenderOptions): Word[] {
  const { name, link, mac, mtu, master, group, up } = op;
  const { dev, devNs = op.ns } = parentedLink(link) ?? {};
  return [
    ...within(devNs, options),
    ...['link', 'add', 'name', name],
    ...pair('link', dev),
    ...(devNs === op.ns ? [] : ['netns', nameOf(op.ns, options)]),
    ...pair('address', mac),
    ...pair('mtu', mtu),
    ...pair('group', group),
    ...pair('master', master),
    up && 'up',
    ...['type', link.kind],
    ...kindWords(link, op.ns, options),
  ];
}

/** The arguments of `ip` that create a tap, and those that set what remains: RTM_NEWLINK creates no tap. */
export function tapLines(
  { ns, name, link, ...op }: CreateOp & { readonly link: TapLink },
  options: RenderOptions,
): Word[][] {
  const at = within(ns, options);
  const { owner, group, multiQueue, vnetHdr } = link;
  const who = [...pair('user', owner), ...pair('group', group)];
  const create = ['tuntap', 'add', 'dev', name, 'mode', 'tap', ...who];
  const { mac, mtu, alias, master, up } = op;
  const set = changeWords(given({ mac, mtu, group: op.group, alias, master, up }));
  return [
    [...at, ...create, multiQueue && 'multi_queue', vnetHdr && 'vnet_hdr'],
    ...(set.some((each) => each !== false && each !== undefined) ? [[...at, 'link', 'set', 'dev', name, ...set]] : []),
  ];
}

export function moveWords({ name, to, toName }: Extract<Op, { op: 'link.move' }>, options: RenderOptions): Word[] {
  return ['link', 'set', 'dev', name, 'netns', nameOf(to, options), 'name', toName];
}

/** `-n <sandbox>` inside the sandbox. */
function within(ns: NsRef, { sandbox }: RenderOptions): Word[] {
  return ns === 'sandbox' ? ['-n', sandbox] : [];
}

function nameOf(ns: NsRef, { sandbox, host = '1' }: RenderOptions): string {
  return ns === 'sandbox' ? sandbox : host;
}

function kindWords(link: LinkKind, ns: NsRef, options: RenderOptions): Word[] {
  switch (link.kind) {
    case 'bridge':
      return [...pair('vlan_filtering', bit(link.vlanFiltering)), ...pair('vlan_default_pvid', link.defaultPvid)];
    case 'veth': {
      const { peer } = link;
      const where = peer.ns === ns ? [] : ['netns', nameOf(peer.ns, options)];
      return ['peer', 'name', peer.name, ...pair('address', peer.mac), ...pair('mtu', peer.mtu), ...where];
    }
    case 'vxlan':
      return vxlanWords(link);
    case 'macvlan':
      return ['mode', link.mode, ...pair('bcqueuelen', link.bcQueueLength)];
    case 'ipvlan':
      return ['mode', link.mode, link.flag];
    case 'vlan':
      return [...pair('protocol', link.protocol), 'id', link.id];
    case 'vrf':
      return ['table', link.table];
    case 'tap':
    case 'dummy':
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
