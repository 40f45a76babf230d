import { randomUUID } from 'node:crypto';
import { fault } from '../errors/fault.ts';
import { formatSet, type RangeSet, rangeOf } from '../ipam/ranges.ts';
import { assignRequests } from '../ipam/requests.ts';
import { type Addr, type Family, formatAddr } from '../model/addr.ts';
import { networkTitle } from '../model/attachment.ts';
import { macOfAddr } from '../model/mac.ts';
import type { Prefix } from '../model/prefix.ts';
import type { Condition, Entry } from '../store/cluster/cluster-store.ts';
import type { ClusterKeyRow } from '../store/cluster-keys.ts';
import { chooseAddress, sliceOf } from './choose.ts';
import type { TableEntry, Versioned } from './copy.ts';
import { addressesOf, addressHex, addressKey, networkKey } from './keys.ts';
import { type KeyValue, ownerOf } from './ledger.ts';
import type { Site } from './site.ts';
import { liveNetwork } from './uses.ts';
import { type AddressRecord, excerpt, formatAddress, type NetworkRecord, parseAddress } from './values.ts';

export interface AddressRequest {
  /** Id of the network; this host uses it. */
  readonly network: string;
  /** Addresses that the result must contain. */
  readonly requested: readonly Addr[];
  /** `endpointText`, or what the caller knows of it: a value names its owner. */
  readonly endpoint: string;
  /** Default: derived from the first address. */
  readonly mac?: string;
  /** Only the sets of this family: dockerd asks for one family after the other. */
  readonly family?: Family;
}

export interface ClaimedAddress {
  /** The address, with the length of its subnet. */
  readonly address: Prefix;
  readonly gateway: Addr;
  /** Index of the range set. */
  readonly set: number;
}

/** Addresses that this host has claimed in the cluster and does not use yet. The caller settles or abandons them. */
export interface Claim {
  readonly addresses: readonly ClaimedAddress[];
  readonly mac: string;
  readonly rows: readonly KeyValue[];
}

/** The last address claimed from each set, by network and index of the set. */
export type Cursors = Map<string, Addr>;

/**
 * Claims one address of each set in one transaction; if another host took one of them first, tries others. Throws
 * NetError `exhausted`; `conflict` with the holder if a requested address is taken; `unavailable`, also if the
 * transaction may have succeeded: the outbox then undoes it. `signal` ends it.
 */
export async function claimAddresses(
  site: Site,
  epoch: string,
  request: AddressRequest,
  parts: { readonly cursors: Cursors; readonly signal: AbortSignal },
): Promise<Claim> {
  const refused = new Set<string>();
  await clearOwn(site, epoch, request);
  for (;;) {
    parts.signal.throwIfAborted();
    const record = liveNetwork(site, request.network);
    const claim = choose(site, request, record, { cursors: parts.cursors, refused });
    site.ledger.claim(claim.rows);
    const outcome = await commit(site, epoch, request, claim, record).catch((error: unknown) => {
      site.ledger.abandon(claim.rows);
      throw error;
    });
    if (outcome === undefined) {
      if (!parts.signal.aborted) return claim;
      // The caller has given up.
      site.ledger.abandon(claim.rows);
      throw parts.signal.reason;
    }
    site.ledger.retract(claim.rows);
    site.copy.learn(outcome);
    assertThere(request, record, outcome);
    for (const { key, value } of outcome) {
      const wanted = request.requested.find((addr) => addressKey(request.network, addr) === key);
      if (wanted !== undefined) throw taken(site, wanted, record, key, value);
      refused.add(key);
    }
  }
}

/** What the store had instead; undefined if the claim was made. */
async function commit(
  site: Site,
  epoch: string,
  { network }: AddressRequest,
  { rows }: Claim,
  { revision: version }: Versioned<NetworkRecord>,
): Promise<readonly Entry[] | undefined> {
  const compare: Condition[] = [
    ...rows.map(({ key }): Condition => ({ kind: 'absent', key })),
    { kind: 'version', key: networkKey(network), version },
  ];
  const { done, found } = await site.store.commit({ epoch, compare, put: rows });
  return done ? undefined : found;
}

/** Deletes a requested address from the store first if this host has released it. */
async function clearOwn(site: Site, epoch: string, { network, requested }: AddressRequest): Promise<void> {
  const rows = requested.map((addr) => site.local.clusterKeys.get(addressKey(network, addr)));
  if (rows.some((row) => row?.state === 'released')) await site.ledger.flush(epoch);
}

