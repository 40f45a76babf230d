import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fault } from '../../../src/shared/errors/fault.ts';
import { carryOut, lockInstall, type Report } from './carry-out.ts';
import { assertDirectories } from './directories.ts';
import { lookAt, sumOf } from './files.ts';
import { FIRST_NETWORK, itemsOf, NETWORKS, PACKAGED, type Payload } from './items.ts';
import { type InstallPlan, planInstall } from './plan.ts';
import { hasRecord, INSTALL_DIR, type InstallRecord, readRecord, removeRecord } from './record.ts';
import { type Commands, commandsFor, isDaemonActive, type Systemd, systemdAt } from './services.ts';

/** Options of `install`; absent ones are as in the installation before. */
export interface InstallOptions {
  readonly root: string;
  readonly names?: readonly string[];
  readonly daemon?: boolean;
}

/** An installation before it is carried out. */
export interface Prepared {
  readonly plan: InstallPlan;
  readonly commands: Commands;
  readonly systemd: Systemd;
  /** True if the units are part of it. */
  readonly daemon: boolean;
  carryOut(report: Report): void;
}

/** Where the distributions' own runtimes look for plugins. */
const PLUGIN_DIRS = ['/usr/lib/cni', '/usr/libexec/cni'];
/** Of this one they do, even before the directory is there. */
const DEBIAN = { mark: '/etc/debian_version', dir: '/usr/lib/cni' };

/**
 * Looks at the system below `root` and plans what is asked for. Nothing is changed.
 * Throws NetError `conflict` if something is in the way, `io` without root's rights.
 */
export function prepareInstall(payload: Payload, { root, ...options }: InstallOptions): Prepared {
  assertRoot(root);
  assertDirectories(root, [FIRST_NETWORK, `${INSTALL_DIR}/record.json`]);
  const former = readRecord(root);
  const packaged = existsSync(join(root, PACKAGED));
  if (packaged && payload.executable !== join(root, '/usr/lib/isthmus/cni-plugin'))
    throw fault.conflict(
      'install',
      join(root, PACKAGED),
      'a package has installed isthmus',
      'Upgrade the package, or remove it first',
    );
  const names = options.names ?? former?.names ?? [];
  const asked = options.daemon ?? former?.daemon ?? true;
  const systemd = systemdAt(root);
  const daemon = asked && systemd !== 'absent';
  const others = configurations(root);
  const isOurs = former?.items.some(({ path }) => path === FIRST_NETWORK) === true;
  const network = others.length === 0 || (isOurs && others.includes(FIRST_NETWORK));
  const wanted = { names, daemon, packaged, network, pluginDirs: pluginDirs(root) };
  const items = itemsOf(payload, wanted);
  assertDirectories(
    root,
    items.map(({ path }) => path),
  );
  const summed = items.map((item) => ({ item, sum: sumOf(item) }));
  const planned = planInstall(summed, former?.items ?? [], (path) => lookAt(join(root, path)));
  const kept = network ? [] : others.map((path) => ({ action: 'keep', path, why: 'a network is configured' }) as const);
  const plan = { ...planned, steps: [...planned.steps, ...kept] };
  const change = { root, plan, former, options: { version: payload.version, names, daemon: asked } };
  return {
    ...{ plan, systemd, daemon },
    commands: commandsFor(plan.steps, systemd, isDaemonActive(systemd)),
    carryOut: (report) => carryOut(change, report),
  };
}

/** Plans to put back what was there before the installation. Throws NetError like `prepareInstall`. */
export function prepareUninstall(root: string): Prepared {
  assertRoot(root);
  const former = readRecord(root) ?? NOTHING;
  const plan = planInstall([], former.items, (path) => lookAt(join(root, path)));
  const systemd = systemdAt(root);
  return {
    ...{ plan, systemd, daemon: false },
    commands: commandsFor(plan.steps, systemd, false),
    carryOut: (report) => carryOut({ root, plan, former, options: former }, report),
  };
}

/** Keeps other installations out while `work` prepares and carries out a change. */
export async function whileLocked(root: string, work: () => Promise<void>): Promise<void> {
  assertRoot(root);
  assertDirectories(root, [`${INSTALL_DIR}/lock`]);
  using _ = lockInstall(root);
  try {
    await work();
  } finally {
    if (!hasRecord(root)) removeRecord(root);
  }
}

const NOTHING: InstallRecord = { version: '', names: [], daemon: true, items: [], directories: [] };

function assertRoot(root: string): void {
  if (root === '/' && process.getuid?.() !== 0)
    throw fault.io('install', `root ${root}`, 'only root may write there', 'Run it with sudo');
}

/** Files that a runtime reads, in its order. */
function configurations(root: string): string[] {
  const directory = join(root, NETWORKS);
  if (lookAt(directory).kind !== 'directory') return [];
  const files = readdirSync(directory).filter((name) => /\.(conf|conflist|json)$/.test(name));
  return files.sort().map((name) => `${NETWORKS}/${name}`);
}

function pluginDirs(root: string): string[] {
  const isDebian = existsSync(join(root, DEBIAN.mark));
  return PLUGIN_DIRS.filter((dir) => existsSync(join(root, dir)) || (isDebian && dir === DEBIAN.dir));
}
