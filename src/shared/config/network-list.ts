import { fault } from '../errors/fault.ts';
import { field, isObject, type Json, textField } from '../model/json.ts';
import { parseDocument, parseNetworkName } from './document.ts';
import { invalid } from './invalid.ts';
import { type CniVersion, SUPPORTED, UNSAID_VERSION } from './versions.ts';

/** The configuration of one plugin. */
export interface ListedPlugin {
  readonly type: string;
  /** Its place in the file: `.plugins[0]`; empty for a file with one plugin. */
  readonly path: string;
  readonly json: Json;
}

/** A network configuration as a runtime reads it (SPEC.md §1): a list of plugins, or one plugin. */
export interface NetworkList {
  readonly name: string;
  /** The newest version that the file and this program have in common. */
  readonly version: CniVersion;
  readonly plugins: readonly [ListedPlugin, ...ListedPlugin[]];
}

/**
 * Parses a configuration: a list (`.conflist`), or one plugin (`.conf`). Throws NetError `decode` for text that is not a
 * JSON object, `invalid-config` for a list without a name, a plugin or a plugin's type, and `incompatible-version`.
 */
export function parseNetworkList(text: string, source: string): NetworkList {
  const { json } = parseDocument(text, source);
  const whole = isObject(json) ? json : {};
  const name = parseNetworkName(field(whole, 'name'));
  return { name, version: newestOf(whole), plugins: pluginsOf(whole) };
}

function newestOf(whole: Json): CniVersion {
  const others = field(whole, 'cniVersions');
  const said = field(whole, 'cniVersion') ?? UNSAID_VERSION;
  const all: readonly unknown[] = [said, ...(Array.isArray(others) ? others : [])];
  const found = SUPPORTED.findLast((version) => all.includes(version));
  if (found !== undefined) return found;
  const hint = `Supported are ${SUPPORTED.join(', ')}`;
  throw fault.incompatibleVersion('config', `.cniVersion=${JSON.stringify(said)}`, 'it is not a version of CNI', hint);
}

function pluginsOf(whole: Json): NetworkList['plugins'] {
  const list = field(whole, 'plugins');
  if (list === undefined) return [pluginOf(whole, '')];
  if (!Array.isArray(list)) throw invalid('.plugins', list, 'it is not a list', 'Write a list of plugins');
  const [first, ...more] = list.map((one: unknown, i) => pluginOf(one, `.plugins[${i}]`));
  if (first === undefined) throw invalid('.plugins', list, 'it names no plugin', 'Add { "type": "isthmus" }');
  return [first, ...more];
}

function pluginOf(value: unknown, path: string): ListedPlugin {
  if (!isObject(value)) throw invalid(path, value, 'it is not an object', 'Write { "type": "isthmus", … }');
  const type = textField(value, 'type');
  if (type !== undefined) return { type, path, json: value };
  throw invalid(`${path}.type`, field(value, 'type'), 'no plugin is named', 'Write "type": "isthmus"');
}

/** What a runtime adds to the configuration of a plugin, and what is to be assumed in its place. */
export interface ElementInput {
  readonly previous?: unknown;
  /** What the runtime offers, by capability. */
  readonly offers: Json;
  /** The packet filter in place of the one that the configuration names. */
  readonly backend?: string;
}

/** IPAM types whose addresses follow from the configuration. */
const KNOWN_IPAM: readonly unknown[] = [undefined, '', 'isthmus', 'host-local', 'static'];

/** The configuration that a plugin gets from the runtime, for a call that writes no file. */
export function elementText({ name, version }: NetworkList, plugin: ListedPlugin, input: ElementInput): string {
  const { json } = plugin;
  const { previous, offers, backend } = input;
  const wanted = Object.entries(offers).filter(([key]) => field(field(json, 'capabilities'), key) === true);
  const ipam = field(json, 'ipam');
  return JSON.stringify({
    ...json,
    ...{ name, cniVersion: version },
    ...(isObject(ipam) && 'writeFiles' in ipam && { ipam: { ...ipam, writeFiles: false } }),
    ...(wanted.length > 0 && { runtimeConfig: Object.fromEntries(wanted) }),
    ...(previous !== undefined && { prevResult: previous }),
    ...(backend !== undefined && backendKeys(plugin, backend)),
  });
}

/** CNI_ARGS with a request for these addresses, where the plugin's own IPAM gives them. */
export function argsFor({ json }: ListedPlugin, args: string, addresses: readonly string[]): string {
  const ipam = field(json, 'ipam');
  const listed = field(ipam, 'addresses');
  const isFixed = Array.isArray(listed) && listed.length > 0;
  if (addresses.length === 0 || !isObject(ipam) || isFixed || !KNOWN_IPAM.includes(field(ipam, 'type'))) return args;
  return [args, `IP=${addresses.join(',')}`].filter((text) => text !== '').join(';');
}

/** Each plugin has another key for the same. */
function backendKeys({ type }: ListedPlugin, backend: string): Json {
  switch (type) {
    case 'isthmus':
      return { firewall: { backend } };
    case 'bridge':
    case 'ptp':
      return { ipMasqBackend: backend };
    case 'portmap':
      return { backend };
    default:
      return {};
  }
}
