import { randomUUID } from 'node:crypto';
import { fault } from '../errors/fault.ts';
import type { RangeSet, RangeSpec } from '../ipam/ranges.ts';
import type { Family } from '../model/addr.ts';
import { digest, networkTitle } from '../model/attachment.ts';
import { contains, firstHost, firstOf, formatPrefix, lastOf, type Prefix } from '../model/prefix.ts';
import type { Condition } from '../store/cluster/cluster-store.ts';
import { networkKey, parseRangeHex, rangeHex, rangeKey, rangesOf } from './keys.ts';
import { listIn } from './listed.ts';
import type { Site } from './site.ts';
import { liveNetwork } from './uses.ts';
import { formatHolder, type NetworkRecord, parseHolder } from './values.ts';

/**
 * The ranges that this host holds of a `per-host` network, as sets to allocate from, without those that another host has
 * as well; undefined if one of a set is missing. Needs no store.
 */
export function heldRanges(site: Site, network: string, { sets }: Pick<NetworkRecord, 'sets'>): RangeSet[] | undefined {
  const contested = new Set(site.conflicts.map(({ key }) => key));
  const rows = site.local.clusterKeys
    .list(rangesOf(network))
    .filter(({ key, state }) => state === 'held' && !contested.has(key));
  const held = rows.flatMap(({ key }) => parseRangeHex(key.slice(rangesOf(network).length)) ?? []);
  const own = sets.map((set) =>
    held.filter((range) => set.some(({ subnet }) => contains(subnet, range.addr))).map(setOf),
  );
  return own.every((ranges) => ranges.length > 0) ? own : undefined;
}

/**
 * Leases a range of each set, once: all in one transaction. Throws NetError `exhausted`; `conflict` with its holder if
 * one of `wanted` is taken; `unavailable`. Returns what `heldRanges` does from then on.
 */
export async function leaseRanges(
  site: Site,
  epoch: string,
  network: string,
  { wanted = [], signal }: { readonly wanted?: readonly Prefix[] | undefined; readonly signal: AbortSignal },
): Promise<RangeSet[]> {
  const refused = new Set<string>();
  for (;;) {
    signal.throwIfAborted();
    const record = liveNetwork(site, network);
    const held = heldRanges(site, network, record);
    if (held !== undefined) return held;
    const { id: host, name } = site.self;
    const value = formatHolder({ host, name, claim: randomUUID().slice(0, 8) });
    const ranges = record.sets.map(
      (set) =>
        wanted.find(({ addr }) => set.some(({ subnet }) => contains(subnet, addr))) ??
        chooseRange(site, network, record, set, refused),
    );
    const rows = ranges.map((range) => ({ key: rangeKey(network, range), value }));
    const compare: Condition[] = [
      ...rows.map(({ key }): Condition => ({ kind: 'absent', key })),
      { kind: 'version', key: networkKey(network), version: record.revision },
    ];
    site.ledger.claim(rows);
    try {
      const { done, found } = await site.store.commit({ epoch, compare, put: rows });
      if (done) site.local.transaction(() => site.ledger.settle(rows), { durable: true });
      if (done) continue;
      site.ledger.retract(rows);
      site.copy.learn(found);
      for (const { key, value } of found) {
        refused.add(key);
        const taken = wanted.find((range) => rangeKey(network, range) === key);
        if (taken !== undefined) throw takenBy(taken, record, parseHolder(value)?.name ?? value);
      }
      if (!found.some(({ key }) => key === networkKey(network)))
        throw fault.conflict('ipam', networkTitle(record.name), 'the cluster has deleted it', 'Create it again');
    } catch (error) {
      site.ledger.abandon(rows);
      throw error;
    }
  }
}

function takenBy(range: Prefix, { name }: NetworkRecord, holder: string): Error {
  const what = `host ${holder} has got ${formatPrefix(range)}, which was offered to this one`;
  return fault.conflict('ipam', networkTitle(name), what, 'Create the network again: another range is free');
}

/**
 * The range of the set that this host would get, and with a network of the cluster's, `id`: that it has, or that is free
 * in the store now.
 */
export async function offerRange(
  site: Site,
  record: Omit<NetworkRecord, 'vni' | 'mtu' | 'state'>,
  set: RangeSet,
  known?: { readonly id: string; readonly epoch: () => string },
): Promise<Prefix> {
  if (known === undefined) return chooseRange(site, '', record, set, new Set());
  const { id, epoch } = known;
  const held = heldRanges(site, id, { sets: [set] })?.[0]?.[0];
  if (held !== undefined) return held.subnet;
  const { entries } = await listIn(site.store, epoch(), rangesOf(id));
  return chooseRange(site, id, record, set, new Set(entries.keys()));
}

/** The first free range from a place of the host's own on. */
function chooseRange(
  site: Site,
  network: string,
  record: Omit<NetworkRecord, 'vni' | 'mtu' | 'state'>,
  [first]: RangeSet,
  refused: ReadonlySet<string>,
): Prefix {
  const table = site.copy.tableOf(network);
  if (first === undefined) throw fault.internal('ipam', networkTitle(record.name), 'it has no pool');
  const { subnet } = first;
  const { family } = subnet.addr;
  const length = lengthOf(record, subnet);
  const count = 1n << BigInt(length - subnet.length);
  const step = 1n << BigInt((family === 4 ? 32 : 128) - length);
  const start = BigInt(`0x${digest('range', site.self.id).slice(0, 12)}`) % count;
  for (let at = 0n; at < count && at < 65_536n; at++) {
    const value = firstOf(subnet).value + ((start + at) % count) * step;
    const range = { addr: { family, value }, length };
    const key = rangeKey(network, range);
    const hasRow = site.local.clusterKeys.get(key) !== undefined;
    const holder = table?.get(rangeHex(range))?.host;
    // The copy learns late that a range of this host is gone.
    const isOthers = holder !== undefined && holder !== site.self.id;
    const isTaken = isOthers || hasRow || refused.has(key);
    if (!isTaken) return range;
  }
  throw fault.exhausted(
    'ipam',
    networkTitle(record.name),
    `hosts have all ${count} ranges of /${length} in ${formatPrefix(subnet)}`,
    'Run cluster forget for hosts that do not come back, or create a network with a larger pool',
  );
}

const USUAL: Readonly<Record<Family, number>> = { 4: 24, 6: 80 };

/** Length of a host's range: the network's, else /24 or /80; never shorter than the subnet. */
function lengthOf(
  { hostLength4, hostLength6 }: Pick<NetworkRecord, 'hostLength4' | 'hostLength6'>,
  { addr: { family }, length }: Prefix,
): number {
  return Math.max(length, (family === 4 ? hostLength4 : hostLength6) ?? USUAL[family]);
}

function setOf(subnet: Prefix): RangeSpec {
  return { subnet, rangeStart: firstOf(subnet), rangeEnd: lastOf(subnet), gateway: firstHost(subnet) };
}
