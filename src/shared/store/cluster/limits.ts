import { fault } from '../../errors/fault.ts';
import type { ClusterChange, Condition, Entry, Put } from './cluster-store.ts';

/** Keys of one change: etcd takes 128 operations in a transaction. */
export const MAX_KEYS = 64;
/** Of all keys and values of one change: etcd takes 1.5 MiB, ZooKeeper 1 MiB. */
export const MAX_BYTES = 1_000_000;
/** The store's own key. */
export const EPOCH_KEY = 'epoch';

/** Throws if the change breaks the contract of `ClusterChange`. */
export function checkChange(change: ClusterChange): void {
  const keys = keysOf(change);
  if (keys.length > MAX_KEYS) throw misuse(`${keys.length} keys`, `at most ${MAX_KEYS} can change together`);
  if (keys.includes(EPOCH_KEY)) throw misuse(`key ${EPOCH_KEY}`, 'the store keeps it for itself');
  const compared = new Set(change.compare.map(keyOf));
  const changed = [...(change.put ?? []).map(({ key }) => key), ...(change.delete ?? [])];
  const bare = changed.find((key) => !compared.has(key));
  if (bare !== undefined) throw misuse(`key ${bare}`, 'it changes without a condition, so no repetition is safe');
  if (new Set(changed).size < changed.length) throw misuse('change', 'it changes a key twice');
  const bytes = sizeOf(change);
  if (bytes > MAX_BYTES)
    throw fault.unsupported('commit', `key ${keys[0]}`, `${bytes} bytes; at most ${MAX_BYTES} fit`, 'Store less');
}

/** The keys whose entries a failed commit returns; those of `empty` prefixes are not among them. */
export function keysOf(change: ClusterChange): string[] {
  const compared = change.compare.flatMap((condition) => (condition.kind === 'empty' ? [] : condition.key));
  return [...new Set([...compared, ...(change.put ?? []).map(({ key }) => key), ...(change.delete ?? [])])];
}

/** True if the change was made before: each entry is ours, with its session, and each deleted key is absent. */
export function isDone(change: ClusterChange, found: ReadonlyMap<string, Entry>): boolean {
  const { put = [], delete: deleted = [] } = change;
  if (put.length + deleted.length === 0) return false;
  const isOurs = (put: Put): boolean => {
    const entry = found.get(put.key);
    return entry?.value === put.value && entry.session === put.session?.id;
  };
  return put.every(isOurs) && deleted.every((key) => !found.has(key));
}

/** The error of a commit based on data that the store has lost since. */
export function wasReset(subject: string, before: string, now: string | undefined): Error {
  const what = `the store lost its data: its epoch was ${before} and is ${now ?? 'not set'}`;
  return fault.unavailable('commit', subject, what, 'The hosts put theirs back; try again');
}

function keyOf(condition: Condition): string {
  return condition.kind === 'empty' ? condition.prefix : condition.key;
}

function sizeOf({ compare, put = [], delete: deleted = [] }: ClusterChange): number {
  const texts = [
    ...compare.flatMap((condition) => [keyOf(condition), condition.kind === 'value' ? condition.value : '']),
    ...put.flatMap(({ key, value }) => [key, value]),
    ...deleted,
  ];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

function misuse(subject: string, what: string): Error {
  return fault.internal('commit', subject, what);
}
