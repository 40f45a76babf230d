import { randomUUID } from 'node:crypto';
import { fault } from '../errors/fault.ts';
import { formatSet } from '../ipam/ranges.ts';
import { digest } from '../model/attachment.ts';
import { roomOf } from '../model/overlay-room.ts';
import { formatPrefix, overlaps } from '../model/prefix.ts';
import type { Condition, Entry, Snapshot } from '../store/cluster/cluster-store.ts';
import { sameAs } from './join.ts';
import { LAST_NETWORK_KEY, NETWORKS, NETWORKS_PREFIX, nameKey, networkKey, vniKey } from './keys.ts';
import { listIn } from './listed.ts';
import type { Site } from './site.ts';
import { excerpt, formatNetwork, type NetworkRecord, parseNetwork } from './values.ts';

/** A network to create: without a VNI the cluster chooses one, without an MTU what all hosts have room for. */
export interface NetworkRequest extends Omit<NetworkRecord, 'vni' | 'mtu' | 'state'> {
  readonly vni?: number;
  readonly mtu?: number;
}

export interface CreatedNetwork {
  readonly id: string;
  readonly record: NetworkRecord;
  /** False if it existed already, as requested. */
  readonly isNew: boolean;
}

/**
 * Ensures that the cluster has the network, in one transaction. `id` is for a new one. Throws NetError `conflict` if it
 * has another one of that name, VNI or pool; `exhausted` without a free VNI; `unavailable`.
 */
export async function createNetwork(
  site: Site,
  epoch: string,
  request: NetworkRequest,
  id: string = randomUUID(),
): Promise<CreatedNetwork> {
  const refused = new Set<number>();
  let holder: string | undefined;
  for (;;) {
    const snapshot = await listIn(site.store, epoch, NETWORKS_PREFIX);
    const networks = parseAll(snapshot);
    const existing = [...networks].find(([, { name }]) => name === request.name);
    if (existing !== undefined) return { id: existing[0], record: assertSame(request, existing[1]), isNew: false };
    for (const [, other] of [...networks, ...site.copy.networks]) assertApart(request, other);
    const taken = new Set([...networks, ...site.copy.networks].map(([, { vni }]) => vni).concat([...refused]));
    const record = {
      ...request,
      vni: chooseVni(site, request, id, taken),
      mtu: mtuOf(site, request),
      state: 'live',
    } as const;
    const outcome = await put(site, { id, record, epoch, last: snapshot.entries.get(LAST_NETWORK_KEY) });
    if (outcome === undefined) return { id, record, isNew: true };
    const before = holder;
    holder = outcome.find(({ key }) => key === nameKey(request.name))?.value;
    // A network that was created meanwhile would be in the list.
    if (holder !== undefined && holder === before) throw nameOfNobody(request, holder);
    const isVni = outcome.some(({ key }) => key === vniKey(record.vni));
    if (isVni && request.vni !== undefined) throw vniTaken(request, 'another network');
    if (isVni) refused.add(record.vni);
  }
}

interface Creation {
  readonly id: string;
  readonly record: NetworkRecord;
  readonly epoch: string;
  readonly last: Entry | undefined;
}

/** Returns the entries that prevented the creation; undefined if the network exists. */
async function put(site: Site, { id, record, epoch, last }: Creation): Promise<readonly Entry[] | undefined> {
  const own = { key: networkKey(id), value: formatNetwork(record) };
  const puts = [own, { key: nameKey(record.name), value: id }, { key: vniKey(record.vni), value: id }];
  const absent = puts.map(({ key }): Condition => ({ kind: 'absent', key }));
  const compare = [...absent, sameAs(LAST_NETWORK_KEY, last)];
  const all = [...puts, { key: LAST_NETWORK_KEY, value: id }];
  const { done, found } = await site.store.commit({ epoch, compare, put: all });
  // An earlier attempt succeeded and its answer was lost; `net-last` names a network created since.
  if (done || found.some(({ key, value }) => key === own.key && value === own.value)) return undefined;
  return found;
}

function parseAll({ entries }: Snapshot): Map<string, NetworkRecord> {
  const found = new Map<string, NetworkRecord>();
  for (const { key, value } of entries.values()) {
    const record = key.startsWith(NETWORKS) ? parseNetwork(value) : undefined;
    if (record !== undefined) found.set(key.slice(NETWORKS.length), record);
  }
  return found;
}

