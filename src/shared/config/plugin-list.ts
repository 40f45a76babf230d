import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { type Addr, formatAddr } from '../model/addr.ts';
import { field, isObject, type Json, parseJson, textField } from '../model/json.ts';
import { contains, formatPrefix, type Prefix, parsePrefix } from '../model/prefix.ts';
import { parseNetworkName } from './document.ts';
import { show } from './invalid.ts';
import { assertModest } from './limits.ts';
import { type CniVersion, isSupported, parseVersion, SUPPORTED } from './versions.ts';

/** A list of CNI plugins (SPEC.md section 1), or one plugin's configuration as a list of one. */
export interface PluginList {
  readonly name: string;
  readonly version: CniVersion;
  /** Those that run, in order. */
  readonly plugins: readonly ListedPlugin[];
  /** The administrator forbids GC, because others use the network too. */
  readonly disableGC: boolean;
}

export interface ListedPlugin {
  readonly type: string;
  readonly config: Json;
  readonly capabilities: readonly string[];
}

/** An address that the runtime has chosen, with the gateway of its subnet. */
export interface ChosenAddress {
  readonly address: Prefix;
  readonly gateway?: Addr;
}

/** What the runtime tells the plugins of one attachment. */
export interface ListRequest {
  /** Replaces the IPAM of the list by `static`. Absent: the list's own IPAM chooses. */
  readonly addresses?: readonly ChosenAddress[];
  readonly mac?: string;
}

/**
 * Parses a list. `subject` names it in errors. Omits plugins that do nothing without `portMappings`, which the caller
 * does not give. Throws NetError `invalid-config` that names key, value and rule; `decode` if it is not JSON.
 */
export function parsePluginList(text: string, subject: string): PluginList {
  const whole = jsonOf(text, subject);
  assertModest(whole);
  const refuse = (path: string, what: string, hint: string): NetError =>
    fault.invalidConfig('network', `${subject} ${path}`, what, hint);
  const listed = field(whole, 'plugins');
  if (listed !== undefined && !Array.isArray(listed)) {
    throw refuse(`.plugins=${show(listed)}`, 'it is not a list', 'Write "plugins": [{ "type": … }]');
  }
  const items: readonly unknown[] = listed ?? [whole];
  if (items.length === 0) throw refuse('.plugins', 'it is empty', 'Write at least one plugin into it');
  const all = items.map((item, i): ListedPlugin => {
    const path = listed === undefined ? '' : `.plugins[${i}]`;
    if (!isObject(item)) throw refuse(`${path}=${show(item)}`, 'it is not an object', 'Write { "type": … }');
    const type = textField(item, 'type');
    if (type === undefined) throw refuse(`${path}.type`, 'it is missing', 'Name the plugin to run');
    if (!/^[^/\0]+$/.test(type) || type === '.' || type === '..') {
      throw refuse(`${path}.type=${show(type)}`, 'it is a path', 'Give the bare name of a plugin');
    }
    for (const key of RUNTIMES_OWN) {
      if (field(item, key) === undefined) continue;
      throw refuse(`${path}.${key}`, 'only the runtime sets it, for each call', 'Remove it from the list');
    }
    return { type, config: item, capabilities: capabilitiesOf(item) };
  });
  return {
    name: parseNetworkName(field(whole, 'name')),
    version: versionOf(whole),
    plugins: all.filter((plugin) => !isForPorts(plugin)),
    disableGC: field(whole, 'disableGC') === true,
  };
}

/** Keys that a runtime adds to the configuration of one call. */
const RUNTIMES_OWN = ['prevResult', 'runtimeConfig'];

/** A plugin that needs the container's namespace as dockerd leaves it, and why; undefined if the list has none. */
export function sandboxNeed({ plugins }: PluginList): { readonly type: string; readonly what: string } | undefined {
  for (const { type, config } of plugins) {
    if (type === 'sbr') return { type, what: 'policy routing rules' };
    if (type === 'vrf') return { type, what: 'VRFs' };
    const sysctls = field(config, 'sysctl');
    if (type === 'tuning' && isObject(sysctls) && Object.keys(sysctls).length > 0) return { type, what: 'sysctls' };
  }
  return undefined;
}

/** The plugins of a list and their IPAM plugins, each once. `isAddressed`: the runtime chooses the addresses. */
export function pluginTypes({ plugins }: PluginList, isAddressed: boolean): string[] {
  const types = plugins.flatMap(({ type, config }) => {
    const ipam = field(config, 'ipam');
    if (!isObject(ipam) || Object.keys(ipam).length === 0) return [type];
    return [type, ...(isAddressed ? ['static'] : [textField(ipam, 'type') ?? []].flat())];
  });
  return [...new Set(types)];
}

/** True if containers have a gateway in this family that an IPAM must not give away. */
export function namesGateway({ plugins }: PluginList, family: 4 | 6): boolean {
  const isOwn = ({ type, config }: ListedPlugin): boolean =>
    type === 'ptp' || field(config, 'isGateway') === true || field(config, 'isDefaultGateway') === true;
  return plugins.some((plugin) => isOwn(plugin) || gatewaysIn(plugin.config).some((text) => isOf(text, family)));
}

