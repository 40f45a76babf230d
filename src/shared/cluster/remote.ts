import { type Addr, formatAddr } from '../model/addr.ts';
import { digest } from '../model/attachment.ts';
import { isUnicastMac, macOfDigest, parseMac } from '../model/mac.ts';
import { contains, formatPrefix, overlaps, type Prefix } from '../model/prefix.ts';
import type { Copy, Table, TableBefore, TableEntry } from './copy.ts';
import { parseAddressHex, parseRangeHex } from './keys.ts';
import { type PeerParts, reachable } from './peers.ts';
import { type NetworkRecord, parseAddress } from './values.ts';

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
export type RemoteContent = (
  | {
      readonly mode: 'shared';
      readonly pools: readonly string[];
      readonly flood: boolean;
      readonly endpoints: readonly RemoteEndpoint[];
    }
  | { readonly mode: 'per-host'; readonly hosts: readonly RemoteHost[] }
) & {
  /** Something is left out because this host holds it. */
  readonly isContested: boolean;
};

export interface RemoteParts extends PeerParts {
  /** The keys that this host holds below a prefix, with their values. */
  readonly held: (prefix: string) => ReadonlyMap<string, string>;
}

/**
 * The remote part of a network, from the copy; undefined if this host knows no such network. A silent host's entries are
 * in it. Left out is what would harm this host: entries outside of the network's pools, those that another host has of
 * what this one holds, MACs that no interface can have, and hosts without an underlay address of the cluster's family.
 */
export function remoteContent(copy: Copy, network: string, parts: RemoteParts): RemoteContent | undefined {
  const source = sourceOf(copy, network);
  return source && contentOf(copy, source, source.table, parts);
}

/** The changed entries of a network, and those that share an entry of the kernel with them, before and after. */
export interface RemoteChange {
  readonly before: RemoteContent;
  readonly after: RemoteContent;
}

/**
 * What changed of the network, for a kernel whose tables say what the table said before: takes time for the change, and a
 * glance at each entry of the table. Undefined where only a comparison tells: this host knows no such network, two
 * endpoints claim one MAC for different hosts, or this host holds what one of the entries claims. The kernel may have the
 * entry nevertheless: it was told before this host held that.
 */
export function remoteChange(
  copy: Copy,
  network: string,
  before: TableBefore,
  parts: RemoteParts,
): RemoteChange | undefined {
  const source = sourceOf(copy, network);
  if (source === undefined) return undefined;
  const { record, table } = source;
  const was: Row[] = [];
  const is: Row[] = [];
  for (const [rest, old] of before) {
    const now = table.get(rest);
    if (old !== undefined) was.push([rest, old]);
    if (now !== undefined) is.push([rest, now]);
  }
  const sharesEntry = neighboursOf(copy, [...was, ...is, ...heldOf(before, table.prefix, parts)], record, parts);
  for (const row of table) if (!before.has(row[0]) && sharesEntry(row[1])) for (const rows of [was, is]) rows.push(row);
  if (record.mode === 'shared' && [was, is].some((rows) => hasRivals(copy, rows, parts))) return undefined;
  const change = { before: contentOf(copy, source, was, parts), after: contentOf(copy, source, is, parts) };
  return change.before.isContested || change.after.isContested ? undefined : change;
}

interface Source {
  readonly network: string;
  readonly record: NetworkRecord;
  readonly table: Table;
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

/** What this host holds of the changed keys, whatever the table says of them. */
function heldOf(before: TableBefore, prefix: string, { host, held }: RemoteParts): Row[] {
  const values = held(prefix);
  return [...before.keys()].flatMap((rest): Row[] => {
    const record = parseAddress(values.get(prefix + rest) ?? '');
    return record === undefined ? [] : [[rest, { host, mac: record.mac, endpoint: record.endpoint }]];
  });
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

function sourceOf(copy: Copy, network: string): Source | undefined {
  const [record, table] = [copy.networks.get(network), copy.tableOf(network)];
  return record && table && { network, record, table };
}

function contentOf(copy: Copy, source: Source, rows: Rows, parts: RemoteParts): RemoteContent {
  return source.record.mode === 'shared' ? shared(copy, source, rows, parts) : perHost(copy, source, rows, parts);
}

function shared(copy: Copy, { record, table: { prefix } }: Source, rows: Rows, parts: RemoteParts): RemoteContent {
  const found = new Map<string, { readonly addresses: Addr[]; readonly mac: string; readonly host: string }>();
  const subnets = subnetsOf(record);
  const held = parts.held(prefix);
  const own = new Set([...held.values()].map((value) => parseAddress(value)?.mac));
  let isContested = false;
  for (const [hex, { host: id, mac, endpoint }] of rows) {
    const host = reachable(copy, id, parts);
    const addr = parseAddressHex(hex);
    if (host === undefined || addr === undefined || !isPlainMac(mac)) continue;
    if (!subnets.some((subnet) => contains(subnet, addr))) continue;
    const isHeld = held.has(prefix + hex) || own.has(mac);
    isContested ||= isHeld;
    if (isHeld) continue;
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
  return { mode: 'shared', pools: [...new Set(pools)], flood: record.options.flood, endpoints, isContested };
}

function perHost(
  copy: Copy,
  { network, record, table: { prefix } }: Source,
  rows: Rows,
  parts: RemoteParts,
): RemoteContent {
  const subnets = subnetsOf(record);
  const own = [...parts.held(prefix).keys()].flatMap((key) => parseRangeHex(key.slice(prefix.length)) ?? []);
  const found = new Map<string, string[]>();
  let isContested = false;
  for (const [hex, { host }] of rows) {
    const range = parseRangeHex(hex);
    if (range === undefined || reachable(copy, host, parts) === undefined) continue;
    if (!subnets.some((subnet) => isWithin(subnet, range))) continue;
    const isHeld = own.some((one) => overlaps(one, range));
    isContested ||= isHeld;
    if (isHeld) continue;
    const known = found.get(host);
    if (known === undefined) found.set(host, [formatPrefix(range)]);
    else known.push(formatPrefix(range));
  }
  const hosts = [...found].flatMap(([id, ranges]) => {
    const host = reachable(copy, id, parts);
    return host === undefined ? [] : [{ ranges, mac: deviceMac(id, network), host }];
  });
  return { mode: 'per-host', hosts, isContested };
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
