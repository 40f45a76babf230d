import type { Core } from '../../../src/shared/core/core.ts';
import { type Firewaller, NO_FIREWALLER } from '../../../src/shared/firewall/firewaller.ts';
import { isAbsence } from '../../../src/shared/host/failure.ts';
import type { Host, Namespaces } from '../../../src/shared/host/host.ts';
import { renderOp } from '../../../src/shared/host/render.ts';
import type { Op } from '../../../src/shared/model/op.ts';
import type { LocalStore } from '../../../src/shared/store/store.ts';
import type { World } from './world.ts';

/** Describes a step, for printed schedules. */
export interface Label {
  readonly what: string;
  /** A step that changes nothing. Printed schedules join consecutive ones. */
  readonly reads?: boolean;
}

/** One party's access to the world. Each step passes through here; the scheduler may stop or kill the party here. */
export interface Gate {
  /** One synchronous step. Another process may run before it. */
  step<T>(label: Label, work: () => T): T;
  /** A part of a step: the process may die before it, but no other party runs. */
  part(work: () => void): void;
  /** A transaction, stored as a whole. Another process may run before and after it. */
  transaction<T>(store: LocalStore, work: () => T): T;
  /** An asynchronous step, done when the scheduler chooses it and `isReady`. Any other party may run before it. */
  request<T>(label: Label, isReady: () => boolean, work: () => T): Promise<T>;
  /** Releases something. No other party runs before it, and a dead process does not run it. */
  release(label: Label, work: () => void): void;
}

/** A core, with what only some calls receive. */
export interface PartyCore extends Core {
  readonly tryLock: (key: string) => Disposable;
  /** Lets other parties run. */
  readonly wait: () => Promise<void>;
}

export interface CoreParts {
  readonly world: World;
  readonly store: LocalStore;
  readonly gate: Gate;
  /** Number of the process. */
  readonly process: number;
  /** True for a daemon, which deletes links while other calls continue. */
  readonly isDaemon: boolean;
  readonly nameOf: (lock: string) => string;
}

const READS = /^(get|list|any|at|runAt|count|partners|missing|read)$/;
const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A core whose every outgoing call passes the gate. */
export function gatedCore({ world, store, gate, process, isDaemon, nameOf }: CoreParts): PartyCore {
  const held = (key: string): Disposable => {
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) gate.release({ what: `releases lock ${nameOf(key)}` }, () => world.locks.release(key));
        isHeld = false;
      },
    };
  };
  const host = gatedHost(world.host, gate);
  const filters = {
    nftables: gatedFilter('firewall', world.filter, gate),
    bridge: gatedFilter('guards', world.filter.of('bridge'), gate),
  };
  return {
    host,
    store: gatedStore(store, gate),
    changes: gated('change count', world.changes, gate),
    log: SILENT,
    firewall: (backend) => (backend === 'nftables' || backend === 'bridge' ? filters[backend] : NO_FIREWALLER),
    lock: async (key) => {
      const label = { what: `takes lock ${nameOf(key)}` };
      await gate.request(
        label,
        () => world.locks.isFree(key),
        () => world.locks.take(key, process),
      );
      return held(key);
    },
    wait: () =>
      gate.request(
        { what: 'waits' },
        () => true,
        () => undefined,
      ),
    tryLock: (key) => {
      gate.step({ what: `tries lock ${nameOf(key)}` }, () => world.locks.take(key, process));
      return held(key);
    },
    ...(isDaemon
      ? {
          rest: () =>
            gate.request(
              { what: 'rests' },
              () => true,
              () => undefined,
            ),
          removeLink: async ({ name, kind }) => {
            const op: Op = { op: 'link.delete', ns: 'host', name, ...(kind === undefined ? {} : { kind }) };
            const [failure] = await gate.request(
              { what: `removes link ${name}` },
              () => true,
              () => world.host.revert([op], { host: world.host.own }),
            );
            return failure !== undefined && isAbsence(failure) ? undefined : failure;
          },
        }
      : {}),
    plugin: (name) => Promise.reject(new Error(`there is no plugin ${name} here`)),
    delegate: (type) => {
      throw new Error(`no schedule calls the plugin ${type}`);
    },
  };
}

