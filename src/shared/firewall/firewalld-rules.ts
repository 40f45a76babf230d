import { NFPROTO_INET, NFPROTO_IPV4, NFT_CMP_EQ, NFT_META_IIFNAME } from '../netlink/netfilter.ts';
import { type ChainId, type NftRule, readChains, readRules } from '../netlink/nft-rules.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { understand } from './filter-nft.ts';
import { type FilterRule, fate } from './forward-chain.ts';

export const FIREWALLD_TABLE = 'firewalld';
/** In these chains, firewalld finds the zone of an interface: since 1.0, and before. */
export const ZONE_CHAINS: readonly string[] = ['filter_FORWARD_ZONES', 'filter_FORWARD_IN_ZONES'];

/** The same in table `filter`, with firewalld's backend iptables. */
const IPTABLES_CHAINS: readonly string[] = ['FORWARD_ZONES', 'FORWARD_IN_ZONES'];

/** True if firewalld has rules in the kernel: it runs, or it left them behind. */
export function hasFirewalldRules(socket: NetlinkSocket): boolean {
  const inFilter = IPTABLES_CHAINS.map((chain) => ({ family: NFPROTO_IPV4, table: 'filter', chain }));
  return readChains(socket, [...ZONE_CHAINS.map(chainId), ...inFilter]).some((found) => found !== undefined);
}

/** What firewalld does with new connections from a device; `none` where it is in no zone and the default zone drops. */
export type ZoneState = 'accepts' | 'drops' | 'none';

/** The zones as firewalld's rules in the kernel show them: no call to firewalld, which may hang or be gone. */
export interface Zones {
  stateOf(device: string): ZoneState;
  /** Returns the zone that the device itself is in; undefined if none, or if only a pattern (`isth+`) names it. */
  zoneOf(device: string): string | undefined;
}

/** One rule: devices that it matches, and the chain that it goes to. */
export interface ZoneRule {
  /** Undefined: every device. */
  readonly device?: { readonly name: string; readonly isPrefix: boolean };
  readonly target: string;
}

/**
 * Returns the zones of firewalld; undefined if it does not run or has no rules of nftables: with its backend iptables,
 * the rules in chain ISTHMUS-FORWARD come before its own.
 */
export function readZones(socket: NetlinkSocket): Zones | undefined {
  const ids = ZONE_CHAINS.map(chainId);
  const chain = ids[readChains(socket, ids).findIndex((found) => found !== undefined)];
  if (chain === undefined) return undefined;
  const rules = readRules(socket, chain).flatMap((rule) => zoneRule(rule) ?? []);
  const known = new Map<string, readonly FilterRule[]>();
  const read = (name: string): readonly FilterRule[] => {
    const found = known.get(name) ?? readRules(socket, chainId(name)).map(understand);
    known.set(name, found);
    return found;
  };
  return zonesOf(rules, (name) => fate({ rules: read }, name) === 'accept');
}

/** The zones that these rules, in their order, give to devices. `accepts` tells the verdict of a zone's chain. */
export function zonesOf(rules: readonly ZoneRule[], accepts: (chain: string) => boolean): Zones {
  const find = (name: string): ZoneRule | undefined =>
    rules.find(({ device }) => device === undefined || matches(device, name));
  return {
    stateOf(name) {
      const rule = find(name);
      if (rule !== undefined && accepts(rule.target)) return 'accepts';
      return rule?.device === undefined ? 'none' : 'drops';
    },
    zoneOf(name) {
      const rule = find(name);
      return rule?.device === undefined || rule.device.isPrefix ? undefined : ZONE_NAME.exec(rule.target)?.[1];
    },
  };
}

const ZONE_NAME = /^filter_FWDI?_(.+)$/;

function matches({ name, isPrefix }: NonNullable<ZoneRule['device']>, device: string): boolean {
  return isPrefix ? device.startsWith(name) : device === name;
}

function chainId(chain: string): ChainId {
  return { family: NFPROTO_INET, table: FIREWALLD_TABLE, chain };
}

/** Undefined for a rule with another condition, such as a source address: it says nothing about all of a device. */
function zoneRule(rule: NftRule): ZoneRule | undefined {
  const { does, target, always } = understand(rule);
  if (does !== 'jump' || target === undefined) return undefined;
  if (always) return { target };
  const [load, compare, ...more] = rule.expressions.filter(({ name }) => name !== 'counter' && name !== 'immediate');
  const value = compare?.cmp?.data?.value;
  if (more.length > 0 || load?.meta?.key !== NFT_META_IIFNAME || compare?.cmp?.op !== NFT_CMP_EQ) return undefined;
  if (value === undefined) return undefined;
  const end = value.indexOf(0);
  const name = Buffer.from(end < 0 ? value : value.subarray(0, end)).toString();
  return { device: { name, isPrefix: end < 0 }, target };
}
