import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import { field, isObject, type Json, textField } from '../model/json.ts';
import { type Document, parseNetworkName } from './document.ts';
import { dataDirOf } from './ipam.ts';
import type { LocalIpam } from './local-ipam.ts';
import { type DriverName, driverName, ipamType } from './netconf.ts';
import {
  type DelegateConfig,
  DRIVER_OF,
  isBuiltIn,
  type PluginName,
  parseEarlyIpam,
  type Reading,
  type RemoteIpamConfig,
} from './plugin-config.ts';
import { isRemoteIpam, parseRemote, type RemoteOptions } from './remote.ts';
import { NEWEST } from './versions.ts';

/** The part of a configuration that DEL needs. The rest may be invalid. */
export interface RemovalConfig {
  /** Name of the network. */
  readonly name: string;
  readonly driver: DriverName;
  /** Who assigned the addresses; absent if nothing is to be released. */
  readonly ipam?:
    | { readonly kind: 'pool'; readonly dataDir: string }
    | { readonly kind: 'dhcp' }
    | { readonly kind: 'remote' }
    | DelegateConfig;
  /** Of driver `remote` with usable keys: what its plugins know the network by. */
  readonly remote?: { readonly options: RemoteOptions; readonly ipam?: LocalIpam | RemoteIpamConfig };
}

/** The part of a configuration that GC needs. */
export interface CollectionConfig extends RemovalConfig {
  /** The attachments that are alive. */
  readonly keep: readonly { readonly containerId: string; readonly ifName: string }[];
}

/**
 * Parses what DEL needs. Throws NetError `invalid-config` for an invalid network name only. Where no plugin has the name
 * of the IPAM, it counts as foreign.
 */
export function parseRemoval({ json }: Document, { plugin, isOwn }: Pick<Reading, 'plugin' | 'isOwn'>): RemovalConfig {
  const config = isObject(json) ? json : {};
  const name = parseNetworkName(field(config, 'name'));
  const ipam = releasedIpam(config, plugin, isOwn);
  return {
    name,
    driver: DRIVER_OF[plugin] ?? driverName(config),
    ...given({ ipam, remote: plugin === 'isthmus' ? remoteOf(config) : undefined }),
  };
}

/** A configuration that ADD refused has made nothing in a plugin. */
function remoteOf(config: Json): RemovalConfig['remote'] {
  if (driverName(config) !== 'remote') return undefined;
  try {
    const ipam = parseEarlyIpam(config, { plugin: 'isthmus', command: 'STATUS', args: '', version: NEWEST });
    return { options: parseRemote(config), ...given({ ipam }) };
  } catch {
    return undefined;
  }
}

function releasedIpam(config: Json, plugin: PluginName, isOwn: Reading['isOwn']): RemovalConfig['ipam'] {
  const pool = (): RemovalConfig['ipam'] => ({ kind: 'pool', dataDir: dataDirOf(field(config, 'ipam')) });
  if (plugin === 'host-local') return pool();
  if (plugin === 'dhcp') return { kind: 'dhcp' };
  if (plugin !== 'isthmus' && (DRIVER_OF[plugin] ?? 'null') === 'null') return undefined;
  if (plugin === 'isthmus' && isRemoteIpam(config)) return { kind: 'remote' };
  const type = ipamType(config, plugin === 'isthmus');
  if (type === undefined) return undefined;
  if (!isBuiltIn(type) && !isOwn(type)) return { kind: 'delegate', type };
  if (type === 'dhcp') return { kind: 'dhcp' };
  return type === 'static' ? undefined : pool();
}

/** The current key of the specification, and the key of its tag 1.1.0; libcni sends both. */
const KEEP_KEYS = ['cni.dev/valid-attachments', 'cni.dev/attachments'];

/**
 * Parses what GC needs. Throws NetError `invalid-config` if the list of attachments is missing or malformed: otherwise
 * every attachment would be garbage.
 */
export function parseCollection(document: Document, reading: Pick<Reading, 'plugin' | 'isOwn'>): CollectionConfig {
  return { ...parseRemoval(document, reading), keep: parseKept(isObject(document.json) ? document.json : {}) };
}

function parseKept(config: Json): CollectionConfig['keep'] {
  const key = KEEP_KEYS.find((name) => Object.hasOwn(config, name));
  if (key === undefined) {
    const hint = 'List the attachments that are alive; [] removes all of them';
    throw invalidList(KEEP_KEYS[0] ?? '', 'is missing', hint);
  }
  const list = config[key] ?? [];
  if (!Array.isArray(list)) throw invalidList(key, `is no list: ${JSON.stringify(list)}`, 'Give a list');
  return list.map((item: unknown, i) => {
    const containerId = textField(item, 'containerID');
    const ifName = textField(item, 'ifname');
    if (containerId !== undefined && ifName !== undefined) return { containerId, ifName };
    const what = `[${i}] lacks ${containerId === undefined ? 'containerID' : 'ifname'}: ${JSON.stringify(item)}`;
    throw invalidList(key, what, 'Each attachment is { "containerID": …, "ifname": … }');
  });
}

function invalidList(key: string, what: string, hint: string): NetError {
  return fault.invalidConfig('config', `["${key}"]`, what, hint);
}
