import { setTimeout as sleep } from 'node:timers/promises';
import { fault } from '../errors/fault.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import { field, isObject, parseJson } from '../model/json.ts';
import { Answer } from './answer.ts';
import { findPlugin, type PluginDirectories } from './discovery.ts';
import { Connections, type Outcome } from './exchange.ts';
import { cut, lacking, refused, show, unreadable } from './failures.ts';
import { formatPlace, type Place } from './place.ts';
import type { CallOptions, Method, RemotePlugin } from './plugin.ts';

export interface PluginTimes {
  /** Milliseconds for connecting, all attempts together. */
  readonly connectMs: number;
  /** Milliseconds until the second attempt. Each later one waits twice as long. */
  readonly retryMs: number;
  /** Milliseconds for the answer to a call. */
  readonly answerMs: number;
}

export interface PluginOptions {
  readonly directories: PluginDirectories;
  /** Sockets of this program. */
  readonly own: readonly string[];
  readonly times?: Partial<PluginTimes>;
}

const TIMES: PluginTimes = { connectMs: 15_000, retryMs: 1000, answerMs: 10_000 };
/** Timers may fire this much too early. */
const EARLY_MS = 1;
/** Code of the cause where nothing of the plugin is on this host. */
const NO_PLUGIN = 'ENOPLUGIN';
const ACTIVATE = 'Plugin.Activate';

/** An activated plugin. */
interface Session {
  readonly place: Place;
  readonly connections: Connections;
  readonly implements: readonly string[];
}
type Unreached = Extract<Outcome, { kind: 'unreached' }>;

/**
 * A client of one plugin: finds and activates it at the first call, and again when it is unreachable. Retries to
 * connect, with the whole body. Never repeats a request that the plugin may have read: its methods are not idempotent.
 */
export class PluginClient implements RemotePlugin, Disposable {
  readonly name: string;
  readonly #options: PluginOptions;
  readonly #times: PluginTimes;
  /** Under way, or done. */
  #session: Promise<Session | Unreached> | undefined;
  #current: Session | undefined;

  constructor(name: string, options: PluginOptions) {
    this.name = name;
    this.#options = options;
    this.#times = { ...TIMES, ...options.times };
  }

