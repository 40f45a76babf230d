import { planPorts } from '../drivers/rules.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import { sweepScopeNotes } from '../ipam/scope-notes.ts';
import { attachmentDigest } from '../model/attachment.ts';
import { type Endpoint, publishedOf } from '../model/endpoint.ts';
import type { Op } from '../model/op.ts';
import { isBehind, keepCount } from '../store/changes.ts';
import { attachmentKey, ifFree, type TryLock } from './apply.ts';
import type { Core } from './core.ts';
import { entriesOf } from './desired.ts';
import { openIfThere, removeEndpoint } from './endpoints/delete-endpoint.ts';
import { returnStrays } from './endpoints/devices.ts';
import { mendEndpoints } from './endpoints/mend-endpoints.ts';
import { deleteRecord } from './endpoints/record.ts';
import { reverse } from './execute.ts';
import { mendNetworks } from './networks/mend-networks.ts';
import { removeUnusedNetwork } from './networks/remove-network.ts';
import { unplugStale } from './plugins/endpoint.ts';
import { removeAllUnusedPlugged } from './plugins/network.ts';
import { promotePorts } from './ports/publish.ts';
import { type Recalled, recall } from './recall.ts';
import { noteLostEntries, resetEntries, sweepEntries } from './reset-entries.ts';

