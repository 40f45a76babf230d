import type { RangeSet } from '../ipam/ranges.ts';
import { assignRequests } from '../ipam/requests.ts';
import { type Addr, formatAddr } from '../model/addr.ts';
import type { RouteSpec } from '../model/link.ts';
import { contains, type Prefix } from '../model/prefix.ts';
import { type Dns, readDns, readResolvConf } from './dns.ts';
import { field, isObject, respell, textField } from './fields.ts';
import { invalid } from './invalid.ts';
import { assertDisjoint, assertUsable, type PlacedSet, readRange, readSets } from './ipam-ranges.ts';
import { readRoutes } from './ipam-routes.ts';
import { type Given, readAddr, readPrefix, readRequested, splitCommas } from './ipam-values.ts';
import { assertShape } from './shape.ts';
import { ipamHostLocal, ipamStatic, ipRanges } from './validators.generated.js';

const DATA_DIR = '/var/lib/cni/networks';
const RANGE_KEYS = ['subnet', 'rangeStart', 'rangeEnd', 'gateway'];
const HOST_LOCAL_KEYS = ['type', 'name', ...RANGE_KEYS, 'ranges', 'routes', 'dataDir', 'resolvConf'];
const STATIC_KEYS = ['type', 'name', 'addresses', 'routes', 'dns'];

interface Input {
  /** The `ipam` object. */
  readonly ipam: unknown;
  /** Where it stands, for errors: `.ipam`. */
  readonly path: string;
  /** Unknown keys are refused; otherwise they pass, and the case of keys does not count, as in the reference. */
  readonly strict: boolean;
  /** A result can have several addresses of a family: cniVersion is 0.3.0 or later. */
  readonly multiFamily: boolean;
}

export interface HostLocalInput extends Input {
  /** Texts of `CNI_ARGS` IP, `args.cni.ips` and `runtimeConfig.ips`; a prefix length is dropped. */
  readonly requested: readonly Given[];
  /** `runtimeConfig.ipRanges`: range sets that come before the configured ones. */
  readonly ipRanges?: unknown;
}

export interface HostLocalSpec {
  readonly sets: readonly RangeSet[];
  readonly routes: readonly RouteSpec[];
  /** `/var/lib/cni/networks` unless given. */
  readonly dataDir: string;
  /** What the file `resolvConf` says. */
  readonly dns?: Dns;
  readonly requested: readonly Addr[];
}

/**
 * The configuration of host-local, with its defaults. The single range of `subnet` is range set 0, after those of the
 * runtime. Throws NetError `invalid-config`, naming JSON path, value, rule and remedy.
 */
export function parseHostLocal(input: HostLocalInput): HostLocalSpec {
  const { path, strict, multiFamily } = input;
  const ipam = spelt(input.ipam, HOST_LOCAL_KEYS, strict);
  assertShape(ipamHostLocal, ipam, path, strict);
  const runtime = speltRanges(input.ipRanges);
  assertShape(ipRanges, runtime ?? null, '.runtimeConfig.ipRanges', false);
  const single = readSingle(ipam, path, strict);
  const placed = [
    ...readSets(runtime, '.runtimeConfig.ipRanges'),
    ...single,
    ...readSets(field(ipam, 'ranges'), `${path}.ranges`),
  ];
  if (placed.length === 0)
    throw invalid(path, ipam, 'there is no range to take addresses from', `Add ${path}.subnet or ${path}.ranges`);
  assertDisjoint(placed, multiFamily);
  assertUsable(placed);
  const sets = placed.map(({ set }) => set);
  const requested = readRequested(input.requested);
  const addresses = [...requested.values()].map(({ addr }) => addr);
  assignRequests(sets, addresses, (addr) => requested.get(formatAddr(addr))?.subject ?? formatAddr(addr));
  const resolvConf = textField(ipam, 'resolvConf');
  return {
    sets,
    routes: readRoutes(field(ipam, 'routes'), `${path}.routes`),
    dataDir: dataDirOf(ipam),
    ...(resolvConf === undefined ? {} : { dns: readResolvConf(resolvConf, `${path}.resolvConf`) }),
    requested: addresses,
  };
}

/** Where a host-local configuration has its directories; never throws, for DEL and GC. */
export function dataDirOf(ipam: unknown): string {
  const found = textField(ipam, 'dataDir') ?? DATA_DIR;
  return found.length > 1 ? found.replace(/\/+$/, '') : found;
}

