import { entryKey } from '../model/firewall.ts';
import type { LinkKind, NsRef, RouteSpec } from '../model/link.ts';
import type { LinkChanges, Op, PortChanges, VlanRange } from '../model/op.ts';
import { firewallLines, guardLines } from './firewall-text.ts';

/** Names for `ip -n` and `ip netns exec`. */
export interface RenderOptions {
  readonly sandbox: string;
  /** Name or process id of the host's namespace, used when a sandbox's link refers to it; default `1`, PID 1's. */
  readonly host?: string;
}

/** Renders the Op as a shell command: `ip`, `bridge`, `sysctl` or `nft`, inside the sandbox where the Op says so. */
export function renderOp(op: Op, options: RenderOptions): string {
  const tool = (name: 'ip' | 'bridge' | 'tc', ...words: readonly Word[]): string =>
    line(name, ...(op.ns === 'sandbox' ? ['-n', options.sandbox] : []), ...words);
  const command = (...words: readonly Word[]): string =>
    line(...(op.ns === 'sandbox' ? ['ip', 'netns', 'exec', options.sandbox] : []), ...words);
  switch (op.op) {
    case 'link.create': {
      const create = tool('ip', 'link', 'add', ...createWords(op, options));
      if (op.alias === undefined) return create;
      return `${create} && ${tool('ip', 'link', 'set', 'dev', op.name, 'alias', op.alias)}`;
    }
    case 'link.set':
      return tool('ip', 'link', 'set', 'dev', op.name, ...changeWords(op.set));
    case 'link.delete':
      return tool('ip', 'link', 'delete', 'dev', op.name, ...pair('type', op.kind));
    case 'port.set':
      return tool('bridge', 'link', 'set', 'dev', op.name, ...portWords(op.set));
    case 'vlan.add':
    case 'vlan.delete':
      return tool('bridge', 'vlan', verb(op.op), 'dev', op.name, ...vlanWords(op.vlan, op.op === 'vlan.add'));
    case 'addr.add':
    case 'addr.delete':
      return tool('ip', 'addr', verb(op.op), op.address, ...addressWords(op), 'dev', op.dev, op.noDad && 'nodad');
    case 'route.add':
    case 'route.delete': {
      // NLM_F_CREATE without NLM_F_EXCL: `add` would refuse the second default route of a pod with two networks.
      const change = op.op === 'route.add' ? 'prepend' : 'delete';
      return tool('ip', isV6(op.route.dst) && '-6', 'route', change, ...routeWords(op.route));
    }
    case 'neigh.add':
    case 'neigh.delete': {
      const permanent = op.op === 'neigh.add' ? ['nud', 'permanent'] : [];
      return tool('ip', 'neigh', verb(op.op), op.address, 'lladdr', op.mac, 'dev', op.dev, ...permanent);
    }
    case 'fdb.add':
    case 'fdb.delete':
      return tool('bridge', 'fdb', ...forwardingWords(op));
    case 'sysctl.set':
      return command('sysctl', op.optional && '-e', '-w', `${op.key}=${op.value}`);
    case 'firewall.add':
    case 'firewall.delete':
      return firewallWords(op).join(' && ');
    case 'conntrack.flush': {
      const { protocol, address, family, port } = op;
      // conntrack takes one port.
      const to = op.count === undefined ? ['--dport', port] : [];
      return command('conntrack', '-D', '-f', `ipv${family}`, '-p', protocol, ...pair('-d', address), ...to);
    }
    case 'tbf.add':
    case 'tbf.delete':
    case 'redirect.add':
    case 'redirect.delete':
      return shapingLine(op, (...words) => tool('tc', ...words));
  }
}

/** Renders a no-op `:` for entries whose commands depend on existing state (other backends, admission). */
function firewallWords(op: Extract<Op, { op: 'firewall.add' | 'firewall.delete' }>): string[] {
  const add = op.op === 'firewall.add';
  if (op.backend === 'bridge') return guardLines(add ? 'add' : 'delete', op.entries).map((text) => line('nft', text));
  const others = op.backend === 'nftables' ? op.entries.filter(({ kind }) => kind === 'admit') : op.entries;
  const said = others.map((entry) => line(':', op.backend, add ? 'add' : 'delete', entryKey(entry)));
  if (op.backend !== 'nftables') return said;
  return [...firewallLines(add ? 'add' : 'delete', op.entries).map((text) => line('nft', text)), ...said];
}

type Word = string | number | false | undefined;

