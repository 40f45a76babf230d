import { fault } from '../../src/shared/errors/fault.ts';
import type { ClusterStore } from '../../src/shared/store/cluster/cluster-store.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';
import { wrapStore } from './cluster-machine.ts';

const CRASH = 'this process has been killed';

export function isCrash(error: unknown): boolean {
  return String(error).includes(CRASH);
}

/** Counts the steps of a process, and ends it at one of them: from then on it does nothing any more. */
export class Gate {
  isDead = false;
  #left = Number.POSITIVE_INFINITY;

  constructor(landings: (() => Promise<unknown>)[] = []) {
    this.landings = landings;
  }

  kill(): void {
    this.isDead = true;
  }

  /** Lives for `steps` steps more. */
  killAfter(steps: number): void {
    this.#left = steps;
  }

  /** Of the next commit: its answer is lost, or it lands later, when `landings` are run. */
  fault: 'lost' | 'late' | undefined;
  readonly landings: (() => Promise<unknown>)[];

  pass(): void {
    if (this.#left-- <= 0) this.isDead = true;
    if (this.isDead) throw new Error(CRASH);
  }
}

/** A store whose process may die before each call, and before its answer. */
export function gatedStore(store: ClusterStore, gate: Gate): ClusterStore {
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    gate.pass();
    const answer = await work();
    gate.pass();
    return answer;
  };
  return wrapStore(store, {
    list: (prefix) => call(() => store.list(prefix)),
    commit: (change) =>
      call(async () => {
        const what = gate.fault;
        gate.fault = undefined;
        if (what === 'late') gate.landings.push(() => store.commit(change));
        if (what === 'lost') await store.commit(change);
        if (what !== undefined) throw fault.unavailable('commit', 'store', 'no answer');
        return await store.commit(change);
      }),
    session: (ttl, signal) => call(() => store.session(ttl, signal)),
  });
}

/** A local store whose process may die before each transaction, before its commit, and after it. */
export function gatedLocal(store: LocalStore, gate: Gate): LocalStore {
  let depth = 0;
  return Object.assign(Object.create(store) as LocalStore, {
    transaction: <T>(work: () => T): T => {
      if (depth === 0) gate.pass();
      depth++;
      try {
        const result = store.transaction(() => {
          const result = work();
          if (depth === 1) gate.pass();
          return result;
        });
        return result;
      } finally {
        if (--depth === 0 && !gate.isDead) gate.pass();
      }
    },
    snapshot: <T>(work: () => T): T => work(),
  });
}