export interface ReconcileOptions {
  readonly tryLock: TryLock;
  /** True also resets the packet filter: deletes our entries that no record needs. Default: false. */
  readonly sweep?: boolean;
  /** Waits this many milliseconds for running calls. Default: a timer. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** The result of a pass. */
export interface Reconciled {
  /** Interrupted endpoints that the pass deleted. */
  readonly endpoints: number;
  /** Unused networks that the pass deleted. */
  readonly networks: number;
  /** Packet filter entries that the pass restored. */
  readonly entries: number;
  /** Everything else that the pass restored: devices, ports, addresses, settings, as `ip` and `nft` commands. */
  readonly mended: readonly string[];
  readonly errors: readonly NetError[];
}

/**
 * Makes the host agree with the records, and removes what interrupted calls left. Checks each part again under its
 * lock, and skips a part that a running call has locked. Continues after a failure and returns all failures.
 * Rules: it reverts an interrupted transition completely, since its caller never saw success. It restores what a ready
 * part lacks on the host. An interface disappears with its sandbox; the runtime's DEL or dockerd follows.
 */
export async function reconcile(
  core: Core,
  { tryLock, sweep = false, wait = timer }: ReconcileOptions,
): Promise<Reconciled> {
  const errors: NetError[] = [];
  const endpoints = await removeInterrupted(core, tryLock, errors);
  errors.push(...(await returnStrays(core, tryLock)));
  errors.push(...(await unplugStale(core, undefined, (_, key, work) => ifFree(tryLock, key, work))));
  const networks = await removeUnused(core, errors);
  errors.push(...(await removeAllUnusedPlugged(core)));
  const reset = sweep ? await resetEntries(core, { tryLock, wait }) : { entries: 0, errors: [] };
  const ofNetworks = await mendNetworks(core);
  await promoteStandbys(core, tryLock, errors);
  const ofEndpoints = await mendEndpoints(core, tryLock, wait);
  return {
    endpoints,
    networks,
    entries: reset.entries + ofNetworks.entries + ofEndpoints.entries,
    mended: [...ofNetworks.mended, ...ofEndpoints.mended],
    errors: [...errors, ...reset.errors, ...ofNetworks.errors, ...ofEndpoints.errors],
  };
}

/** An import of node:timers/promises would load it in every call. */
function timer(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * True for a part that a dead call left. A part with a foreign IPAM plugin waits for its runtime's DEL, which knows the
 * path of that plugin.
 */
function isInterrupted(endpoint: Endpoint): boolean {
  return endpoint.progress === 'intent' && !('delegate' in endpoint && endpoint.delegate !== undefined);
}

async function removeInterrupted(core: Core, tryLock: TryLock, errors: NetError[]): Promise<number> {
  let removed = 0;
  for (const { attachment, role } of core.store.endpoints.list().filter(isInterrupted)) {
    try {
      const failures = await ifFree(tryLock, attachmentKey(attachment), async () => {
        // The runtime may have deleted it and attached it again since the list was read.
        const row = core.store.endpoints.get(attachment, role);
        if (row === undefined || !isInterrupted(row)) return undefined;
        const { path } = row.sandbox;
        using sandbox = openIfThere(core, path);
        return await removeEndpoint(core, { attachment, role, netns: path, orphans: 'none', isHurried: true }, sandbox);
      });
      if (failures === undefined) continue;
      if (failures.length === 0) removed++;
      errors.push(...failures);
    } catch (thrown) {
      errors.push(asNetError(thrown, 'reconcile'));
    }
  }
  return removed;
}

async function removeUnused(core: Core, errors: NetError[]): Promise<number> {
  const before = core.store.networks.list();
  for (const { name } of before) {
    try {
      errors.push(...(await removeUnusedNetwork(core, name)));
    } catch (thrown) {
      errors.push(asNetError(thrown, 'reconcile'));
    }
  }
  return before.length - core.store.networks.list().length;
}

/** Puts standby ports in force if their attachment's call died before it could. */
async function promoteStandbys(core: Core, tryLock: TryLock, errors: NetError[]): Promise<void> {
  const waiting = core.store.endpoints.list().filter((one) => 'standby' in one && one.standby !== undefined);
  const owners = new Map(waiting.map(({ attachment }) => [attachmentDigest(attachment), attachment]));
  for (const owner of owners.values()) {
    try {
      await ifFree(tryLock, attachmentKey(owner), () => promotePorts(core, owner));
    } catch (thrown) {
      errors.push(asNetError(thrown, 'reconcile'));
    }
  }
}

/** Note prefix, followed by a boot id: the records agree with the kernel of that boot. */
const CURRENT = 'rebuilt:';

/**
 * Makes the records agree with the host at the first use of a boot, and whenever they lag behind (a new state, one that
 * was lost or set aside as corrupt, a lost write-ahead log), before anything is allocated: adds what the links' aliases
 * tell, and deletes endpoints whose interface is gone. Resolves once their packet filter entries are removed, and
 * those that survived a reboot. Never rejects. Costs one read of a row and one of eight bytes when the state is current.
 */
export function catchUp(core: Core): Promise<unknown> {
  const { host, store } = core;
  const note = noteOf(core);
  if (isCurrent(core)) return Promise.resolve();
  // Begun in the transaction: once the claims of the gone are released, another endpoint may publish the same ports.
  const begun = store.transaction((): Promise<readonly NetError[]>[] => {
    if (isCurrent(core)) return [];
    const { links } = host.observe(host.own, { links: 'all' });
    const isFirst = isFirstOfBoot(core, note);
    const known = { networks: store.networks.list(), endpoints: store.endpoints.list(), bootId: host.identity.bootId };
    const recalled = recall(links, known);
    record(core, recalled);
    const isLost = recalled.networks.length + recalled.endpoints.length > 0;
    if (isLost) noteLostEntries(core);
    for (const old of store.notes.keys(CURRENT)) store.notes.delete(old);
    sweepScopeNotes(store);
    store.notes.put(note, String(Date.now()));
    keepCount(core);
    return [
      ...recalled.gone.map((row) => removeEntries(core, row)),
      ...(isFirst && !isLost ? [sweepEntries(core)] : []),
    ];
  });
  return Promise.all(begun.map((work) => logged(core, work)));
}

function noteOf({ host }: Core): string {
  return CURRENT + host.identity.bootId;
}

/** True if the records agree with this boot's kernel, as far as notes tell: `catchUp` has nothing to do. */
export function isCurrent(core: Core): boolean {
  const { store } = core;
  return store.snapshot(() => store.notes.get(noteOf(core)) !== undefined && !isBehind(core));
}

/** True if the state was last used in another boot, or never by this host. False for one that lost its newest writes. */
function isFirstOfBoot({ store, changes }: Core, note: string): boolean {
  const boots = store.notes.keys(CURRENT);
  return boots.length > 0 ? !boots.includes(note) : changes.read() === 0;
}

function record({ store }: Core, { networks, endpoints, leases, gone }: Recalled): void {
  for (const row of gone) deleteRecord(store, row);
  for (const row of networks) store.networks.put(row);
  for (const row of endpoints) store.endpoints.put(row);
  for (const lease of leases)
    if (store.leases.runAt(lease.scope, lease.address) === undefined) store.leases.take(lease);
}

/** Removes the packet filter entries of an endpoint whose interface is gone. */
async function removeEntries(core: Core, row: Endpoint): Promise<readonly NetError[]> {
  const published = publishedOf(row);
  const undo = published === undefined ? [] : planPorts(published.backend, published.entries).undo;
  const others = entriesOf(row).filter((one) => one !== published && one.entries.length > 0);
  const ops = others.map(({ backend, entries }): Op => ({ op: 'firewall.delete', ns: 'host', backend, entries }));
  return await reverse(core, [...undo, ...ops], { host: core.host.own });
}

async function logged({ log }: Core, work: Promise<readonly NetError[]>): Promise<void> {
  const errors = await work.catch((thrown) => [asNetError(thrown, 'reconcile')]);
  for (const { message } of errors) log.warn('reconcile.failed', { error: message });
}
