import type { LocalStore } from '../../../src/shared/store/store.ts';
import { gatedCore, type Label, type PartyCore } from './gate.ts';
import { attempt, type Entry, gateOf, Incarnation, type Point } from './incarnation.ts';
import type { World } from './world.ts';

/** One call or pass of a party. */
export interface Party {
  readonly name: string;
  readonly run: (core: PartyCore) => Promise<unknown>;
}

/** The result of a party. Times count steps of the whole schedule. */
export interface Outcome {
  begin?: number;
  end?: number;
  value?: unknown;
  error?: unknown;
  killed?: boolean;
}

/** Callbacks of a process to its scheduler. */
export interface Watcher {
  /** Called before each step. Returns `stop` if another party runs first, `kill` if the process dies. */
  before(party: number, point: Point): 'go' | 'stop' | 'kill';
  tell(party: number, label: Label): void;
  now(): number;
}

/**
 * A process: parties that share one thread. A process that stops between two synchronous steps is abandoned there. To
 * continue, its code runs again from the start and receives the logged answers of its earlier steps. No step reaches
 * the world twice.
 */
export class Process {
  readonly outcomes = new Map<number, Outcome>();
  readonly #number: number;
  readonly #world: World;
  readonly #watcher: Watcher;
  readonly #parties: ReadonlyMap<number, Party>;
  readonly #isDaemon: boolean;
  readonly #store: LocalStore;
  readonly #nameOf: (lock: string) => string;
  readonly #log: Entry[] = [];
  #code = new Incarnation();
  /** The party that was stopped between two synchronous steps. */
  #stopped: number | undefined;
  isDead = false;

  constructor(
    number: number,
    parties: ReadonlyMap<number, Party>,
    parts: { world: World; watcher: Watcher; isDaemon: boolean; nameOf: (lock: string) => string },
  ) {
    this.#number = number;
    this.#parties = parties;
    this.#world = parts.world;
    this.#watcher = parts.watcher;
    this.#isDaemon = parts.isDaemon;
    this.#nameOf = parts.nameOf;
    this.#store = parts.world.openStore();
    for (const party of parties.keys()) this.outcomes.set(party, {});
  }

  /** True if the party can do a step now. */
  canRun(party: number): boolean {
    const outcome = this.outcomes.get(party);
    if (this.isDead || outcome === undefined || outcome.end !== undefined) return false;
    if (this.#stopped !== undefined) return this.#stopped === party;
    return outcome.begin === undefined || this.#next(party) !== undefined;
  }

  isDone(party: number): boolean {
    return this.isDead || this.outcomes.get(party)?.end !== undefined;
  }

  /** The locks and answers that a party waits for, for the message about a deadlock. */
  waitsFor(party: number): string {
    return [...this.#code.pending.values()].flatMap((one) => (one.party === party ? [one.label.what] : [])).join(', ');
  }

  /** Runs the party until it ends, waits for another one, or the watcher stops it. */
  async advance(party: number): Promise<void> {
    if (this.#stopped !== undefined) await this.#revive();
    while (!this.isDead && this.#stopped === undefined && this.canRun(party)) {
      const verdict = this.#watcher.before(party, 'await');
      if (verdict === 'stop') return;
      if (verdict === 'kill') return this.#die(party);
      await this.#resume(party);
    }
  }

  async #resume(party: number): Promise<void> {
    const outcome = this.outcomes.get(party);
    if (outcome?.begin === undefined) {
      if (outcome !== undefined) outcome.begin = this.#watcher.now();
      this.#watcher.tell(party, { what: 'begins' });
      this.#log.push({ kind: 'start', party });
    } else {
      const id = this.#next(party);
      const pending = id === undefined ? undefined : this.#code.pending.get(id);
      if (id === undefined || pending === undefined) throw new Error('nothing to resume');
      this.#watcher.tell(party, pending.label);
      this.#log.push({ kind: 'resume', id, ...attempt(pending.work) });
    }
    await this.#follow();
  }

  /** Runs the same code from the start, in its new incarnation. */
  async #revive(): Promise<void> {
    this.#code = new Incarnation();
    this.#stopped = undefined;
    while (this.#code.isAlive && this.#code.cursor < this.#log.length) await this.#follow();
  }

  /** Gives the code the next entry that no request of its own consumes, and runs it until it waits. */
  async #follow(): Promise<void> {
    const code = this.#code;
    const entry = this.#log[code.cursor++];
    if (entry?.kind === 'start') this.#start(entry.party, code);
    else if (entry?.kind === 'resume') {
      const pending = code.pending.get(entry.id);
      code.pending.delete(entry.id);
      if (pending === undefined) throw new Error('the code took another way when it ran again');
      if ('error' in entry) pending.reject(entry.error);
      else pending.resolve(entry.value);
    } else throw new Error('the code took another way when it ran again');
    await settled();
  }

  #start(party: number, code: Incarnation): void {
    const { run } = this.#parties.get(party) ?? {};
    const outcome = this.outcomes.get(party);
    if (run === undefined || outcome === undefined) throw new Error(`no party ${party}`);
    const gate = gateOf(code, this.#log, {
      party,
      before: (point) => {
        const verdict = this.#watcher.before(party, point);
        if (verdict === 'kill') this.#die(party);
        if (verdict === 'stop') this.#stopped = party;
        return verdict === 'go';
      },
      tell: (label) => this.#watcher.tell(party, label),
    });
    const core = gatedCore({
      world: this.#world,
      store: this.#store,
      gate,
      process: this.#number,
      isDaemon: this.#isDaemon,
      nameOf: this.#nameOf,
    });
    const ended = (result: object, what: string): void => {
      if (!code.isAlive || outcome.end !== undefined) return;
      Object.assign(outcome, result, { end: this.#watcher.now() });
      this.#watcher.tell(party, { what });
    };
    run(core).then(
      (value) => ended({ value }, 'answers'),
      (error: unknown) => ended({ error }, `fails: ${error instanceof Error ? error.message : error}`),
    );
  }

  /** The first of the party's requests that can proceed. */
  #next(party: number): number | undefined {
    for (const [id, one] of this.#code.pending) if (one.party === party && one.isReady()) return id;
    return undefined;
  }

  /** Acts like kill -9: its code stops, and the kernel frees its locks. */
  #die(party: number): void {
    this.isDead = true;
    this.#code.isAlive = false;
    this.#world.locks.releaseAll(this.#number);
    this.#watcher.tell(party, { what: 'IS KILLED, with its process' });
    for (const outcome of this.outcomes.values()) if (outcome.end === undefined) outcome.killed = true;
  }
}

/** Resolves after all microtasks: then the code waits for the scheduler. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
