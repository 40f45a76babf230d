import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fault } from '../../../src/shared/errors/fault.ts';
import { LIBRARY, UNIT_NAMES } from './items.ts';
import type { Step } from './plan.ts';

/** What systemd is in the root: absent, present, or in charge of this machine. */
export type Systemd = 'absent' | 'present' | 'running';

/** The socket first: calls wait there while the daemon starts. */
const ORDER = ['isthmus.socket', 'isthmus-docker.socket', 'isthmus.service'];
const SERVICE = 'isthmus.service';
const EXECUTABLE = `${LIBRARY}/cni-plugin`;

export function systemdAt(root: string): Systemd {
  if (root === '/' && existsSync('/run/systemd/system')) return 'running';
  const files = ['usr/lib/systemd/systemd', 'lib/systemd/systemd'].map((file) => join(root, file));
  return files.some(existsSync) ? 'present' : 'absent';
}

export function isDaemonActive(systemd: Systemd): boolean {
  return systemd === 'running' && spawnSync('systemctl', ['is-active', '--quiet', SERVICE]).status === 0;
}

/** Commands before and after the steps. */
export interface Commands {
  readonly before: readonly (readonly string[])[];
  readonly after: readonly (readonly string[])[];
}

/**
 * Returns what systemd is told: to read the units again, to start the daemon, and to replace one that runs. Its sockets
 * stay open meanwhile, so calls wait instead of failing.
 */
export function commandsFor(steps: readonly Step[], systemd: Systemd, isActive: boolean): Commands {
  const units = steps.filter(({ path }) => isUnit(path));
  const changed = units.filter(({ action }) => action !== 'keep' && action !== 'leave');
  if (systemd !== 'running' || units.length === 0) return { before: [], after: [] };
  const reload = changed.length > 0 ? [['systemctl', 'daemon-reload']] : [];
  if (changed.some(({ action }) => action === 'remove' || action === 'put back'))
    return { before: [['systemctl', 'stop', ...ORDER]], after: reload };
  const isNew = steps.some(({ action, path }) => action === 'replace' && (isUnit(path) || path === EXECUTABLE));
  const restart = isActive && isNew ? [['systemctl', 'restart', SERVICE]] : [];
  return { before: [], after: [...reload, ['systemctl', 'start', ...ORDER], ...restart] };
}

function isUnit(path: string): boolean {
  return UNIT_NAMES.some((name) => path.endsWith(`/${name}`));
}

/** The command has succeeded. Throws NetError `unavailable` with what it said. */
export function runCommand([file = '', ...args]: readonly string[]): void {
  const { status, stderr, error } = spawnSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  if (status === 0) return;
  const reason = (error?.message ?? stderr).trim();
  const hint = 'The files are in place. See: journalctl -u isthmus; then run it again';
  throw fault.unavailable('install', [file, ...args].join(' '), `it failed with ${status}`, hint, { reason });
}
