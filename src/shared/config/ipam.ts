import type { RangeSet } from '../ipam/ranges.ts';
import { assignRequests } from '../ipam/requests.ts';
import { type Addr, BITS, formatAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { field, isObject, textField } from '../model/json.ts';
import { contains, formatPrefix, networkOf, type Prefix } from '../model/prefix.ts';
import type { Route } from '../model/route.ts';
import { type Dns, readDns, readResolvConf } from './dns.ts';
import { invalid } from './invalid.ts';
import { assertDisjoint, assertUsable, type PlacedSet, type RangeConfig, readRange, readSets } from './ipam-ranges.ts';
import {
  assertAssignable,
  type Given,
  readAddr,
  readHostAddr,
  readPrefix,
  readRequested,
  splitCommas,
} from './ipam-values.ts';
import { assertShape, respell } from './shape.ts';
import { ipamHostLocal, ipamStatic, ipRanges } from './validators.generated.js';

const DATA_DIR = '/var/lib/cni/networks';
const RANGE_KEYS = ['subnet', 'rangeStart', 'rangeEnd', 'gateway'];
const HOST_LOCAL_KEYS = ['type', 'name', ...RANGE_KEYS, 'ranges', 'routes', 'dataDir', 'resolvConf', 'writeFiles'];
const STATIC_KEYS = ['type', 'name', 'addresses', 'routes', 'dns'];

interface Input {
  /** The `ipam` object. */
  readonly ipam: unknown;
  /** Its path, for errors: `.ipam`. */
  readonly path: string;
  /** True: refuses unknown keys. False: accepts them and ignores the case of keys, as the reference does. */
  readonly strict: boolean;
  /** True if a result can hold several addresses of a family: cniVersion is 0.3.0 or later. */
  readonly multiFamily: boolean;
}

export interface HostLocalInput extends Input {
  /** Strings of `CNI_ARGS` IP, `args.cni.ips` and `runtimeConfig.ips`; prefix lengths are dropped. */
  readonly requested: readonly Given[];
  /** `runtimeConfig.ipRanges`: range sets that precede the configured ones. */
  readonly ipRanges?: unknown;
}

export interface HostLocalSpec {
  readonly sets: readonly RangeSet[];
  /** The same ranges as they are configured. */
  readonly ranges: readonly (readonly RangeConfig[])[];
  readonly routes: readonly Route[];
  /** Default: `/var/lib/cni/networks`. */
  readonly dataDir: string;
  /** True: also records addresses in `dataDir`, as the reference does. */
  readonly writeFiles?: true;
  /** Content of the file `resolvConf`. */
  readonly dns?: Dns;
  readonly requested: readonly Addr[];
  /** Addresses that no container gets: the host has them. */
  readonly reserved?: readonly Addr[];
}

/**
 * Parses the configuration of host-local, with its defaults. The single range of `subnet` is the first range set after
 * those of the runtime. Throws NetError `invalid-config`, naming JSON path, value, rule and remedy.
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
    ranges: placed.map(({ written }) => written),
    routes: readRoutes(field(ipam, 'routes'), `${path}.routes`),
    dataDir: dataDirOf(ipam),
    ...(field(ipam, 'writeFiles') === true ? { writeFiles: true } : {}),
    ...(resolvConf === undefined ? {} : { dns: readResolvConf(resolvConf, `${path}.resolvConf`) }),
    requested: addresses,
  };
}

/** Returns the data directory of a host-local configuration; never throws, for DEL and GC. */
export function dataDirOf(ipam: unknown): string {
  const found = textField(ipam, 'dataDir') ?? DATA_DIR;
  let end = found.length;
  while (end > 1 && found[end - 1] === '/') end--;
  return found.slice(0, end);
}

export interface StaticInput extends Input {
  /** Strings of `CNI_ARGS` IP, with prefix length: added to the configured addresses. */
  readonly added?: readonly Given[];
  /** Strings of `runtimeConfig.ips`, else of `args.cni.ips`: replace the configured addresses if present. */
  readonly overriding?: readonly Given[];
  /** Strings of `CNI_ARGS` GATEWAY: each is the gateway of the addresses in its subnet. */
  readonly gateways?: readonly Given[];
}

export interface StaticAddress {
  readonly address: Prefix;
  readonly gateway?: Addr;
}

export interface StaticSpec {
  readonly addresses: readonly StaticAddress[];
  readonly routes: readonly Route[];
  readonly dns: Dns;
}

/** Parses the configuration of static. Throws NetError `invalid-config`, naming JSON path, value, rule and remedy. */
export function parseStatic(input: StaticInput): StaticSpec {
  const { path, strict, multiFamily, overriding = [], added = [] } = input;
  const ipam = spelt(input.ipam, STATIC_KEYS, strict);
  assertShape(ipamStatic, ipam, path, strict);
  const configured = overriding.length > 0 ? [] : readStaticAddresses(field(ipam, 'addresses'), `${path}.addresses`);
  // CONVENTIONS.md: runtimeConfig and args override CNI_ARGS, which adds to the configuration.
  const requested = splitCommas(overriding.length > 0 ? overriding : added);
  const all = [...configured, ...requested.map(({ text, path: at }) => ({ address: readAssigned(text, at) }))];
  if (!multiFamily) assertOnePerFamily(all, path);
  return {
    addresses: withGateways(all, overriding.length > 0 ? [] : splitCommas(input.gateways ?? [])),
    routes: readRoutes(field(ipam, 'routes'), `${path}.routes`),
    dns: readDns(field(ipam, 'dns')),
  };
}

/** An address that an interface gets, with its subnet's prefix length. */
function readAssigned(text: string, path: string): Prefix {
  const prefix = readPrefix(text, path);
  assertAssignable({ ...prefix, length: BITS[prefix.addr.family] }, path);
  return prefix;
}

function readStaticAddresses(value: unknown, path: string): StaticAddress[] {
  if (!Array.isArray(value)) return [];
  return value.map((item: unknown, i) => {
    const at = `${path}[${i}]`;
    const address = readAssigned(textField(item, 'address') ?? '', `${at}.address`);
    const text = textField(item, 'gateway');
    if (text === undefined) return { address };
    const gateway = readHostAddr(text, `${at}.gateway`);
    if (gateway.family !== address.addr.family)
      throw invalid(`${at}.gateway`, text, `it is IPv${gateway.family}, and its address is not`, 'Use one family');
    return { address, gateway };
  });
}

function withGateways(addresses: readonly StaticAddress[], given: readonly Given[]): StaticAddress[] {
  const gateways = given.map(({ text, path }) => readHostAddr(text, path));
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

/** Parses the range of `subnet` and its sibling keys. Without `subnet`, the reference ignores the siblings. */
function readSingle(ipam: unknown, path: string, strict: boolean): PlacedSet[] {
  if (textField(ipam, 'subnet') !== undefined) {
    const { range, written } = readRange(ipam, path);
    return [{ path: `${path}.subnet`, set: [range], written: [written] }];
  }
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

/** Parses the routes of a list of valid shape; clears the host bits of destinations. */
export function readRoutes(value: unknown, path: string): Route[] {
  if (!Array.isArray(value)) return [];
  return value.map((item: unknown, i) => readRoute(item, `${path}[${i}]`));
}

function readRoute(value: unknown, path: string): Route {
  const dst = networkOf(readPrefix(textField(value, 'dst') ?? '', `${path}.dst`));
  const text = textField(value, 'gw');
  const gateway = text === undefined ? undefined : readAddr(text, `${path}.gw`);
  if (gateway !== undefined && gateway.family !== dst.addr.family)
    throw invalid(
      `${path}.gw`,
      text,
      `it is IPv${gateway.family}, and dst ${formatPrefix(dst)} is IPv${dst.addr.family}`,
      'Give a gateway of the same family, or none',
    );
  const [mtu, advmss, priority, table, scope] = ['mtu', 'advmss', 'priority', 'table', 'scope'].map((key) => {
    const found = field(value, key);
    return typeof found === 'number' ? found : undefined;
  });
  return {
    dst,
    ...given({ gateway }),
    // Go writes 0 for an absent value.
    ...(mtu ? { mtu } : {}),
    ...(advmss ? { advmss } : {}),
    ...(priority ? { priority } : {}),
    ...given({ table, scope }),
  };
}
