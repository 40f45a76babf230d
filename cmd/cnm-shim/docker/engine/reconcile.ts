import type { Core } from '../../../../src/shared/core/core.ts';
import type { Avoided } from '../../../../src/shared/core/pools/pools.ts';
import { asNetError, combineErrors } from '../../../../src/shared/errors/net-error.ts';
import type { Logger } from '../../../../src/shared/log/log.ts';
import { parsePrefix } from '../../../../src/shared/model/prefix.ts';
import type { Recorder } from '../../control/operations.ts';
import type { Routes } from '../wire/routes.ts';
import type { DockerApi } from './api.ts';
import type { DockerNetwork } from './api-answers.ts';
import { type Outcome, Pass } from './reconcile-pass.ts';

export interface ReconcilerParts {
  readonly api: DockerApi;
  /** Opens a core for a few steps. */
  readonly open: () => Core & Disposable;
  /** The handlers, which create and delete networks. */
  readonly routes: Routes;
  readonly log: Logger;
  readonly recorder?: Recorder;
  /** Names under which dockerd knows this plugin; default `isthmus`. */
  readonly drivers?: readonly string[];
  readonly timing?: Partial<Timing>;
}

/** In milliseconds. */
export interface Timing {
  /** dockerd may not know anything younger, because it is still being created. */
  readonly grace: number;
  /** Time between two looks; a change is made only if both call for it. */
  readonly between: number;
  /** Time between two passes. */
  readonly every: number;
  /** Time after a first failure; doubles with each further one, up to `every`. */
  readonly retry: number;
  /** Time after a notice of change, and the minimum between any two passes. */
  readonly settle: number;
}

const TIMING: Timing = { grace: 60_000, between: 2000, every: 600_000, retry: 15_000, settle: 1000 };

/**
 * Keeps the records in line with dockerd, which may lose networks and endpoints silently, or know networks whose
 * records were lost. Runs beside the handlers, never inside one: dockerd may not answer while it waits for them.
 * Deletes nothing while dockerd does not answer.
 */
export class Reconciler {
  readonly #parts: ReconcilerParts;
  readonly #timing: Timing;
  readonly #drivers: ReadonlySet<string>;
  readonly #end = new AbortController();
  /** When an id was first seen, for objects without a trustworthy time of creation. */
  #seen: ReadonlyMap<string, number> = new Map();
  #avoid: readonly Avoided[] = [];
  #timer: NodeJS.Timeout | undefined;
  #refresh: NodeJS.Timeout | undefined;
  #pass: Promise<void> | undefined;
  #isWanted = false;
  /** dockerd has just shown that it runs. */
  #isAwake = false;
  #failures = 0;

  constructor(parts: ReconcilerParts) {
    this.#parts = parts;
    this.#timing = { ...TIMING, ...parts.timing };
    this.#drivers = new Set((parts.drivers ?? ['isthmus']).flatMap((name) => [name, `${name}:latest`]));
  }

  /** Known subnets of Docker's networks, which newly chosen pools must avoid. */
  get avoid(): readonly Avoided[] {
    return this.#avoid;
  }

  /** Starts the passes. */
  start(): void {
    this.#schedule(0);
  }

  /** dockerd has started, or uses the plugin for the first time. */
  activated(): void {
    this.#failures = 0;
    this.#isAwake = true;
    this.#schedule(this.#timing.settle);
  }

  /** dockerd's networks have changed. */
  changed(): void {
    if (this.#end.signal.aborted) return;
    this.#refresh ??= setTimeout(() => {
      this.#refresh = undefined;
      this.#parts.api.networks(this.#end.signal).then(
        (networks) => this.#keepAway(networks),
        // The next pass reports the error.
        () => {},
      );
    }, this.#timing.settle).unref();
  }

  /** Starts no more passes; resolves when the one in progress has ended. */
  async stop(): Promise<void> {
    this.#end.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#refresh);
    await this.#pass;
  }

  /** Runs one pass. Undefined if no dockerd listens. Rejects with NetError if its answer is unusable. */
  async pass(): Promise<Outcome | undefined> {
    const { api, open, routes, log } = this.#parts;
    const { between, grace } = this.#timing;
    const seen = new Map<string, number>();
    const since = (id: string, createdAt: number | undefined, at: number): number => {
      // A clock that was set back leaves times in the future.
      if (createdAt !== undefined && createdAt <= at) return createdAt;
      const first = seen.get(id) ?? this.#seen.get(id) ?? at;
      seen.set(id, first);
      return first;
    };
    const told = (networks: readonly DockerNetwork[]): void => this.#keepAway(networks);
    const rules = { drivers: this.#drivers, grace, since };
    const outcome = await new Pass({ api, open, routes, log, rules, between, told, signal: this.#end.signal }).run();
    this.#seen = seen;
    return outcome;
  }

  #keepAway(networks: readonly DockerNetwork[] | undefined): void {
    if (networks === undefined) return;
    this.#avoid = networks.flatMap(({ name, pools }) =>
      pools.flatMap((pool): Avoided[] => {
        const subnet = parsePrefix(pool.subnet);
        // "All addresses" is not a pool of its own.
        return subnet === undefined || subnet.length === 0 ? [] : [{ subnet, holder: `Docker network "${name}"` }];
      }),
    );
  }

  #schedule(ms: number): void {
    if (this.#end.signal.aborted) return;
    if (this.#pass !== undefined) {
      this.#isWanted = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#pass = this.#turn().then((next) => {
        this.#pass = undefined;
        this.#schedule(this.#isWanted ? this.#timing.settle : next);
        this.#isWanted = false;
      });
    }, ms).unref();
  }

  /** Returns the milliseconds until the next pass. Never rejects. */
  async #turn(): Promise<number> {
    const { api, log } = this.#parts;
    const { every, retry, settle } = this.#timing;
    const isAwake = this.#isAwake;
    this.#isAwake = false;
    const began = performance.now();
    try {
      const outcome = isAwake || (await api.isRunning()) ? await this.pass() : undefined;
      this.#failures = 0;
      for (const error of outcome?.errors ?? []) log.warn('docker.reconcile', { error: error.message });
      if (outcome !== undefined) this.#record(outcome, performance.now() - began);
      return Math.min(every, Math.max(settle, (outcome?.again ?? Number.POSITIVE_INFINITY) - Date.now()));
    } catch (thrown) {
      if (!this.#end.signal.aborted) log.warn('docker.unanswered', { error: asNetError(thrown, 'docker').message });
      return Math.min(every, retry * 2 ** this.#failures++);
    }
  }

  /** Records passes that changed something; the others would fill the ring of operations. */
  #record({ networks, endpoints, restored, errors }: Outcome, ms: number): void {
    if (networks.length + endpoints.length + restored.length + errors.length === 0) return;
    this.#parts.recorder?.ended({
      camp: 'daemon',
      operation: 'docker.reconcile',
      subject: { removedNetworks: networks.length, removedEndpoints: endpoints.length, restored: restored.length },
      times: { ms: Math.round(ms * 100) / 100, phases: {} },
      error: combineErrors(errors, 'docker.reconcile'),
      restored: restored.length,
    });
  }
}