/** Returns the existing network if it is as requested. */
function assertSame(request: NetworkRequest, existing: NetworkRecord): NetworkRecord {
  if (existing.state === 'going')
    throw fault.busy('cluster.create', `network ${request.name}`, 'it is being deleted', 'Try again');
  const asked: readonly (readonly [what: string, asked: string | undefined, is: string])[] = [
    ['mode', request.mode, existing.mode],
    ['pools', request.sets.map(formatSet).join(' and '), existing.sets.map(formatSet).join(' and ')],
    ['gateways', gatewaysText(request), gatewaysText(existing)],
    ['VNI', request.vni?.toString(), String(existing.vni)],
    ['MTU', request.mtu?.toString(), String(existing.mtu)],
    ['options', JSON.stringify(request.options), JSON.stringify(existing.options)],
    ['range of a host', lengthsText(request), lengthsText(existing)],
  ];
  for (const [what, wanted, is] of asked)
    if (wanted !== undefined && wanted !== is)
      throw fault.conflict(
        'cluster.create',
        `network ${request.name}`,
        `the cluster has it with ${what} ${is}, not ${wanted}`,
        'Use another name, or delete the network on all hosts first',
      );
  return existing;
}

const gatewaysText = ({ sets }: Pick<NetworkRecord, 'sets'>): string =>
  sets
    .flat()
    .map(({ gateway }) => addressText(gateway))
    .join(' ');
const addressText = ({ family, value }: { readonly family: 4 | 6; readonly value: bigint }): string =>
  formatPrefix({ addr: { family, value }, length: family === 4 ? 32 : 128 });
const lengthsText = ({
  hostLength4 = 0,
  hostLength6 = 0,
}: Pick<NetworkRecord, 'hostLength4' | 'hostLength6'>): string => `${hostLength4}/${hostLength6}`;

/**
 * Pools of two networks overlap only if no address of theirs leaves them: both are internal, bridged, and without
 * addresses of hosts, so that no host routes to them.
 */
function assertApart(request: NetworkRequest, other: NetworkRecord): void {
  if (other.name === request.name || [request, other].every(isShut)) return;
  for (const { subnet } of request.sets.flat()) {
    const same = other.sets.flat().find((range) => overlaps(range.subnet, subnet));
    if (same === undefined) continue;
    throw fault.conflict(
      'cluster.create',
      `network ${request.name}`,
      `its subnet ${formatPrefix(subnet)} overlaps ${formatPrefix(same.subnet)} of network ${other.name}`,
      'Choose another subnet, or make both networks internal, of mode shared, without hostAddress',
    );
  }
}

function isShut({ mode, options }: NetworkRequest): boolean {
  return options.internal && mode === 'shared' && !options.hostAddress;
}

/** Begins at a place of the network's own, so that two hosts that create networks seldom choose the same. */
function chooseVni(site: Site, request: NetworkRequest, id: string, taken: ReadonlySet<number>): number {
  const { firstVni, lastVni } = site.settings;
  if (request.vni !== undefined) {
    const other = [...site.copy.networks].find(([, { vni }]) => vni === request.vni)?.[1].name;
    if (taken.has(request.vni)) throw vniTaken(request, other === undefined ? 'another network' : `network ${other}`);
    return request.vni;
  }
  const count = lastVni - firstVni + 1;
  const start = Number(BigInt(`0x${digest('vni', id).slice(0, 12)}`) % BigInt(count));
  for (let step = 0; step < count; step++) {
    const vni = firstVni + ((start + step) % count);
    if (!taken.has(vni)) return vni;
  }
  throw fault.exhausted(
    'cluster.create',
    `network ${request.name}`,
    `all ${count} VNIs from ${firstVni} to ${lastVni} are taken`,
    'Delete a network, or give the cluster a larger range',
  );
}

/** Somebody has deleted or overwritten the network's record: name, VNI and record come and go in one commit. */
function nameOfNobody({ name }: NetworkRequest, holder: string): Error {
  const what = `key ${nameKey(name)} names network ${excerpt(holder)}, of which the cluster has no valid record`;
  const hint = 'Delete the keys of its record, its name and its VNI from the store if no host has containers on it';
  return fault.conflict('cluster.create', `network ${name}`, what, hint);
}

function vniTaken(request: NetworkRequest, holder: string): Error {
  const hint = 'Choose another VNI, or none';
  return fault.conflict('cluster.create', `network ${request.name}`, `${holder} has VNI ${request.vni}`, hint);
}

/** What every known host has room for, unless the request says less. */
function mtuOf(site: Site, { name, mtu, options }: NetworkRequest): number {
  const rooms = [site.self, ...[...site.copy.hosts].map(([, host]) => host)];
  const least = rooms.reduce((least, host) => (host.mtu < least.mtu ? host : least));
  const room = roomOf(least.mtu, site.settings.underlay, options.encrypted);
  if (mtu === undefined || mtu <= room) return mtu ?? room;
  throw fault.conflict(
    'cluster.create',
    `network ${name}`,
    `its MTU is ${mtu}, and host ${least.name} has room for ${room}`,
    `Ask for ${room} or less`,
  );
}
