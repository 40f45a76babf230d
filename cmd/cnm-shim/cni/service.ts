import { closeSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { namesFiles } from '../../../src/shared/config/document.ts';
import { missingRules } from '../../../src/shared/core/missing-rules.ts';
import { type Reconciled, reconcile } from '../../../src/shared/core/reconcile.ts';
import { NetError } from '../../../src/shared/errors/net-error.ts';
import type { Host } from '../../../src/shared/host/host.ts';
import type { LinuxHost } from '../../../src/shared/host/linux-host.ts';
import { type Logger, traceId } from '../../../src/shared/log/log.ts';
import { given } from '../../../src/shared/model/given.ts';
import { type Answer, answer } from '../../../src/shared/runtime/cni/answer.ts';
import { pluginName } from '../../../src/shared/runtime/cni/names.ts';
import type { LauncherRequest } from '../../../src/shared/runtime/cni/protocol.ts';
import { stateDirOf } from '../../../src/shared/runtime/context.ts';
import type { Environment } from '../../../src/shared/runtime/environment.ts';
import { makePhases } from '../../../src/shared/runtime/phases.ts';
import { lock } from '../../../src/shared/store/locks.ts';
import type { Recorder } from '../control/operations.ts';
import { ResidentCore, usualUmask } from '../resident-core.ts';
import type { CallerFacts } from './caller.ts';
import { CollectedStderr } from './collected-stderr.ts';

export interface ServiceOptions {
  readonly stateDir: string;
  readonly env: Environment;
  readonly log: Logger;
  readonly recorder?: Recorder;
}

/** One call that the daemon has taken over. */
export interface AcceptedCall {
  readonly request: LauncherRequest;
  /** Descriptor of the sandbox in this process; absent if the call names none that exists. */
  readonly sandbox?: number;
  /** Time of arrival, by performance.now(). */
  readonly since: number;
  /** Aborted when the launcher leaves. */
  readonly gone: () => AbortSignal;
  /** The launcher's file mode creation mask; undefined if it has left. */
  readonly umask?: () => number | undefined;
  /** Tells what this call attaches from what later calls attach under the same name (Core.stamp). */
  readonly stamp: string;
  /** CallerFacts.bindsPorts. */
  readonly bindsPorts?: true;
}

/** What the launcher prints. */
export interface ServedAnswer extends Answer {
  /** From delegates. */
  readonly stderr: Uint8Array;
}

/** Milliseconds that a start waits for another process's transaction. */
const START_MS = 10_000;
const RETRY_MS = 20;

/** Serves the calls that launchers hand over, with the core kept in memory. */
export class CniService implements Disposable {
  /** For the daemon's other parts that need a core. */
  readonly resident: ResidentCore;
  readonly #log: Logger;
  readonly #stateDir: string;
  readonly #env: Environment;
  readonly #recorder: Recorder | undefined;

  constructor({ stateDir, env, log, recorder }: ServiceOptions) {
    this.resident = new ResidentCore({ stateDir, env, log });
    this.#stateDir = stateDir;
    this.#env = env;
    this.#log = log;
    this.#recorder = recorder;
  }

  /**
   * Restores on the host what the records require, and reverts unfinished work of a daemon or plugin that died. With
   * `sweep`, also deletes our packet filter entries that no record requires.
   */
  async reconcile(options: { readonly sweep: boolean }): Promise<Reconciled> {
    const until = performance.now() + START_MS;
    for (let wasReset = false; ; ) {
      try {
        return await this.#reconcile(options);
      } catch (thrown) {
        const kind = thrown instanceof NetError ? thrown.kind : undefined;
        // A broken state has been set aside by now. If a plugin creates the file first, that is fine too.
        if (kind === 'state-reset' && !wasReset) wasReset = true;
        else if (kind === 'busy' && performance.now() < until) await sleep(RETRY_MS);
        else throw thrown;
      }
    }
  }

  async #reconcile({ sweep }: { readonly sweep: boolean }): Promise<Reconciled> {
    using core = this.resident.open({ log: this.#log });
    try {
      return await reconcile(core, { sweep, tryLock: (key) => lock(this.#stateDir, key, { waitMs: 0 }) });
    } finally {
      await this.resident.held.reconcile(core.store);
    }
  }

  /** How many packet filter entries the records need and the host lacks. */
  async missingRules(): Promise<number> {
    using core = this.resident.open({ log: this.#log });
    return (await missingRules(core, sleep)).length;
  }

  /** Why the stand-alone plugin must answer the call; undefined if the daemon can. */
  refusal(request: LauncherRequest, caller: CallerFacts): string | undefined {
    const { env, netnsFd, stateDir } = request;
    if (caller.refusal !== undefined) return caller.refusal;
    if (!SERVED.has(env.CNI_COMMAND ?? '')) return 'the daemon does not serve this command';
    if (!this.#isSameState(env, stateDir)) return 'the caller has another state directory';
    if ((env.ISTHMUS_HOST_ID ?? '') !== (this.#env.ISTHMUS_HOST_ID ?? '')) return 'the caller is another host';
    // The plugin reports what the path leads to instead.
    if (netnsFd < 0 && NEEDS_SANDBOX.has(env.CNI_COMMAND ?? '')) return 'CNI_NETNS is not a network namespace';
    if (!['', 'error'].includes(env.ISTHMUS_LOG ?? '')) return 'the caller has a log of its own';
    if (!caller.sameFiles && usesFiles(request)) return 'files of another mount namespace are needed';
    return undefined;
  }

  /** Runs the call. Never rejects. */
  async answer(call: AcceptedCall): Promise<ServedAnswer> {
    const stderr = new CollectedStderr();
    const given = await this.#answer(call, call.request.env, stderr.take);
    return { ...given, stderr: stderr.bytes() };
  }

  /**
   * Deletes what an ADD attached: its caller has left and will never know of it. Keeps what a later ADD attached under
   * the same name.
   */
  async deleteUnclaimed(call: AcceptedCall): Promise<void> {
    const { env } = call.request;
    if (env.CNI_COMMAND !== 'ADD') return;
    this.#log.warn('taken.back', { container: env.CNI_CONTAINERID, ifname: env.CNI_IFNAME });
    const stderr = new CollectedStderr();
    await this.#answer(call, { ...env, CNI_COMMAND: 'DEL' }, stderr.take, call.stamp);
    const text = stderr.bytes().toString().trim();
    if (text !== '') this.#log.warn('delegate.stderr', { container: env.CNI_CONTAINERID, text });
  }

  [Symbol.dispose](): void {
    this.resident[Symbol.dispose]();
  }

  async #answer(
    { request, sandbox, since, gone, umask: callers, stamp, bindsPorts }: AcceptedCall,
    env: Environment,
    stderr: (piece: Uint8Array) => void,
    only?: string,
  ): Promise<Answer> {
    this.#recorder?.begun();
    const phases = makePhases(() => performance.now(), since);
    phases.mark('queue');
    const umask = (): number => callers?.() ?? usualUmask();
    const trace = traceId(env.TRACEPARENT);
    const log = trace === undefined ? this.#log : withFields(this.#log, { trace });
    const plugin = pluginName(request.argv0);
    const answered = await answer({
      plugin,
      env,
      isMute: () => false,
      read: () => request.stdin,
      open: () => {
        const host = hostOf(this.resident.host, env.CNI_NETNS, sandbox);
        return this.resident.open({
          ...{ env, host, log, stderr, phases, gone, umask, stamp },
          ...given({ bindsPorts }),
        });
      },
      stderr,
      phases,
      gone,
      umask,
      ...given({ stamp: only }),
    });
    const { network, error } = answered;
    this.#recorder?.ended({
      camp: 'cni',
      operation: env.CNI_COMMAND ?? '',
      subject: { plugin, network, container: env.CNI_CONTAINERID, ifname: env.CNI_IFNAME, netns: env.CNI_NETNS },
      times: phases.times(),
      ...{ error, traceparent: env.TRACEPARENT },
    });
    return answered;
  }

  /** How many endpoints and networks are on record. */
  counts(): { readonly endpoints: number; readonly networks: number } {
    using core = this.resident.open({ log: this.#log });
    const endpoints = core.store.endpoints.list().filter(({ role }) => role === 'interface');
    return { endpoints: endpoints.length, networks: core.store.networks.list().length };
  }

  #isSameState(env: Environment, seen: string | undefined): boolean {
    if (seen === undefined) return (env.ISTHMUS_STATE_DIR ?? '') === '' || stateDirOf(env) === this.#stateDir;
    const own = statSync(this.#stateDir, { bigint: true, throwIfNoEntry: false });
    return own !== undefined && seen === `${own.dev}:${own.ino}`;
  }
}

/** The launcher answers VERSION. */
const SERVED: ReadonlySet<string> = new Set(['ADD', 'DEL', 'CHECK', 'STATUS', 'GC']);
const NEEDS_SANDBOX: ReadonlySet<string> = new Set(['ADD', 'CHECK']);

/** The host as one call sees it: the sandbox is the one that the launcher opened, whatever the path leads to here. */
function hostOf(host: LinuxHost, netns: string | undefined, sandbox: number | undefined): Host {
  return {
    identity: host.identity,
    own: host.own,
    open: (path) => (path === netns ? openSandbox(host, path, sandbox) : host.open(path)),
    observe: (ns, query) => host.observe(ns, query),
    apply: (ops, namespaces) => host.apply(ops, namespaces),
    announced: () => host.announced(),
    revert: (ops, namespaces) => host.revert(ops, namespaces),
  };
}

function openSandbox(host: LinuxHost, path: string, sandbox: number | undefined): ReturnType<LinuxHost['open']> {
  // An empty path leads nowhere: the launcher could not open it either.
  return sandbox === undefined ? host.open('') : host.open(path, sandbox);
}

/**
 * True if the call may use files other than CNI_NETNS: tuning's allowlist, delegates, resolv.conf, host-local's
 * directory.
 */
function usesFiles({ argv0, stdin }: LauncherRequest): boolean {
  return pluginName(argv0) === 'tuning' || namesFiles(stdin);
}

function withFields(log: Logger, more: Readonly<Record<string, string>>): Logger {
  return {
    error: (event, fields) => log.error(event, { ...fields, ...more }),
    info: (event, fields) => log.info(event, { ...fields, ...more }),
    warn: (event, fields) => log.warn(event, { ...fields, ...more }),
    debug: (event, fields) => log.debug(event, { ...fields, ...more }),
  };
}

/** Closes the descriptor of a call's sandbox. */
export function release({ sandbox }: AcceptedCall): void {
  if (sandbox !== undefined) closeSync(sandbox);
}
