import { readFileSync } from 'node:fs';
import { hasCode } from '../../errors/net-error.ts';
import type { Host } from '../../host/host.ts';
import type { Taken } from '../../ipam/choose-pool.ts';
import { BITS, parseAddr } from '../../model/addr.ts';
import { formatPrefix, networkOf, parsePrefix } from '../../model/prefix.ts';
import type { LocalStore, PoolRow } from '../../store/store.ts';

/** systemd-resolved writes its own address into the first file, and its upstream servers into the second. */
const RESOLVERS = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];
/** A VPN that replaces the default route adds two /1 routes, which win over it. */
const LONGEST_DEFAULT = 1;

/** Subnets that the host reaches: its addresses, its routes except default ones, its nameservers. */
export function seenOn(host: Host, resolvers: readonly string[] = RESOLVERS): Taken[] {
  const { addresses, routes } = host.observe(host.own, { addresses: 'all', routes: true });
  return [
    ...addresses.flatMap(({ address, dev }) => taken(address, `address ${address} of ${dev}`)),
    ...resolvers.flatMap(nameserversOf),
    ...routes
      .flatMap(({ dst, gateway, dev }) => taken(dst, `route ${dst}${words('via', gateway)}${words('dev', dev)}`))
      .filter(({ subnet }) => subnet.length > 0),
  ];
}

/** False for a default route in halves, which would cover everything. */
export function isBoundary({ subnet }: Taken): boolean {
  return subnet.length > LONGEST_DEFAULT;
}

/** The subnets of networks and pools on record. */
export function recordedIn(store: LocalStore): Taken[] {
  return [
    ...store.networks.list().flatMap(({ name, spec }) => {
      const subnets = new Set((spec?.ranges ?? []).flat().map(({ subnet }) => formatPrefix(subnet)));
      return [...subnets].flatMap((subnet) => taken(subnet, `network ${name}`));
    }),
    ...store.pools.list().flatMap((row) => taken(row.subnet, poolHolder(row))),
  ];
}

/** Each subnet once, with its first holder. */
export function distinct(all: readonly Taken[]): Taken[] {
  const found = new Map<string, Taken>();
  for (const one of all) {
    const { addr, length } = one.subnet;
    const key = `${addr.family} ${addr.value} ${length}`;
    if (!found.has(key)) found.set(key, one);
  }
  return [...found.values()];
}

function poolHolder({ usedBy, network }: PoolRow): string {
  if (network !== undefined) return `network ${network}`;
  return usedBy === undefined ? 'a pool that dockerd has just requested' : `Docker network ${usedBy.slice(0, 12)}`;
}

function nameserversOf(file: string): Taken[] {
  return lines(file).flatMap((line) => {
    const [, text = ''] = /^\s*nameserver\s+([^\s%]+)/.exec(line) ?? [];
    const addr = parseAddr(text);
    return addr === undefined ? [] : taken(`${text}/${BITS[addr.family]}`, `nameserver ${text}`);
  });
}

/** Lines of the file; none if it is missing or unreadable. Many hosts have only one of the two. */
function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    if (hasCode(error, ['ENOENT', 'ENOTDIR', 'EACCES'])) return [];
    throw error;
  }
}

function taken(text: string, holder: string): Taken[] {
  const prefix = parsePrefix(text);
  return prefix === undefined ? [] : [{ subnet: networkOf(prefix), holder }];
}

function words(word: string, value: string | undefined): string {
  return value === undefined ? '' : ` ${word} ${value}`;
}
