import type { Core } from '../../src/shared/core/core.ts';
import { rebuildOnce } from '../../src/shared/core/rebuild.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import { openFirewaller } from '../../src/shared/firewall/open.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { isLogLevel, type LogLevel, makeLogger } from '../../src/shared/log/log.ts';
import type { FirewallBackend } from '../../src/shared/model/firewall.ts';
import { changeCount } from '../../src/shared/store/changes.ts';
import { lock } from '../../src/shared/store/locks.ts';
import { openSqliteStore } from '../../src/shared/store/sqlite.ts';
import { ensureStateDir } from '../../src/shared/store/state-dir.ts';
import type { LocalStore } from '../../src/shared/store/store.ts';
import type { CallCore } from './answer.ts';
import { delegateSource } from './delegate.ts';
import type { Environment } from './environment.ts';
import type { Phases } from './phases.ts';
import { writeAll } from './respond.ts';

const STATE_DIR = '/var/lib/isthmus';
const STDERR = 2;

/**
 * The core of one call. The state is opened when it is first used, and rebuilt from the kernel where it is new; what
 * needs none (loopback, host, VERSION) never touches the disk.
 */
export function openCore(env: Environment, phases?: Phases): CallCore {
  const stateDir = stateDirOf(env);
  const host = openLinuxHost(env);
  const firewallers = new Map<FirewallBackend, Firewaller>();
  let store: LocalStore | undefined;
  const core: CallCore = {
    host,
    log: makeLogger(logLevel(env), env.TRACEPARENT, (line) => writeAll(STDERR, line)),
    ...(phases === undefined ? {} : { mark: phases.mark }),
    changes: changeCount(stateDir, host.identity),
    lock: async (key) => {
      ensureStateDir(stateDir);
      return lock(stateDir, key);
    },
    get store() {
      if (store === undefined) {
        store = openSqliteStore({ stateDir, identity: host.identity });
        rebuildOnce(core);
      }
      return store;
    },
    firewall: (backend) => {
      const found = firewallers.get(backend);
      if (found !== undefined) return found;
      const made = openFirewaller(backend, host.own);
      firewallers.set(backend, made);
      return made;
    },
    delegate: delegatesOf(env),
    [Symbol.dispose]: () => {
      for (const firewaller of firewallers.values()) firewaller[Symbol.dispose]();
      store?.[Symbol.dispose]();
      host[Symbol.dispose]();
    },
  };
  return core;
}

/** Foreign IPAM plugins as a call with this environment finds them. */
export function delegatesOf(env: Environment, gone?: () => AbortSignal): Core['delegate'] {
  return (type, config, { containerId, ifName }, netns) =>
    delegateSource({
      type,
      config,
      path: (env.CNI_PATH ?? '').split(':').filter((dir) => dir !== ''),
      env: { ...env, CNI_CONTAINERID: containerId, CNI_IFNAME: ifName, CNI_NETNS: netns },
      ...(gone === undefined ? {} : { gone }),
    });
}

function logLevel({ ISTHMUS_LOG: level }: Environment): LogLevel {
  if (level === undefined || level === '') return 'error';
  if (isLogLevel(level)) return level;
  throw new NetError({
    kind: 'bad-environment',
    op: 'environment',
    subject: `ISTHMUS_LOG=${level}`,
    what: 'is no level',
    hint: 'Give error, warn, info or debug, or leave it out for error',
  });
}

/** Where the state is. Throws NetError `bad-environment` for a path that is not absolute. */
export function stateDirOf(env: Environment): string {
  const dir = env.ISTHMUS_STATE_DIR;
  if (dir === undefined || dir === '') return STATE_DIR;
  if (dir.startsWith('/')) return dir;
  throw new NetError({
    kind: 'bad-environment',
    op: 'environment',
    subject: `ISTHMUS_STATE_DIR=${dir}`,
    what: 'is no absolute path',
    hint: `Give one, or leave it out for ${STATE_DIR}`,
  });
}
