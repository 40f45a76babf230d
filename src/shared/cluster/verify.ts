import type { ClusterKeyRow } from '../store/cluster-keys.ts';
import { addressesOf, nameKey, networkKey, parseTableKey, rangesOf, useKey, vniKey } from './keys.ts';
import { type KeyValue, ownerOf } from './ledger.ts';
import { listIn } from './listed.ts';
import { notedMoment, noteEpoch } from './noted.ts';
import type { Conflict, Site } from './site.ts';
import { deleteUnused } from './uses.ts';
import { excerpt, formatNetwork, parseAddress } from './values.ts';

/**
 * Makes the store and this host's ledger agree: puts missing keys, releases this host's unused ones. Restores this
 * host's networks in a store that has lost its data. A key that another host has is reported as a conflict, and stays on
 * record, since an endpoint uses it. Throws NetError `unavailable`.
 */
export async function verify(site: Site, epoch: string): Promise<void> {
  const noted = notedMoment(site.local)?.epoch;
  const isReset = noted !== undefined && noted !== epoch;
  const networks = await networksOf(site, epoch);
  const conflicts: Conflict[] = [];
  for (const network of networks) {
    if (isReset) conflicts.push(...(await restore(site, epoch, network)));
    else if (await hasGone(site, epoch, network)) {
      if (!hasEndpoints(site, network)) releaseAll(site, network);
      else if (site.copy.lastRecord(network) !== undefined) conflicts.push(...(await restore(site, epoch, network)));
      else conflicts.push({ key: networkKey(network), holder: 'nobody' });
    }
    conflicts.push(...(await compare(site, epoch, network)));
  }
  if (noted !== epoch) noteEpoch(site.local, epoch);
  for (const { key, holder } of conflicts) site.log.error('cluster conflict', { key, holder });
  site.conflicts = conflicts;
  await deleteUnused(site, epoch);
}

/** The networks with keys of this host: those on record, else those that the store knows. */
async function networksOf(site: Site, epoch: string): Promise<Set<string>> {
  const rows = site.local.clusterKeys.list('');
  if (rows.length > 0) return new Set(rows.flatMap(({ key }) => parseTableKey(key)?.network ?? []));
  const uses = [...(await listIn(site.store, epoch, 'u/')).entries.keys()].flatMap((key) => parseTableKey(key) ?? []);
  return new Set(uses.filter(({ rest }) => rest === site.self.id).map(({ network }) => network));
}

/** True if the cluster has deleted the network, while this host was away and forgotten. */
async function hasGone(site: Site, epoch: string, network: string): Promise<boolean> {
  const key = networkKey(network);
  return !(await listIn(site.store, epoch, key)).entries.has(key);
}

/** Endpoints run here, whatever became of their network. */
function hasEndpoints({ local }: Site, network: string): boolean {
  const rows = local.networks.list();
  const names = rows.flatMap(({ name, spec }) =>
    spec?.options.driver === 'overlay' && spec.options.network === network ? name : [],
  );
  return names.length > 0 && local.endpoints.list().some(({ attachment }) => names.includes(attachment.network));
}

function releaseAll(site: Site, network: string): void {
  const keys = rowsOf(site, network).map(({ key }) => key);
  site.log.warn('cluster network deleted', { network, keys: keys.length });
  site.ledger.release(keys);
}

/** Puts the network as this host last knew it; returns the keys that other networks have. */
async function restore(site: Site, epoch: string, network: string): Promise<Conflict[]> {
  const known = site.copy.networks.get(network);
  const record = known ?? (hasEndpoints(site, network) ? site.copy.lastRecord(network) : undefined);
  const own = networkKey(network);
  if (record === undefined || record.state === 'going') return [];
  let put = [
    { key: own, value: formatNetwork(record) },
    { key: nameKey(record.name), value: network },
    { key: vniKey(record.vni), value: network },
  ];
  for (;;) {
    const absent = put.map(({ key }) => ({ kind: 'absent' as const, key }));
    const { done, found } = await site.store.commit({ epoch, compare: absent, put });
    const isThere = found.some(({ key }) => key === own);
    if (done || isThere) return [];
    const others = found.filter(({ value }) => value !== network);
    if (others.length > 0) return others.map(({ key, value }) => ({ key, holder: `network ${excerpt(value)}` }));
    // Only the record has been deleted.
    put = put.filter(({ key }) => !found.some((entry) => entry.key === key));
  }
}

async function compare(site: Site, epoch: string, network: string): Promise<Conflict[]> {
  const { id } = site.self;
  const prefixes = [addressesOf(network), rangesOf(network), useKey(network, id)];
  return await site.ledger.exclusively(async () => {
    const listed = new Map<string, string>();
    for (const prefix of prefixes) {
      for (const { key, value } of (await listIn(site.store, epoch, prefix)).entries.values())
        if (ownerOf(key, value) === id || site.local.clusterKeys.get(key) !== undefined) listed.set(key, value);
    }
    adopt(site, network, listed);
    const missing = rowsOf(site, network).filter(({ key, state }) => state === 'held' && !listed.has(key));
    const taken = await site.ledger.publish(epoch, missing);
    const foreign = [...listed].filter(
      ([key, value]) => ownerOf(key, value) !== id && site.local.clusterKeys.get(key)?.state === 'held',
    );
    return [...taken, ...foreign.map(([key, value]): KeyValue => ({ key, value }))].map(({ key, value }) => ({
      key,
      holder: site.copy.hostName(ownerOf(key, value) ?? excerpt(value)),
    }));
  });
}

/** Records this host's keys in the store: those without a row, and values that differ from the row's. */
function adopt(site: Site, network: string, listed: ReadonlyMap<string, string>): void {
  site.local.transaction(() => {
    for (const [key, value] of listed) if (ownerOf(key, value) === site.self.id) adoptOne(site, network, key, value);
  });
}

/** Records the key as held if it is no address or an endpoint uses it; otherwise as released, to be deleted. */
export function adoptOne(site: Site, network: string, key: string, value: string): void {
  const { clusterKeys } = site.local;
  const row = clusterKeys.get(key);
  if (row !== undefined) {
    if (row.state === 'held' && row.value !== value) clusterKeys.put({ ...row, value });
    return;
  }
  const record = parseAddress(value);
  const isKept = record === undefined || (record.bootId === site.self.bootId && site.isUsed(network, record));
  clusterKeys.put({ key, value, state: isKept ? 'held' : 'released', until: 0 });
}

function rowsOf(site: Site, network: string): ClusterKeyRow[] {
  const { clusterKeys } = site.local;
  const prefixes = [addressesOf(network), rangesOf(network), useKey(network, site.self.id)];
  return prefixes.flatMap((prefix) => clusterKeys.list(prefix));
}
