import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { type Document, parseFile } from '../config/document.ts';
import type { NetworkSpec } from '../config/network-spec.ts';
import { parsePlugin } from '../config/plugin-config.ts';
import { NEWEST } from '../config/versions.ts';
import { isOwnPlugin } from './delegate.ts';
import type { Environment } from './environment.ts';
import { guardedOptions, remoteSpecOf, rulesOf, specOf } from './spec-of.ts';

export const CONF_DIR = '/etc/cni/net.d';
/** Default CNI_PATH: containerd's default, and where distributions install plugins. */
export const PLUGIN_DIRS: readonly string[] = [
  '/opt/cni/bin',
  '/usr/lib/cni',
  '/usr/libexec/cni',
  '/usr/local/libexec/cni',
];
/** The extensions that libcni reads. */
export const EXTENSIONS: readonly string[] = ['.conf', '.conflist', '.json'];

/**
 * Looks up a NetworkSpec in the CNI configuration files of ISTHMUS_CNI_CONF_DIR (default /etc/cni/net.d): the first
 * file, by name, with a network of this name and a valid element of type isthmus, bridge or ptp. Never throws.
 */
export function configuredNetworks(env: Environment): (network: string) => NetworkSpec | undefined {
  const dir = env.ISTHMUS_CNI_CONF_DIR || CONF_DIR;
  const given = (env.CNI_PATH ?? '').split(':').filter((each) => each !== '');
  const path = given.length > 0 ? given : PLUGIN_DIRS;
  return (network) => {
    for (const file of filesOf(dir)) {
      for (const config of elementsOf(file, network)) {
        const spec = attempted(() => specOfElement(config, path));
        if (spec !== undefined) return spec;
      }
    }
    return undefined;
  };
}

function filesOf(dir: string): string[] {
  const names = attempted(() => readdirSync(dir)) ?? [];
  return names
    .filter((name) => EXTENSIONS.includes(extname(name)))
    .toSorted()
    .map((name) => join(dir, name));
}

/** The plugin configurations of a file for the network of this name. */
function elementsOf(file: string, network: string): Document[] {
  return attempted(() => parseFile(readFileSync(file, 'utf8'), network)) ?? [];
}

/**
 * Returns the NetworkSpec of one plugin's configuration; undefined for other plugins, and for drivers without a
 * network. `path`: where to search for IPAM plugins. Throws NetError for an invalid configuration.
 */
export function specOfElement(document: Document, path: readonly string[] = PLUGIN_DIRS): NetworkSpec | undefined {
  const plugin = (['isthmus', 'bridge', 'ptp'] as const).find((name) => name === document.type);
  if (plugin === undefined) return undefined;
  // Without an interface, as for STATUS. A call resolves IPAM in the same way.
  const config = parsePlugin(document, {
    ...{ plugin, command: 'STATUS', args: '', ifName: '', version: NEWEST },
    isOwn: (type) => isOwnPlugin(type, path),
  });
  if (config.kind === 'null') return { options: { driver: 'null' }, ranges: [], routes: [] };
  if (config.kind === 'interface' && config.options.driver === 'remote')
    return remoteSpecOf(config.options, config.ipam);
  if (config.kind === 'interface' && config.options.driver === 'ptp') {
    const { options } = config;
    const ptp = { ...config, options };
    return specOf(config.name, ptp, rulesOf(plugin, ptp));
  }
  // The cluster gives an overlay network what its configuration does not say.
  if (config.kind !== 'endpoint' || config.overlay !== undefined) return undefined;
  return specOf(config.name, { ...config, options: guardedOptions(config) }, rulesOf(plugin, config));
}

function attempted<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