/** Every method of every table is one step. */
function gatedStore(store: LocalStore, gate: Gate): LocalStore {
  const tables = new Map<PropertyKey, unknown>();
  return new Proxy(store, {
    get(_, key) {
      if (key === 'transaction') return <T>(work: () => T) => gate.transaction(store, work);
      const value: unknown = Reflect.get(store, key, store);
      if (typeof value !== 'object' || value === null) return value;
      const table = tables.get(key) ?? gated(String(key), value, gate);
      tables.set(key, table);
      return table;
    },
  });
}

/** Reads the records of a reset in steps of their own: a process that runs again from its log reads them again. */
function gatedFilter(name: string, filter: Firewaller, gate: Gate): Firewaller {
  const steps = gated(name, filter, gate);
  const reset: Firewaller['reset'] = (read) => {
    const wanted = read();
    return steps.reset(() => wanted);
  };
  return new Proxy(steps, { get: (target, key) => (key === 'reset' ? reset : Reflect.get(target, key)) });
}

/** Every method is one step. */
function gated<T extends object>(name: string, target: T, gate: Gate): T {
  return new Proxy(target, {
    get(_, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function' || typeof key === 'symbol') return value;
      const reads = READS.test(key);
      return (...args: unknown[]) =>
        gate.step({ what: `${name}.${key}${subjectOf(args[0])}`, reads }, () => Reflect.apply(value, target, args));
    },
  });
}

function gatedHost(host: Host, gate: Gate): Host {
  return {
    identity: host.identity,
    own: host.own,
    open: (path) => gate.step({ what: `opens ${path}`, reads: true }, () => host.open(path)),
    observe: (ns, query) =>
      gate.step({ what: `observes ${ns.path || 'host'}`, reads: true }, () => host.observe(ns, query)),
    apply: (ops, namespaces) =>
      gate.step({ what: `applies ${texts(ops)}` }, () => {
        for (const op of ops) gate.part(() => host.apply([op], namespaces));
      }),
    revert: (ops, namespaces) =>
      gate.step({ what: `reverts ${texts(ops)}` }, () => reverted(host, ops, namespaces, gate)),
  };
}

function reverted(host: Host, ops: readonly Op[], namespaces: Namespaces, gate: Gate): ReturnType<Host['revert']> {
  const errors: ReturnType<Host['revert']> = [];
  for (const op of ops) gate.part(() => void errors.push(...host.revert([op], namespaces)));
  return errors;
}

function texts(ops: readonly Op[]): string {
  return ops.length === 0 ? 'nothing' : ops.map((op) => renderOp(op, { sandbox: 'pod' })).join('; ');
}

/** The row or entries of a step. */
function subjectOf(value: unknown): string {
  if (typeof value === 'string') return ` ${value}`;
  if (Array.isArray(value))
    return ` ${value.length} entries${value.length > 0 ? `: ${value.map(kindOf).join(', ')}` : ''}`;
  if (typeof value !== 'object' || value === null) return '';
  const row: { attachment?: { containerId?: string }; owner?: { containerId?: string }; containerId?: string } = value;
  const id = row.attachment?.containerId ?? row.owner?.containerId ?? row.containerId;
  const progress = 'progress' in value ? ` ${value.progress}` : '';
  const name = 'name' in value ? ` ${value.name}` : '';
  return `${id === undefined ? name : ` ${id.slice(0, 12)}`}${progress}`;
}

function kindOf(entry: unknown): string {
  if (typeof entry !== 'object' || entry === null || !('kind' in entry)) return String(entry);
  return 'hostPort' in entry && 'address' in entry ? `port ${entry.hostPort}->${entry.address}` : String(entry.kind);
}
