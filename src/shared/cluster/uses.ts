import { randomUUID } from 'node:crypto';
import { fault } from '../errors/fault.ts';
import { asNetError } from '../errors/net-error.ts';
import { networkTitle } from '../model/attachment.ts';
import type { Condition, Entry } from '../store/cluster/cluster-store.ts';
import type { Versioned } from './copy.ts';
import { addressesOf, NETWORKS, nameKey, networkKey, parseTableKey, rangesOf, useKey, usesOf, vniKey } from './keys.ts';
import { hostRows, ownerOf } from './ledger.ts';
import { listIn } from './listed.ts';
import { assertRoom } from './mtu.ts';
import type { Site } from './site.ts';
import { excerpt, formatHolder, formatNetwork, type NetworkRecord, parseHolder, parseNetwork } from './values.ts';

/** Returns the network from this host's copy. Throws NetError `conflict` if it is missing, `busy` during its deletion. */
export function liveNetwork(site: Site, network: string): Versioned<NetworkRecord> {
  const record = site.copy.networks.get(network);
  if (record === undefined)
    throw fault.conflict('cluster.use', `network ${network}`, 'the cluster has no such network', 'Create it again');
  if (record.state === 'live') return record;
  throw fault.busy('cluster.use', networkTitle(record.name), 'it is being deleted', 'Try again');
}

/**
 * Puts this host's use key of the network, which prevents its deletion. Makes no transaction if the key is there.
 * Throws NetError `conflict` if its MTU is too large for this host, or if it does not exist; `busy`; `unavailable`.
 */
export async function useNetwork(site: Site, epoch: string, network: string): Promise<void> {
  const { id, name } = site.self;
  const key = useKey(network, id);
  for (;;) {
    const record = liveNetwork(site, network);
    assertRoom(site.self, site.settings.underlay, record);
    if (site.local.clusterKeys.get(key)?.state === 'held') return;
    if (site.local.clusterKeys.get(key)?.state === 'released') await site.ledger.flush(epoch);
    const row = { key, value: formatHolder({ host: id, name, claim: randomUUID().slice(0, 8) }) };
    site.ledger.claim([row]);
    const live: Condition = { kind: 'version', key: networkKey(network), version: record.revision };
    try {
      const { done, found } = await site.store.commit({ epoch, compare: [{ kind: 'absent', key }, live], put: [row] });
      if (done) return site.local.transaction(() => site.ledger.settle([row]), { durable: true });
      site.ledger.retract([row]);
      site.copy.learn(found);
      const left = found.find((entry) => entry.key === key);
      // The store has a use of this host whose row was lost here.
      if (left !== undefined) site.local.clusterKeys.put({ key, value: left.value, state: 'held', until: 0 });
      if (!found.some((entry) => entry.key === networkKey(network))) throw deleted(record);
    } catch (error) {
      site.ledger.release([key]);
      throw error;
    }
  }
}

function deleted({ name }: NetworkRecord): Error {
  return fault.conflict('cluster.use', networkTitle(name), 'the cluster has deleted it', 'Create it again');
}

/** Records that this host does not use the network any more. Writes to the local store only. */
export function leaveNetwork(site: Site, network: string): void {
  const own = [...site.local.clusterKeys.list(rangesOf(network)), ...hostRows(site.local, network)];
  site.ledger.release([...own.map(({ key }) => key), useKey(network, site.self.id)]);
}

/**
 * Deletes a network that no host uses, in two commits: the first marks it as `going`, so that no host starts to use it,
 * the second deletes it. Accepts absence. Throws NetError `conflict`, naming the hosts that use the network, and keeps it.
 * This host is one of them until it has left: a call that uses the network meanwhile keeps it.
 */
export async function deleteNetwork(site: Site, epoch: string, network: string): Promise<void> {
  if (!isUsedHere(site, network)) await releaseStrays(site, epoch, network);
  await site.ledger.flush(epoch);
  const key = networkKey(network);
  for (;;) {
    const found = (await listIn(site.store, epoch, key)).entries.get(key);
    const record = parseNetwork(found?.value ?? '');
    if (found === undefined || record === undefined) return;
    if (record.state === 'going') {
      if (await finishDeletion(site, epoch, network)) return;
      const users = await usersOf(site, epoch, network);
      if (users.length > 0) throw inUse(record, users);
      continue;
    }
    const users = await usersOf(site, epoch, network);
    if (users.length > 0 || isUsedHere(site, network)) throw inUse(record, users.length > 0 ? users : [site.self.name]);
    const value = formatNetwork({ ...record, state: 'going' });
    const compare: Condition[] = [
      { kind: 'version', key, version: found.version },
      { kind: 'empty', prefix: usesOf(network) },
    ];
    await site.store.commit({ epoch, compare, put: [{ key, value }] });
  }
}