/**
 * The configuration of one plugin for one attachment, as JSON, without the result of the plugin before it. The same
 * request has the same configuration in ADD and DEL.
 */
export function pluginConfig(list: PluginList, plugin: ListedPlugin, { addresses, mac }: ListRequest): string {
  const { config, capabilities } = plugin;
  const ipam = field(config, 'ipam');
  const isAddressed = addresses !== undefined && isObject(ipam) && Object.keys(ipam).length > 0;
  return JSON.stringify({
    ...withoutKey(config, 'ipam', isAddressed),
    ...{ cniVersion: list.version, name: list.name },
    ...(isAddressed ? { ipam: staticIpam(ipam, config, addresses) } : {}),
    ...(mac !== undefined && capabilities.includes('mac') ? { runtimeConfig: { mac } } : {}),
  });
}

/** The configuration with the result of the plugin before it, or of the ADD. */
export function withPrevious(config: string, result: string | undefined): string {
  return result === undefined ? config : `${config.slice(0, -1)},"prevResult":${result}}`;
}

/** The same JSON without white space. */
export function onOneLine(json: string): string {
  return JSON.stringify(parseJson(json));
}

/** The configuration of one plugin for GC. */
export function collectionConfig(
  list: PluginList,
  plugin: ListedPlugin,
  alive: readonly { readonly containerID: string; readonly ifname: string }[],
): string {
  const keys = { cniVersion: list.version, name: list.name, 'cni.dev/valid-attachments': alive };
  // Older drafts of version 1.1 have this key.
  return JSON.stringify({ ...plugin.config, ...keys, 'cni.dev/attachments': alive });
}

/** The `static` plugin's configuration: these addresses, and the list's routes of their families. */
function staticIpam(ipam: Json, config: Json, addresses: readonly ChosenAddress[]): Json {
  const told = gatewaysIn(config).flatMap((text) => parsePrefix(`${text}/${text.includes(':') ? 128 : 32}`) ?? []);
  const families = new Set(addresses.map(({ address }) => address.addr.family));
  const routes = field(ipam, 'routes');
  const dns = field(ipam, 'dns');
  return {
    type: 'static',
    addresses: addresses.map(({ address, gateway }) => {
      const chosen = gateway ?? told.find(({ addr }) => contains(address, addr))?.addr;
      return { address: formatPrefix(address), ...(chosen === undefined ? {} : { gateway: formatAddr(chosen) }) };
    }),
    routes: (Array.isArray(routes) ? routes : []).filter((route: unknown) => {
      const dst = textField(route, 'dst') ?? '';
      return families.has(dst.includes(':') ? 6 : 4);
    }),
    ...(dns === undefined ? {} : { dns }),
  };
}

/** The gateways that the configuration's IPAM names, as text. */
function gatewaysIn(config: Json): string[] {
  const ipam = field(config, 'ipam');
  const lists = ['ranges', 'addresses'].flatMap((key) => {
    const found = field(ipam, key);
    return Array.isArray(found) ? found.flat() : [];
  });
  return [ipam, ...lists].flatMap((one) => textField(one, 'gateway') ?? []);
}

function isOf(text: string, family: 4 | 6): boolean {
  return text.includes(':') === (family === 6);
}

/** Only publishes ports: it has the capability, and no other. */
function isForPorts({ capabilities }: ListedPlugin): boolean {
  return capabilities.length > 0 && capabilities.every((name) => name === 'portMappings');
}

function capabilitiesOf(config: Json): string[] {
  const capabilities = field(config, 'capabilities');
  if (!isObject(capabilities)) return [];
  return Object.entries(capabilities).flatMap(([name, on]) => (on === true ? [name] : []));
}

/** Like libcni: the newest known version of `cniVersions`, else `cniVersion`. */
function versionOf(whole: Json): CniVersion {
  const listed = field(whole, 'cniVersions');
  const known = (Array.isArray(listed) ? listed : []).filter(isSupported);
  const asked = field(whole, 'cniVersion');
  const all = isSupported(asked) ? [...known, asked] : known;
  return SUPPORTED.findLast((version) => all.includes(version)) ?? parseVersion(asked);
}

function withoutKey(config: Json, key: string, isRemoved: boolean): Json {
  if (!isRemoved) return config;
  return Object.fromEntries(Object.entries(config).filter(([name]) => name.toLowerCase() !== key));
}

function jsonOf(text: string, subject: string): Json {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    // Without a quotation: the path may be that of any file.
    const place = reason.replace(/, (\.\.\.)?".*/s, '');
    throw fault.decode('network', subject, `it is not JSON: ${place}`, 'Mend the JSON');
  }
  if (isObject(value)) return value;
  throw fault.decode(
    'network',
    subject,
    'it is not a JSON object',
    'A list is an object: { "name": …, "plugins": […] }',
  );
}
