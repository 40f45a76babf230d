import type { NetError } from '../errors/net-error.ts';
import { asNetError } from '../errors/net-error.ts';
import { entryKey, type FirewallBackend, type FirewallEntry } from '../model/firewall.ts';
import type { Op } from '../model/op.ts';
import type { Core } from './core.ts';

/** How much was put back. */
export interface Reloaded {
  readonly backend: FirewallBackend;
  readonly entries: number;
}

/**
 * The packet filter has exactly what the networks and endpoints on record want of it: one transaction a backend,
 * whatever somebody flushed. Goes on after a failure and returns all of them.
 */
export async function reload(core: Core): Promise<{ reloaded: Reloaded[]; errors: NetError[] }> {
  const { host, store } = core;
  const { bootId } = host.identity;
  const networks = store.networks.list().filter((row) => row.bootId === bootId);
  const undo = [...networks.flatMap((row) => row.undo), ...store.endpoints.list().flatMap((row) => row.plan.undo)];
  const errors: NetError[] = [];
  const reloaded: Reloaded[] = [];
  for (const [backend, entries] of wanted(undo)) {
    try {
      await core.firewall(backend).reset(entries);
      reloaded.push({ backend, entries: entries.length });
    } catch (thrown) {
      errors.push(asNetError(thrown, 'reload'));
    }
  }
  errors.push(...restore(core, undo));
  return { reloaded, errors };
}

/** What is to be taken back one day is what belongs there now. */
function wanted(undo: readonly Op[]): Map<FirewallBackend, FirewallEntry[]> {
  const found = new Map<FirewallBackend, Map<string, FirewallEntry>>();
  for (const op of undo) {
    if (op.op !== 'firewall.delete') continue;
    const entries = found.get(op.backend) ?? new Map<string, FirewallEntry>();
    for (const entry of op.entries) entries.set(entryKey(entry), entry);
    found.set(op.backend, entries);
  }
  return new Map([...found].map(([backend, entries]) => [backend, [...entries.values()]]));
}

/** The guards against spoofed MAC addresses, which have a table of their own; adding what is there changes nothing. */
function restore({ host }: Core, undo: readonly Op[]): NetError[] {
  const guards = undo.flatMap((op): Op[] => (op.op === 'nft.element.delete' ? [{ ...op, op: 'nft.element.add' }] : []));
  if (guards.length === 0) return [];
  try {
    host.apply(guards, { host: host.own });
    return [];
  } catch (thrown) {
    return [asNetError(thrown, 'reload')];
  }
}
