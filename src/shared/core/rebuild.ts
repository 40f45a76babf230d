import { planPorts } from '../drivers/rules.ts';
import { asNetError } from '../errors/net-error.ts';
import { sweepScopeNotes } from '../ipam/scope-notes.ts';
import { parseAlias, parseDeviceAlias, standIn } from '../model/alias.ts';
import { attachmentDigest, hostIfName } from '../model/attachment.ts';
import { type Endpoint, hostIfOf } from '../model/endpoint.ts';
import { isPublished } from '../model/firewall.ts';
import { given } from '../model/given.ts';
import type { LinkState } from '../model/link.ts';
import type { Core } from './core.ts';
import { type BackendEntries, entriesOf } from './desired.ts';
import { deleteRecord } from './endpoints/record.ts';
import { noteLostRules } from './lost-rules.ts';

/** Note: how many times leases and endpoints changed. A counter beside the database holds the same number. */
const COUNT = 'changes';
/**
 * Note prefix, followed by a boot id: the state agrees with the kernel of that boot. `rebuildOnce` deletes the notes of
 * earlier boots.
 */
const REBUILT = 'rebuilt:';

/**
 * Brings a state that is new, was lost or set aside as corrupt, or lags behind (lost write-ahead log) into agreement
 * with the kernel, before anything is allocated: records what the interfaces' aliases tell, and deletes records without
 * an interface. Resolves once their packet filter entries are removed. Costs one read of a row and one of eight bytes when the state is current.
 */
export function rebuildOnce(core: Core): Promise<unknown> {
  const { host, store } = core;
  const note = REBUILT + host.identity.bootId;
  const isBehind = (): boolean => Number(store.notes.get(COUNT) ?? 0) < core.changes.read();
  if (store.notes.get(note) !== undefined && !isBehind()) return Promise.resolve();
  const unpublished = store.transaction(() => {
    if (store.notes.get(note) !== undefined && !isBehind()) return [];
    const { links } = host.observe(host.own, { links: 'all' });
    const dropped = dropMissing(core, links);
    const recalled = [...links.values()].flatMap((link) => [recallNetwork(core, link), recallEndpoint(core, link)]);
    if (recalled.includes(true)) noteLostRules(core);
    for (const old of store.notes.keys(REBUILT)) store.notes.delete(old);
    sweepScopeNotes(store);
    store.notes.put(note, String(Date.now()));
    store.notes.put(COUNT, String(core.changes.read()));
    // In the transaction: once their claims are released, another endpoint may publish the same ports.
    return dropped.flatMap(entriesOf).map((entries) => removeEntries(core, entries));
  });
  return Promise.all(unpublished);
}

/** Removes the packet filter entries of an endpoint that is gone. */
async function removeEntries(core: Core, { backend, entries }: BackendEntries): Promise<void> {
  try {
    const removed = core.firewall(backend).remove(entries);
    const flushes = planPorts(backend, entries.filter(isPublished)).undo.filter(({ op }) => op === 'conntrack.flush');
    const failures = core.host.revert(flushes, { host: core.host.own });
    for (const failure of [...failures, ...(await removed)])
      core.log.warn('rebuild.failed', { error: failure.message });
  } catch (thrown) {
    core.log.warn('rebuild.failed', { error: asNetError(thrown, 'rebuild').message });
  }
}

/** Counts a change. Every transaction that changes which addresses are in use calls it. */
export function countChange({ store, changes }: Core): void {
  const next = Math.max(Number(store.notes.get(COUNT) ?? 0), changes.read()) + 1;
  // Before the commit: a count that is ahead costs one needless rebuild, one that is behind an address given twice.
  changes.write(next);
  store.notes.put(COUNT, String(next));
}

/** Deletes all records of attachments whose interface is gone. Returns those records. */
function dropMissing({ store }: Core, links: ReadonlyMap<string, LinkState>): Endpoint[] {
  const rows = store.endpoints.list();
  const isGone = (row: Endpoint): boolean => {
    const hostIf = hostIfOf(row);
    return hostIf !== undefined && row.progress === 'ready' && !links.has(hostIf);
  };
  const gone = new Set(rows.filter(isGone).map(({ attachment }) => attachmentDigest(attachment)));
  const dropped = rows.filter(({ attachment }) => gone.has(attachmentDigest(attachment)));
  for (const row of dropped) deleteRecord(store, row);
  return dropped;
}

/** Records the network that the link's alias names. Returns true if it was not on record. */
function recallNetwork({ host, store }: Core, link: LinkState): boolean {
  const made = parseDeviceAlias(link.alias);
  if (made === undefined || link.kind !== 'bridge' || store.networks.get(made.network) !== undefined) return false;
  const { bootId } = host.identity;
  store.networks.put({
    name: made.network,
    driver: made.driver,
    device: link.name,
    bootId,
    owned: [{ kind: 'link', name: link.name, link: 'bridge' }],
  });
  return true;
}

/** Records the endpoint that the link's alias names. Returns true if it was not on record. */
function recallEndpoint({ store }: Core, link: LinkState): boolean {
  const record = parseAlias(link.alias);
  if (record === undefined || link.kind !== 'veth') return false;
  const { scope, addresses } = record;
  const cut = record.attachment.containerId === '';
  if (!cut && hostIfName(record.attachment) !== link.name) return false;
  const attachment = cut ? standIn(record.attachment, link.name) : record.attachment;
  const lost = store.endpoints.get(attachment, 'interface') === undefined;
  if (lost) {
    store.endpoints.put({
      kind: 'recalled',
      attachment,
      role: 'interface',
      progress: 'ready',
      sandbox: { path: '', id: '' },
      hostIf: link.name,
      ...given({ scope }),
    });
  }
  if (scope === undefined) return lost;
  for (const address of addresses) {
    if (store.leases.runAt(scope, address) !== undefined) continue;
    store.leases.take({ scope, address, owner: attachment, source: 'store' });
  }
  return lost;
}
