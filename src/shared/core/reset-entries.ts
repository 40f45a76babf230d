import { asNetError, type NetError } from '../errors/net-error.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { entryKey, type FirewallBackend, type FirewallEntry } from '../model/firewall.ts';
import type { NetworkRow } from '../store/store.ts';
import { attachmentKey } from './apply.ts';
import type { Core } from './core.ts';
import { desiredEntries } from './desired.ts';
import { missingEntries } from './diff.ts';
import { deviceKey } from './networks/record.ts';
import { isFree, type TryLock } from './try-lock.ts';

/** How often at most, and every how many milliseconds, the records of calls under way are read again after a reset. */
const ATTEMPTS = 25;
const PAUSE_MS = 200;

export interface Waiting {
  readonly tryLock: TryLock;
  readonly wait: (ms: number) => Promise<unknown>;
}

/**
 * Resets the packet filter to the entries that the networks and ready parts on record need, in one transaction for each
 * backend. Keeps the entries of transitions under way. Continues after a failure; returns all failures, and how many
 * entries were missing.
 */
export async function resetEntries(
  core: Core,
  waiting: Waiting,
): Promise<{ readonly entries: number; readonly errors: NetError[] }> {
  const errors: NetError[] = [];
  let entries = 0;
  for (const backend of [...onRecord(core).keys()]) {
    try {
      entries += await resetBackend(core, backend, waiting);
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
async function resetBackend(core: Core, backend: FirewallBackend, { tryLock, wait }: Waiting): Promise<number> {
  const firewaller = core.firewall(backend);
  const { length: lacking } = await missingEntries(firewaller, onRecord(core).get(backend)?.entries ?? [], wait);
  let wanted: Wanted = NOTHING;
  await core.store.transaction(() => {
    wanted = onRecord(core).get(backend) ?? NOTHING;
    return firewaller.reset(wanted.entries, wanted.underWay);
  });
  let put = [...wanted.entries, ...wanted.underWay];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const now = onRecord(core).get(backend) ?? NOTHING;
    const known = new Set([...now.entries, ...now.underWay].map(entryKey));
    const stale = put.filter((entry) => !known.has(entryKey(entry)));
    const [failure] = stale.length === 0 ? [] : await firewaller.remove(stale);
    if (failure !== undefined) throw failure;
    // A deletion under way may have removed an entry before the reset added it again: its record tells once it is gone.
    const undecided = new Set(busyEntries(core, tryLock, backend).map(entryKey));
    put = put.filter((entry) => undecided.has(entryKey(entry)));
    if (put.length === 0) break;
    await wait(PAUSE_MS);
  }
  return lacking;
}

const NOTHING: Wanted = { entries: [], underWay: [] };

/** Entries of parts and networks that a call is changing right now; those that a dead call left are decided. */
function busyEntries(core: Core, tryLock: TryLock, backend: FirewallBackend): readonly FirewallEntry[] {
  const { networks, endpoints } = underWay(core);
  const busy = desiredEntries(
    networks.filter(({ device }) => !isFree(tryLock, deviceKey(device))),
    endpoints.filter(({ attachment }) => !isFree(tryLock, attachmentKey(attachment))),
  );
  return busy.get(backend) ?? [];
}

/** Networks and parts whose records say that a call creates or deletes them. */
function underWay(core: Core): { readonly networks: readonly NetworkRow[]; readonly endpoints: readonly Endpoint[] } {
  return {
    networks: ofThisBoot(core).filter(({ deleting }) => deleting === true),
    endpoints: core.store.endpoints.list().filter(({ progress }) => progress === 'intent'),
  };
}

function ofThisBoot({ host, store }: Core): NetworkRow[] {
  return store.networks.list().filter(({ bootId }) => bootId === host.identity.bootId);
}

function onRecord(core: Core): ReadonlyMap<FirewallBackend, Wanted> {
  const changing = underWay(core);
  const ready = desiredEntries(
    ofThisBoot(core).filter(({ deleting }) => deleting !== true),
    core.store.endpoints.list().filter(({ progress }) => progress === 'ready'),
  );
  const others = desiredEntries(changing.networks, changing.endpoints);
  const backends = new Set([...ready.keys(), ...others.keys()]);
  return new Map(
    [...backends].map((backend) => [
      backend,
      { entries: ready.get(backend) ?? [], underWay: others.get(backend) ?? [] },
    ]),
  );
}