function choose(
  site: Site,
  request: AddressRequest,
  { sets, name }: NetworkRecord,
  { cursors, refused }: { readonly cursors: Cursors; readonly refused: ReadonlySet<string> },
): Claim {
  const { network, endpoint } = request;
  const table = site.copy.tableOf(network);
  const rowOf = (addr: Addr): ClusterKeyRow | undefined => site.local.clusterKeys.get(addressKey(network, addr));
  /** The entry of an address, unless this host has released it: the copy learns late of that. */
  const entryOf = (addr: Addr): TableEntry | undefined => {
    const entry = table?.get(addressHex(addr));
    const { state = 'released' } = rowOf(addr) ?? {};
    return entry?.host === site.self.id && state === 'released' ? undefined : entry;
  };
  const isTaken = (addr: Addr): boolean =>
    entryOf(addr) !== undefined || refused.has(addressKey(network, addr)) || rowOf(addr) !== undefined;
  const slice = sliceOf(
    site.self.id,
    [...site.copy.hosts].map(([id]) => id),
  );
  const wanted = assignRequests(sets, request.requested);
  const isMeant = ([first]: RangeSet): boolean =>
    request.family === undefined || first?.subnet.addr.family === request.family;
  const addresses = [...sets.entries()]
    .filter(([, set]) => isMeant(set))
    .map(([index, set]): ClaimedAddress => {
      const cursor = `${network} ${index}`;
      const addr = wanted[index] ?? chooseAddress(set, slice, isTaken, cursors.get(cursor));
      const range = addr && rangeOf(set, addr);
      if (addr === undefined || range === undefined)
        throw fault.exhausted(
          'ipam',
          networkTitle(name),
          `no address of ${formatSet(set)} is free in the cluster`,
          'Delete what is no longer used, or create a network with a larger pool',
        );
      const entry = wanted[index] && entryOf(addr);
      if (entry !== undefined) throw takenBy(addr, name, site.copy.hostName(entry.host), entry.endpoint);
      if (rowOf(addr)?.state === 'held') throw takenBy(addr, name, site.self.name, '');
      if (wanted[index] === undefined) cursors.set(cursor, addr);
      return { address: { addr, length: range.subnet.length }, gateway: range.gateway, set: index };
    });
  const [first] = addresses;
  if (first === undefined) throw fault.internal('ipam', networkTitle(name), 'it has no pool');
  const mac = request.mac ?? macOfAddr(first.address.addr, name);
  const { id: host, bootId } = site.self;
  const value = formatAddress({ host, mac, endpoint, bootId, claim: randomUUID().slice(0, 8) });
  return { addresses, mac, rows: addresses.map(({ address }) => ({ key: addressKey(network, address.addr), value })) };
}

function assertThere({ network }: AddressRequest, { name }: NetworkRecord, found: readonly Entry[]): void {
  if (found.some(({ key }) => key === networkKey(network))) return;
  throw fault.conflict('ipam', networkTitle(name), 'the cluster has deleted it', 'Create it again');
}

function taken(site: Site, addr: Addr, { name }: NetworkRecord, key: string, value: string): Error {
  return takenBy(
    addr,
    name,
    site.copy.hostName(ownerOf(key, value) ?? excerpt(value)),
    parseAddress(value)?.endpoint ?? '',
  );
}

function takenBy(addr: Addr, network: string, host: string, endpoint: string): Error {
  const who = endpoint === '' ? host : `${endpoint} on ${host}`;
  return fault.conflict(
    'ipam',
    `address ${formatAddr(addr)}`,
    `${who} has it in ${networkTitle(network)}`,
    'Ask for another one',
  );
}

/**
 * Gives held addresses another MAC or endpoint in one transaction: dockerd asks for addresses before their endpoint is
 * known. No transaction if nothing changes. Throws NetError `conflict` if this host does not hold one.
 */
export async function amendAddresses(
  site: Site,
  epoch: string,
  network: string,
  addrs: readonly Addr[],
  changes: Partial<Pick<AddressRecord, 'mac' | 'endpoint'>>,
): Promise<void> {
  const { clusterKeys } = site.local;
  await site.ledger.exclusively(async () => {
    const claim = randomUUID().slice(0, 8);
    const amended = addrs.flatMap((addr) => {
      const row = clusterKeys.get(addressKey(network, addr));
      const record = parseAddress(row?.value ?? '');
      if (row?.state !== 'held' || record === undefined)
        throw fault.conflict('ipam', `address ${formatAddr(addr)}`, 'this host does not hold it', 'Request it first');
      const next = { ...record, ...changes };
      const isSame = next.mac === record.mac && next.endpoint === record.endpoint;
      return isSame ? [] : [{ row, value: formatAddress({ ...next, claim }) }];
    });
    if (amended.length === 0) return;
    const { done, found } = await site.store.commit({
      epoch,
      compare: amended.map(({ row: { key, value } }): Condition => ({ kind: 'value', key, value })),
      put: amended.map(({ row: { key }, value }) => ({ key, value })),
    });
    if (!done) {
      const other = amended.find(({ row }) => !found.some(({ key, value }) => key === row.key && value === row.value));
      const has = found.find(({ key }) => key === other?.row.key)?.value ?? 'none';
      throw fault.conflict('ipam', `key ${other?.row.key}`, `the store has ${has}`, 'Delete it');
    }
    for (const { row, value } of amended) {
      const now = clusterKeys.get(row.key);
      if (now === undefined || now.value === row.value)
        clusterKeys.put({ ...row, state: now?.state ?? 'released', value });
    }
  });
}

/** The keys of one endpoint's addresses. Reads all of the network's rows: not for callers that know the addresses. */
export function addressesOfEndpoint(site: Site, network: string, endpoint: string): string[] {
  const text = JSON.stringify(endpoint);
  const rows = site.local.clusterKeys.list(addressesOf(network)).filter(({ value }) => value.includes(text));
  return rows.filter(({ value }) => parseAddress(value)?.endpoint === endpoint).map(({ key }) => key);
}