/** Joins words and skips absent ones; quotes for a POSIX shell where necessary. */
function line(...words: readonly Word[]): string {
  return words
    .filter((word) => word !== false && word !== undefined)
    .map((word) => quote(String(word)))
    .join(' ');
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function pair(key: string, value: string | number | undefined): Word[] {
  return value === undefined ? [] : [key, value];
}

function onOff(key: string, value: boolean | undefined): Word[] {
  return value === undefined ? [] : [key, value ? 'on' : 'off'];
}

function createWords(op: Extract<Op, { op: 'link.create' }>, options: RenderOptions): Word[] {
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
    case 'vxlan': {
      const { id, port = 4789, local, group, dev, learning, proxy } = link;
      const bits = [
        learning !== undefined && (learning ? 'learning' : 'nolearning'),
        proxy !== undefined && (proxy ? 'proxy' : 'noproxy'),
      ];
      return [
        'id',
        id,
        'dstport',
        port,
        ...pair('local', local),
        ...pair('group', group),
        ...pair('dev', dev),
        ...bits,
      ];
    }
    case 'macvlan':
      return ['mode', link.mode];
    case 'ifb':
      return [];
  }
}

function changeWords({
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
  ];
}

function portWords({ hairpin, isolated, learning }: PortChanges): Word[] {
  return [...onOff('hairpin', hairpin), ...onOff('isolated', isolated), ...onOff('learning', learning)];
}

function vlanWords({ vid, vidEnd, pvid, untagged, self }: VlanRange, flags: boolean): Word[] {
  const range = vidEnd === undefined || vidEnd === vid ? vid : `${vid}-${vidEnd}`;
  return ['vid', range, flags && pvid && 'pvid', flags && untagged && 'untagged', self && 'self'];
}

/** `brd +`: the broadcast address of the subnet, which point-to-point prefixes and IPv6 lack. */
function addressWords({ op, address }: Extract<Op, { op: 'addr.add' | 'addr.delete' }>): Word[] {
  const lengthOf = Number(address.slice(address.lastIndexOf('/') + 1));
  return op === 'addr.add' && !isV6(address) && lengthOf < 31 ? ['brd', '+'] : [];
}

function routeWords(route: RouteSpec): Word[] {
  const { dst, gateway, dev, source, mtu, advmss, priority, table, scope, onlink } = route;
  return [
    dst === '0.0.0.0/0' || dst === '::/0' ? 'default' : dst,
    ...pair('via', gateway),
    ...pair('dev', dev),
    ...pair('src', source),
    ...pair('metric', priority),
    ...pair('table', table),
    ...pair('scope', scope),
    ...pair('mtu', mtu),
    ...pair('advmss', advmss),
    onlink && 'onlink',
  ];
}

function forwardingWords(op: Extract<Op, { op: 'fdb.add' | 'fdb.delete' }>): Word[] {
  const add = op.op === 'fdb.add';
  const flood = op.mac === '00:00:00:00:00:00';
  const state = add && (op.flags === 'self' ? 'permanent' : 'static');
  return [add ? (flood ? 'append' : 'add') : 'del', op.mac, 'dev', op.dev, ...pair('dst', op.dst), op.flags, state];
}

function shapingLine(
  op: Extract<Op, { op: 'tbf.add' | 'tbf.delete' | 'redirect.add' | 'redirect.delete' }>,
  tc: (...words: readonly Word[]) => string,
): string {
  switch (op.op) {
    case 'tbf.add': {
      const bucket = ['rate', `${op.rate * 8}bit`, 'burst', `${op.burst}b`, 'latency', `${op.latency}ms`];
      return tc('qdisc', 'add', 'dev', op.dev, 'root', 'handle', '4953:', 'tbf', ...bucket);
    }
    case 'tbf.delete':
      return tc('qdisc', 'del', 'dev', op.dev, 'root', 'handle', '4953:');
    case 'redirect.add': {
      const match = ['parent', 'ffff:', 'protocol', 'all', 'pref', 1, 'u32', 'match', 'u32', 0, 0];
      const filter = ['filter', 'add', 'dev', op.dev, ...match, 'action', 'mirred', 'egress', 'redirect', 'dev', op.to];
      return `${tc('qdisc', 'add', 'dev', op.dev, 'ingress')} && ${tc(...filter)}`;
    }
    case 'redirect.delete':
      return tc('qdisc', 'del', 'dev', op.dev, 'ingress');
  }
}

function verb(op: string): string {
  return op.endsWith('.add') ? 'add' : 'del';
}

function isV6(text: string): boolean {
  return text.includes(':');
}

function bit(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : value ? 1 : 0;
}
