import { gatewaysOf, isNetworkOrBroadcast, type RangeSet, type RangeSpec, usable } from '../ipam/ranges.ts';
import { type Addr, BITS, formatAddr, parseAddr, sameAddr } from '../model/addr.ts';
import { field, type Json } from '../model/json.ts';
import { contains, firstOf, formatPrefix, lastOf, type Prefix } from '../model/prefix.ts';
import { asDropIn } from './driver-keys.ts';
import type { HostAccess } from './host-access.ts';
import type { InterfaceOptions } from './inside.ts';
import { readFlag } from './interface-values.ts';
import { invalid } from './invalid.ts';
import { completeRange, type RangeConfig } from './ipam-ranges.ts';
import type { IpvlanOptions } from './ipvlan.ts';
import type { MacvlanOptions } from './macvlan.ts';

/** Options of a driver that can have host access. */
export type HostAccessOptions = MacvlanOptions | IpvlanOptions;

type Ranges = readonly (readonly RangeConfig[])[];

/** A requested address of the host, and where it was requested. */
export interface RequestedHostAddress {
  readonly address: Addr;
  /** `.hostAddresses[0]="10.5.0.9"` */
  readonly subject: string;
}

/**
 * The options with the host access that a configuration of valid shape asks for. Throws NetError `invalid-config` where
 * the kernel, or an IPAM without ranges, cannot give it.
 */
export function withHostAccess<O extends InterfaceOptions>(
  raw: Json,
  { options, strict, ranges }: { readonly options: O; readonly strict: boolean; readonly ranges: Ranges | undefined },
): O {
  if (options.driver !== 'macvlan' && options.driver !== 'ipvlan') return options;
  const config = strict ? raw : asDropIn(raw, options.driver);
  const texts = field(config, 'hostAddresses');
  const listed: readonly unknown[] = Array.isArray(texts) ? texts : [];
  if (!readFlag(config, 'hostAccess')) {
    if (listed.length === 0) return options;
    throw invalid('.hostAddresses', texts, 'the host has no access to this network', 'Set .hostAccess to true');
  }
  if (ranges === undefined) {
    const hint = 'Use the built-in IPAM, whose ranges the host is given routes to';
    throw invalid('.hostAccess', true, 'this IPAM does not say which addresses the network has', hint);
  }
  assertReachable(options);
  const requested = listed.map((text, i): RequestedHostAddress => {
    const address = typeof text === 'string' ? parseAddr(text) : undefined;
    if (address !== undefined) return { address, subject: `.hostAddresses[${i}]=${JSON.stringify(text)}` };
    throw invalid(`.hostAddresses[${i}]`, text, 'it is no IP address', 'Write 10.5.0.9');
  });
  return { ...options, hostAccess: hostAccessOf(ranges, requested) };
}

/** The IPAM of an interface with these options: it gives no address that the host has. */
export function besideHost<I extends { readonly kind: string }>(options: InterfaceOptions, ipam: I): I {
  const addresses = 'hostAccess' in options ? options.hostAccess?.addresses : undefined;
  if (ipam.kind !== 'pool' || addresses === undefined) return ipam;
  return { ...ipam, reserved: addresses.flatMap((text) => parseAddr(text) ?? []) };
}

/** Throws NetError `invalid-config` for interfaces that no other one on their parent reaches. */
function assertReachable(options: HostAccessOptions): void {
  const refuse = (key: string, value: unknown, wanted: string): never => {
    throw invalid(`.${key}`, value, 'the host cannot reach such interfaces, as .hostAccess demands', wanted);
  };
  if (options.linkInContainer) refuse('linkInContainer', true, 'Remove one of the two: the parent is not on the host');
  if (options.driver === 'macvlan') {
    if (options.mode !== 'bridge') refuse('mode', options.mode, 'Use mode "bridge", or remove .hostAccess');
    return;
  }
  if (options.mode !== 'l2') refuse('mode', options.mode, 'Use mode "l2", or remove .hostAccess');
  if (options.flag !== 'bridge') refuse('flag', options.flag, 'Use flag "bridge", or remove .hostAccess');
}