/**
 * Deletes networks that had no user at the last comparison and have none now: after `forget` of the last user, or after
 * its daemon ended before the deletion. A network without a user may also be new, so one comparison does not suffice.
 */
export async function deleteUnused(site: Site, epoch: string): Promise<void> {
  const { entries } = await listIn(site.store, epoch, NETWORKS);
  const uses = [...(await listIn(site.store, epoch, 'u/')).entries.keys()];
  const used = new Set(uses.map((key) => parseTableKey(key)?.network));
  const unused = [...entries.values()].filter(({ key }) => !used.has(key.slice(NETWORKS.length)));
  const textOf = ({ key, version }: Entry): string => `${key} ${version} ${epoch}`;
  const before = site.unused;
  site.unused = new Set(unused.map(textOf));
  for (const entry of unused.filter((one) => before.has(textOf(one))))
    await deleteNetwork(site, epoch, entry.key.slice(NETWORKS.length)).catch((error: unknown) => {
      if (asNetError(error, 'cluster.delete').kind !== 'conflict') throw error;
    });
}

/** True if this host has keys of the network, or tries to put one. */
function isUsedHere({ local, self }: Site, network: string): boolean {
  const prefixes = [addressesOf(network), rangesOf(network), useKey(network, self.id)];
  return prefixes.flatMap((prefix) => local.clusterKeys.list(prefix)).some(({ state }) => state !== 'released');
}

/**
 * Completes a deletion that this or another host began: deletes the network if no host uses it, else marks it as `live`
 * again. Returns true if the network is gone.
 */
export async function finishDeletion(site: Site, epoch: string, network: string): Promise<boolean> {
  const key = networkKey(network);
  const found = (await listIn(site.store, epoch, key)).entries.get(key);
  const record = parseNetwork(found?.value ?? '');
  if (found === undefined || record === undefined) return true;
  if (record.state === 'live') return false;
  const own: Condition = { kind: 'version', key, version: found.version };
  let names = [nameKey(record.name), vniKey(record.vni)];
  const empty = [usesOf, addressesOf, rangesOf].map((of): Condition => ({ kind: 'empty', prefix: of(network) }));
  for (;;) {
    const named = names.map((name): Condition => ({ kind: 'value', key: name, value: network }));
    const change = { epoch, compare: [own, ...empty, ...named], delete: [key, ...names] };
    const { done, found: there } = await site.store.commit(change);
    if (done) return true;
    // Leaves out a name or a VNI whose key is deleted or belongs to another network.
    const left = names.filter((name) => there.some((entry) => entry.key === name && entry.value === network));
    if (left.length === names.length) break;
    names = left;
  }
  const value = formatNetwork({ ...record, state: 'live' });
  await site.store.commit({ epoch, compare: [own], put: [{ key, value }] });
  return false;
}

/** Releases this host's keys of the network that have no row: a commit whose answer was lost has put them. */
async function releaseStrays(site: Site, epoch: string, network: string): Promise<void> {
  const { clusterKeys } = site.local;
  for (const { key, value } of await keysOf(site, epoch, network))
    if (ownerOf(key, value) === site.self.id && clusterKeys.get(key) === undefined)
      clusterKeys.put({ key, value, state: 'released', until: 0 });
}

/** Names of the hosts that use a network or have addresses of it. */
async function usersOf(site: Site, epoch: string, network: string): Promise<string[]> {
  const names = (await keysOf(site, epoch, network)).map(
    ({ key, value }) => parseHolder(value)?.name ?? site.copy.hostName(ownerOf(key, value) ?? excerpt(value)),
  );
  return [...new Set(names)].sort();
}

/** The uses, addresses and ranges of a network. */
async function keysOf(site: Site, epoch: string, network: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const prefix of [usesOf(network), addressesOf(network), rangesOf(network)])
    entries.push(...(await listIn(site.store, epoch, prefix)).entries.values());
  return entries;
}

function inUse({ name }: NetworkRecord, users: readonly string[]): Error {
  const who = users.length === 1 ? `host ${users[0]} uses it` : `hosts ${users.join(', ')} use it`;
  const hint = 'Remove its containers there, or run cluster forget for a host that does not come back';
  return fault.conflict('cluster.delete', networkTitle(name), who, hint);
}
