import type { NetError } from '../errors/net-error.ts';
import type { View } from '../host/host.ts';
import { infoKind, type LinkKind, type LinkState, type NsRef, parentedLink } from '../model/link.ts';
import type { Op } from '../model/op.ts';
import { type RuleSpec, ruleText } from '../model/rule.ts';
import { drift } from './drift.ts';

type CreateOp = Extract<Op, { op: 'link.create' }>;

/** The links of a namespace that an op of another one refers to. */
export function linkedIn(op: Op, ns: NsRef): string[] {
  if (op.op === 'link.move') return op.to === ns ? [op.toName] : [];
  const parent = op.op === 'link.create' ? parentedLink(op.link) : undefined;
  return parent !== undefined && (parent.devNs ?? op.ns) === ns ? [parent.dev] : [];
}

/** The difference between a created link and the kernel's; its MAC, MTU and alias are not compared. */
export function createdDrift(op: CreateOp, outside: View, inside: View): NetError | undefined {
  const at = (ns: NsRef): View => (ns === 'host' ? outside : inside);
  const subject = `link ${op.name}`;
  const link = at(op.ns).links.get(op.name);
  if (link === undefined || link.kind !== infoKind(op.link)) return drift(subject, `is no ${op.link.kind}`);
  if (op.master !== undefined && link.master !== op.master) {
    return drift(subject, `is ${link.master ? `a port of ${link.master}` : 'no port'}, not of ${op.master}`);
  }
  if (op.up === true && !link.up) return drift(subject, 'is down');
  const parent = parentedLink(op.link);
  const found = parent && at(parent.devNs ?? op.ns).links.get(parent.dev);
  if (parent !== undefined && found !== undefined && !isOn(link, found))
    return drift(subject, `is not on its parent ${parent.dev}`);
  return dataDrift(subject, op.link, link);
}

/** The kernel puts a macvlan of a macvlan on the parent of both, and so with ipvlans. */
function isOn(link: LinkState, parent: LinkState): boolean {
  const isShared = link.kind === parent.kind && link.kind !== 'vlan';
  return link.linkIndex === (isShared ? parent.linkIndex : parent.index);
}

/** The numbers and words of IFLA_INFO_DATA that the op asks for. */
function dataDrift(subject: string, wanted: LinkKind, link: LinkState): NetError | undefined {
  for (const [key, value, found] of dataOf(wanted, link))
    if (value !== undefined && value !== found) return drift(subject, `has ${key} ${found}, expected ${value}`);
  return undefined;
}

function dataOf(wanted: LinkKind, link: LinkState): (readonly [key: string, wanted: unknown, found: unknown])[] {
  switch (wanted.kind) {
    case 'macvlan': {
      const length = link.macvlan?.bcQueueLength ?? wanted.bcQueueLength;
      return [
        ['mode', wanted.mode, link.macvlan?.mode],
        ['bcqueuelen', wanted.bcQueueLength, length],
      ];
    }
    case 'ipvlan':
      return [
        ['mode', wanted.mode, link.ipvlan?.mode],
        ['flag', wanted.flag, link.ipvlan?.flag],
      ];
    case 'vlan':
      return [
        ['VLAN id', wanted.id, link.vlan?.id],
        ['protocol', wanted.protocol ?? '802.1Q', link.vlan?.protocol],
      ];
    case 'vrf':
      return [['table', wanted.table, link.vrf?.table]];
    case 'tap':
      return [
        ['type', 'tap', link.tun?.type],
        ['owner', wanted.owner, link.tun?.owner],
        ['group', wanted.group, link.tun?.group],
        ['multi_queue', wanted.multiQueue, link.tun?.multiQueue],
        ['vnet_hdr', wanted.vnetHdr, link.tun?.vnetHdr],
      ];
    default:
      return [];
  }
}

export function ruleDrift(wanted: RuleSpec, view: View): NetError | undefined {
  const { priority, protocol } = wanted;
  const found = view.rules.some(
    (rule) =>
      rule.isSpecial !== true &&
      rule.family === wanted.family &&
      rule.table === wanted.table &&
      (rule.from ?? 'all') === (wanted.from ?? 'all') &&
      (priority === undefined || rule.priority === priority) &&
      (protocol === undefined || rule.protocol === protocol),
  );
  return found ? undefined : drift(ruleText(wanted), 'is gone');
}
