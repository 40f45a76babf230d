import { asNetError, type NetError } from '../errors/net-error.ts';
import { entryKey, type FirewallBackend, type FirewallEntry } from '../model/firewall.ts';
import type { Core } from './core.ts';
import { desiredEntries } from './desired.ts';

/** How many times at most to read the records again if they change during a reset. */
const ATTEMPTS = 5;

/**
 * Resets the packet filter to the entries that the networks and ready parts on record need, in one transaction for each
 * backend. Keeps the entries of transitions under way. Continues after a failure; returns all failures, and how many
 * entries were missing.
 */
export async function resetEntries(core: Core): Promise<{ readonly entries: number; readonly errors: NetError[] }> {
  const errors: NetError[] = [];
  let entries = 0;
  for (const backend of [...onRecord(core).keys()]) {
    try {
      entries += await resetBackend(core, backend);
    } catch (thrown) {
      errors.push(asNetError(thrown, 'reconcile'));
    }
  }
  return { entries, errors };
}

interface Wanted {
  readonly entries: readonly FirewallEntry[];
  readonly underWay: readonly FirewallEntry[];
}

/**
 * Resets nftables in the transaction that reads the records: a transition journals before it changes the filter, so
 * none can begin in between. iptables, and a table of nftables that is made anew, take too long for a transaction:
 * afterwards, this removes entries whose record was deleted meanwhile, also by a DEL that was under way at the start, and
 * `mendEndpoints` adds those of new records. Returns how many entries were missing.
 */
async function resetBackend(core: Core, backend: FirewallBackend): Promise<number> {
  const firewaller = core.firewall(backend);
  const { length: lacking } = await firewaller.missing(onRecord(core).get(backend)?.entries ?? []);
  let put: Wanted = NOTHING;
  await core.store.transaction(() => {
    put = onRecord(core).get(backend) ?? NOTHING;
    return firewaller.reset(put.entries, put.underWay);
  });
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const now = onRecord(core).get(backend) ?? NOTHING;
    const wanted = new Set([...now.entries, ...now.underWay].map(entryKey));
    const stale = [...put.entries, ...put.underWay].filter((entry) => !wanted.has(entryKey(entry)));
    if (stale.length === 0) break;
    const [failure] = await firewaller.remove(stale);
    if (failure !== undefined) throw failure;
    put = now;
  }
  return lacking;
}

const NOTHING: Wanted = { entries: [], underWay: [] };

function onRecord({ host, store }: Core): ReadonlyMap<FirewallBackend, Wanted> {
  const { bootId } = host.identity;
  const networks = store.networks.list().filter((row) => row.bootId === bootId);
  const endpoints = store.endpoints.list();
  const ready = desiredEntries(
    networks,
    endpoints.filter(({ progress }) => progress === 'ready'),
  );
  const underWay = desiredEntries(
    [],
    endpoints.filter(({ progress }) => progress === 'intent'),
  );
  const backends = new Set([...ready.keys(), ...underWay.keys()]);
  return new Map(
    [...backends].map((backend) => [
      backend,
      { entries: ready.get(backend) ?? [], underWay: underWay.get(backend) ?? [] },
    ]),
  );
}
