import { type Family, formatAddr, parseAddr } from '../model/addr.ts';
import type { Copy, CopyChange, Table } from './copy.ts';
import type { HostRecord } from './values.ts';

export interface PeerParts {
  /** Id of this one. */
  readonly host: string;
  readonly underlay: Family;
  /** Hosts whose entries are withdrawn. */
  readonly withdrawn: ReadonlySet<string>;
}

/** Underlay addresses of the other hosts: who may send. */
export function peersOf(copy: Copy, parts: PeerParts): string[] {
  const others = [...copy.hosts].filter(([host]) => host !== parts.host && !parts.withdrawn.has(host));
  return [...new Set(others.flatMap(([, record]) => underlayOf(record, parts.underlay) ?? []))].sort();
}

/** Underlay address of another host; undefined for this one, and for one that is unknown or withdrawn. */
export function reachable(copy: Copy, host: string, parts: PeerParts): string | undefined {
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
