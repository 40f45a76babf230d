/** What one look at the cluster says. */
export interface Look {
  /** Milliseconds; only differences count. */
  readonly now: number;
  /** The store answers, and this host is a member. */
  readonly isHealthy: boolean;
  /** All known hosts but this one. */
  readonly hosts: Iterable<string>;
  readonly isPresent: (host: string) => boolean;
}

/**
 * Decides whose entries are withdrawn: a host's that was the only silent one for the whole grace time, while the store
 * was healthy. A store outage ends all sessions at once, so silence after it proves nothing about a host. A host that is
 * back, or forgotten, is not withdrawn any more.
 */
export class Silence {
  readonly withdrawn = new Set<string>();
  readonly #graceMs: number;
  #silent = '';
  #since: number | undefined;

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** True if `withdrawn` changed. */
  observe({ now, isHealthy, hosts, isPresent }: Look): boolean {
    const known = [...hosts];
    const before = [...this.withdrawn].join(' ');
    for (const host of this.withdrawn) if (isPresent(host) || !known.includes(host)) this.withdrawn.delete(host);
    const silent = known.filter((host) => !isPresent(host) && !this.withdrawn.has(host)).sort();
    const text = silent.join(' ');
    if (!isHealthy || text !== this.#silent) this.#since = isHealthy ? now : undefined;
    if (isHealthy) this.#since ??= now;
    this.#silent = text;
    const [only] = silent;
    const isOver = this.#since !== undefined && now - this.#since >= this.#graceMs;
    if (silent.length === 1 && only !== undefined && isOver) this.withdrawn.add(only);
    return [...this.withdrawn].join(' ') !== before;
  }
}
