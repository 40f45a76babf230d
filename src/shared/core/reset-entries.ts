import { planFlushes } from '../drivers/rules.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import type { Firewaller, Wanted } from '../firewall/firewaller.ts';
import { formatAddr } from '../model/addr.ts';
import { hostIfName } from '../model/attachment.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { entryKey, type FirewallBackend, type FirewallEntry } from '../model/firewall.ts';
import type { NetworkRow } from '../store/store.ts';
import { attachmentKey, isFree, type TryLock } from './apply.ts';
import type { Core } from './core.ts';
import { desiredEntries } from './desired.ts';
import { missingEntries } from './diff.ts';
import { deviceKey } from './networks/record.ts';
import type { RemovalRequest } from './requests.ts';

/** How often at most, and every how many milliseconds, the records of calls under way are read again after a reset. */
const ATTEMPTS = 25;
const PAUSE_MS = 200;

/** The backends that may have entries of ours, whatever the records say. */
const BACKENDS = ['nftables', 'iptables', 'bridge', 'firewalld'] as const;

/**
 * Note with the boot in which the state was lost while networks were up: the packet filter may hold entries without a
 * record that live endpoints use.
 */
const LOST = 'rules without a record';

export interface Waiting {
  readonly tryLock: TryLock;
  readonly wait: (ms: number) => Promise<unknown>;
}

/**
 * Resets the packet filter to the entries that the networks and ready parts on record need, in one transaction for each
 * backend: all backends, because entries that no record explains may be in any (a rule set that was saved and loaded).
 * After a loss of state only adds. Keeps the entries of transitions under way. Continues after a failure; returns all
 * failures, and how many entries were missing.
 */
export async function resetEntries(
  core: Core,
  waiting: Waiting,
): Promise<{ readonly entries: number; readonly errors: NetError[] }> {
  const errors: NetError[] = [];
  let entries = 0;
  for (const backend of BACKENDS) {
    try {
      entries += await (isLost(core) ? addMissing(core, backend, waiting) : resetBackend(core, backend, waiting));
    } catch (thrown) {
      const error = asNetError(thrown, 'reconcile');
      if (!isAbsent(core, backend, error)) errors.push(error);
    }
  }
  return { entries, errors };
}

/** True if the host has no such packet filter, and no record needs it. */
function isAbsent(core: Core, backend: FirewallBackend, { kind }: NetError): boolean {
  return kind === 'unsupported' && wantedOf(core, backend).entries.length === 0;
}

/**
 * Resets nftables in the transaction that reads the records: a transition journals before it changes the filter, so
 * none can begin in between. iptables, and a table of nftables that is made anew, take too long for a transaction:
 * afterwards, this removes entries whose record was deleted meanwhile, also by a DEL that was under way at the start, and
 * `mendEndpoints` adds those of new records. Returns how many entries were missing.
 */
async function resetBackend(core: Core, backend: FirewallBackend, { tryLock, wait }: Waiting): Promise<number> {
  const firewaller = core.firewall(backend);
  const lacking = await missingEntries(firewaller, wantedOf(core, backend).entries, wait);
  let put: readonly FirewallEntry[] = [];
  await core.store.transaction(() =>
    firewaller.reset(() => {
      const wanted = wantedOf(core, backend);
      put = [...wanted.entries, ...wanted.underWay];
      return wanted;
    }),
  );
  flushLost(core, lacking);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const now = wantedOf(core, backend);
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
  return lacking.length;
}

/** Datagrams that came while a port was lost made connections that pass it by for as long as they go on. */
function flushLost({ host }: Core, lost: readonly FirewallEntry[]): void {
  const ops = planFlushes(lost);
  if (ops.length > 0) host.apply(ops, { host: host.own });
}

/**
 * Adds what the records need and the backend lacks. Once a state was lost, a reset would delete entries of live endpoints
 * whose records are lost. Returns how many entries were missing.
 */
async function addMissing(core: Core, backend: FirewallBackend, { wait }: Waiting): Promise<number> {
  const firewaller = core.firewall(backend);
  const lacking = await missingEntries(firewaller, wantedOf(core, backend).entries, wait);
  if (lacking.length > 0) await core.store.transaction(() => firewaller.add(wantedOf(core, backend).entries));
  flushLost(core, lacking);
  return lacking.length;
}

