import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fault } from '../errors/fault.ts';
import { hasCode } from '../errors/net-error.ts';
import { pluginNameFault } from '../model/plugin-name.ts';
import type { Place } from './place.ts';
import { readJsonSpec, readSpec } from './spec-file.ts';

export interface PluginDirectories {
  /** Of sockets. */
  readonly sockets: readonly string[];
  /** Of `.spec` and `.json` files. */
  readonly specs: readonly string[];
}

const SYSTEM: PluginDirectories = {
  sockets: ['/run/docker/plugins'],
  specs: ['/etc/docker/plugins', '/usr/lib/docker/plugins'],
};

/** Where Docker looks for plugins: dockerd's directories, or the user's below RootlessKit. */
export function pluginDirectories(env: Readonly<Record<string, string | undefined>>): PluginDirectories {
  if ((env.ROOTLESSKIT_STATE_DIR ?? '') === '') return SYSTEM;
  const home = env.HOME ?? '/root';
  const config = env.XDG_CONFIG_HOME ?? join(home, '.config');
  const run = env.XDG_RUNTIME_DIR;
  return {
    sockets: run === undefined || run === '' ? SYSTEM.sockets : [join(run, 'docker/plugins')],
    specs: [join(config, 'docker/plugins'), join(home, '.local/lib/docker/plugins')],
  };
}

/** Throws NetError `invalid-config` unless a plugin can have this name. */
export function checkPluginName(name: string): void {
  const wrong = pluginNameFault(name);
  if (wrong === undefined) return;
  throw fault.invalidConfig('plugin', `plugin=${JSON.stringify(name)}`, wrong.what, wrong.hint);
}

/**
 * Finds a plugin as moby does (pkg/plugins/discovery.go): a socket first, then `.spec` and `.json` files, each in the
 * directory or in one named like the plugin. Undefined if there is none. `own`: sockets of this program, which would
 * call itself. Throws NetError `invalid-config` for them and for a bad file.
 */
export async function findPlugin(
  name: string,
  { sockets, specs }: PluginDirectories,
  own: readonly string[] = [],
): Promise<Place | undefined> {
  checkPluginName(name);
  const place = (await findSocket(name, sockets)) ?? (await findSpec(name, specs));
  if (place?.kind === 'unix' && (await isOneOf(place.path, own)))
    throw fault.invalidConfig(
      'plugin',
      `plugin=${JSON.stringify(name)}`,
      `is this program: it would call itself at ${place.path}`,
      'Name another plugin, or one of the built-in drivers',
    );
  return place;
}

async function findSocket(name: string, directories: readonly string[]): Promise<Place | undefined> {
  for (const path of directories.flatMap((directory) => pathsIn(directory, name, '.sock')))
    if ((await statOf(path))?.isSocket()) return { kind: 'unix', path };
  return undefined;
}

async function findSpec(name: string, directories: readonly string[]): Promise<Place | undefined> {
  for (const directory of directories) {
    for (const file of pathsIn(directory, name, '.spec')) if (await statOf(file)) return await readSpec(file);
    for (const file of pathsIn(directory, name, '.json')) if (await statOf(file)) return await readJsonSpec(file);
  }
  return undefined;
}

function pathsIn(directory: string, name: string, ending: string): string[] {
  return [join(directory, name + ending), join(directory, name, name + ending)];
}

/** Compares files, not names: a link to our socket is our socket. */
async function isOneOf(path: string, others: readonly string[]): Promise<boolean> {
  const found = await statOf(path);
  const states = await Promise.all(others.map(statOf));
  return (
    others.includes(path) ||
    states.some((state) => state !== undefined && state.dev === found?.dev && state.ino === found.ino)
  );
}

async function statOf(path: string) {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (hasCode(error, ['ENOENT', 'ENOTDIR'])) return undefined;
    const what = error instanceof Error ? error.message : String(error);
    throw fault.invalidConfig('plugin', `file ${path}`, `cannot be read: ${what}`, 'Look at its permissions');
  }
}
