import { fault } from '../errors/fault.ts';
import { openLinuxHost } from '../host/linux-host.ts';
import { isLogLevel, type LogLevel, makeLogger } from '../log/log.ts';
import { given } from '../model/given.ts';
import { changeCount } from '../store/changes.ts';
import { LockQueue } from '../store/locks.ts';
import { openSqliteStore } from '../store/sqlite.ts';
import { ensureStateDir } from '../store/state-dir.ts';
import type { LocalStore } from '../store/store.ts';
import { writeAll } from './cni/respond.ts';
import { DockerPlugins } from './docker-plugins.ts';
import type { Environment } from './environment.ts';
import { type CallCore, Firewallers, makeCore } from './make-core.ts';
import { pause } from './pause.ts';
import type { Phases } from './phases.ts';

const STATE_DIR = '/var/lib/isthmus';
const STDERR = 2;

export interface CallOptions {
  readonly phases?: Phases;
  /** True: leaves the state as it is, also where it does not agree with the kernel. Default: false. */
  readonly looks?: boolean;
}

/** Creates the core of one call in its own process. Delegates write to this process's stderr. */
export function openCore(env: Environment, { phases, looks }: CallOptions = {}): CallCore {
  const stateDir = stateDirOf(env);
  const host = openLinuxHost(env, { pause });
  const locks = new LockQueue(stateDir, { ensure: () => ensureStateDir(stateDir) });
  const log = makeLogger(logLevel(env), env.TRACEPARENT, (line) => writeAll(STDERR, line));
  // Not the lock of the call, which waits for the first use of the state: that changes the packet filter too.
  const firewallers = new Firewallers(host, (key) => locks.lock(key), log);
  const plugins = new DockerPlugins(env);
  let store: LocalStore | undefined;
  const changes = changeCount(stateDir, host.identity);
  const core = makeCore({
    stateDir,
    host,
    log,
    changes,
    lock: (key) => locks.lock(key),
    firewall: (backend) => firewallers.get(backend),
    plugin: (name) => plugins.open(name),
    delegates: { env, stderr: writeStderr },
    openStore: () => {
      const isLook = looks === true;
      store = openSqliteStore({ stateDir, identity: host.identity, pause, keeps: isLook, remembers: isLook });
      return store;
    },
    ...given({ phases, looks }),
    close: () => {
      plugins[Symbol.dispose]();
      firewallers[Symbol.dispose]();
      store?.[Symbol.dispose]();
      changes[Symbol.dispose]();
      host[Symbol.dispose]();
    },
  });
  return core;
}

/** Copies a delegate's stderr to ours. */
export function writeStderr(piece: Uint8Array): void {
  writeAll(STDERR, piece);
}

function logLevel({ ISTHMUS_LOG: level }: Environment): LogLevel {
  if (level === undefined || level === '') return 'error';
  if (isLogLevel(level)) return level;
  throw fault.badEnvironment(
    'environment',
    `ISTHMUS_LOG=${level}`,
    'is not a level',
    'Give error, warn, info or debug, or leave it out for error',
  );
}

/** Path of the state. Throws NetError `bad-environment` for a relative path. */
export function stateDirOf(env: Environment): string {
  const dir = env.ISTHMUS_STATE_DIR;
  if (dir === undefined || dir === '') return STATE_DIR;
  if (dir.startsWith('/')) return dir;
  throw fault.badEnvironment(
    'environment',
    `ISTHMUS_STATE_DIR=${dir}`,
    'is not an absolute path',
    `Give one, or leave it out for ${STATE_DIR}`,
  );
}
