import type { KeyChange, Snapshot } from '../store/cluster/cluster-store.ts';

/** What entries were before they changed, by the rest of their keys; undefined: absent. */
export type Before<T> = ReadonlyMap<string, T | undefined>;

export interface MirrorParts<T> {
  readonly prefix: string;
  /** The parsed value; undefined for a malformed one, which `foreign` reports and the mirror ignores. */
  readonly parse: (rest: string, text: string, version: bigint) => T | undefined;
  readonly foreign: (key: string, text: string) => void;
  /** Whether entries of a former epoch are kept. Default: true. False for what holds only while the store has it. */
  readonly carries?: boolean;
  /** Called after each change, with what the changed entries were; without it, any may have changed. */
  readonly changed: (before?: Before<T>) => void;
  /** Called when the epoch changes. */
  readonly reset: (epoch: string) => void;
}

/**
 * The entries below one prefix, by the rest of their keys. After the store has lost its data, the entries of the former
 * epoch are carried: each stays in force until its host has put it again, or until `drop` deletes it.
 */
export class Mirror<T> {
  readonly prefix: string;
  /** Undefined until the first snapshot. */
  epoch: string | undefined;
  at = 0n;
  readonly #parts: MirrorParts<T>;
  #entries = new Map<string, T>();
  #carried = new Map<string, T>();

  constructor(parts: MirrorParts<T>) {
    this.#parts = parts;
    this.prefix = parts.prefix;
  }

  get size(): number {
    return this.#entries.size + this.#carried.size;
  }

  get carried(): number {
    return this.#carried.size;
  }

  get(rest: string): T | undefined {
    return this.#entries.get(rest) ?? this.#carried.get(rest);
  }

  has(rest: string): boolean {
    return this.#entries.has(rest) || this.#carried.has(rest);
  }

  *[Symbol.iterator](): Generator<[string, T]> {
    yield* this.#entries;
    yield* this.#carried;
  }

  /** What the store has, without what is carried. */
  stored(): ReadonlyMap<string, T> {
    return this.#entries;
  }

  /** Fills the mirror with the entries that an earlier process kept, of the epoch that it knew. */
  restore(epoch: string, entries: Iterable<readonly [rest: string, text: string]>): void {
    this.epoch = epoch;
    for (const [rest, text] of entries) this.#put(rest, text, 0n);
  }

  replace({ entries, epoch, at }: Snapshot): void {
    const before = this.#entries;
    const isReset = this.epoch !== undefined && this.epoch !== epoch;
    this.#entries = new Map();
    if (isReset && this.#parts.carries !== false) for (const [rest, value] of before) this.#carried.set(rest, value);
    for (const entry of entries.values()) this.#put(this.#restOf(entry.key), entry.value, entry.version);
    this.epoch = epoch;
    this.at = at;
    if (isReset) this.#parts.reset(epoch);
    this.#parts.changed();
  }

  change(changes: readonly KeyChange[], at: bigint): void {
    const before = new Map<string, T | undefined>();
    for (const change of changes) {
      const rest = this.#restOf(change.key);
      if (!before.has(rest)) before.set(rest, this.get(rest));
      if (change.kind === 'put') this.#put(rest, change.value, change.version);
      else this.#entries.delete(rest);
    }
    this.at = at;
    this.#parts.changed(before);
  }

  /** Puts an entry that a refused commit of `epoch` found, unless the watch is past it: it may be deleted since. */
  learn(key: string, text: string, version: bigint, epoch: string | undefined): void {
    if (epoch === this.epoch && version <= this.at) return;
    const rest = this.#restOf(key);
    const before = this.get(rest);
    this.#put(rest, text, version);
    this.#parts.changed(new Map([[rest, before]]));
  }

  /** Drops the carried entries of which `isVoid` is true. */
  drop(isVoid: (rest: string, value: T) => boolean): void {
    const before = new Map<string, T>();
    for (const [rest, value] of this.#carried) {
      if (!isVoid(rest, value)) continue;
      this.#carried.delete(rest);
      before.set(rest, value);
    }
    if (before.size > 0) this.#parts.changed(before);
  }

  /** Knows nothing any more, as before the first snapshot. */
  clear(): void {
    this.#entries = new Map();
    this.#carried = new Map();
    this.epoch = undefined;
    this.#parts.changed();
  }

  #put(rest: string, text: string, version: bigint): void {
    const value = this.#parts.parse(rest, text, version);
    this.#carried.delete(rest);
    if (value !== undefined) this.#entries.set(rest, value);
    else {
      this.#entries.delete(rest);
      this.#parts.foreign(this.prefix + rest, text);
    }
  }

  #restOf(key: string): string {
    return key.slice(this.prefix.length);
  }
}
