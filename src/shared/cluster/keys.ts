import { type Addr, BITS, type Family } from '../model/addr.ts';
import { firstOf, type Prefix } from '../model/prefix.ts';

/**
 * The keys of a cluster, below its directory in the store. Addresses are hex of fixed width, so a list of a prefix is in
 * the order of the addresses.
 */
export const SETTINGS_KEY = 'settings';
/** Changes with each new network, so that two hosts cannot create overlapping ones at a time. */
export const LAST_NETWORK_KEY = 'net-last';
/** The secrets of encrypted networks: nothing but the host's part of the cluster may read it out. */
export const SECRETS_KEY = 'esp-keys';
/** Has `net/` and `net-last` below it: both at one moment. */
export const NETWORKS_PREFIX = 'net';

export const HOSTS = 'host/';
export const PRESENCES = 'up/';
export const NETWORKS = 'net/';

export const hostKey = (host: string): string => `${HOSTS}${host}`;
export const presenceKey = (host: string): string => `${PRESENCES}${host}`;
export const networkKey = (network: string): string => `${NETWORKS}${network}`;
export const nameKey = (name: string): string => `name/${encodeURIComponent(name)}`;
export const vniKey = (vni: number): string => `vni/${vni}`;
export const useKey = (network: string, host: string): string => `${usesOf(network)}${host}`;
export const addressKey = (network: string, addr: Addr): string => `${addressesOf(network)}${addressHex(addr)}`;
export const rangeKey = (network: string, range: Prefix): string => `${rangesOf(network)}${rangeHex(range)}`;

export const usesOf = (network: string): string => `u/${network}/`;
export const addressesOf = (network: string): string => `a/${network}/`;
export const rangesOf = (network: string): string => `r/${network}/`;

/** 8 or 32 hex digits. */
export function addressHex({ family, value }: Addr): string {
  return value.toString(16).padStart(BITS[family] / 4, '0');
}

export function parseAddressHex(hex: string): Addr | undefined {
  if (!/^(?:[0-9a-f]{8}|[0-9a-f]{32})$/.test(hex)) return undefined;
  const family: Family = hex.length === 8 ? 4 : 6;
  return { family, value: BigInt(`0x${hex}`) };
}

/** Network address and length: `0a640200-24`. */
export function rangeHex(range: Prefix): string {
  return `${addressHex(firstOf(range))}-${range.length}`;
}

export function parseRangeHex(hex: string): Prefix | undefined {
  const [, digits = '', length = ''] = /^([0-9a-f]+)-(0|[1-9]\d{0,2})$/.exec(hex) ?? [];
  const addr = parseAddressHex(digits);
  if (addr === undefined || Number(length) > BITS[addr.family]) return undefined;
  const range = { addr, length: Number(length) };
  return firstOf(range).value === addr.value ? range : undefined;
}

/** `a/<network>/<rest>` in its parts; also of `r/` and `u/`. */
export function parseTableKey(
  key: string,
): { readonly kind: 'a' | 'r' | 'u'; readonly network: string; readonly rest: string } | undefined {
  const [, kind, network, rest] = /^([aru])\/([^/]+)\/([^/]+)$/.exec(key) ?? [];
  if ((kind !== 'a' && kind !== 'r' && kind !== 'u') || network === undefined || rest === undefined) return undefined;
  return { kind, network, rest };
}
