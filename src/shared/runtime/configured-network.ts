import { readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { type Document, parseDocument, parseFile } from '../config/document.ts';
import type { NetworkSpec } from '../config/network-spec.ts';
import { parsePlugin } from '../config/plugin-config.ts';
import { readConfiguration } from '../config/read-file.ts';
import { NEWEST } from '../config/versions.ts';
import { fault } from '../errors/fault.ts';
import { asNetError, NetError } from '../errors/net-error.ts';
import { attempted } from './attempted.ts';
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
 * file, by name, with a network of this name and a valid element of type isthmus, bridge or ptp. Throws NetError
 * `invalid-config` if there is none and a file of this network, or one that is not JSON and has its name, is broken: a
 * network that is made in its place would be another one, which its pods are refused on once the file is mended.
 */
export function configuredNetworks(env: Environment): (network: string) => NetworkSpec | undefined {
  const dir = env.ISTHMUS_CNI_CONF_DIR || CONF_DIR;
  const given = (env.CNI_PATH ?? '').split(':').filter((each) => each !== '');
  const path = given.length > 0 ? given : PLUGIN_DIRS;
  return (network) => {
    let broken: NetError | undefined;
    for (const file of filesOf(dir)) {
      const found = specIn(file, network, path);
      if (found instanceof NetError) broken ??= found;
      else if (found !== undefined) return found;
    }
    if (broken !== undefined) throw broken;
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

/** What the file says of the network; NetError where it says something that is no configuration; undefined for nothing. */
function specIn(file: string, network: string, path: readonly string[]): NetworkSpec | NetError | undefined {
  const text = attempted(() => readConfiguration(file));
  if (text === undefined) return undefined;
  const elements = attempted(() => parseFile(text, network));
  if (elements === undefined) return namesNetwork(text, network) ? notJson(file, text, network) : undefined;
  let broken: NetError | undefined;
  for (const element of elements) {
    try {
      const spec = specOfElement(element, path);
      if (spec !== undefined) return spec;
    } catch (thrown) {
      const { subject, what, hint } = asNetError(thrown, 'config');
      broken ??= fault.invalidConfig('config', file, `network ${network} is in it: ${subject}: ${what}`, hint);
    }
  }
  return broken;
}

/** True for text with a `"name"` of this value: all that can be told of text that is not JSON. */
function namesNetwork(text: string, network: string): boolean {
  return [...text.matchAll(/"name"\s*:\s*"([^"]*)"/g)].some(([, name]) => name === network);
}

function notJson(file: string, text: string, network: string): NetError {
  const { what } = attemptedError(() => parseDocument(text)) ?? { what: 'is no configuration' };
  return fault.invalidConfig('config', file, `network ${network} is in it, and it ${what}`, 'Mend the file');
}

function attemptedError(work: () => unknown): NetError | undefined {
  try {
    work();
    return undefined;
  } catch (thrown) {
    return asNetError(thrown, 'config');
  }
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
