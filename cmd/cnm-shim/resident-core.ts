import { setImmediate } from 'node:timers/promises';
import type { ClusterNetworks } from '../../src/shared/core/cluster-networks.ts';
import type { PluginHost } from '../../src/shared/core/core.ts';
import { HeldPorts } from '../../src/shared/core/ports/held-ports.ts';
import { asNetError, type NetError } from '../../src/shared/errors/net-error.ts';
import { isAbsence } from '../../src/shared/host/failure.ts';
import type { Host, Namespace } from '../../src/shared/host/host.ts';
import { LinkRemover, type UnwantedLink } from '../../src/shared/host/link-remover.ts';
import { type LinuxHost, linuxNamespace, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { linuxPortSockets } from '../../src/shared/host/port-sockets.ts';
import { Uplinks } from '../../src/shared/host/uplinks.ts';
import { sweepScopeNotes } from '../../src/shared/ipam/scope-notes.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import { given } from '../../src/shared/model/given.ts';
import { configuredNetworks } from '../../src/shared/runtime/configured-network.ts';
import { DockerPlugins } from '../../src/shared/runtime/docker-plugins.ts';
import type { Environment } from '../../src/shared/runtime/environment.ts';
import { type CallCore, Firewallers, makeCore } from '../../src/shared/runtime/make-core.ts';
import type { Phases } from '../../src/shared/runtime/phases.ts';
import { type ChangeCount, changeCount } from '../../src/shared/store/changes.ts';
import { followPorts } from '../../src/shared/store/follow-ports.ts';
import { LockQueue } from '../../src/shared/store/locks.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import { ensureStateDir } from '../../src/shared/store/state-dir.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';
import { descriptors } from './descriptors.ts';
import { DhcpClients } from './dhcp/leases.ts';
import { relays } from './relay/relay.ts';

export interface ResidentOptions {
  readonly stateDir: string;
  readonly env: Environment;
  /** For what concerns no single call. */
  readonly log: Logger;
}

/** The parts that belong to one call. */
export interface CallParts {
  readonly log: Logger;
  /** Default: the daemon's own. */
  readonly env?: Environment;
  /** W3C trace context of a call without an environment of its own. */
  readonly traceparent?: string;
  /** The host as the call sees it; default: the daemon's. */
  readonly host?: Host;
  /** Takes the delegates' stderr; default: the log. */
  readonly stderr?: (piece: Uint8Array) => void;
  readonly phases?: Phases;
  /** Aborted when the caller leaves. */
  readonly gone?: () => AbortSignal;
  /** The file mode creation mask of delegates; default: the usual one. */
  readonly umask?: () => number;
  /** Core.stamp. */
  readonly stamp?: string;
  /** True for a runtime that binds the published ports itself after the call. Default: false. */
  readonly bindsPorts?: boolean;
}

/** Returns the file mode creation mask that systemd gives to runtimes; the daemon's own is stricter. */
export const usualUmask = (): number => 0o022;

/** Opens a core for each call. */
export interface CoreOpener {
  open(parts: CallParts): CallCore;
}

/** The parts of the core that stay in memory between calls: host, state, locks and packet filters. */
export class ResidentCore implements CoreOpener, Disposable {
  readonly host: LinuxHost;
  readonly stateDir: string;
  readonly #env: Environment;
  readonly #log: Logger;
  readonly #remover: LinkRemover;
  readonly #locks: LockQueue;
  readonly #changes: ChangeCount & Disposable;
  readonly #configured: ReturnType<typeof configuredNetworks>;
  #plugins: Promise<PluginHost> | undefined;
  readonly #firewallers: Firewallers;
  /** The published host ports that this process holds. */
  readonly held: HeldPorts;
  /** Known once the host is watched. */
  readonly uplinks: Uplinks;
  /** The networks over several hosts, once this host takes part in a cluster. */
  cluster: ClusterNetworks | undefined;
  /** Leases of addresses from DHCP servers. */
  readonly dhcp: DhcpClients;
  readonly #dockerPlugins: DockerPlugins;
  #store: LocalStore | undefined;

  constructor({ stateDir, env, log }: ResidentOptions) {
    ensureStateDir(stateDir);
    this.stateDir = stateDir;
    this.#env = env;
    this.#log = log;
    this.host = openLinuxHost(env, { stays: true });
    this.uplinks = new Uplinks(this.host);
    this.#firewallers = new Firewallers(this.host, (key) => this.#lock(key), log);
    this.#remover = new LinkRemover(this.host.own);
    this.#locks = new LockQueue(stateDir, { ensure: () => ensureStateDir(stateDir) });
    this.#changes = changeCount(stateDir, this.host.identity);
    this.#configured = configuredNetworks(env);
    this.#dockerPlugins = new DockerPlugins(env);
    this.dhcp = new DhcpClients({ host: this.host, log, core: () => this.open({ log }) });
    const { ports, others } = descriptors();
    this.held = new HeldPorts({
      ...{ sockets: linuxPortSockets(others), relay: relays(others), log, limit: ports },
      rest: () => setImmediate(),
    });
  }

  open({
    log,
    traceparent,
    env = traceparent === undefined ? this.#env : { ...this.#env, TRACEPARENT: traceparent },
    host = this.host,
    stderr,
    phases,
    gone,
    umask = usualUmask,
    stamp,
    bindsPorts = false,
  }: CallParts): CallCore {
    return makeCore({
      stateDir: this.stateDir,
      host,
      log,
      changes: this.#changes,
      lock: (key) => this.#locks.lock(key),
      removeLink: async (link, sandbox) => {
        const failure = await this.#removeLink(link, sandbox);
        return failure !== undefined && isAbsence(failure) ? undefined : failure;
      },
      rest: () => setImmediate(),
      hasUplink: (bridge) => this.uplinks.has(bridge),
      firewall: (backend) => this.#firewallers.get(backend),
      configured: this.#configured,
      plugin: (name) => this.#dockerPlugins.open(name),
      held: bindsPorts ? this.held.leaving() : this.held,
      dhcp: this.dhcp,
      plugins: () => (this.#plugins ??= this.#openPlugins()),
      openStore: () => this.#openStore(),
      delegates: { env, stderr: stderr ?? intoLog(log), umask, ...given({ gone }) },
      ...given({ dockerName: env.ISTHMUS_DOCKER_NAME, phases, stamp, cluster: this.cluster }),
    });
  }

  /** A sandbox has few links to delete, so that its remover lives for one. */
  async #removeLink(link: UnwantedLink, sandbox: Namespace | undefined): Promise<NetError | undefined> {
    if (sandbox === undefined) return await this.#remover.remove(link);
    using remover = new LinkRemover(linuxNamespace(sandbox));
    return await remover.remove(link);
  }

  /** Holds the host ports that another process has claimed or released. Never rejects. */
  async settlePorts(): Promise<void> {
    try {
      using core = this.open({ log: this.#log });
      await this.held.reconcile(core.store);
    } catch (thrown) {
      this.#log.warn('ports.failed', { error: asNetError(thrown, 'ports').message });
    }
  }

  [Symbol.dispose](): void {
    this.dhcp[Symbol.dispose]();
    this.#dockerPlugins[Symbol.dispose]();
    this.held[Symbol.dispose]();
    this.#firewallers[Symbol.dispose]();
    this.#changes[Symbol.dispose]();
    this.#locks[Symbol.dispose]();
    this.#remover[Symbol.dispose]();
    this.#store?.[Symbol.dispose]();
    this.host[Symbol.dispose]();
  }

  async #openPlugins(): Promise<PluginHost> {
    const { pluginHost } = await import('../../src/shared/runtime/plugin-host.ts');
    // Our own plugin may be one of a list, and is to find this daemon's state.
    const env = { ...this.#env, ISTHMUS_STATE_DIR: this.stateDir };
    return pluginHost({ env, stderr: intoLog(this.#log) });
  }

  async #lock(key: string): Promise<Disposable> {
    return await this.#locks.lock(key);
  }

  /** Kept open; each call checks that the path still leads to the same file. */
  #openStore(): LocalStore {
    if (this.#store === undefined) {
      const store = openSqliteStore({
        stateDir: this.stateDir,
        identity: this.host.identity,
        waitMs: STORE_WAIT_MS,
        logPages: LOG_PAGES,
      });
      this.#store = followPorts(store, (owner) => {
        try {
          this.held.settle(store, owner);
        } catch (thrown) {
          // The next pass settles it.
          this.#log.warn('ports.failed', { error: asNetError(thrown, 'ports').message });
        }
      });
      sweepScopeNotes(this.#store);
    } else this.#store.refresh();
    return this.#store;
  }
}

/** The delegates' stderr in a call without a caller. */
function intoLog(log: Logger): (piece: Uint8Array) => void {
  return (piece) => log.warn('delegate.stderr', { text: Buffer.from(piece).toString().trim() });
}

/** All calls wait while one waits for a plugin's transaction, which takes less than a millisecond. */
const STORE_WAIT_MS = 5000;
/** 8 MB. */
const LOG_PAGES = 2048;
