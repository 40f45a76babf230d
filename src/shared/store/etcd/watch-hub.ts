import { fault } from '../../errors/fault.ts';
import type { KeyChange, Snapshot } from '../cluster/cluster-store.ts';
import { EPOCH_KEY } from '../cluster/limits.ts';
import { keepServing } from '../cluster/serving.ts';
import type { EtcdClient } from './client.ts';
import type { Epoch } from './epoch.ts';
import { failureOf, reasonOf } from './failures.ts';
import { Follower } from './follower.ts';
import { GrpcError } from './grpc/status.ts';
import type { GrpcStream } from './grpc/stream.ts';
import { type KeyRange, type Keys, revisionOf } from './keys.ts';
import type { Member } from './members.ts';
import { type Event, Event_EventType, type WatchRequest, type WatchResponse } from './rpc.generated.ts';
import { WatchService } from './services.ts';

type Stream = GrpcStream<WatchRequest, WatchResponse>;

/** Id of the watch on the epoch, first in every stream. etcd takes 0 for "none chosen". */
const EPOCH_WATCH = 1n;

/**
 * The one stream that all watches of a store share: of 1,000 hosts with five watches each, etcd would have to keep 5,000
 * streams. It is open while somebody follows. If it breaks, another one goes on where it ended, at the next member.
 */
export class WatchHub implements Disposable {
  readonly #client: EtcdClient;
  readonly #keys: Keys;
  readonly #epoch: Epoch;
  readonly #followers = new Map<bigint, Follower>();
  readonly #closed = new AbortController();
  /** Watches that etcd has not confirmed yet; it does so in order. */
  #unconfirmed: bigint[] = [];
  #stream: Stream | undefined;
  /** True once etcd has taken a watch of this stream. */
  #hasConfirmed = false;
  #isRunning = false;
  #lastId = EPOCH_WATCH;

  constructor(client: EtcdClient, keys: Keys, epoch: Epoch) {
    this.#client = client;
    this.#keys = keys;
    this.#epoch = epoch;
  }

  /** Follows the changes after the snapshot. Dispose of the result. */
  follow(prefix: string, { at, epoch }: Pick<Snapshot, 'at' | 'epoch'>): Follower {
    const from = { epoch, next: at + 1n };
    const follower = new Follower(++this.#lastId, this.#keys.below(prefix), from, (one) => this.#leave(one));
    this.#followers.set(follower.id, follower);
    if (this.#stream !== undefined) this.#create(this.#stream, follower.id, follower.range, follower.next);
    else if (!this.#isRunning) void this.#run();
    return follower;
  }

  [Symbol.dispose](): void {
    this.#closed.abort();
    this.#end();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    await keepServing({
      followers: () => [...this.#followers.values()],
      serve: (served) => this.#serve(served),
      signal: this.#closed.signal,
    });
    this.#isRunning = false;
  }

  /** Serves all followers until nobody follows any more, or throws why it cannot. */
  async #serve(onConfirmed: () => void): Promise<void> {
    const { epoch, at, member } = await this.#epoch.read('watch');
    const behind = [...this.#followers.values()].some(
      (follower) => follower.epoch === epoch && at < follower.next - 1n,
    );
    // The same epoch at an earlier time: the store was restored from a copy.
    if (behind && epoch !== undefined) await this.#epoch.replace('watch', epoch);
    for (const follower of [...this.#followers.values()]) if (behind || follower.epoch !== epoch) follower.gap();
    if (this.#followers.size === 0) return;
    const stream = await this.#client.stream(member, WatchService.watch);
    if (this.#followers.size > 0) this.#stream = stream;
    this.#unconfirmed = [];
    this.#hasConfirmed = false;
    try {
      this.#create(stream, EPOCH_WATCH, this.#keys.one(EPOCH_KEY), at + 1n);
      for (const { id, range, next } of this.#followers.values()) this.#create(stream, id, range, next);
      for await (const response of stream) if (this.#receive(response, member, onConfirmed) === 'reopen') return;
      if (this.#stream === stream) throw refused(member, 'the stream ended');
    } catch (error) {
      if (this.#stream !== stream) return;
      this.#client.avoid(member);
      if (!(error instanceof GrpcError)) throw error;
      throw failureOf('watch', new Map([[member.endpoint, reasonOf(error, 0)]]), error);
    } finally {
      if (this.#stream === stream) this.#stream = undefined;
      stream.cancel();
    }
  }

  #create(stream: Stream, watchId: bigint, range: KeyRange, startRevision: bigint): void {
    this.#unconfirmed.push(watchId);
    // etcd then tells idle watches every ten minutes where it is, so that they do not fall behind a compaction.
    const value = { ...range, startRevision, progressNotify: true, watchId };
    stream.write({ requestUnion: { $case: 'createRequest', value } });
  }

  #receive(response: WatchResponse, member: Member, onConfirmed: () => void): 'reopen' | undefined {
    const at = revisionOf(response.header);
    const id = response.created ? (this.#unconfirmed.shift() ?? 0n) : response.watchId;
    const follower = this.#followers.get(id);
    if (response.canceled && response.compactRevision > 0n) {
      follower?.gap();
      return undefined;
    }
    // The stream's token has expired since it was opened.
    if (response.canceled && response.created && this.#hasConfirmed) return 'reopen';
    if (response.canceled && (follower !== undefined || id === EPOCH_WATCH))
      throw refused(member, response.cancelReason || 'etcd ended the watch');
    if (id === EPOCH_WATCH && response.events.length > 0) for (const one of [...this.#followers.values()]) one.gap();
    if (follower === undefined) return undefined;
    if (response.created) {
      // A member that lags, or a store without its data: `#serve` finds out which.
      if (at < follower.next - 1n) throw refused(member, `it is at revision ${at}, before ${follower.next - 1n}`);
      this.#hasConfirmed = true;
      onConfirmed();
      follower.back();
    } else if (response.events.length > 0) {
      const changes = response.events.map((event) => this.#change(event));
      // Not the header's revision: of a long backlog etcd sends the first thousand revisions with its newest one.
      follower.push(changes, response.events.at(-1)?.kv?.modRevision ?? at);
    } else follower.next = at + 1n;
    return undefined;
  }

  #change({ type, kv }: Event): KeyChange {
    if (kv === undefined) throw fault.unavailable('watch', 'etcd', 'an event without a key');
    if (type === Event_EventType.DELETE) return { kind: 'delete', key: this.#keys.decode(kv.key) };
    return { kind: 'put', ...this.#keys.entry(kv) };
  }

  #leave(follower: Follower): void {
    if (!this.#followers.delete(follower.id)) return;
    if (this.#followers.size === 0) this.#end();
    else this.#stream?.write({ requestUnion: { $case: 'cancelRequest', value: { watchId: follower.id } } });
  }

  #end(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    stream?.cancel();
  }
}

function refused({ endpoint }: Member, what: string): Error {
  return fault.unavailable('watch', `etcd ${endpoint}`, what, 'Check the log of etcd');
}
