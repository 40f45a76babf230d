import { randomUUID } from 'node:crypto';
import { EPOCH_KEY } from '../cluster/limits.ts';
import type { EtcdClient } from './client.ts';
import { type Keys, NOTHING, revisionOf } from './keys.ts';
import type { Member } from './members.ts';
import { type Compare, Compare_CompareResult, Compare_CompareTarget } from './rpc.generated.ts';
import { KVService } from './services.ts';

/** The epoch on record, when it was read, and by which member. */
export interface EpochReading {
  /** Undefined: the store has none, so it is new or was emptied. */
  readonly epoch: string | undefined;
  readonly at: bigint;
  readonly member: Member;
}

/**
 * The store's own key, which tells a store that lost its data from the one before: etcd with the same flags has the same
 * cluster id, member ids and even raft term again.
 */
export class Epoch {
  readonly #client: EtcdClient;
  readonly #keys: Keys;

  constructor(client: EtcdClient, keys: Keys) {
    this.#client = client;
    this.#keys = keys;
  }

  async read(op: string): Promise<EpochReading> {
    const request = { ...this.#keys.one(EPOCH_KEY), limit: 0n, revision: 0n };
    const { value, member } = await this.#client.ask(op, KVService.range, request);
    return { epoch: value.kvs[0]?.value.toString(), at: revisionOf(value.header), member };
  }

  /** Afterwards the store has an epoch: ours, or that of a host that was faster. */
  async create(op: string): Promise<void> {
    await this.#put(op, {
      ...this.#compared(),
      target: Compare_CompareTarget.CREATE,
      targetUnion: { $case: 'createRevision', value: 0n },
    });
  }

  /** Afterwards the store has another epoch than `before`: it was restored from a copy, and with it the epoch. */
  async replace(op: string, before: string): Promise<void> {
    await this.#put(op, this.is(before));
  }

  /** True in etcd where the epoch is this one. */
  is(epoch: string): Compare {
    return {
      ...this.#compared(),
      target: Compare_CompareTarget.VALUE,
      targetUnion: { $case: 'value', value: Buffer.from(epoch) },
    };
  }

  async #put(op: string, condition: Compare): Promise<void> {
    const put = { key: this.#keys.encode(EPOCH_KEY), value: Buffer.from(randomUUID()), lease: 0n };
    const success = [{ request: { $case: 'requestPut', value: put } } as const];
    await this.#client.call(op, KVService.txn, { compare: [condition], success, failure: [] });
  }

  #compared(): Pick<Compare, 'key' | 'rangeEnd' | 'result'> {
    return { key: this.#keys.encode(EPOCH_KEY), rangeEnd: NOTHING, result: Compare_CompareResult.EQUAL };
  }
}
