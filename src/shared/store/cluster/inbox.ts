import type { NetError } from '../../errors/net-error.ts';
import type { KeyChange, WatchItem } from './cluster-store.ts';
import { orAborted } from './pause.ts';

/** Changes that wait for a consumer. Beyond, a new list is cheaper. */
const MOST_WAITING = 10_000;

/** What a consumer gets after its snapshot; after `gap` nothing more: what comes next is a new list. */
export type Followed = Exclude<WatchItem, { kind: 'snapshot' }> | { readonly kind: 'gap' };

/** What came from the store for one watch, and its consumer has not taken yet. */
export class Inbox implements Disposable {
  readonly #leave: () => void;
  #items: Followed[] = [];
  #waiting = 0;
  #isLost = false;
  #hasEnded = false;
  #wake = Promise.withResolvers<void>();

  /** `leave` is called once, when nothing more is taken. */
  constructor(leave: () => void) {
    this.#leave = leave;
  }

  push(changes: readonly KeyChange[], at: bigint): void {
    if (changes.length === 0) return;
    this.#waiting += changes.length;
    if (this.#waiting > MOST_WAITING) this.gap();
    else this.#add({ kind: 'changes', changes, at });
  }

  lose(error: NetError): void {
    if (!this.#isLost) this.#add({ kind: 'lost', error });
    this.#isLost = true;
  }

  back(): void {
    if (this.#isLost) this.#add({ kind: 'back' });
    this.#isLost = false;
  }

  /** Changes have been missed, or may have been. */
  gap(): void {
    this.#items = this.#items.filter(({ kind }) => kind !== 'changes');
    this.#add({ kind: 'gap' });
    this[Symbol.dispose]();
  }

  /** The next item, when there is one; undefined once the signal aborts. */
  async take(signal: AbortSignal): Promise<Followed | undefined> {
    while (!signal.aborted) {
      const item = this.#items.shift();
      if (item?.kind === 'changes') this.#waiting -= item.changes.length;
      if (item !== undefined) return item;
      await orAborted(this.#wake.promise, signal);
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    if (!this.#hasEnded) this.#leave();
    this.#hasEnded = true;
  }

  #add(item: Followed): void {
    if (this.#hasEnded) return;
    this.#items.push(item);
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
