import { infoKind, type LinkState } from '../model/link.ts';
import type { LinkChanges, Op } from '../model/op.ts';
import type { View, ViewQuery } from './host.ts';

/** What `inverseOf` needs of the namespace before the op runs. */
export function queryBefore(op: Op): ViewQuery {
  switch (op.op) {
    case 'link.set':
    case 'port.set':
    case 'link.delete':
      return { links: [op.name] };
    case 'sysctl.set':
      return { sysctls: [op.key] };
    default:
      return {};
  }
}

/**
 * The ops that restore what `op` changes; `before` is the namespace before it. Empty for what cannot be undone: a flush,
 * an announcement, a deletion of a link.
 */
export function inverseOf(op: Op, before: View): readonly Op[] {
  switch (op.op) {
    case 'link.create':
      return [{ op: 'link.delete', ns: op.ns, name: op.name, kind: infoKind(op.link) }];
    case 'link.move':
      return [{ op: 'link.move', ns: op.to, name: op.toName, to: op.ns, toName: op.name }];
    case 'link.set': {
      const set = changesBack(op.set, before.links.get(op.name));
      return Object.keys(set).length === 0 ? [] : [{ ...op, set }];
    }
    case 'port.set': {
      const port = before.links.get(op.name)?.port;
      return port === undefined ? [] : [{ ...op, set: pick(port, op.set) }];
    }
    case 'sysctl.set': {
      const value = before.sysctls.get(op.key);
      return value === undefined ? [] : [{ ...op, value }];
    }
    case 'vlan.add':
      return [{ ...op, op: 'vlan.delete' }];
    case 'addr.add':
      return [{ ...op, op: 'addr.delete' }];
    case 'route.add':
      return [{ ...op, op: 'route.delete' }];
    case 'rule.add':
      return [{ ...op, op: 'rule.delete' }];
    case 'neigh.add':
    case 'neigh.replace':
      return [{ ...op, op: 'neigh.delete' }];
    case 'fdb.add':
    case 'fdb.replace':
      return [{ ...op, op: 'fdb.delete' }];
    case 'firewall.add':
      return [{ ...op, op: 'firewall.delete' }];
    case 'tbf.add':
      return [{ ...op, op: 'tbf.delete' }];
    case 'redirect.add':
      return [{ ...op, op: 'redirect.delete' }];
    case 'vlan.delete':
      return [{ ...op, op: 'vlan.add' }];
    case 'addr.delete':
      return [{ ...op, op: 'addr.add' }];
    case 'route.delete':
      return [{ ...op, op: 'route.add' }];
    case 'rule.delete':
      return [{ ...op, op: 'rule.add' }];
    case 'neigh.delete':
      return [{ ...op, op: 'neigh.add' }];
    case 'fdb.delete':
      return [{ ...op, op: 'fdb.add' }];
    case 'firewall.delete':
      return [{ ...op, op: 'firewall.add' }];
    case 'tbf.delete':
      return [{ ...op, op: 'tbf.add' }];
    case 'redirect.delete':
      return [{ ...op, op: 'redirect.add' }];
    case 'link.delete':
    case 'announce':
    case 'conntrack.flush':
    case 'xfrm.state.add':
    case 'xfrm.state.delete':
    case 'xfrm.policy.replace':
    case 'xfrm.policy.delete':
      return [];
  }
}

/** The link on which the effect of the op depends: it goes with the link. */
export function linkOf(op: Op): string | undefined {
  switch (op.op) {
    case 'link.set':
    case 'port.set':
    case 'vlan.add':
    case 'vlan.delete':
      return op.name;
    case 'addr.add':
    case 'addr.delete':
    case 'neigh.add':
    case 'neigh.replace':
    case 'neigh.delete':
    case 'fdb.add':
    case 'fdb.replace':
    case 'fdb.delete':
    case 'announce':
    case 'tbf.add':
    case 'tbf.delete':
    case 'redirect.add':
    case 'redirect.delete':
      return op.dev;
    case 'route.add':
    case 'route.delete':
      return op.route.dev;
    case 'sysctl.set':
      return /^net[/.]ipv[46][/.](?:conf|neigh)[/.](.+)[/.][^/.]+$/.exec(op.key)?.[1];
    default:
      return undefined;
  }
}

/** The changes that give the link its present values back. */
function changesBack(set: LinkChanges, link: LinkState | undefined): LinkChanges {
  if (link === undefined) return {};
  const { up, mtu, mac, master = null, alias = '', group, promisc, allMulticast, txQueueLength } = link;
  return pick({ up, mtu, mac, master, alias, group, promisc, allMulticast, txQueueLength }, set);
}

/** The values of the keys that `like` has. */
function pick<T extends object>(values: T, like: object): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => Object.hasOwn(like, key))) as Partial<T>;
}
