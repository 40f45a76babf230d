import { renderOp } from '../host/render.ts';
import { given } from '../model/given.ts';
import { type LinkKind, type NsRef, type PortState, parentedLink, type RouteSpec, USUAL_PORT } from '../model/link.ts';
import type { Op, PortChanges } from '../model/op.ts';
import type { RuleSpec, RuleState } from '../model/rule.ts';
import { type FakeLink, type FakeNetns, KERNEL_RULES, peerOf } from './fake-netns.ts';

/** Default queue length of a new device. */
const USUAL_QUEUE = 1000;

/** The state of one namespace as steps that may refer to a sandbox. */
type SandboxOp = Exclude<Op, { ns: 'host' }>;

/** Prints the commands that create the state of the namespaces, the host's first. Omits links that no Op creates. */
export function printNamespaces(host: FakeNetns, others: readonly FakeNetns[]): string {
  const lines: string[] = others.map((ns) => `ip netns add ${nameOf(ns)}`);
  const printed = new Set<FakeLink>();
  for (const ns of [host, ...others]) {
    for (const link of ns.links.values()) lines.push(...linkLines(ns, link, host, printed));
  }
  for (const ns of [host, ...others]) lines.push(...stateOps(ns).map((op) => render(op, ns, host)));
  return lines.map((text) => `${text}\n`).join('');
}

function linkLines(ns: FakeNetns, link: FakeLink, host: FakeNetns, printed: Set<FakeLink>): string[] {
  if (printed.has(link)) return [];
  printed.add(link);
  const { state, made, parent } = link;
  const peer = peerOf(link);
  const maker = parent?.made === undefined && parent !== undefined ? (peerOf(parent) ?? parent) : parent;
  const before = maker === undefined ? [] : linkLines(maker.ns, maker, host, printed);
  const ops: SandboxOp[] = [];
  if (made !== undefined) {
    const { name, mac, mtu, group, alias } = state;
    const create: SandboxOp = {
      op: 'link.create',
      ns: 'sandbox',
      name,
      link: currentKind(made, link),
      mac,
      mtu,
    };
    ops.push({ ...create, ...(group === 0 ? {} : { group }), ...given({ alias }) });
    if (peer !== undefined) printed.add(peer);
  }
  return [...before, ...ops.map((op) => render(op, ns, host, link.peer?.ns ?? parent?.ns))];
}

/** With the current peer, parent or underlay address, not those as created. */
function currentKind(made: LinkKind, link: FakeLink): LinkKind {
  if (made.kind === 'vxlan') return { ...made, ...given({ local: link.state.vxlan?.local }) };
  const parented = parentedLink(made);
  if (parented !== undefined && link.parent !== undefined) return { ...parented, dev: link.parent.state.name };
  const peer = peerOf(link);
  if (made.kind !== 'veth' || peer === undefined) return made;
  return { ...made, peer: { ns: 'sandbox', name: peer.state.name, mac: peer.state.mac, mtu: peer.state.mtu } };
}

/** Changes to links that need all links to exist. */
function stateOps(ns: FakeNetns): SandboxOp[] {
  const at = { ns: 'sandbox' } as const;
  const ops: SandboxOp[] = [];
  for (const { state, promisc } of ns.links.values()) {
    const { name, master, up, port } = state;
    if (master !== undefined) ops.push({ ...at, op: 'link.set', name, set: { master } });
    const set = unusualFlags(port);
    if (Object.keys(set).length > 0) ops.push({ ...at, op: 'port.set', name, set });
    if (promisc) ops.push({ ...at, op: 'link.set', name, set: { promisc } });
    if (state.allMulticast) ops.push({ ...at, op: 'link.set', name, set: { allMulticast: true } });
    if (state.txQueueLength !== USUAL_QUEUE) {
      ops.push({ ...at, op: 'link.set', name, set: { txQueueLength: state.txQueueLength } });
    }
    if (up) ops.push({ ...at, op: 'link.set', name, set: { up } });
  }
  for (const { name, vlan } of ns.vlans) ops.push({ ...at, op: 'vlan.add', name, vlan });
  for (const [key, value] of ns.sysctls) ops.push({ ...at, op: 'sysctl.set', key, value });
  for (const { dev, address, noDad, deprecated, noPrefixRoute } of ns.addresses)
    ops.push({ ...at, op: 'addr.add', dev, address, noDad, deprecated, noPrefixRoute });
  for (const { protocol, ...route } of ns.routes) ops.push({ ...at, op: 'route.add', route: plain(route) });
  for (const rule of ns.rules)
    if (!KERNEL_RULES.includes(rule)) ops.push({ ...at, op: 'rule.add', rule: plainRule(rule) });
  for (const neighbour of ns.neighbours.values()) ops.push({ ...at, op: 'neigh.add', ...neighbour });
  for (const entry of ns.forwarding.values()) ops.push({ ...at, op: 'fdb.add', ...entry });
  for (const state of ns.states.values()) ops.push({ ...at, op: 'xfrm.state.add', state });
  for (const policy of ns.policies.values()) ops.push({ ...at, op: 'xfrm.policy.replace', policy });
  for (const [dev, { tbf, redirect }] of ns.shaping) {
    if (tbf !== undefined) ops.push({ ...at, op: 'tbf.add', dev, ...tbf });
    if (redirect !== undefined) ops.push({ ...at, op: 'redirect.add', dev, to: redirect });
  }
  return ops;
}

function unusualFlags(port: PortState = USUAL_PORT): PortChanges {
  return Object.fromEntries(Object.entries(port).filter(([flag, on]) => on !== USUAL_PORT[flag as keyof PortState]));
}

function plainRule({ protocol, ...rule }: RuleState): RuleSpec {
  return protocol === 0 ? rule : { ...rule, protocol };
}

/** Omits default values. */
function plain(route: RouteSpec): RouteSpec {
  const { table, scope, priority, ...rest } = route;
  const usual = route.gateway === undefined && !route.dst.includes(':') ? 'link' : 'global';
  const metric = route.dst.includes(':') && priority === 1024 ? undefined : priority;
  return {
    ...rest,
    ...given({ priority: metric }),
    ...(table === 254 || table === undefined ? {} : { table }),
    ...(scope === usual || scope === undefined ? {} : { scope }),
  };
}

/**
 * This file writes all Ops for a sandbox; those of the host's namespace are printed for the host. `other` is the
 * namespace of the peer or parent.
 */
function render(op: SandboxOp, ns: FakeNetns, host: FakeNetns, other?: FakeNetns): string {
  const here = ns === host ? 'host' : 'sandbox';
  const own: Op = { ...op, ns: here };
  if (own.op !== 'link.create' || other === undefined) return renderOp(own, { sandbox: nameOf(ns) });
  const link = linkedTo(own.link, other === host ? 'host' : 'sandbox');
  return renderOp({ ...own, link }, { sandbox: nameOf(here === 'sandbox' ? ns : other) });
}

function linkedTo(made: LinkKind, there: NsRef): LinkKind {
  if (made.kind === 'veth') return { ...made, peer: { ...made.peer, ns: there } };
  const link = parentedLink(made);
  return link === undefined ? made : { ...link, devNs: there };
}

function nameOf({ path }: FakeNetns): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
