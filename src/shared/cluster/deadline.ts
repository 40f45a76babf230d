import { fault } from '../errors/fault.ts';
import { asNetError } from '../errors/net-error.ts';

/** Within this time a call of a runtime is answered, if the store does not answer. */
export const ANSWER_MS = 1_400;
/** The same while several members of the store may be electing a leader, which takes up to two seconds. */
export const ELECTION_MS = 2_700;

/** How long calls wait for the store: longer only where waiting may help. */
export class Patience {
  readonly #elects: boolean;
  readonly #lostSince: () => number | undefined;
  readonly #now: () => number;
  #failsSince: number | undefined;

  /** `elects`: the store has several members. `lostSince`: when the first watch that is late became so. */
  constructor(parts: { elects: boolean; lostSince: () => number | undefined; now: () => number }) {
    this.#elects = parts.elects;
    this.#lostSince = parts.lostSince;
    this.#now = parts.now;
  }

  /** How long a call that begins now waits: until an election that began with the first failure must be over. */
  limit(): number {
    if (!this.#elects) return ANSWER_MS;
    const now = this.#now();
    const since = Math.min(this.#failsSince ?? now, this.#lostSince() ?? now);
    return Math.min(ELECTION_MS, Math.max(ANSWER_MS, since + ELECTION_MS - now));
  }

  /**
   * The promise's outcome; throws NetError `unavailable` after `limit`. The work itself goes on: `signal` tells it.
   */
  async within<T>(op: string, subject: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const ms = this.limit();
    const begin = this.#now();
    const end = new AbortController();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      const what = `the cluster's store did not answer within ${(ms / 1000).toFixed(1)} s`;
      const error = fault.unavailable(op, subject, what, 'isthmus cluster status says why');
      reject(error);
      end.abort(error);
    }, ms);
    // Also what it throws at once is an outcome: the timer must not outlive it.
    const done = (async () => await work(end.signal))();
    try {
      const result = await Promise.race([done, late]);
      this.#failsSince = undefined;
      return result;
    } catch (error) {
      this.#failsSince = asNetError(error, op).kind === 'unavailable' ? (this.#failsSince ?? begin) : undefined;
      throw error;
    } finally {
      clearTimeout(timer);
      done.catch(() => {});
    }
  }
}
