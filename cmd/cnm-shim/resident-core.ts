import { rebuildOnce } from '../../src/shared/core/rebuild.ts';
import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import { openFirewaller } from '../../src/shared/firewall/open.ts';
import { isAbsence } from '../../src/shared/host/failure.ts';
import type { Host } from '../../src/shared/host/host.ts';
import { LinkRemover } from '../../src/shared/host/link-remover.ts';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { sweepScopeNotes } from '../../src/shared/ipam/scope-notes.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import type { FirewallBackend } from '../../src/shared/model/firewall.ts';
import { type ChangeCount, changeCount } from '../../src/shared/store/changes.ts';
import { LockQueue } from '../../src/shared/store/locks.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import { ensureStateDir } from '../../src/shared/store/state-dir.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';
import type { CallCore } from '../cni-plugin/answer.ts';
import { configuredNetworks } from '../cni-plugin/configured-network.ts';
import { delegatesOf } from '../cni-plugin/context.ts';
import type { Environment } from '../cni-plugin/environment.ts';
import type { Phases } from '../cni-plugin/phases.ts';

export interface ResidentOptions {
  readonly stateDir: string;
  readonly env: Environment;
}

/** What is of one call only. */
export interface CoreParts {
  readonly log: Logger;
  /** The daemon's own unless told otherwise. */
  readonly env?: Environment;
  /** The host as the call sees it; as it is unless told otherwise. */
  readonly host?: Host;
  readonly phases?: Phases;
  /** Aborted when the caller has gone. */
  readonly gone?: () => AbortSignal;
}

/** Gives a core to each call. */
export interface CoreOpener {
  open(parts: CoreParts): CallCore;
}

/** What of the core stays in memory between calls: the host, the state, the locks and the packet filters. */
export class ResidentCore implements CoreOpener, Disposable {
  readonly host: LinuxHost;
  readonly #stateDir: string;
  readonly #env: Environment;
  readonly #remover: LinkRemover;
  readonly #locks: LockQueue;
  readonly #changes: ChangeCount;
  readonly #configured: ReturnType<typeof configuredNetworks>;
  readonly #firewallers = new Map<FirewallBackend, Firewaller>();
  #store: LocalStore | undefined;

  constructor({ stateDir, env }: ResidentOptions) {
    ensureStateDir(stateDir);
    this.#stateDir = stateDir;
    this.#env = env;
    this.host = openLinuxHost(env, { stays: true });
    this.#remover = new LinkRemover(this.host.own);
    this.#locks = new LockQueue(stateDir);
    this.#changes = changeCount(stateDir, this.host.identity);
    this.#configured = configuredNetworks(env);
  }

  open({ log, env = this.#env, host = this.host, phases, gone }: CoreParts): CallCore {
    let store: LocalStore | undefined;
    const resident = this;
    const core: CallCore = {
      host,
      log,
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
          store = resident.#openStore();
          rebuildOnce(core);
        }
        return store;
      },
      firewall: (backend) => this.#firewall(backend),
      configured: this.#configured,
      ...(env.ISTHMUS_DOCKER_NAME === undefined ? {} : { dockerName: env.ISTHMUS_DOCKER_NAME }),
      delegate: delegatesOf(env, gone),
      [Symbol.dispose]: () => {},
    };
    return core;
  }

  [Symbol.dispose](): void {
    for (const firewaller of this.#firewallers.values()) firewaller[Symbol.dispose]();
    this.#remover[Symbol.dispose]();
    this.#store?.[Symbol.dispose]();
    this.host[Symbol.dispose]();
  }

  /** Kept open; whether its file is still the one that is there is looked at for each call. */
  #openStore(): LocalStore {
    if (this.#store === undefined) {
      this.#store = openSqliteStore({
        stateDir: this.#stateDir,
        identity: this.host.identity,
        waitMs: STORE_WAIT_MS,
        logPages: LOG_PAGES,
      });
      sweepScopeNotes(this.#store);
    } else this.#store.refresh();
    return this.#store;
  }

  #firewall(backend: FirewallBackend): Firewaller {
    const found = this.#firewallers.get(backend);
    if (found !== undefined) return found;
    const made = openFirewaller(backend, this.host.own);
    this.#firewallers.set(backend, made);
    return made;
  }
}

/** All calls wait while one waits for a plugin's transaction, which takes less than a millisecond. */
const STORE_WAIT_MS = 5000;
/** 8 MB. */
const LOG_PAGES = 2048;
