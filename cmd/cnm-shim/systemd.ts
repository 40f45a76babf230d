import { fstatSync, readFileSync } from 'node:fs';
import { fault } from '../../src/shared/errors/fault.ts';
import { sendDatagram } from '../../src/shared/netlink/unix.ts';

/** The first descriptor that systemd passes; sd-daemon.h. */
const SD_LISTEN_FDS_START = 3;

/**
 * Returns the sockets that the service manager opened for this process, by name (FileDescriptorName=); a single unnamed
 * one is `cni`. Deletes the variables from `env`, so that no child takes the sockets for its own.
 * Throws NetError `bad-environment` for a descriptor that is not a socket. Source: sd_listen_fds_with_names(3).
 */
export function takeListeners(env: NodeJS.ProcessEnv): ReadonlyMap<string, number> {
  const { LISTEN_PID: pid, LISTEN_FDS: count = '', LISTEN_FDNAMES: names = '' } = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']) delete env[name];
  const listeners = new Map<string, number>();
  if (pid !== String(process.pid) || !/^\d{1,4}$/.test(count)) return listeners;
  const given = names === '' ? [] : names.split(':');
  const unnamed = given.length === 0 && count === '1' ? 'cni' : 'unknown';
  for (let i = 0; i < Number(count); i++) {
    const fd = SD_LISTEN_FDS_START + i;
    assertSocket(fd);
    listeners.set(given[i] ?? unnamed, fd);
  }
  return listeners;
}

function assertSocket(fd: number): void {
  let what = 'it is not a socket';
  try {
    if (fstatSync(fd).isSocket()) return;
  } catch {
    what = 'it is not open';
  }
  const hint = 'Start the daemon by its systemd unit, or unset LISTEN_PID';
  throw fault.badEnvironment('serve', `LISTEN_FDS descriptor ${fd}`, what, hint);
}

/** The path of a socket that the service manager opened, for messages. Source: proc_pid_net(5), `unix`. */
export function nameOfListener(fd: number): string {
  const inode = String(fstatSync(fd).ino);
  for (const line of readFileSync('/proc/self/net/unix', 'utf8').split('\n')) {
    const [, , , , , , number, path] = line.split(/\s+/);
    if (number === inode && path !== undefined) return path;
  }
  return `descriptor ${fd}`;
}

/** Node turns a longer time into 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Reports this process's state to the service manager, if there is one. Source: sd_notify(3). */
export interface ServiceManager {
  /** Calls are served, also after a reload. */
  ready(status: string): void;
  reloading(): void;
  stopping(status: string): void;
  /** One line for `systemctl status`. */
  status(text: string): void;
}

/**
 * Returns the service manager that the variables name, and deletes them from `env`. With a watchdog, notifies it twice
 * per period while the event loop runs.
 * Calls `failed` if a message could not be sent; the process continues.
 */
export function takeServiceManager(env: NodeJS.ProcessEnv, failed: (error: unknown) => void): ServiceManager {
  const { NOTIFY_SOCKET: socket = '', WATCHDOG_USEC: period = '', WATCHDOG_PID: pid = '' } = env;
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  const send = (...lines: readonly string[]): void => {
    if (socket === '') return;
    try {
      sendDatagram(socket, lines.join('\n'));
    } catch (error) {
      failed(error);
    }
  };
  const periodMs = Number(period) / 1000;
  if (socket !== '' && periodMs > 0 && (pid === '' || pid === String(process.pid)))
    setInterval(() => send('WATCHDOG=1'), Math.min(periodMs / 2, MAX_TIMER_MS)).unref();
  return {
    ready: (status) => send('READY=1', `STATUS=${status}`),
    // systemd 253 tells reloads apart by this time.
    reloading: () => send('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: (status) => send('STOPPING=1', `STATUS=${status}`),
    status: (text) => send(`STATUS=${text}`),
  };
}
