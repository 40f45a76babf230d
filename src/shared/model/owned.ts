import type { FirewallBackend, FirewallEntry } from './firewall.ts';
import type { Op } from './op.ts';

/** Who keeps a network without endpoints: a Docker network, by its NetworkID, or the operator's `network create`. */
export type NetworkHolder = { readonly kind: 'docker'; readonly id: string } | { readonly kind: 'operator' };

export const OPERATOR: NetworkHolder = { kind: 'operator' };

export function sameHolder(a: NetworkHolder, b: NetworkHolder): boolean {
  return a.kind === 'docker' ? b.kind === 'docker' && a.id === b.id : b.kind === 'operator';
}

/** Kinds of links that networks own. */
const KINDS = ['bridge', 'vxlan', 'vlan', 'dummy', 'macvlan', 'ipvlan'] as const;
export type OwnedKind = (typeof KINDS)[number] | 'veth';

/** One thing that we created for a network, or changed on a device that we found. */
export type Owned =
  | { readonly kind: 'link'; readonly name: string; readonly link: OwnedKind }
  | { readonly kind: 'promisc'; readonly dev: string }
  | { readonly kind: 'address'; readonly dev: string; readonly address: string }
  /** An address that we removed from the device (`forceAddress`). */
  | { readonly kind: 'replaced'; readonly dev: string; readonly address: string }
  /** The device has route_localnet: packets of 127.0.0.0/8 may be routed to it. */
  | { readonly kind: 'localnet'; readonly dev: string }
  | { readonly kind: 'entry'; readonly backend: FirewallBackend; readonly entry: FirewallEntry };

/** What we own, derived from the steps that delete it, in their order. */
export function ownedOf(undo: readonly Op[]): Owned[] {
  return undo.flatMap((op): Owned[] => {
    switch (op.op) {
      case 'link.delete':
        return [{ kind: 'link', name: op.name, link: KINDS.find((kind) => kind === op.kind) ?? 'veth' }];
      case 'link.set':
        return [{ kind: 'promisc', dev: op.name }];
      case 'addr.delete':
        return [{ kind: 'address', dev: op.dev, address: op.address }];
      case 'addr.add':
        return [{ kind: 'replaced', dev: op.dev, address: op.address }];
      case 'sysctl.set':
        return [{ kind: 'localnet', dev: op.key.split('/')[3] ?? '' }];
      case 'firewall.delete':
        return op.entries.map((entry) => ({ kind: 'entry', backend: op.backend, entry }));
      default:
        throw new Error(`a network owns nothing that ${op.op} deletes`);
    }
  });
}

/**
 * The inverse of ownedOf: ops that delete what we own and restore prior values. One op has all consecutive entries of a
 * backend: each change of the packet filter costs milliseconds, and reads its sets.
 */
export function planDeletion(owned: readonly Owned[]): Op[] {
  const ops: Op[] = [];
  let group: { readonly backend: FirewallBackend; readonly entries: FirewallEntry[] } | undefined;
  for (const one of owned) {
    if (one.kind !== 'entry') {
      group = undefined;
      ops.push(deletionOf(one));
      continue;
    }
    if (group?.backend !== one.backend) {
      group = { backend: one.backend, entries: [] };
      ops.push({ op: 'firewall.delete', ns: 'host', ...group });
    }
    group.entries.push(one.entry);
  }
  return ops;
}

function deletionOf(one: Exclude<Owned, { kind: 'entry' }>): Op {
  switch (one.kind) {
    case 'link':
      return { op: 'link.delete', ns: 'host', name: one.name, kind: one.link };
    case 'promisc':
      return { op: 'link.set', ns: 'host', name: one.dev, set: { promisc: false } };
    case 'address':
      return { op: 'addr.delete', ns: 'host', dev: one.dev, address: one.address };
    case 'replaced':
      return { op: 'addr.add', ns: 'host', dev: one.dev, address: one.address };
    case 'localnet':
      return localnet(one.dev, '0');
  }
}

/** Ops that set route_localnet of the devices again; deleting the bridge loses it. */
export function planLocalnet(owned: readonly Owned[]): Op[] {
  return owned.flatMap((one) => (one.kind === 'localnet' ? [localnet(one.dev, '1')] : []));
}

/**
 * `first`, then what only `then` has. Keeps the last position of what both have. A device has one admission and one
 * policy, a subnet one masquerading: those of `wanted` replace others, which a reset would otherwise put in force again.
 */
export function mergeOwned(first: readonly Owned[], then: readonly Owned[], wanted: readonly Owned[] = []): Owned[] {
  const current = new Map(wanted.flatMap((one) => (placeOf(one) === undefined ? [] : [[placeOf(one), one]])));
  const isCurrent = (one: Owned): boolean => {
    const other = current.get(placeOf(one));
    return other === undefined || JSON.stringify(other) === JSON.stringify(one);
  };
  return [...without(first, then), ...then].filter(isCurrent);
}

/** The place that only one entry can have; undefined for an entry that stands beside others. */
function placeOf(one: Owned): string | undefined {
  if (one.kind !== 'entry') return undefined;
  const { backend, entry } = one;
  if (entry.kind === 'admit') return `admit ${entry.device}`;
  // Those of another backend are in force as well, and must be deleted there.
  if (entry.kind === 'policy') return `${backend} policy ${entry.device}`;
  return entry.kind === 'masquerade' ? `${backend} masquerade ${entry.subnet}` : undefined;
}

/** The items of `owned` that are not in `known`. */
export function without(owned: readonly Owned[], known: readonly Owned[]): Owned[] {
  const texts = new Set(known.map((one) => JSON.stringify(one)));
  return owned.filter((one) => !texts.has(JSON.stringify(one)));
}

function localnet(dev: string, value: string): Op {
  return { op: 'sysctl.set', ns: 'host', key: `net/ipv4/conf/${dev}/route_localnet`, value, optional: true };
}
