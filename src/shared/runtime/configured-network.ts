import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { field, isObject, type Json, textField } from '../config/fields.ts';
import { parseHostLocal } from '../config/ipam.ts';
import { ipamType, parseNetconf } from '../config/netconf.ts';
import type { NetworkSpec } from '../config/network-spec.ts';
import { findPlugin, isThisExecutable } from './delegate.ts';
import type { Environment } from './environment.ts';
import { guardedOptions, rulesOf, type SpecInput, specOf } from './spec-of.ts';

const CONF_DIR = '/etc/cni/net.d';
/** Default CNI_PATH: containerd's default, and where distributions install plugins. */
const PLUGIN_DIRS = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni', '/usr/local/libexec/cni'];
/** The extensions that libcni reads. */
const EXTENSIONS: readonly string[] = ['.conf', '.conflist', '.json'];

/**
 * Looks up a NetworkSpec in the CNI configuration files of ISTHMUS_CNI_CONF_DIR (default /etc/cni/net.d): the first
 * file, by name, with a network of this name and a valid element of type isthmus or bridge. Never throws.
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

/** The plugin configurations that a runtime would derive from a file for the network of this name. */
function elementsOf(file: string, network: string): Json[] {
  const whole: unknown = attempted(() => JSON.parse(readFileSync(file, 'utf8')));
  if (!isObject(whole) || textField(whole, 'name') !== network) return [];
  const list: unknown = field(whole, 'plugins');
  if (!Array.isArray(list)) return [whole];
  const common = { name: network, cniVersion: field(whole, 'cniVersion') ?? '0.1.0' };
  return list.filter(isObject).map((element) => ({ ...element, ...common }));
}

/**
 * Returns the NetworkSpec of one plugin's configuration; undefined for other plugins, and for drivers without a
 * network. `path`: where to search for IPAM plugins. Throws NetError for an invalid configuration.
 */
export function specOfElement(config: Json, path: readonly string[] = PLUGIN_DIRS): NetworkSpec | undefined {
  const plugin = (['isthmus', 'bridge'] as const).find((name) => name === textField(config, 'type'));
  if (plugin === undefined) return undefined;
  const strict = plugin === 'isthmus';
  const parsed = parseNetconf({ config, strict, ...(strict ? {} : { driver: 'bridge' as const }) });
  if (parsed.options.driver === 'null') return { options: { driver: 'null' }, ranges: [], routes: [] };
  if (parsed.options.driver !== 'bridge') return undefined;
  const options = guardedOptions(config, parsed.options);
  return specOf({ config, options, ipam: ipamOf(config, strict, path), rules: rulesOf(plugin, config, parsed) });
}

/** Resolves IPAM like a call: the built-in one also serves the name host-local if that file is Isthmus. */
function ipamOf(config: Json, strict: boolean, path: readonly string[]): SpecInput['ipam'] {
  const type = ipamType(config, strict);
  if (type === undefined) return undefined;
  const isOwn =
    type === '' || type === 'isthmus' || (attempted(() => isThisExecutable(findPlugin(type, path))) ?? false);
  if (!isOwn || type === 'static') return { type };
  const ipam = field(config, 'ipam');
  const isStrict = strict && textField(ipam, 'type') === undefined;
  parseHostLocal({ ipam, path: '.ipam', strict: isStrict, multiFamily: true, requested: [] });
  return 'pool';
}

function attempted<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
