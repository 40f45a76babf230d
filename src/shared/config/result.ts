import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { type Addr, parseAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { field, isObject, type Json, parseJson, textField, textOf } from '../model/json.ts';
import { type Prefix, parsePrefix } from '../model/prefix.ts';
import type { Route } from '../model/route.ts';
import { type Dns, readDns } from './dns.ts';
import { show } from './invalid.ts';
import { excessOf } from './limits.ts';

/** A CNI result in the newest form (SPEC.md §5, ADD success); older forms derive from it. */
export interface CniResult {
  readonly interfaces: readonly CniInterface[];
  readonly ips: readonly CniIp[];
  readonly routes: readonly Route[];
  readonly dns: Dns;
}

export interface CniInterface {
  readonly name: string;
  readonly mac?: string;
  readonly mtu?: number;
  readonly sandbox?: string;
  readonly socketPath?: string;
  readonly pciID?: string;
}

export interface CniIp {
  /** With the prefix length of its subnet. */
  readonly address: Prefix;
  readonly gateway?: Addr;
  /** Index into `interfaces`. */
  readonly interface?: number;
}

/**
 * Converts a result of any version to the newest form. `where` names it in errors: `.prevResult`, `result of dhcp`.
 * Throws NetError `invalid-config` for a malformed result.
 */
export function parseResult(value: unknown, where: string): CniResult {
  if (!isObject(value)) throw invalid(where, value, 'is no result object');
  const dns = readDns(field(value, 'dns'));
  if (field(value, 'ip4') !== undefined || field(value, 'ip6') !== undefined) {
    return { interfaces: [], ...parse02(value, where), dns };
  }
  return {
    interfaces: list(value, 'interfaces', where).map((item, i) => parseInterface(item, `${where}.interfaces[${i}]`)),
    ips: list(value, 'ips', where).map((item, i) => parseIp(item, `${where}.ips[${i}]`)),
    routes: parseRoutes(value, where),
    dns,
  };
}

/** 0.1.0 and 0.2.0: one address for each family, with its routes. */
function parse02(value: Json, where: string): Pick<CniResult, 'ips' | 'routes'> {
  const given = ['ip4', 'ip6'].flatMap((key) => {
    const item = field(value, key);
    return item === undefined ? [] : [{ item, path: `${where}.${key}` }];
  });
  return {
    ips: given.map(({ item, path }) => ({
      address: prefixIn(item, 'ip', path, 'is no address with a prefix length'),
      ...gatewayIn(item, 'gateway', path),
    })),
    routes: given.flatMap(({ item, path }) => parseRoutes(item, path)),
  };
}

function parseInterface(item: unknown, where: string): CniInterface {
  const name = textField(item, 'name');
  if (name === undefined) throw invalid(where, item, 'has no name');
  const [mac, sandbox, socketPath, pciID] = ['mac', 'sandbox', 'socketPath', 'pciID'].map((key) =>
    textField(item, key),
  );
  const mtu = number(item, 'mtu');
  return {
    name,
    ...given({ mac, mtu, sandbox, socketPath, pciID }),
  };
}

function parseIp(item: unknown, where: string): CniIp {
  const index = number(item, 'interface');
  return {
    address: prefixIn(item, 'address', where, 'is no address with a prefix length'),
    ...gatewayIn(item, 'gateway', where),
    ...(index === undefined || index < 0 ? {} : { interface: index }),
  };
}

function parseRoutes(holder: unknown, where: string): Route[] {
  return list(holder, 'routes', where).map((item, i) => parseRoute(item, `${where}.routes[${i}]`));
}

function parseRoute(item: unknown, where: string): Route {
  const dst = prefixIn(item, 'dst', where, 'is no prefix');
  const numbers = ['mtu', 'advmss', 'priority', 'table', 'scope'].flatMap((key) => {
    const found = number(item, key);
    return found === undefined ? [] : [[key, found]];
  });
  return { dst, ...gatewayIn(item, 'gw', where), ...Object.fromEntries(numbers) };
}

function prefixIn(item: unknown, key: string, where: string, otherwise: string): Prefix {
  const prefix = parsePrefix(textField(item, key) ?? '');
  if (prefix !== undefined) return prefix;
  const value = field(item, key);
  throw invalid(`${where}.${key}`, value, value === undefined ? 'is missing' : otherwise);
}

/** Returns the gateway at `key`, or an empty object if the key is absent. */
function gatewayIn(item: unknown, key: 'gateway' | 'gw', where: string): { readonly gateway?: Addr } {
  const text = field(item, key);
  if (text === undefined || text === '') return {};
  const gateway = typeof text === 'string' ? parseAddr(text) : undefined;
  if (gateway === undefined) throw invalid(`${where}.${key}`, text, 'is not an IP address');
  return { gateway };
}

function list(value: unknown, key: string, where: string): readonly unknown[] {
  const found = field(value, key);
  if (found === undefined) return [];
  if (!Array.isArray(found)) throw invalid(`${where}.${key}`, found, 'is no list');
  return found;
}

function number(value: unknown, key: string): number | undefined {
  const found = field(value, key);
  return typeof found === 'number' && Number.isInteger(found) ? found : undefined;
}

function invalid(path: string, value: unknown, what: string): NetError {
  return fault.invalidConfig(
    'result',
    value === undefined ? path : `${path}=${show(value)}`,
    what,
    'It has to be a CNI result (SPEC.md section 5)',
  );
}

/** What a plugin that failed printed; absent values were missing, or the output was not JSON. */
export interface PrintedError {
  readonly msg?: string;
  readonly details?: string;
  readonly code?: number;
}

/** Parses the output of a plugin that failed (SPEC.md §5, Error). Never throws. */
export function parsePrintedError(text: string): PrintedError {
  const output = parseOutput(text);
  const [msg, details] = ['msg', 'details'].map((key) => {
    const value = field(output, key);
    return value === undefined ? undefined : textOf(value);
  });
  const code = field(output, 'code');
  return given({ msg, details, code: typeof code === 'number' ? code : undefined });
}

/** Returns true if the answer to VERSION lists this version. Never throws. */
export function listsVersion(text: string, version: string): boolean {
  const known = field(parseOutput(text), 'supportedVersions');
  return Array.isArray(known) && known.includes(version);
}

/** Parses the result that a plugin printed; undefined if it is not JSON. Throws NetError like `parseResult`. */
export function parsePrintedResult(text: string, where: string): CniResult | undefined {
  const output = parseOutput(text);
  if (output === undefined) return undefined;
  const excess = excessOf(output);
  if (excess !== undefined) throw invalid(`${where}${excess.path}`, undefined, excess.what);
  return parseResult(output, where);
}

function parseOutput(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
}
