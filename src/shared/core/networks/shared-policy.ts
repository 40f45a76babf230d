import type { FirewallBackend, FirewallEntry, IngressPolicy, PolicyEntry } from '../../model/firewall.ts';
import type { Plan } from '../../model/op.ts';
import type { NetworkRow } from '../../store/store.ts';
import type { Core } from '../core.ts';

/** From the most open to the strictest. */
const ORDER: readonly IngressPolicy[] = ['reachable', 'open', 'same-bridge', 'isolated', 'closed', 'internal'];

function isStricter(one: PolicyEntry, other: PolicyEntry): boolean {
  return ORDER.indexOf(one.policy) > ORDER.indexOf(other.policy);
}

function policiesOf(entries: readonly FirewallEntry[]): PolicyEntry[] {
  return entries.filter((entry) => entry.kind === 'policy');
}

/**
 * Leaves out policies of devices that have a stricter one. A device has one policy, and networks may share a bridge: what
 * one of them closes, another must not open.
 */
export function withStrictest(entries: readonly FirewallEntry[]): FirewallEntry[] {
  const policies = policiesOf(entries);
  if (policies.length < 2) return [...entries];
  const isWeak = (one: PolicyEntry): boolean =>
    policies.some((other) => other.device === one.device && isStricter(other, one));
  return entries.filter((entry) => entry.kind !== 'policy' || !isWeak(entry));
}

/** The entries that a network asks for, with the policy of another network on the same device where that is stricter. */
export function besideOthers(
  core: Pick<Core, 'store' | 'host'>,
  network: string,
  backend: FirewallBackend,
  asked: readonly FirewallEntry[],
): FirewallEntry[] {
  const devices = new Set(policiesOf(asked).map(({ device }) => device));
  if (devices.size === 0) return [...asked];
  const others = policiesOf(
    [...devices]
      .flatMap((device) => core.store.networks.list(device))
      .filter((row) => row.name !== network && isInForce(core, row))
      .flatMap(({ owned }) =>
        owned.flatMap((one) => (one.kind === 'entry' && one.backend === backend ? [one.entry] : [])),
      ),
  );
  return asked.map((entry) => {
    if (entry.kind !== 'policy') return entry;
    const stricter = others.filter(({ device }) => device === entry.device).reduce(strictest, entry);
    return stricter === entry ? entry : { ...entry, policy: stricter.policy };
  });
}

function strictest(one: PolicyEntry, other: PolicyEntry): PolicyEntry {
  return isStricter(other, one) ? other : one;
}

function isInForce({ host }: Pick<Core, 'host'>, { bootId, deleting }: NetworkRow): boolean {
  return bootId === host.identity.bootId && deleting !== true;
}

/** The plan with an undo of what the network asked for itself: this goes on record as its own. */
export function undoingAsked({ ops, undo }: Plan, asked: readonly FirewallEntry[]): Plan {
  const own = new Map(policiesOf(asked).map((entry) => [entry.device, entry]));
  const original = (entry: FirewallEntry): FirewallEntry =>
    entry.kind === 'policy' ? (own.get(entry.device) ?? entry) : entry;
  return {
    ops,
    undo: undo.map((op) => (op.op === 'firewall.delete' ? { ...op, entries: op.entries.map(original) } : op)),
  };
}
