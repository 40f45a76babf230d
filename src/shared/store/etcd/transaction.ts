import type { ClusterChange, Committed, Condition, Entry } from '../cluster/cluster-store.ts';
import { EPOCH_KEY, isDone, keysOf, wasReset } from '../cluster/limits.ts';
import type { Epoch } from './epoch.ts';
import { type KeyRange, type Keys, revisionOf } from './keys.ts';
import {
  type Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  type RequestOp,
  type TxnRequest,
  type TxnResponse,
} from './rpc.generated.ts';

/** The transaction that makes the change, or reads the epoch and what the change is about. */
export function encodeChange(change: ClusterChange, keys: Keys, epoch: Epoch): TxnRequest {
  const { put = [], delete: deleted = [] } = change;
  const empty = change.compare.flatMap((condition) => (condition.kind === 'empty' ? condition.prefix : []));
  return {
    compare: [epoch.is(change.epoch), ...change.compare.map((condition) => encodeCondition(condition, keys))],
    success: [
      ...put.map(({ key, value, session }): RequestOp => {
        const request = { key: keys.encode(key), value: Buffer.from(value), lease: leaseOf(session?.id) };
        return { request: { $case: 'requestPut', value: request } };
      }),
      ...deleted.map((key): RequestOp => ({ request: { $case: 'requestDeleteRange', value: keys.one(key) } })),
    ],
    failure: [
      readOp(keys.one(EPOCH_KEY)),
      ...keysOf(change).map((key) => readOp(keys.one(key))),
      ...empty.map((prefix) => readOp(keys.below(prefix), 1n)),
    ],
  };
}

/** Throws `unavailable` if the store has another epoch than the change. */
export function decodeOutcome(
  change: ClusterChange,
  { succeeded, header, responses }: TxnResponse,
  keys: Keys,
  subject: string,
): Committed {
  const at = revisionOf(header);
  if (succeeded) return { done: true, found: [], at };
  const found = new Map<string, Entry>();
  for (const { response } of responses) {
    if (response?.$case !== 'responseRange') continue;
    for (const kv of response.value.kvs) found.set(keys.decode(kv.key), keys.entry(kv));
  }
  const now = found.get(EPOCH_KEY)?.value;
  if (now !== change.epoch) throw wasReset(subject, change.epoch, now);
  found.delete(EPOCH_KEY);
  if (isDone(change, found)) return { done: true, found: [], at };
  return { done: false, found: [...found.values()], at };
}

/** etcd's number of a session; zero binds to none. */
function leaseOf(session: string | undefined): bigint {
  return session === undefined ? 0n : BigInt(`0x${session}`);
}

function encodeCondition(condition: Condition, keys: Keys): Compare {
  const result = Compare_CompareResult.EQUAL;
  const { CREATE, MOD, VALUE } = Compare_CompareTarget;
  const absent = { result, target: CREATE, targetUnion: { $case: 'createRevision', value: 0n } } as const;
  // Of a range every key has to meet the condition, so only an empty one does.
  if (condition.kind === 'empty') return { ...keys.below(condition.prefix), ...absent };
  const key = keys.one(condition.key);
  switch (condition.kind) {
    case 'absent':
      return { ...key, ...absent };
    case 'version': {
      // etcd takes 0 for the version of an absent key. Nothing has a version below it.
      const order = condition.version === 0n ? Compare_CompareResult.LESS : result;
      return { ...key, result: order, target: MOD, targetUnion: { $case: 'modRevision', value: condition.version } };
    }
    case 'value':
      return { ...key, result, target: VALUE, targetUnion: { $case: 'value', value: Buffer.from(condition.value) } };
  }
}

function readOp(range: KeyRange, limit = 0n): RequestOp {
  return { request: { $case: 'requestRange', value: { ...range, limit, revision: 0n } } };
}
