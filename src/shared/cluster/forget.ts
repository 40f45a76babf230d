import { fault } from '../errors/fault.ts';
import type { Condition, Entry } from '../store/cluster/cluster-store.ts';
import { MAX_KEYS } from '../store/cluster/limits.ts';
import type { ClusterKeyRow } from '../store/cluster-keys.ts';
import { HOSTS, hostKey, parseTableKey, presenceKey } from './keys.ts';
import { isOfHost, ownerOf } from './ledger.ts';
import { listIn } from './listed.ts';
import type { Site } from './site.ts';
import { parseHolder, parseHost } from './values.ts';

/** Conditions beside those of the keys. */
const SPARE = 1;

/**
 * Deletes all keys of a host that does not come back: frees its addresses and ranges, and removes its entries from the
 * other hosts' tables. Returns the number of keys. Throws NetError `conflict` if the host is present, or if the name is
 * not that of exactly one host.
 */
export async function forgetHost(site: Site, epoch: string, host: string): Promise<number> {
  const id = await idOf(site, epoch, host);
  let count = 0;
  for (;;) {
    const keys = [
      ...(await keysOf(site, epoch, id)),
      ...(await listIn(site.store, epoch, hostKey(id))).entries.values(),
    ];
    if (keys.length === 0) return count;
    for (let at = 0; at < keys.length; at += MAX_KEYS - SPARE) {
      const some = keys.slice(at, at + MAX_KEYS - SPARE);
      const absent: Condition = { kind: 'absent', key: presenceKey(id) };
      const compare = [absent, ...some.map(({ key, version }): Condition => ({ kind: 'version', key, version }))];
      const { done, found } = await site.store.commit({ epoch, compare, delete: some.map(({ key }) => key) });
      if (done) count += some.length;
      else if (found.some(({ key }) => key === presenceKey(id)))
        throw fault.conflict(
          'cluster.forget',
          `host ${host}`,
          'it is in the cluster and renews its session',
          'Run cluster leave on it',
        );
    }
  }
}

/**
 * Takes this host out of the cluster: its ranges and uses, its record and its presence. From the first step on it is no
 * member, so nothing puts a key of it again. Throws NetError `conflict` while it has endpoints, `busy` during a call that
 * uses a network; `unavailable`, and is a member again. The caller ends its session.
 */
export async function leaveCluster(site: Site, epoch: string): Promise<void> {
  const rows = site.local.clusterKeys.list('');
  assertIdle(site, rows);
  const leaving = fault.unavailable('cluster.leave', `host ${site.self.name}`, 'it leaves its cluster');
  site.obstacle = leaving;
  site.epoch = undefined;
  site.ledger.isClosed = true;
  try {
    site.ledger.release(rows.map(({ key }) => key));
    await site.ledger.flush(epoch);
    assertLanded(site);
    await deleteSelf(site, epoch);
  } catch (error) {
    site.ledger.isClosed = false;
    // Else it has joined again meanwhile.
    if (site.obstacle === leaving) Object.assign(site, { epoch, obstacle: undefined });
    throw error;
  }
}

function assertIdle(site: Site, rows: readonly ClusterKeyRow[]): void {
  const subject = `host ${site.self.name}`;
  const networks = rows.flatMap(({ key, state, value }) =>
    key.startsWith('a/') && state !== 'released' && !isOfHost(value) ? parseTableKey(key) : [],
  );
  const names = new Set(networks.map((one) => site.copy.networks.get(one?.network ?? '')?.name ?? one?.network));
  if (names.size > 0)
    throw fault.conflict(
      'cluster.leave',
      subject,
      `it has endpoints of network ${[...names].join(', ')}`,
      'Remove its containers first',
    );
  if (rows.some(({ state }) => state === 'claimed'))
    throw fault.busy('cluster.leave', subject, 'a call of it uses a network', 'Try again');
}

/** Throws NetError `unavailable` if a commit that did not answer may put a key after it was deleted. */
function assertLanded({ ledger, self }: Site): void {
  if (ledger.pending === 0) return;
  const what = 'what it has put a moment ago may arrive late in the store';
  throw fault.unavailable('cluster.leave', `host ${self.name}`, what, 'Try again in 10 s');
}

async function deleteSelf(site: Site, epoch: string): Promise<void> {
  const { id } = site.self;
  for (const key of [presenceKey(id), hostKey(id)]) {
    const found = (await listIn(site.store, epoch, key)).entries.get(key);
    const compare: Condition[] = found === undefined ? [] : [{ kind: 'version', key, version: found.version }];
    if (found !== undefined) await site.store.commit({ epoch, compare, delete: [key] });
  }
}

async function keysOf(site: Site, epoch: string, id: string): Promise<Entry[]> {
  return (await heldKeys(site, epoch)).filter(({ key, value }) => ownerOf(key, value) === id);
}

/** Addresses, ranges and uses of all hosts. */
async function heldKeys(site: Site, epoch: string): Promise<Entry[]> {
  const found: Entry[] = [];
  for (const prefix of ['a/', 'r/', 'u/']) found.push(...(await listIn(site.store, epoch, prefix)).entries.values());
  return found;
}

/** Of a host by its name or its id, also if it has only keys and no record. */
async function idOf(site: Site, epoch: string, host: string): Promise<string> {
  const { entries } = await listIn(site.store, epoch, HOSTS);
  if (entries.has(hostKey(host))) return host;
  const named = [...entries.values()].filter(({ value }) => parseHost(value)?.name === host);
  let ids = named.map(({ key }) => key.slice(HOSTS.length));
  if (ids.length === 0) {
    const owners = (await heldKeys(site, epoch)).flatMap(({ key, value }) => {
      const id = ownerOf(key, value);
      return id !== undefined && (id === host || parseHolder(value)?.name === host) ? id : [];
    });
    ids = [...new Set(owners)];
  }
  const [id] = ids;
  if (id !== undefined && ids.length === 1) return id;
  const what = ids.length === 0 ? 'the cluster knows no such host' : `hosts ${ids.join(' and ')} have that name`;
  throw fault.conflict('cluster.forget', `host ${host}`, what, 'cluster status lists the hosts with their ids');
}