export interface StaticInput extends Input {
  /** Texts of `CNI_ARGS` IP, with prefix length: added to the configured addresses. */
  readonly added?: readonly Given[];
  /** Texts of `runtimeConfig.ips`, else of `args.cni.ips`: where there are any, they replace the configured ones. */
  readonly overriding?: readonly Given[];
  /** Texts of `CNI_ARGS` GATEWAY: the gateway of each address whose subnet it is in. */
  readonly gateways?: readonly Given[];
}

export interface StaticAddress {
  readonly address: Prefix;
  readonly gateway?: Addr;
}

export interface StaticSpec {
  readonly addresses: readonly StaticAddress[];
  readonly routes: readonly RouteSpec[];
  readonly dns: Dns;
}

/** The configuration of static. Throws NetError `invalid-config`, naming JSON path, value, rule and remedy. */
export function parseStatic(input: StaticInput): StaticSpec {
  const { path, strict, multiFamily, overriding = [], added = [] } = input;
  const ipam = spelt(input.ipam, STATIC_KEYS, strict);
  assertShape(ipamStatic, ipam, path, strict);
  const configured = overriding.length > 0 ? [] : readStaticAddresses(field(ipam, 'addresses'), `${path}.addresses`);
  const requested = splitCommas([...overriding, ...added]);
  const all = [...configured, ...requested.map(({ text, path: at }) => ({ address: readPrefix(text, at) }))];
  if (!multiFamily) assertOnePerFamily(all, path);
  return {
    addresses: withGateways(all, splitCommas(input.gateways ?? [])),
    routes: readRoutes(field(ipam, 'routes'), `${path}.routes`),
    dns: readDns(field(ipam, 'dns')),
  };
}

function readStaticAddresses(value: unknown, path: string): StaticAddress[] {
  if (!Array.isArray(value)) return [];
  return value.map((item: unknown, i) => {
    const at = `${path}[${i}]`;
    const address = readPrefix(textField(item, 'address') ?? '', `${at}.address`);
    const text = textField(item, 'gateway');
    if (text === undefined) return { address };
    const gateway = readAddr(text, `${at}.gateway`);
    if (gateway.family !== address.addr.family)
      throw invalid(`${at}.gateway`, text, `it is IPv${gateway.family}, and its address is not`, 'Use one family');
    return { address, gateway };
  });
}

function withGateways(addresses: readonly StaticAddress[], given: readonly Given[]): StaticAddress[] {
  const gateways = given.map(({ text, path }) => readAddr(text, path));
  return addresses.map((item) => {
    const gateway = gateways.findLast((one) => contains(item.address, one));
    return gateway === undefined ? item : { ...item, gateway };
  });
}

function assertOnePerFamily(addresses: readonly StaticAddress[], path: string): void {
  for (const family of [4, 6]) {
    const found = addresses.map(({ address }) => address.addr).filter((addr) => addr.family === family);
    if (found.length > 1)
      throw invalid(
        `${path}.addresses`,
        found.map(formatAddr),
        `there is more than one of IPv${family}, and before CNI 0.3.0 a result has one address of each family`,
        'Set cniVersion to 0.3.0 or later',
      );
  }
}

/** The range of `subnet` and its sisters. Without `subnet` the reference passes over the others. */
function readSingle(ipam: unknown, path: string, strict: boolean): PlacedSet[] {
  if (textField(ipam, 'subnet') !== undefined) return [{ path: `${path}.subnet`, set: [readRange(ipam, path)] }];
  const stray = RANGE_KEYS.find((key) => textField(ipam, key) !== undefined);
  if (strict && stray !== undefined)
    throw invalid(`${path}.${stray}`, field(ipam, stray), `it needs ${path}.subnet`, `Add ${path}.subnet or remove it`);
  return [];
}

function spelt(ipam: unknown, keys: readonly string[], strict: boolean): unknown {
  if (strict || !isObject(ipam)) return ipam;
  const found = respell(ipam, keys);
  return 'ranges' in found ? { ...found, ranges: speltRanges(found.ranges) } : found;
}

function speltRanges(ranges: unknown): unknown {
  if (!Array.isArray(ranges)) return ranges;
  return ranges.map((set: unknown) =>
    Array.isArray(set) ? set.map((range: unknown) => (isObject(range) ? respell(range, RANGE_KEYS) : range)) : set,
  );
}
