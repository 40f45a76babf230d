import type { KeyChange } from '../cluster/cluster-store.ts';
import { Inbox } from '../cluster/inbox.ts';
import type { KeyRange } from './keys.ts';

/** One watched range of keys. */
export class Follower extends Inbox {
  readonly id: bigint;
  readonly range: KeyRange;
  readonly epoch: string;
  /** The first revision that has not been seen. */
  next: bigint;

  constructor(id: bigint, range: KeyRange, from: Pick<Follower, 'epoch' | 'next'>, leave: (one: Follower) => void) {
    super(() => leave(this));
    this.id = id;
    this.range = range;
    this.epoch = from.epoch;
    this.next = from.next;
  }

  override push(changes: readonly KeyChange[], at: bigint): void {
    this.next = at + 1n;
    super.push(changes, at);
  }
}
