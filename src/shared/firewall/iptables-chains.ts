import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { Family } from '../model/addr.ts';
import { NFPROTO_IPV4, NFPROTO_IPV6 } from '../netlink/netfilter.ts';
import { openNetfilter } from '../netlink/nfnetlink.ts';
import { deleteUnused } from '../netlink/nft-change.ts';
import { type ChainId, readChains } from '../netlink/nft-rules.ts';
import { CHAINS, TABLES, type Table } from './iptables-lines.ts';
import { baseLines } from './iptables-rules.ts';
import type { Absent } from './iptables-script.ts';
import type { Variant } from './iptables-tools.ts';

const NFPROTO: Readonly<Record<Family, number>> = { 4: NFPROTO_IPV4, 6: NFPROTO_IPV6 };

/** Returns true if iptables-nft has a chain of ours, in either family. */
export function hasChains(ns: LinuxNamespace): boolean {
  using socket = ns.within(openNetfilter);
  if (socket === undefined) return false;
  const ids = TABLES.flatMap((table) =>
    CHAINS[table].flatMap((chain) => [NFPROTO_IPV4, NFPROTO_IPV6].map((family): ChainId => ({ family, table, chain }))),
  );
  return readChains(socket, ids).some((policy) => policy !== undefined);
}

/**
 * Returns the missing chains that our jumps start from. iptables-nft creates them on first use, but `iptables-save`
 * always prints them. The chains of iptables-legacy exist as long as their table.
 */
export function absentChains(ns: LinuxNamespace, variant: Variant, family: Family): Absent {
  if (variant === 'legacy') return () => false;
  const ids = TABLES.flatMap((table) =>
    startsOf(table, family).map((chain): ChainId => ({ family: NFPROTO[family], table, chain })),
  );
  using socket = ns.within(openNetfilter);
  if (socket === undefined) return () => false;
  const policies = readChains(socket, ids);
  const absent = new Set(
    ids.filter((_, i) => policies[i] === undefined).map(({ table, chain }) => `${table} ${chain}`),
  );
  return (table, chain) => absent.has(`${table} ${chain}`);
}

/** The chains of others that rules of ours may be in. */
function startsOf(table: Table, family: Family): string[] {
  const starts = baseLines(table, family).map(({ chain }) => chain);
  return table === 'raw' ? [...starts, 'OUTPUT'] : starts;
}

/** Deletes unused chains of iptables-nft that were created for our jumps, and their empty tables. */
export function dropOrphans(ns: LinuxNamespace, family: Family, orphans: readonly string[]): void {
  if (orphans.length === 0) return;
  using socket = ns.within(openNetfilter);
  if (socket === undefined) return;
  for (const name of TABLES) {
    const chains = orphans
      .filter((orphan) => orphan.startsWith(`${name} `))
      .map((orphan) => orphan.slice(name.length + 1));
    if (chains.length > 0) deleteUnused(socket, NFPROTO[family], name, chains);
  }
}
