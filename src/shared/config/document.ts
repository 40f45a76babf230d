import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { given } from '../model/given.ts';
import { field, isObject, parseJson, textField } from '../model/json.ts';
import { type CniVersion, isSupported, parseVersion, UNSAID_VERSION } from './versions.ts';

/** A configuration that is a JSON object. `plugin-config.ts` parses what it says. */
export interface Document {
  /** The version that `cniVersion` names; absent if it is not a released one. */
  readonly version?: CniVersion;
  /** The value of `name` if it is a string, for logs. */
  readonly name?: string;
  /** The value of `type` if it is a string. */
  readonly type?: string;
  /** The keys and their values, for the functions of this folder. */
  readonly json: unknown;
  /** The JSON itself, in which a key may be there twice; absent for a configuration of this program. */
  readonly text?: string;
}

/** Parses the JSON of a configuration. Throws NetError `decode` unless it is an object; `source` is where it is from. */
export function parseDocument(text: string, source = 'stdin'): Document {
  const decodeError = (what: string, hint: string): NetError => fault.decode('config', source, what, hint);
  if (text.trim() === '') {
    throw decodeError('is empty', 'Write the network configuration to it, as JSON');
  }
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw decodeError(`is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, 'Mend the JSON');
  }
  if (!isObject(value))
    throw decodeError('is not a JSON object', 'A network configuration is an object: { "name": … }');
  return { ...documentOf(value), text };
}

/** The document of a configuration that is written in this program. */
export function documentOf(json: Readonly<Record<string, unknown>>): Document {
  const [name, type] = [textField(json, 'name'), textField(json, 'type')];
  const asked = field(json, 'cniVersion') ?? UNSAID_VERSION;
  return { json, ...(isSupported(asked) ? { version: asked } : {}), ...given({ name, type }) };
}

/** Returns the version that a configuration names. Throws NetError `incompatible-version` for an unreleased one. */
export function versionOf({ json }: Document): CniVersion {
  return parseVersion(field(json, 'cniVersion'));
}

/**
 * The configurations that a runtime would derive from the content of a file, for the network of this name: one for each
 * plugin of a list. Throws if the text is not JSON.
 */
export function parseFile(text: string, network: string): Document[] {
  const whole: unknown = parseJson(text);
  if (!isObject(whole) || textField(whole, 'name') !== network) return [];
  const list: unknown = field(whole, 'plugins');
  if (!Array.isArray(list)) return [documentOf(whole)];
  const common = { name: network, cniVersion: field(whole, 'cniVersion') ?? UNSAID_VERSION };
  return list.filter(isObject).map((element) => documentOf({ ...element, ...common }));
}

/** A configuration file as libcni reads it: a list, or a single plugin. */
export interface ConfigurationFile {
  readonly network: string;
  /** One for each plugin. */
  readonly plugins: readonly Document[];
}

/**
 * Parses a whole file; `isList` for one whose name ends in `.conflist`. Throws NetError `decode` for what is not JSON, and
 * `invalid-config` for what a runtime refuses before it calls any plugin.
 */
export function parseConfigurationFile(text: string, isList: boolean): ConfigurationFile {
  const { json } = parseDocument(text);
  const network = parseNetworkName(field(json, 'name'));
  const list = field(json, 'plugins');
  if (list !== undefined && !isList) throw ofFile('.plugins', 'is for files that end in .conflist', 'Rename the file');
  const all: unknown = isList ? list : [json];
  if (!Array.isArray(all) || all.length === 0)
    throw ofFile('.plugins', 'is no list of plugins', 'Write "plugins": [ { "type": … } ]');
  const cniVersion = field(json, 'cniVersion') ?? UNSAID_VERSION;
  const plugins = all.map((element, i) => {
    const where = isList ? `.plugins[${i}]` : '';
    if (!isObject(element)) throw ofFile(where, 'is no object', 'Write { "type": … }');
    const { type, ...rest } = documentOf({ ...element, name: network, cniVersion });
    if (type === undefined || type === '') throw ofFile(`${where}.type`, 'is missing', 'Name the plugin');
    return { ...rest, type };
  });
  return { network, plugins };
}

function ofFile(key: string, what: string, hint: string): NetError {
  return fault.invalidConfig('config', key, what, hint);
}

/** Returns the version that a configuration names; undefined without one. Never throws. */
export function versionIn(text: string): string | undefined {
  try {
    return textField(parseJson(text), 'cniVersion');
  } catch {
    return undefined;
  }
}

/**
 * True if a configuration's IPAM may use files: a plugin of another name, host-local's directory, resolv.conf. Also true
 * for malformed text.
 */
export function namesFiles(text: string): boolean {
  let ipam: unknown;
  try {
    ipam = field(parseJson(text), 'ipam');
  } catch {
    return true;
  }
  return ['type', 'dataDir', 'resolvConf'].some(
    (key) => ![undefined, '', 'isthmus'].includes(field(ipam, key) as string),
  );
}

/** Returns the name of the network. Throws NetError `invalid-config` for an invalid name (SPEC.md §1). */
export function parseNetworkName(name: unknown): string {
  if (typeof name === 'string' && name.length <= 128 && /^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) return name;
  throw fault.invalidConfig(
    'config',
    name === undefined ? '.name' : `.name=${JSON.stringify(name)}`,
    name === undefined ? 'is missing' : 'is not a network name',
    name === undefined ? `Give the network one, such as "web". ${NAME_RULE}` : NAME_RULE,
  );
}

const NAME_RULE = 'Start with a letter or digit; then letters, digits, "_", "." and "-"; 128 characters at most';
