/** Milliseconds that a runtime has to bind the ports itself after its call, as podman does for conmon. */
export const RUNTIME_MS = 10_000;

/** Owners whose published ports are left to their runtime for now. */
export class LeftPorts {
  readonly #now: () => number;
  /** When the runtime's time ends, by owner. */
  readonly #until = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  add(owner: string): void {
    this.#until.set(owner, this.#now() + RUNTIME_MS);
  }

  has(owner: string): boolean {
    const until = this.#until.get(owner);
    if (until === undefined) return false;
    if (until > this.#now()) return true;
    this.#until.delete(owner);
    return false;
  }

  /** Milliseconds until the first runtime's time ends; infinite without any. */
  next(): number {
    for (const owner of this.#until.keys()) this.has(owner);
    return Math.min(...this.#until.values()) - this.#now();
  }

  delete(owner: string): void {
    this.#until.delete(owner);
  }
}
