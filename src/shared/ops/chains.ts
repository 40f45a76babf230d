import { NFPROTO_BRIDGE, NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6 } from '../netlink/netfilter.ts';
import type { ChainId, NftRule } from '../netlink/nft-rules.ts';

const FAMILIES: ReadonlyMap<number, string> = new Map([
  [NFPROTO_INET, 'inet'],
  [NFPROTO_IPV4, 'ip'],
  [NFPROTO_IPV6, 'ip6'],
  [NFPROTO_BRIDGE, 'bridge'],
  [3, 'arp'],
  [5, 'netdev'],
]);

export function familyText(family: number): string {
  return FAMILIES.get(family) ?? String(family);
}

/** `table inet filter, chain forward`. */
export function chainText({ family, table, chain }: ChainId): string {
  return `table ${familyText(family)} ${table}, chain ${chain}`;
}

export function ruleHandle(handle: bigint): string {
  return `rule with handle ${handle}`;
}

/** True for a chain of a table that only we change. */
export function isOurs({ table }: Pick<ChainId, 'table'>): boolean {
  return table === 'isthmus' || table.startsWith('isthmus-') || table.startsWith('isthmus_');
}

/** The chains that these rules jump to. */
export function jumpsOf(rules: readonly NftRule[]): string[] {
  return rules.flatMap(({ expressions }) =>
    expressions.flatMap(({ immediate }) => immediate?.data?.verdict?.chain ?? []),
  );
}
