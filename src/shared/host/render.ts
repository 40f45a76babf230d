import { entryKey } from '../model/firewall.ts';
import type { RouteSpec } from '../model/link.ts';
import { inFloodList, type Op } from '../model/op.ts';
import type { RuleSpec } from '../model/rule.ts';
import { firewallLines, guardLines, underlayLines } from './firewall-text.ts';
import { changeWords, createWords, moveWords, portWords, tapLines, vlanWords } from './render-links.ts';
import { isV6, line, pair, type RenderOptions, type Word } from './render-words.ts';
import { policyWords, stateWords } from './render-xfrm.ts';

/** Renders the Op as a shell command: `ip`, `bridge`, `sysctl` or `nft`, inside the sandbox where the Op says so. */
export function renderOp(op: Op, options: RenderOptions): string {
  const tool = (name: 'ip' | 'bridge' | 'tc', ...words: readonly Word[]): string =>
    line(name, ...(op.ns === 'sandbox' ? ['-n', options.sandbox] : []), ...words);
  const command = (...words: readonly Word[]): string =>
    line(...(op.ns === 'sandbox' ? ['ip', 'netns', 'exec', options.sandbox] : []), ...words);
  switch (op.op) {
    case 'link.create':
      return createLines(op, options).join(' && ');
    case 'link.set':
      return tool('ip', 'link', 'set', 'dev', op.name, ...changeWords(op.set));
    case 'link.delete':
      return tool('ip', 'link', 'delete', 'dev', op.name, ...pair('type', op.kind));
    case 'link.move':
      return tool('ip', ...moveWords(op, options));
    case 'port.set':
      return tool('bridge', 'link', 'set', 'dev', op.name, ...portWords(op.set));
    case 'vlan.add':
    case 'vlan.delete':
      return tool('bridge', 'vlan', verb(op.op), 'dev', op.name, ...vlanWords(op.vlan, op.op === 'vlan.add'));
    case 'addr.add':
    case 'addr.delete':
      return tool('ip', 'addr', verb(op.op), op.address, ...addressWords(op), 'dev', op.dev, ...lifeWords(op));
    case 'route.add':
    case 'route.delete': {
      // NLM_F_CREATE without NLM_F_EXCL: `add` would refuse the second default route of a pod with two networks.
      const change = op.op === 'route.delete' ? 'delete' : op.exclusive ? 'add' : 'prepend';
      return tool('ip', isV6(op.route.dst) && '-6', 'route', change, ...routeWords(op.route));
    }
    case 'rule.add':
    case 'rule.delete':
      return tool('ip', op.rule.family === 6 && '-6', 'rule', verb(op.op), ...ruleWords(op.rule));
    case 'neigh.add':
    case 'neigh.replace':
    case 'neigh.delete': {
      const permanent = op.op === 'neigh.delete' ? [] : ['nud', 'permanent'];
      return tool('ip', 'neigh', verb(op.op), op.address, 'lladdr', op.mac, 'dev', op.dev, ...permanent);
    }
    case 'fdb.add':
    case 'fdb.replace':
    case 'fdb.delete':
      return tool('bridge', 'fdb', ...forwardingWords(op));
    case 'announce':
      return op.addresses
        .map((one) => command(...(isV6(one) ? ['ndsend', one, op.dev] : ['arping', '-U', '-c', 1, '-I', op.dev, one])))
        .join(' && ');
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
    case 'xfrm.state.add':
    case 'xfrm.state.delete':
      return tool('ip', 'xfrm', 'state', verb(op.op), ...stateWords(op));
    case 'xfrm.policy.replace':
    case 'xfrm.policy.delete':
      return tool('ip', 'xfrm', 'policy', ...policyWords(op));
  }
}

function createLines(op: Extract<Op, { op: 'link.create' }>, options: RenderOptions): string[] {
  const { link, alias, ns, name } = op;
  if (link.kind === 'tap') return tapLines({ ...op, link }, options).map((words) => line('ip', ...words));
  const create = line('ip', ...createWords(op, options));
  if (alias === undefined) return [create];
  return [create, renderOp({ op: 'link.set', ns, name, set: { alias } }, options)];
}

/** A no-op `:` for entries whose commands depend on existing state (other backends, admission). */
function firewallWords(op: Extract<Op, { op: 'firewall.add' | 'firewall.delete' }>): string[] {
  const add = op.op === 'firewall.add';
  if (op.backend === 'bridge') return guardLines(add ? 'add' : 'delete', op.entries).map((text) => line('nft', text));
  const others = op.backend === 'nftables' ? op.entries.filter(({ kind }) => kind === 'admit') : op.entries;
  const said = others.map((entry) => line(':', op.backend, add ? 'add' : 'delete', entryKey(entry)));
  if (op.backend !== 'nftables') return said;
  const lines = [firewallLines, underlayLines].flatMap((write) => write(add ? 'add' : 'delete', op.entries));
  return [...lines.map((text) => line('nft', text)), ...said];
}

/** `brd +`: the broadcast address of the subnet, which point-to-point prefixes and IPv6 lack. */
function addressWords({ op, address }: Extract<Op, { op: 'addr.add' | 'addr.delete' }>): Word[] {
  const lengthOf = Number(address.slice(address.lastIndexOf('/') + 1));
  return op === 'addr.add' && !isV6(address) && lengthOf < 31 ? ['brd', '+'] : [];
}

function lifeWords({ op, noDad, noPrefixRoute, deprecated }: Extract<Op, { op: 'addr.add' | 'addr.delete' }>): Word[] {
  const life = op === 'addr.add' && deprecated ? ['preferred_lft', '0'] : [];
  return [...life, noDad && 'nodad', noPrefixRoute && 'noprefixroute'];
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

function ruleWords({ from = 'all', table, priority, protocol }: RuleSpec): Word[] {
  return ['from', from, ...pair('priority', priority), 'table', table, ...pair('protocol', protocol)];
}

function forwardingWords(op: Extract<Op, { op: 'fdb.add' | 'fdb.replace' | 'fdb.delete' }>): Word[] {
  const isDeletion = op.op === 'fdb.delete';
  const flood = inFloodList(op);
  const state = !isDeletion && (op.flags === 'self' ? 'permanent' : 'static');
  const change = op.op === 'fdb.add' && flood ? 'append' : verb(op.op);
  return [change, op.mac, 'dev', op.dev, ...pair('dst', isDeletion && !flood ? undefined : op.dst), op.flags, state];
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
  if (op.endsWith('.replace')) return 'replace';
  return op.endsWith('.add') ? 'add' : 'del';
}