/** Entries of parts and networks that a call is changing right now; those that a dead call left are decided. */
function busyEntries(core: Core, tryLock: TryLock, backend: FirewallBackend): readonly FirewallEntry[] {
  const { networks, endpoints } = underWay(core);
  const busy = desiredEntries(
    networks.filter((row) => !isFree(tryLock, deviceKey(row))),
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

/** The entries of one backend that the records need. */
function wantedOf(core: Core, backend: FirewallBackend): Required<Wanted> {
  const ready = desiredEntries(
    ofThisBoot(core).filter(({ deleting }) => deleting !== true),
    core.store.endpoints.list().filter(({ progress }) => progress === 'ready'),
  );
  const changing = underWay(core);
  const others = desiredEntries(changing.networks, changing.endpoints);
  return {
    entries: ready.get(backend) ?? [],
    underWay: others.get(backend) ?? [],
    elsewhere: [...ready, ...others].flatMap(([other, entries]) => (other === backend ? [] : entries)),
  };
}

/**
 * Restores the entries that the records need besides `added`. Called when `add` found the table or a base chain deleted:
 * such a flush also deletes the guards of other networks.
 */
export async function restoreEntries(
  core: Core,
  backend: FirewallBackend,
  added: readonly FirewallEntry[],
): Promise<void> {
  const keys = new Set(added.map(entryKey));
  const others = wantedOf(core, backend).entries.filter((entry) => !keys.has(entryKey(entry)));
  // The first network's own admission is on record, and not among `added` where nothing drops.
  const lost = others.length === 0 ? [] : await core.firewall(backend).missing(others);
  if (lost.length === 0) return;
  core.log.info('entries.restored', { backend });
  if (isLost(core)) await core.store.transaction(() => core.firewall(backend).add(wantedOf(core, backend).entries));
  else await resetTo(core, backend);
  flushLost(core, lost);
}

/** For the first use of a boot: deletes entries that no record explains, in every backend. Returns all failures. */
export async function sweepEntries(core: Core): Promise<NetError[]> {
  const failures = BACKENDS.map(async (backend) => {
    try {
      await resetTo(core, backend);
      return [];
    } catch (thrown) {
      const error = asNetError(thrown, 'reconcile');
      return isAbsent(core, backend, error) ? [] : [error];
    }
  });
  return (await Promise.all(failures)).flat();
}

async function resetTo(core: Core, backend: FirewallBackend): Promise<void> {
  const firewaller = core.firewall(backend);
  await core.store.transaction(() => firewaller.reset(() => wantedOf(core, backend)));
}

/** Records that the packet filter may hold entries without a record. */
export function noteLostEntries({ host, store }: Core): void {
  store.notes.put(LOST, host.identity.bootId);
}

function isLost({ host, store }: Core): boolean {
  return store.notes.get(LOST) === host.identity.bootId;
}

/**
 * Deletes the entries of an endpoint whose record does not list them: those of a recalled one, by its addresses and its
 * interface; without a record, the guard of the interface that it would have.
 */
export async function deleteLostEntries(
  core: Core,
  row: Endpoint | undefined,
  { attachment, orphans, role }: RemovalRequest,
): Promise<NetError[]> {
  if (row === undefined) {
    return role !== 'interface' || orphans === 'none' ? [] : await deleteStrayGuard(core, hostIfName(attachment));
  }
  if (row.kind !== 'recalled') return [];
  const errors = await deleteStrayGuard(core, row.hostIf);
  if (row.scope === undefined) return errors;
  const addresses = core.store.leases.list(row.scope, row.attachment).map(({ address }) => formatAddr(address));
  if (addresses.length === 0) return errors;
  return [...errors, ...(await eachBackend(core, (firewaller) => firewaller.removeStray({ addresses })))];
}

/** Deletes the guard of a bridge port without a record. */
export async function deleteStrayGuard(core: Core, port: string): Promise<NetError[]> {
  return await core.firewall('bridge').removeStray({ port });
}

/** Deletes all of our packet filter entries once the last network is gone, on a host whose state was lost. */
export async function sweepLostEntries(core: Core): Promise<NetError[]> {
  if (core.store.networks.list().length > 0 || !isLost(core)) return [];
  const errors = await sweepEntries(core);
  if (errors.length === 0) core.store.notes.put(LOST, '');
  return errors;
}

/** Skips a backend that the host does not have. */
async function eachBackend(core: Core, work: (firewaller: Firewaller) => Promise<NetError[]>): Promise<NetError[]> {
  const errors: NetError[] = [];
  for (const backend of BACKENDS) {
    try {
      errors.push(...(await work(core.firewall(backend))));
    } catch (thrown) {
      const error = asNetError(thrown, 'firewall');
      if (error.kind !== 'unsupported') errors.push(error);
    }
  }
  return errors;
}
