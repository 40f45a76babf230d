import type { Core, DelegateSource } from '../core/core.ts';
import { pluggedAddresses, REMOTE } from '../core/plugins/addresses.ts';
import { catchUp } from '../core/reconcile.ts';
import type { Firewaller } from '../firewall/firewaller.ts';
import { KnownRuleset } from '../firewall/known-ruleset.ts';
import { openFirewaller } from '../firewall/open.ts';
import type { LinuxHost } from '../host/linux-host.ts';
import type { FirewallBackend } from '../model/firewall.ts';
import { ensureStateDir } from '../store/state-dir.ts';
import type { LocalStore } from '../store/store.ts';
import { type DelegateSurroundings, delegateSource } from './delegate.ts';
import { dhcpSource, isOwnDhcp } from './dhcp.ts';
import type { Phases } from './phases.ts';

/** The core of one call; the caller closes it afterwards. */
export interface CallCore extends Core, Disposable, AsyncDisposable {
  /** Also waits for what the first use of the state began: for a call that answers, or ends its process, afterwards. */
  [Symbol.asyncDispose](): Promise<void>;
}

type Given = Pick<Core, 'host' | 'log' | 'changes' | 'lock' | 'firewall' | 'plugin'>;
type Optional = Pick<
  Core,
  'removeLink' | 'rest' | 'hasUplink' | 'cluster' | 'dhcp' | 'held' | 'plugins' | 'configured' | 'dockerName' | 'stamp'
>;

/** The parts of a core. The plugin opens them for one call, the daemon keeps them. */
export interface CoreParts extends Given, Optional {
  readonly stateDir: string;
  readonly delegates: DelegateSurroundings;
  /** Called on the first use of the state. */
  readonly openStore: () => LocalStore;
  /** True: leaves the state as it is, also where it does not agree with the kernel. Default: false. */
  readonly looks?: boolean;
  readonly phases?: Phases;
  /** Closes everything opened for this call alone. */
  readonly close?: () => void;
}

/**
 * Creates the core of one call. Opens the state on first use, and makes it agree with the kernel. A call that
 * needs no state (loopback, host, VERSION) never touches the disk.
 */
export function makeCore(parts: CoreParts): CallCore {
  const { stateDir, delegates, openStore, looks = false, phases, close = () => {}, lock, ...given } = parts;
  let store: LocalStore | undefined;
  let isEnsured = false;
  let caughtUp: Promise<unknown> = Promise.resolve();
  const core: CallCore = {
    ...given,
    ...(delegates.gone === undefined ? {} : { gone: delegates.gone }),
    ...(phases === undefined ? {} : { mark: phases.mark }),
    lock: async (key) => {
      // Somebody may have deleted it since the last call.
      if (!isEnsured) ensureStateDir(stateDir);
      isEnsured = true;
      // Entries that survived a reboot go before a call adds its own.
      await caughtUp;
      return lock(key);
    },
    get store() {
      if (store === undefined) {
        store = openStore();
        if (!looks) caughtUp = catchUp(core);
      }
      return store;
    },
    delegate: (...recorded) => delegateOf(core, delegates, ...recorded),
    [Symbol.dispose]: close,
    [Symbol.asyncDispose]: async () => {
      await caughtUp;
      close();
    },
  };
  return core;
}

/** The IPAM plugin that an earlier call recorded, resolved with this call's environment. */
function delegateOf(
  core: Core,
  surroundings: DelegateSurroundings,
  ...[type, config, attachment, netns]: Parameters<Core['delegate']>
): DelegateSource {
  const { env } = surroundings;
  const { containerId, ifName } = attachment;
  const call = {
    ...surroundings,
    config,
    path: (env.CNI_PATH ?? '').split(':').filter((dir) => dir !== ''),
    env: { ...env, CNI_CONTAINERID: containerId, CNI_IFNAME: ifName, CNI_NETNS: netns },
  };
  if (type === REMOTE) return pluggedAddresses(core, { attachment, netns, config });
  return isOwnDhcp(core, type, attachment, call.path)
    ? dhcpSource(core, { ...call, attachment, netns })
    : delegateSource({ ...call, type });
}

/** The packet filters of the host's namespace, each opened on first use. */
export class Firewallers implements Disposable {
  readonly #host: LinuxHost;
  readonly #lock: Core['lock'];
  readonly #log: Core['log'];
  readonly #known = new KnownRuleset();
  readonly #opened = new Map<FirewallBackend, Firewaller>();

  /** `lock` serializes changes in backends that need it. */
  constructor(host: LinuxHost, lock: Core['lock'], log: Core['log']) {
    this.#host = host;
    this.#log = log;
    this.#lock = lock;
  }

  get(backend: FirewallBackend): Firewaller {
    const found = this.#opened.get(backend);
    if (found !== undefined) return found;
    const options = { lock: this.#lock, log: this.#log, known: this.#known };
    const made = openFirewaller(backend, this.#host.own, options);
    this.#opened.set(backend, made);
    return made;
  }

  [Symbol.dispose](): void {
    for (const firewaller of this.#opened.values()) firewaller[Symbol.dispose]();
  }
}
