import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

/** Hosts `from` to `to`, the last one excluded. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** An ADD: the key of its address, when it began, and when it was answered. Milliseconds of the machine's clock. */
export interface Begun {
  readonly key: string;
  readonly network: string;
  readonly at: number;
  readonly answered: number;
}

/** By key of an address: how many kernels of the process have it, and since when the last one. */
export type Arrivals = Record<string, { readonly hosts: number; readonly last: number }>;

export interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
}

export interface Filled {
  /** ADDs that were refused, and repeated. */
  readonly refused: number;
  /** Changes that the store was asked for. */
  readonly commits: number;
}

type Order<I, O> = { readonly of: I; readonly value: O };

/** What a process of the simulation can be asked. */
export interface Orders {
  readonly create: Order<Span, void>;
  readonly start: Order<Span, void>;
  readonly makeNetworks: Order<
    {
      readonly host: number;
      readonly names: readonly string[];
      /** Of the first one: 10.<prefix>.0.0/16. */
      readonly prefix: number;
      readonly mode: 'shared' | 'per-host';
    },
    string[]
  >;
  /** The networks of each host of the span. */
  readonly use: Order<{ readonly span: Span; readonly networks: readonly (readonly string[])[] }, void>;
  readonly fill: Order<{ readonly span: Span; readonly endpoints: number; readonly only?: string }, Filled>;
  readonly paced: Order<
    { readonly span: Span; readonly adds: number; readonly perSecond: number },
    { readonly begun: readonly Begun[]; readonly refused: number }
  >;
  readonly watch: Order<undefined, void>;
  readonly arrivals: Order<undefined, Arrivals>;
  readonly memory: Order<undefined, Memory>;
  readonly check: Order<{ readonly seconds: number }, string[]>;
  readonly cold: Order<
    { readonly host: number; readonly network: string; readonly count: number },
    { readonly joined: number; readonly restarted: number }
  >;
  readonly end: Order<undefined, void>;
}

/** A process with some hosts of the simulation. */
export class Crowd implements AsyncDisposable {
  readonly span: Span;
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<never>>();
  #last = 0;

  /** `options` are further ones of Node. */
  constructor(span: Span, endpoint: string, stateDirs: string, options: readonly string[] = []) {
    this.span = span;
    const execArgv = ['--disable-warning=ExperimentalWarning', '--expose-gc', ...options];
    this.#child = fork(join(import.meta.dirname, 'scale-child.ts'), [endpoint, stateDirs], { execArgv });
    this.#child.on('message', ({ id, value, error }: { id: number; value?: never; error?: string }) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value as never);
      else waiting?.reject(new Error(error));
    });
    this.#child.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`a process ended: ${signal ?? code}`));
    });
  }

  ask<K extends keyof Orders>(order: K, of: Orders[K]['of']): Promise<Orders[K]['value']> {
    const id = ++this.#last;
    const waiting = Promise.withResolvers<never>();
    this.#waiting.set(id, waiting);
    this.#child.send({ id, order, of });
    return waiting.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.exitCode === null && this.#child.signalCode === null && this.#child.kill('SIGKILL')) await ended;
  }
}
