import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Host, HostIdentity, Namespace, Namespaces, View, ViewQuery } from '../../src/shared/host/host.ts';
import type { Op } from '../../src/shared/model/op.ts';

/** The Op at which `apply` fails: its number, counted from 0 over all calls, and before or after it runs. */
export interface FailurePoint {
  readonly at: number;
  readonly when: 'before' | 'after';
}

/**
 * A host whose Ops are carried out one by one, and one of which fails. Without a point it only counts. `revert` is
 * never in the way: it runs after the failure.
 */
export class FailingHost implements Host {
  readonly #host: Host;
  readonly #point: FailurePoint | undefined;
  applied = 0;

  constructor(host: Host, point?: FailurePoint) {
    this.#host = host;
    this.#point = point;
  }

  get identity(): HostIdentity {
    return this.#host.identity;
  }

  get own(): Namespace {
    return this.#host.own;
  }

  open(path: string): Namespace {
    return this.#host.open(path);
  }

  observe(ns: Namespace, query: ViewQuery): View {
    return this.#host.observe(ns, query);
  }

  apply(ops: readonly Op[], namespaces: Namespaces): void {
    for (const op of ops) {
      const number = this.applied++;
      const fails = number === this.#point?.at;
      if (!fails || this.#point?.when === 'after') this.#host.apply([op], namespaces);
      if (fails) throw refusal(op);
    }
  }

  revert(ops: readonly Op[], namespaces: Namespaces): NetError[] {
    return this.#host.revert(ops, namespaces);
  }
}

function refusal(op: Op): NetError {
  return new NetError({ kind: 'kernel', op: op.op, subject: 'this step', what: 'was chosen to fail', errno: 12 });
}
