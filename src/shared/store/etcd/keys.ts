import { fault } from '../../errors/fault.ts';
import type { Entry } from '../cluster/cluster-store.ts';
import type { KeyValue, ResponseHeader } from './rpc.generated.ts';

/** A range of etcd's keys. */
export interface KeyRange {
  readonly key: Buffer;
  /** First key behind the range; empty: `key` alone. */
  readonly rangeEnd: Buffer;
}

export const NOTHING = Buffer.alloc(0);

/** Converts between the cluster's keys and etcd's, which begin with `root`. */
export class Keys {
  readonly #root: string;
  readonly #length: number;

  constructor(root: string) {
    this.#root = root;
    this.#length = Buffer.byteLength(root);
  }

  encode(key: string): Buffer {
    return Buffer.from(this.#root + key);
  }

  one(key: string): KeyRange {
    return { key: this.encode(key), rangeEnd: NOTHING };
  }

  /** All keys that begin with the prefix. */
  below(prefix: string): KeyRange {
    const key = this.encode(prefix);
    const rangeEnd = Buffer.from(key);
    // Text in UTF-8 has no byte 0xff, so the last byte can always grow.
    rangeEnd[rangeEnd.length - 1] = (rangeEnd.at(-1) ?? 0) + 1;
    return { key, rangeEnd };
  }

  decode(key: Buffer): string {
    return key.toString('utf8', this.#length);
  }

  entry({ key, value, modRevision, lease }: KeyValue): Entry {
    const entry = { key: this.decode(key), value: value.toString(), version: modRevision };
    return lease === 0n ? entry : { ...entry, session: lease.toString(16) };
  }
}

/** The store's revision when it answered; throws if the answer has none. */
export function revisionOf(header: ResponseHeader | undefined): bigint {
  if (header === undefined) throw fault.unavailable('etcd', 'answer', 'it has no header', 'Is this etcd 3.4 or later?');
  return header.revision;
}
