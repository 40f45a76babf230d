import type { NetError } from '../errors/net-error.ts';
import { type Addr, type Family, formatAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { field, isObject, type Json, textField } from '../model/json.ts';
import { pluginNameFault } from '../model/plugin-name.ts';
import { contains, formatPrefix, type Prefix } from '../model/prefix.ts';
import type { Route } from '../model/route.ts';
import { readFlag } from './interface-values.ts';
import { invalid } from './invalid.ts';
import { readRoutes } from './ipam.ts';
import { assertAssignable, type Given, readAddr, readRequested, readSubnet } from './ipam-values.ts';
import { assertShape } from './shape.ts';
import { ipamRemote } from './validators.generated.js';

/** A pool to request from an IPAM plugin, as text. Without `subnet`, the plugin chooses it. */
export interface RemotePool {
  readonly family: Family;
  readonly subnet?: string;
  /** The part of the subnet that addresses come from. */
  readonly ipRange?: string;
  readonly gateway?: string;
}

/** Pools of an IPAM plugin that was written for Docker. */
export interface RemotePools {
  /** Its name. */
  readonly plugin: string;
  readonly options: Readonly<Record<string, string>>;
  /** At most one of each family. */
  readonly pools: readonly RemotePool[];
}

/** `ipam` of type `remote`. */
export interface RemoteIpam extends RemotePools {
  readonly routes: readonly Route[];
  /** Addresses that the caller asks for, at most one of each family. */
  readonly requested: readonly Addr[];
}

/** Options of driver `remote`: a network plugin that was written for Docker. */
export interface RemoteOptions {
  readonly driver: 'remote';
  /** Its name. */
  readonly plugin: string;
  /** For the plugin, as `docker network create -o` gives them. */
  readonly options: Readonly<Record<string, string>>;
  /** The plugin is told that nothing leaves the network (`docker network create --internal`). */
  readonly internal?: true;
}

const TYPE = 'remote';

/** True if a configuration of Isthmus's own name gets its addresses from a Docker plugin. */
export function isRemoteIpam(config: Json): boolean {
  return field(field(config, 'ipam'), 'type') === TYPE;
}

/** Parses the keys of driver `remote` in a configuration of valid shape. Throws NetError `invalid-config`. */
export function parseRemote(config: Json): RemoteOptions {
  const plugin = readPlugin(config, '.plugin', 'driver "remote"');
  const internal = readFlag(config, 'internal') ? true : undefined;
  return { driver: 'remote', plugin, options: readTexts(field(config, 'options')), ...given({ internal }) };
}

/**
 * Parses `ipam` of type `remote`. `given` are the addresses that the caller asks for. Throws NetError `invalid-config`
 * that names JSON path, value, rule and remedy.
 */
export function parseRemoteIpam(ipam: unknown, asked: readonly Given[]): RemoteIpam {
  assertShape(ipamRemote, ipam, '.ipam', true);
  const plugin = readPlugin(isObject(ipam) ? ipam : {}, '.ipam.plugin', 'ipam of type "remote"');
  const requested = [...readRequested(asked).values()].map(({ addr }) => addr);
  for (const family of [4, 6]) {
    const found = requested.filter((addr) => addr.family === family);
    if (found.length > 1) {
      const what = `there are ${found.length} of IPv${family}, and a Docker plugin gives one`;
      throw invalid('.runtimeConfig.ips', found.map(formatAddr), what, 'Ask for one address of each family');
    }
  }
  const routes = readRoutes(field(ipam, 'routes'), '.ipam.routes');
  return { plugin, options: readTexts(field(ipam, 'options')), pools: readPools(ipam), routes, requested };
}

function readPlugin(holder: Json, path: string, whose: string): string {
  const name = textField(holder, 'plugin');
  if (name === undefined) throw invalid(path, undefined, `${whose} needs the name of a plugin`, 'Add it');
  const wrong = pluginNameFault(name);
  if (wrong !== undefined) throw invalid(path, name, `it ${wrong.what}`, wrong.hint);
  return name;
}

/** Plugins expect texts, also for numbers and flags. */
function readTexts(options: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(isObject(options) ? options : {}).map(([key, value]) => [key, `${value}`]));
}

function readPools(ipam: unknown): RemotePool[] {
  const list = field(ipam, 'pools');
  const items: readonly (readonly [unknown, string])[] = Array.isArray(list)
    ? list.map((item: unknown, i) => [item, `.ipam.pools[${i}]`] as const)
    : [[ipam, '.ipam'] as const];
  const stray = ['subnet', 'ipRange', 'gateway'].find((key) => field(ipam, key) !== undefined);
  if (Array.isArray(list) && stray !== undefined)
    throw invalid(`.ipam.${stray}`, field(ipam, stray), 'it is beside .ipam.pools', 'Write it into one of the pools');
  const pools = items.map(([item, path]) => readPool(item, path));
  for (const [i, { family }] of pools.entries()) {
    if (pools.findIndex((other) => other.family === family) === i) continue;
    const what = `there is another pool of IPv${family} before`;
    throw invalid(`.ipam.pools[${i}]`, field(list, String(i)), what, 'Give at most one of each family');
  }
  return pools;
}

function readPool(item: unknown, path: string): RemotePool {
  const [subnetText, rangeText, gatewayText] = ['subnet', 'ipRange', 'gateway'].map((key) => textField(item, key));
  const subnet = subnetText === undefined ? undefined : readSubnet(subnetText, `${path}.subnet`);
  const stray =
    subnet === undefined ? (['ipRange', 'gateway'] as const).find((key) => textField(item, key)) : undefined;
  if (stray !== undefined)
    throw invalid(`${path}.${stray}`, field(item, stray), `it needs ${path}.subnet`, `Add ${path}.subnet or remove it`);
  const wanted = field(item, 'family');
  const family = subnet?.addr.family ?? (wanted === 6 ? 6 : 4);
  if (subnet === undefined) return { family };
  assertAssignable(subnet, `${path}.subnet`);
  if (wanted !== undefined && wanted !== family)
    throw invalid(`${path}.family`, wanted, `the subnet is IPv${family}`, 'Remove it');
  const ipRange = rangeText === undefined ? undefined : readSubnet(rangeText, `${path}.ipRange`);
  const gateway = gatewayText === undefined ? undefined : readAddr(gatewayText, `${path}.gateway`);
  const isWider = ipRange !== undefined && ipRange.length < subnet.length;
  if (isWider) throw outside(subnet, `${path}.ipRange`, rangeText);
  assertWithin(subnet, ipRange?.addr, `${path}.ipRange`, rangeText);
  assertWithin(subnet, gateway, `${path}.gateway`, gatewayText);
  return {
    family,
    subnet: formatPrefix(subnet),
    ...given({
      ipRange: ipRange === undefined ? undefined : formatPrefix(ipRange),
      gateway: gateway === undefined ? undefined : formatAddr(gateway),
    }),
  };
}

function assertWithin(subnet: Prefix, addr: Addr | undefined, path: string, text: string | undefined): void {
  if (addr !== undefined && !contains(subnet, addr)) throw outside(subnet, path, text);
}

function outside(subnet: Prefix, path: string, text: string | undefined): NetError {
  return invalid(path, text, `it is outside ${formatPrefix(subnet)}`, 'Choose one inside the subnet');
}
