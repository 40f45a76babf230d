import { fault } from '../../errors/fault.ts';
import type { Entry, Moment, Snapshot } from '../cluster/cluster-store.ts';
import { EPOCH_KEY } from '../cluster/limits.ts';
import type { EtcdClient } from './client.ts';
import type { Epoch } from './epoch.ts';
import { isCompacted } from './failures.ts';
import { type KeyRange, type Keys, revisionOf } from './keys.ts';
import type { KeyValue, RangeResponse, TxnResponse } from './rpc.generated.ts';
import { KVService } from './services.ts';

const PAGE = 1_000n;
/** etcd can forget the revision between two pages, and a new store gets its epoch first. */
const ATTEMPTS = 5;

/**
 * Returns the entries below the prefix, and the epoch, of one revision. A store that is behind `seen` gets another epoch
 * first.
 */
export async function list(
  client: EtcdClient,
  keys: Keys,
  epoch: Epoch,
  prefix: string,
  seen?: Moment,
): Promise<Snapshot> {
  for (let attempt = 1; ; attempt++) {
    try {
      const snapshot = await listOnce(client, keys, prefix);
      const isBehind = snapshot !== undefined && snapshot.epoch === seen?.epoch && snapshot.at < seen.at;
      if (snapshot !== undefined && !isBehind) return snapshot;
      if (isBehind) await epoch.replace('list', snapshot.epoch);
      else await epoch.create('list');
    } catch (error) {
      if (!isCompacted(error) || attempt === ATTEMPTS) throw error;
    }
    if (attempt === ATTEMPTS)
      throw fault.unavailable('list', `etcd below ${prefix}`, 'its epoch goes again and again', 'Who deletes it?');
  }
}

/** Undefined: the store has no epoch yet. */
async function listOnce(client: EtcdClient, keys: Keys, prefix: string): Promise<Snapshot | undefined> {
  const range = keys.below(prefix);
  const ranges = [{ ...keys.one(EPOCH_KEY), limit: 0n, revision: 0n }, page(range, 0n)];
  const success = ranges.map((value) => ({ request: { $case: 'requestRange', value } }) as const);
  const answer = await client.call('list', KVService.txn, { compare: [], success, failure: [] });
  const at = revisionOf(answer.header);
  const [own, first] = rangesOf(answer);
  const epoch = own?.kvs[0]?.value.toString();
  if (epoch === undefined || first === undefined) return undefined;
  const entries = new Map<string, Entry>();
  for (let response: RangeResponse = first; ; ) {
    for (const kv of response.kvs) add(entries, keys, kv);
    const last = response.kvs.at(-1);
    if (!response.more || last === undefined) break;
    // The smallest key after the last one.
    const key = Buffer.concat([last.key, Buffer.alloc(1)]);
    response = await client.call('list', KVService.range, page({ ...range, key }, at));
  }
  return { entries, at, epoch };
}

function page({ key, rangeEnd }: KeyRange, revision: bigint): KeyRange & { limit: bigint; revision: bigint } {
  return { key, rangeEnd, limit: PAGE, revision };
}

function rangesOf({ responses }: TxnResponse): RangeResponse[] {
  return responses.flatMap(({ response }) => (response?.$case === 'responseRange' ? response.value : []));
}

function add(entries: Map<string, Entry>, keys: Keys, kv: KeyValue): void {
  const entry = keys.entry(kv);
  if (entry.key !== EPOCH_KEY) entries.set(entry.key, entry);
}
