import { type Addr, type Family, formatAddr, parseAddr } from '../model/addr.ts';
import { digest } from '../model/attachment.ts';
import { isUnicastMac, macOfDigest, parseMac } from '../model/mac.ts';
import { contains, formatPrefix, overlaps, type Prefix } from '../model/prefix.ts';
import type { Copy, CopyChange, Table, TableBefore, TableEntry } from './copy.ts';
import { parseAddressHex, parseRangeHex } from './keys.ts';
import { type HostRecord, type NetworkRecord, parseAddress } from './values.ts';

/** An endpoint of a `shared` network on another host. */
export interface RemoteEndpoint {
  readonly addresses: readonly string[];
  readonly mac: string;
  /** Underlay address of its host. */
  readonly host: string;
}

/** Another host of a `per-host` network. */
export interface RemoteHost {
  readonly ranges: readonly string[];
  /** MAC of its VXLAN device. */
  readonly mac: string;
  /** Underlay address. */
  readonly host: string;
}

/** What a network has on other hosts, which the tables of this host's kernel should reflect. */
export type RemoteContent =
  | {
      readonly mode: 'shared';
      readonly pools: readonly string[];
      readonly flood: boolean;
      readonly endpoints: readonly RemoteEndpoint[];
    }
  | { readonly mode: 'per-host'; readonly hosts: readonly RemoteHost[] };

export interface RemoteParts {
  readonly host: string;
  readonly underlay: Family;
  /** Hosts whose entries are withdrawn. */
  readonly withdrawn: ReadonlySet<string>;
  /** The keys that this host holds below a prefix, with their values. */
  readonly held: (prefix: string) => ReadonlyMap<string, string>;
}

/**
 * The remote part of a network, from the copy; undefined if this host knows no such network. A silent host's entries are
 * in it. Left out is what would harm this host: entries outside of the network's pools, those that another host has of
 * what this one holds, MACs that no interface can have, and hosts without an underlay address of the cluster's family.
 */
export function remoteContent(copy: Copy, network: string, parts: RemoteParts): RemoteContent | undefined {
  const record = copy.networks.get(network);
  const table = copy.tableOf(network);
  if (record === undefined || table === undefined) return undefined;
  const source = { network, record, prefix: table.prefix };
  return record.mode === 'shared' ? shared(copy, source, table, parts) : perHost(copy, source, table, parts);
}

/** Networks of which `remoteContent` may say something else after a change of hosts or of records of networks. */
export function touchedBy(
  copy: Copy,
  change: Exclude<CopyChange, { readonly of: 'table' | 'secrets' }>,
  underlay: Family,
): readonly string[] | 'any' {
  if (change.before === undefined) return 'any';
  if (change.of === 'networks') return [...change.before.keys()].filter((id) => copy.tableOf(id) !== undefined);
  const isMoved = ([id, before]: readonly [string, HostRecord | undefined]): boolean => {
    const now = copy.hosts.get(id);
    return before !== undefined && underlayOf(before, underlay) !== (now && underlayOf(now, underlay));
  };
  // What the kernel has of entries that have gone meanwhile is told by where their host was.
  if ([...change.before].some(isMoved)) return 'any';
  const isNew = (id: string): boolean => change.before?.get(id) === undefined;
  const hosts = new Set([...change.before.keys()].filter(isNew));
  return [...copy.tables()].flatMap(([network, table]) => (hasEntryOf(table, hosts) ? network : []));
}

function hasEntryOf(table: Table, hosts: ReadonlySet<string>): boolean {
  for (const [, { host }] of table) if (hosts.has(host)) return true;
  return false;
}

/** The changed entries of a network, and those that share an entry of the kernel with them, before and after. */
export interface RemoteChange {
  readonly before: RemoteContent;
  readonly after: RemoteContent;
}

/**
 * What changed of the network, for a kernel whose tables say what the table said before: takes time for the change, and a
 * glance at each entry of the table. Undefined if this host knows no such network, or if two endpoints claim one MAC for
 * different hosts, so that only the whole network tells which of them has it.
 */
export function remoteChange(
  copy: Copy,
  network: string,
  before: TableBefore,
  parts: RemoteParts,
): RemoteChange | undefined {
  const record = copy.networks.get(network);
  const table = copy.tableOf(network);
  if (record === undefined || table === undefined) return undefined;
  const was: Row[] = [];
  const is: Row[] = [];
  for (const [rest, old] of before) {
    const now = table.get(rest);
    if (old !== undefined) was.push([rest, old]);
    if (now !== undefined) is.push([rest, now]);
  }
  const sharesEntry = neighboursOf(copy, [...was, ...is], record, parts);
  for (const row of table) if (!before.has(row[0]) && sharesEntry(row[1])) for (const rows of [was, is]) rows.push(row);
  if (record.mode === 'shared' && [was, is].some((rows) => hasRivals(copy, rows, parts))) return undefined;
  const source = { network, record, prefix: table.prefix };
  const contentOf = (rows: readonly Row[]): RemoteContent =>
    record.mode === 'shared' ? shared(copy, source, rows, parts) : perHost(copy, source, rows, parts);
  return { before: contentOf(was), after: contentOf(is) };
}

/** The network of the rows. */
interface Source {
  readonly network: string;
  readonly record: NetworkRecord;
  /** Of its keys. */
  readonly prefix: string;
}

