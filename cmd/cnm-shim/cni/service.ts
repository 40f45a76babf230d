import { closeSync, statSync } from 'node:fs';
import { field } from '../../../src/shared/config/fields.ts';
import { rebuildOnce } from '../../../src/shared/core/rebuild.ts';
import { reload } from '../../../src/shared/core/reload.ts';
import { type Repaired, repair } from '../../../src/shared/core/repair.ts';
import { NetError } from '../../../src/shared/errors/net-error.ts';
import type { Firewaller } from '../../../src/shared/firewall/firewaller.ts';
import { openFirewaller } from '../../../src/shared/firewall/open.ts';
import { isAbsence } from '../../../src/shared/host/failure.ts';
import type { Host } from '../../../src/shared/host/host.ts';
import { LinkRemover } from '../../../src/shared/host/link-remover.ts';
import { type LinuxHost, openLinuxHost } from '../../../src/shared/host/linux-host.ts';
import { type Logger, traceId } from '../../../src/shared/log/log.ts';
import type { FirewallBackend } from '../../../src/shared/model/firewall.ts';
import { netnsCookie } from '../../../src/shared/netlink/netns.ts';
import { type ChangeCount, changeCount } from '../../../src/shared/store/changes.ts';
import { LockQueue, lock } from '../../../src/shared/store/locks.ts';
import { thisProcess } from '../../../src/shared/store/owner.ts';
import { openSqliteStore } from '../../../src/shared/store/sqlite.ts';
import { ensureStateDir } from '../../../src/shared/store/state-dir.ts';
import type { LocalStore, Owner } from '../../../src/shared/store/store.ts';
import { type Answer, answer, type CallCore } from '../../cni-plugin/answer.ts';
import { delegatesOf, stateDirOf } from '../../cni-plugin/context.ts';
import type { Environment } from '../../cni-plugin/environment.ts';
import { pluginName } from '../../cni-plugin/names.ts';
import { makePhases, type Phases } from '../../cni-plugin/phases.ts';
import type { LauncherRequest } from '../../cni-plugin/protocol.ts';

export interface ServiceOptions {
  readonly stateDir: string;
  readonly env: Environment;
  readonly log: Logger;
}

/** One call that the daemon has taken over. */
export interface AcceptedCall {
  readonly request: LauncherRequest;
  /** Descriptor of the sandbox in this process; absent where the call names none that exists. */
  readonly sandbox?: number;
  /** When it came in, as performance.now() tells. */
  readonly since: number;
  /** Aborted when the launcher has gone. */
  readonly gone: () => AbortSignal;
}

/** The core, kept in memory, for the calls that launchers hand over. */
export class CniService implements Disposable {
  readonly #log: Logger;
  readonly #stateDir: string;
  readonly #env: Environment;
  readonly #host: LinuxHost;
  readonly #remover: LinkRemover;
  readonly #locks: LockQueue;
  readonly #changes: ChangeCount;
  readonly #owner: Owner = thisProcess();
  readonly #mountNs = statSync('/proc/self/ns/mnt', { bigint: true }).ino;
  readonly #cookie: bigint;
  readonly #firewallers = new Map<FirewallBackend, Firewaller>();
  #store: LocalStore | undefined;

  constructor({ stateDir, env, log }: ServiceOptions) {
    ensureStateDir(stateDir);
    this.#stateDir = stateDir;
    this.#env = env;
    this.#log = log;
    this.#host = openLinuxHost(env, { stays: true });
    this.#cookie = netnsCookie(this.#host.own.route.fd);
    this.#remover = new LinkRemover(this.#host.own);
    this.#locks = new LockQueue(stateDir);
    this.#changes = changeCount(stateDir);
  }

  /** What a daemon or a plugin that died has left half-done is finished or taken back; the packet filter is whole. */
  async start(): Promise<Repaired> {
    try {
      return await this.#repair();
    } catch (thrown) {
      // A state that proved to be broken has been set aside by then.
      if (!(thrown instanceof NetError && thrown.kind === 'state-reset')) throw thrown;
      return await this.#repair();
    }
  }