  /** The interfaces that the plugin implements. Throws like `call`. */
  async activate(options: CallOptions = {}): Promise<readonly string[]> {
    return await this.#retried(ACTIVATE, options, async () => {
      const session = await this.#open();
      return 'kind' in session ? session : { kind: 'done', value: session.implements };
    });
  }

  async call(method: Method, body?: object, options: CallOptions = {}): Promise<unknown> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const outcome = await this.#retried(method, options, async () => {
      const session = await this.#open();
      if ('kind' in session) return session;
      this.#assertImplements(method, session);
      const limits = { answerMs: this.#times.answerMs, signal: options.signal };
      const found = await session.connections.post(`/${method}`, text, limits);
      if (found.kind !== 'unreached') return { kind: 'done', value: found };
      this.#forget(session);
      return found;
    });
    return this.#read(method, outcome);
  }

  /** Breaks calls under way. */
  [Symbol.dispose](): void {
    this.#current?.connections[Symbol.dispose]();
    this.#session = this.#current = undefined;
  }

  /** Runs `attempt` until it reaches the plugin. */
  async #retried<T>(
    method: string,
    { signal, retry = true }: CallOptions,
    attempt: () => Promise<Unreached | { readonly kind: 'done'; readonly value: T }>,
  ): Promise<T> {
    const until = performance.now() + (retry ? this.#times.connectMs : 0);
    for (let wait = this.#times.retryMs; ; wait *= 2) {
      const found = await untilAborted(attempt(), signal);
      if (found?.kind === 'done') return found.value;
      const left = until - performance.now();
      if (found !== undefined && left < EARLY_MS) throw this.#unreachable(method, found);
      if (found !== undefined)
        await sleep(Math.min(wait, left), undefined, signal && { signal }).catch(() => undefined);
      if (signal?.aborted) throw this.#cancelled(method);
    }
  }

  /** All callers share one activation. */
  #open(): Promise<Session | Unreached> {
    this.#session ??= this.#activated().then(
      (found) => {
        if ('kind' in found) this.#session = undefined;
        else this.#current = found;
        return found;
      },
      (thrown: unknown) => {
        this.#session = undefined;
        throw thrown;
      },
    );
    return this.#session;
  }

  /** The next call activates again. Calls under way on other connections go on. */
  #forget(session: Session): void {
    session.connections.closeIdle();
    if (this.#current === session) this.#session = this.#current = undefined;
  }

  async #activated(): Promise<Session | Unreached> {
    const { directories, own } = this.#options;
    const place = await findPlugin(this.name, directories, own);
    if (place === undefined) {
      const why = `neither ${directories.sockets[0]} nor ${directories.specs.join(', ')} has it`;
      return { kind: 'unreached', why, cause: Object.assign(new Error(why), { code: NO_PLUGIN }) };
    }
    const connections = await this.#connect(place);
    try {
      const outcome = await connections.post(`/${ACTIVATE}`, '', { answerMs: this.#times.answerMs });
      if (outcome.kind === 'unreached') {
        connections[Symbol.dispose]();
        return { ...outcome, why: `${formatPlace(place)}: ${outcome.why}` };
      }
      const answer = new Answer({ plugin: this.name, method: ACTIVATE }, this.#read(ACTIVATE, outcome));
      return { place, connections, implements: answer.texts('Implements') };
    } catch (thrown) {
      connections[Symbol.dispose]();
      throw thrown;
    }
  }

  async #connect(place: Place): Promise<Connections> {
    try {
      return await Connections.open(place);
    } catch (thrown) {
      const { what } = asNetError(thrown, ACTIVATE);
      throw fault.invalidConfig(
        'plugin',
        `plugin ${this.name}`,
        `has an unusable TLSConfig: ${what}`,
        'Mend its files',
      );
    }
  }

  #assertImplements(method: Method, { implements: implemented }: Session): void {
    const [wanted = ''] = method.split('.');
    if (implemented.includes(wanted)) return;
    const list = implemented.map(cut).join(', ') || 'nothing';
    throw lacking(method, this.name, `implements ${cut(list)}, not ${wanted}`);
  }

  #read(method: string, outcome: Outcome): unknown {
    switch (outcome.kind) {
      case 'answer':
        return this.#understood(method, outcome.status, outcome.body);
      case 'late': {
        const seconds = this.#times.answerMs / 1000;
        throw fault.busy(method, `plugin ${this.name}`, `did not answer within ${seconds} s`, "See the plugin's log");
      }
      case 'cancelled':
        throw this.#cancelled(method);
      case 'unreached':
        throw this.#unreachable(method, outcome);
      case 'lost':
        throw fault.unavailable(method, `plugin ${this.name}`, cut(outcome.why), "See the plugin's log", {
          cause: outcome.cause,
        });
    }
  }

  /** Both keys of errors count everywhere: IpamDriver has Error, but the common SDK answers Err. */
  #understood(method: string, status: number, body: string): unknown {
    const value = parsed(body);
    const error = isObject(value) ? (field(value, 'Err') ?? field(value, 'Error') ?? '') : '';
    if (status === 404 && error === '') throw lacking(method, this.name, 'does not implement this method');
    if (status !== 200) {
      const words = typeof error === 'string' && error !== '' ? error : body;
      throw refused(method, this.name, status === 500 ? words : `${status}: ${words}`);
    }
    if (value instanceof Error)
      throw unreadable(method, this.name, `answered with something that is not JSON: ${cut(value.message)}`, value);
    if (!isObject(value)) throw unreadable(method, this.name, 'answered with JSON that is not an object');
    if (typeof error !== 'string')
      throw unreadable(method, this.name, `its answer has the error ${show(error)}, which is not a text`);
    if (error !== '') throw refused(method, this.name, error);
    return value;
  }

  #unreachable(method: string, { why, cause }: Unreached): NetError {
    const hint = 'Start the plugin, or correct its name';
    return fault.unavailable(method, `plugin ${this.name}`, `is not running: ${why}`, hint, { cause });
  }

  #cancelled(method: string): NetError {
    return fault.busy(method, `plugin ${this.name}`, 'the caller gave up before it answered', 'Call again');
  }
}

/** A plugin whose handler returns nothing answers `null`, or nothing. */
function parsed(body: string): unknown {
  if (body.trim() === '') return {};
  try {
    return parseJson(body) ?? {};
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Undefined once `signal` aborts. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (signal === undefined) return await work;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const stop = (): void => resolve(undefined);
  signal.addEventListener('abort', stop);
  try {
    if (signal.aborted) stop();
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