/**
 * The addresses of the host on a network with these ranges, and its routes. A set in whose subnets no address is
 * requested gives its last one. Throws NetError `invalid-config` for a requested address that the host cannot have.
 */
export function hostAccessOf(ranges: Ranges, requested: readonly RequestedHostAddress[]): HostAccess {
  const sets = ranges.map((set) => set.map(completeRange));
  const gateways = gatewaysOf(sets);
  for (const { address, subject } of requested) assertPossible(sets.flat(), gateways, address, subject);
  const chosen = sets.flatMap((set) => {
    const own = requested.filter(({ address }) => set.some(({ subnet }) => contains(subnet, address)));
    return own.length > 0 ? own.map(({ address }) => address) : [lastFree(set, gateways)];
  });
  return {
    addresses: [...new Set(chosen.map(formatAddr))],
    routes: [...new Set(ranges.flatMap((set) => set.flatMap(routesTo)).map(formatPrefix))],
  };
}

function assertPossible(ranges: readonly RangeSpec[], gateways: readonly Addr[], address: Addr, subject: string): void {
  const hint = 'Choose another address of the network';
  const range = ranges.find(({ subnet }) => contains(subnet, address));
  if (range === undefined) {
    const subnets = ranges.map(({ subnet }) => formatPrefix(subnet)).join(', ');
    throw invalid(subject, undefined, `it is in no subnet of the network (${subnets})`, hint);
  }
  if (isNetworkOrBroadcast(range, address))
    throw invalid(subject, undefined, 'it is the network or broadcast address', hint);
  if (gateways.some((gateway) => sameAddr(gateway, address)))
    throw invalid(subject, undefined, 'it is the gateway', hint);
}

/** RFC 2526: the last 128 addresses of an IPv6 subnet are anycast addresses. */
const ANYCAST = 128n;

function lastFree(set: RangeSet, gateways: readonly Addr[]): Addr {
  for (const range of set.toReversed()) {
    const { first, last } = usable(range);
    const end = lastOf(range.subnet).value - ANYCAST;
    const isAnycast = last.family === 6 && last.value > end && end >= first.value;
    for (let value = isAnycast ? end : last.value; value >= first.value; value -= 1n) {
      const address: Addr = { family: last.family, value };
      if (!gateways.some((gateway) => sameAddr(gateway, address))) return address;
    }
  }
  throw new Error('a range set has an address to give, as its parser asserts');
}

/** The whole subnet, or the part of it that addresses are given from, without its gateway. */
function routesTo(written: RangeConfig): Prefix[] {
  const { subnet, rangeStart, rangeEnd, gateway } = completeRange(written);
  if (written.rangeStart === undefined && written.rangeEnd === undefined) return [subnet];
  const { family } = subnet.addr;
  if (gateway.value < rangeStart.value || gateway.value > rangeEnd.value)
    return spanned(family, rangeStart.value, rangeEnd.value);
  const below = spanned(family, rangeStart.value, gateway.value - 1n);
  return [...below, ...spanned(family, gateway.value + 1n, rangeEnd.value)];
}

/** The fewest prefixes that have all addresses from `first` to `last`, and no others. */
function spanned(family: Addr['family'], first: bigint, last: bigint): Prefix[] {
  const found: Prefix[] = [];
  for (let value = first; value <= last; ) {
    let bits = 0;
    // As large as the alignment of its first address, and the end, allow.
    while (
      bits < BITS[family] &&
      (value & ((2n << BigInt(bits)) - 1n)) === 0n &&
      value + (2n << BigInt(bits)) - 1n <= last
    )
      bits++;
    const prefix: Prefix = { addr: { family, value }, length: BITS[family] - bits };
    found.push({ ...prefix, addr: firstOf(prefix) });
    value += 1n << BigInt(bits);
  }
  return found;
}