  async #repair(): Promise<Repaired> {
    using core = this.#core({ env: this.#env, host: this.#host, log: this.#log });
    return await repair(core, (key) => lock(this.#stateDir, key, { waitMs: 0 }));
  }

  /** The packet filter has what the records want of it. Returns how many entries, and what failed. */
  reload(): ReturnType<typeof reload> {
    using core = this.#core({ env: this.#env, host: this.#host, log: this.#log });
    return reload(core);
  }

  /** Why the call is the stand-alone plugin's to answer; undefined where the daemon can. */
  refusal(request: LauncherRequest): string | undefined {
    const { env, netnsCookie: cookie, netnsFd, mountNs, stateDir } = request;
    if (cookie !== this.#cookie) return 'the caller is in another network namespace';
    if (!SERVED.has(env.CNI_COMMAND ?? '')) return 'the command is none of the daemon';
    if (!this.#isSameState(env, stateDir)) return 'the caller has another state directory';
    if ((env.ISTHMUS_HOST_ID ?? '') !== (this.#env.ISTHMUS_HOST_ID ?? '')) return 'the caller is another host';
    // It finds the words for what is there instead.
    if (netnsFd < 0 && NEEDS_SANDBOX.has(env.CNI_COMMAND ?? '')) return 'CNI_NETNS is no network namespace';
    if (!['', 'error'].includes(env.ISTHMUS_LOG ?? '')) return 'the caller has a log of its own';
    if (mountNs !== this.#mountNs && namesFiles(request)) return 'files of another mount namespace are needed';
    return undefined;
  }

  /** The call has been carried out. Never rejects. */
  answer(call: AcceptedCall): Promise<Answer> {
    return this.#answer(call, call.request.env);
  }

  /** What an ADD has made is gone again: nobody is there to be told of it. */
  async takeBack(call: AcceptedCall): Promise<void> {
    const { env } = call.request;
    if (env.CNI_COMMAND !== 'ADD') return;
    this.#log.warn('taken.back', { container: env.CNI_CONTAINERID, ifname: env.CNI_IFNAME });
    await this.#answer(call, { ...env, CNI_COMMAND: 'DEL' });
  }

  [Symbol.dispose](): void {
    for (const firewaller of this.#firewallers.values()) firewaller[Symbol.dispose]();
    this.#remover[Symbol.dispose]();
    this.#store?.[Symbol.dispose]();
    this.#host[Symbol.dispose]();
  }

  #answer({ request, sandbox, since, gone }: AcceptedCall, env: Environment): Promise<Answer> {
    const phases = makePhases(() => performance.now(), since);
    phases.mark('queue');
    const trace = traceId(env.TRACEPARENT);
    const log = trace === undefined ? this.#log : withFields(this.#log, { trace });
    return answer({
      plugin: pluginName(request.argv0),
      env,
      isMute: () => false,
      read: () => request.stdin,
      open: () => this.#core({ env, host: hostOf(this.#host, env.CNI_NETNS, sandbox), log, phases, gone }),
      phases,
      gone,
    });
  }

  #core({ env, host, log, phases, gone }: CoreParts): CallCore {
    let store: LocalStore | undefined;
    const service = this;
    const core: CallCore = {
      host,
      log,
      owner: this.#owner,
      changes: this.#changes,
      lock: async (key) => {
        // Somebody may have removed it since the last call.
        ensureStateDir(this.#stateDir);
        return this.#locks.lock(key);
      },
      removeLink: async (link) => {
        const failure = await this.#remover.remove(link);
        return failure !== undefined && isAbsence(failure) ? undefined : failure;
      },
      ...(phases === undefined ? {} : { mark: phases.mark }),
      get store() {
        if (store === undefined) {
          store = service.#openStore();
          rebuildOnce(core);
        }
        return store;
      },
      firewall: (backend) => this.#firewall(backend),
      delegate: delegatesOf(env, gone),
      [Symbol.dispose]: () => {},
    };
    return core;
  }

  /** Kept open; whether its file is still the one that is there is looked at for each call. */
  #openStore(): LocalStore {
    if (this.#store === undefined) {
      this.#store = openSqliteStore({
        stateDir: this.#stateDir,
        identity: this.#host.identity,
        waitMs: STORE_WAIT_MS,
        logPages: LOG_PAGES,
      });
    } else this.#store.refresh();
    return this.#store;
  }

  #firewall(backend: FirewallBackend): Firewaller {
    const found = this.#firewallers.get(backend);
    if (found !== undefined) return found;
    const made = openFirewaller(backend, this.#host.own);
    this.#firewallers.set(backend, made);
    return made;
  }

  #isSameState(env: Environment, seen: string | undefined): boolean {
    if (seen === undefined) return (env.ISTHMUS_STATE_DIR ?? '') === '' || stateDirOf(env) === this.#stateDir;
    const own = statSync(this.#stateDir, { bigint: true, throwIfNoEntry: false });
    return own !== undefined && seen === `${own.dev}:${own.ino}`;
  }
}

interface CoreParts {
  readonly env: Environment;
  readonly host: Host;
  readonly log: Logger;
  readonly phases?: Phases;
  readonly gone?: () => AbortSignal;
}

/** All calls wait while one waits for a plugin's transaction, which takes less than a millisecond. */
const STORE_WAIT_MS = 5000;
/** 8 MB. */
const LOG_PAGES = 2048;

/** VERSION is answered by the launcher. */
const SERVED: ReadonlySet<string> = new Set(['ADD', 'DEL', 'CHECK', 'STATUS', 'GC']);
const NEEDS_SANDBOX: ReadonlySet<string> = new Set(['ADD', 'CHECK']);

/** The host as one call sees it: its sandbox is what the launcher has opened, whatever the path leads to here. */
function hostOf(host: LinuxHost, netns: string | undefined, sandbox: number | undefined): Host {
  return {
    identity: host.identity,
    own: host.own,
    open: (path) =>
      path === netns ? host.open(path, sandbox === undefined ? '' : `/proc/self/fd/${sandbox}`) : host.open(path),
    observe: (ns, query) => host.observe(ns, query),
    apply: (ops, namespaces) => host.apply(ops, namespaces),
    revert: (ops, namespaces) => host.revert(ops, namespaces),
  };
}

/**
 * True where the call may lead to other files than CNI_NETNS: tuning's allowlist, delegates, resolv.conf, host-local's
 * directory.
 */
function namesFiles({ argv0, stdin }: LauncherRequest): boolean {
  if (pluginName(argv0) === 'tuning') return true;
  let ipam: unknown;
  try {
    ipam = field(JSON.parse(stdin), 'ipam');
  } catch {
    return true;
  }
  return ['type', 'dataDir', 'resolvConf'].some(
    (key) => ![undefined, '', 'isthmus'].includes(field(ipam, key) as string),
  );
}

function withFields(log: Logger, more: Readonly<Record<string, string>>): Logger {
  return {
    error: (event, fields) => log.error(event, { ...fields, ...more }),
    info: (event, fields) => log.info(event, { ...fields, ...more }),
    warn: (event, fields) => log.warn(event, { ...fields, ...more }),
    debug: (event, fields) => log.debug(event, { ...fields, ...more }),
  };
}

/** The descriptor of a call's sandbox is closed. */
export function release({ sandbox }: AcceptedCall): void {
  if (sandbox !== undefined) closeSync(sandbox);
}