type Row = readonly [rest: string, entry: TableEntry];
type Rows = Iterable<Row>;

/** Whether an entry of the table shares one of the kernel with these: a MAC, a host's device, an underlay to flood. */
function neighboursOf(
  copy: Copy,
  rows: readonly Row[],
  { mode, options }: NetworkRecord,
  parts: RemoteParts,
): (entry: TableEntry) => boolean {
  if (mode === 'per-host') {
    const hosts = new Set(rows.map(([, { host }]) => host));
    return ({ host }) => hosts.has(host);
  }
  const macs = new Set(rows.map(([, { mac }]) => mac));
  const flooded = new Set(options.flood ? rows.flatMap(([, { host }]) => reachable(copy, host, parts) ?? []) : []);
  return ({ mac, host }) => macs.has(mac) || (flooded.size > 0 && flooded.has(reachable(copy, host, parts) ?? ''));
}

/** Two hosts have one MAC. */
function hasRivals(copy: Copy, rows: readonly Row[], parts: RemoteParts): boolean {
  const found = new Map<string, string>();
  return rows.some(([, { mac, host: id }]) => {
    const host = reachable(copy, id, parts);
    if (host === undefined) return false;
    const other = found.get(mac) ?? host;
    found.set(mac, host);
    return other !== host;
  });
}

/** MAC of a host's VXLAN device on a routed network. */
export function deviceMac(host: string, network: string): string {
  return macOfDigest(digest('vxlan', host, network));
}

/** Underlay addresses of the other hosts: who may send. */
export function peersOf(copy: Copy, parts: Omit<RemoteParts, 'held'>): string[] {
  const others = [...copy.hosts].filter(([host]) => host !== parts.host && !parts.withdrawn.has(host));
  return [...new Set(others.flatMap(([, record]) => underlayOf(record, parts.underlay) ?? []))].sort();
}

function shared(copy: Copy, { record, prefix }: Source, rows: Rows, parts: RemoteParts): RemoteContent {
  const found = new Map<string, { readonly addresses: Addr[]; readonly mac: string; readonly host: string }>();
  const subnets = subnetsOf(record);
  const held = parts.held(prefix);
  const own = new Set([...held.values()].map((value) => parseAddress(value)?.mac));
  for (const [hex, { host: id, mac, endpoint }] of rows) {
    const host = reachable(copy, id, parts);
    const addr = parseAddressHex(hex);
    if (host === undefined || addr === undefined || held.has(prefix + hex)) continue;
    if (!isPlainMac(mac) || own.has(mac) || !subnets.some((subnet) => contains(subnet, addr))) continue;
    const key = `${id} ${mac} ${endpoint}`;
    const known = found.get(key);
    if (known === undefined) found.set(key, { addresses: [addr], mac, host });
    else known.addresses.push(addr);
  }
  const endpoints = [...found.values()].map(({ addresses, ...rest }) => ({
    addresses: addresses.map(formatAddr),
    ...rest,
  }));
  const pools = subnets.map(formatPrefix);
  return { mode: 'shared', pools: [...new Set(pools)], flood: record.options.flood, endpoints };
}

function perHost(copy: Copy, { network, record, prefix }: Source, rows: Rows, parts: RemoteParts): RemoteContent {
  const subnets = subnetsOf(record);
  const own = [...parts.held(prefix).keys()].flatMap((key) => parseRangeHex(key.slice(prefix.length)) ?? []);
  const found = new Map<string, string[]>();
  for (const [hex, { host }] of rows) {
    const range = parseRangeHex(hex);
    if (range === undefined || reachable(copy, host, parts) === undefined) continue;
    if (!subnets.some((subnet) => isWithin(subnet, range)) || own.some((one) => overlaps(one, range))) continue;
    const known = found.get(host);
    if (known === undefined) found.set(host, [formatPrefix(range)]);
    else known.push(formatPrefix(range));
  }
  const hosts = [...found].flatMap(([id, ranges]) => {
    const host = reachable(copy, id, parts);
    return host === undefined ? [] : [{ ranges, mac: deviceMac(id, network), host }];
  });
  return { mode: 'per-host', hosts };
}

function subnetsOf({ sets }: NetworkRecord): Prefix[] {
  return sets.flat().map(({ subnet }) => subnet);
}

function isWithin(subnet: Prefix, range: Prefix): boolean {
  return range.length >= subnet.length && contains(subnet, range.addr);
}

/** The kernel's text of a MAC that an interface can have. */
function isPlainMac(mac: string): boolean {
  return parseMac(mac) === mac && isUnicastMac(mac);
}

function reachable(copy: Copy, host: string, parts: Omit<RemoteParts, 'held'>): string | undefined {
  if (host === parts.host || parts.withdrawn.has(host)) return undefined;
  const record = copy.hosts.get(host);
  return record && underlayOf(record, parts.underlay);
}

export function underlayOf(
  { underlay4, underlay6 }: Pick<HostRecord, 'underlay4' | 'underlay6'>,
  underlay: Family,
): string | undefined {
  const found = underlay === 4 ? underlay4 : underlay6;
  const addr = found === undefined ? undefined : parseAddr(found);
  return addr?.family === underlay && formatAddr(addr) === found ? found : undefined;
}
