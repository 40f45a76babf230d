import { asNetError } from '../errors/net-error.ts';
import type { Session } from '../store/cluster/cluster-store.ts';
import { backOff, orAborted } from '../store/cluster/pause.ts';
import { join, SESSION_S } from './join.ts';
import type { Site } from './site.ts';

/**
 * Tries to join in one session. The store tells every host of each session's begin and end, so a new session for each try
 * would give a busy store more to do.
 */
const TRIES = 6;
/** How long a member that stops waits for the store to end its session. */
const FAREWELL_MS = 500;

/** Keeps this host a member of the cluster, with a session in the store. */
export class Membership {
  readonly #site: Site;
  #restart = new AbortController();

  constructor(site: Site) {
    this.#site = site;
  }

  /**
   * Joins again whenever the session has ended or the store has lost its data. Ends by `signal`, and the session with it, so
   * that the others hear of it at once, and a host that has rebooted can join.
   */
  async stay(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; ) {
      const end = new AbortController();
      let session: Session | undefined;
      try {
        this.#restart = new AbortController();
        session = await this.enter(AbortSignal.any([signal, end.signal]), TRIES);
        failures = 0;
        await orAborted(session.lost, AbortSignal.any([signal, this.#restart.signal]));
        if (!signal.aborted) this.#site.log.warn('cluster session ended');
      } catch (error) {
        failures++;
        this.#site.log.warn('cluster not joined', { error: asNetError(error, 'cluster.join').message });
      } finally {
        this.#site.epoch = undefined;
        end.abort();
      }
      if (signal.aborted) await orAborted(Promise.resolve(session?.lost), AbortSignal.timeout(FAREWELL_MS));
      else await backOff(failures, signal);
    }
  }

  /** Joins, with so many tries while the store does not answer. The session ends with `signal`, or if joining fails. */
  async enter(signal: AbortSignal, tries = 1): Promise<Session> {
    const end = new AbortController();
    const either = AbortSignal.any([signal, end.signal]);
    try {
      const session = await this.#site.store.session(SESSION_S, either);
      for (let failures = 0; !(await this.#join(session, failures + 1 < tries && !signal.aborted)); failures++)
        await orAborted(Promise.race([backOff(failures, either), session.lost]), either);
      this.#site.obstacle = undefined;
      return session;
    } catch (error) {
      this.#site.obstacle = asNetError(error, 'cluster.join');
      end.abort();
      throw error;
    }
  }

  /** False if it may succeed later, in the same session, and is to be tried again. */
  async #join(session: Session, again: boolean): Promise<boolean> {
    try {
      await join(this.#site, session);
      return true;
    } catch (error) {
      this.#site.obstacle = asNetError(error, 'cluster.join');
      if (!again || this.#site.obstacle.kind !== 'unavailable') throw error;
      return false;
    }
  }

  /** Joins again since the store has lost its data: puts all that this host holds. */
  restart(): void {
    this.#site.epoch = undefined;
    this.#restart.abort();
  }
}
