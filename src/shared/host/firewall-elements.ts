import { fault } from '../errors/fault.ts';
import type { NetError } from '../errors/net-error.ts';
import { parseAddr } from '../model/addr.ts';
import { digest } from '../model/attachment.ts';
import {
  type DirectEntry,
  type ExposureEntry,
  entryKey,
  type FirewallEntry,
  type IngressPolicy,
  isBridgeEntry,
  PORT_LABEL,
  type PortEntry,
} from '../model/firewall.ts';
import { given } from '../model/given.ts';
import { isNftMatch } from '../model/nft-match.ts';
import { isOverlayEntry } from '../model/overlay-entries.ts';
import { contains } from '../model/prefix.ts';
import { addrOf, deviceOf, type Field, familyOf, portOf, portsOf, subnetOf, wrong } from './firewall-fields.ts';

/** The table that holds all entries of the nftables firewall. */
export const FIREWALL_TABLE = 'inet isthmus';

export type Verdict =
  | { readonly verdict: 'accept' | 'drop' | 'return' }
  | { readonly verdict: 'jump' | 'goto'; readonly chain: string };

/** One element of a set or map of the firewall's table. */
export interface Element {
  readonly set: string;
  readonly key: readonly Field[];
  /** The value in a map; absent for a set. */
  readonly data?: readonly Field[] | Verdict;
  /** A name without quotes that the kernel keeps with the element. */
  readonly comment?: string;
}

/** The chain of a port with conditions, with its only rule. */
export interface PortChain {
  readonly name: string;
  readonly rule: string;
}

export interface Footprint {
  readonly elements: readonly Element[];
  readonly chains: readonly PortChain[];
}

/**
 * Maps entries to elements of the firewall's table, in an order that the kernel accepts, each element once. Skips
 * entries of kind `admit` and those of other tables. The first of two policies of a device wins. Throws NetError
 * `invalid-config` for an invalid entry, `conflict` for a host port that leads to two pods.
 */
export function footprint(entries: readonly FirewallEntry[]): Footprint {
  const elements = new Map<string, Element>();
  const chains = new Map<string, PortChain>();
  for (const entry of entries) {
    for (const element of elementsOf(entry)) {
      const key = keyOf(element);
      const there = elements.get(key);
      if (there === undefined) elements.set(key, element);
      else if (entry.kind === 'port' && JSON.stringify(there) !== JSON.stringify(element)) throw twice(entry);
    }
    if (entry.kind !== 'port' || entry.conditions.length === 0) continue;
    const chain = { name: chainName(entry), rule: chainRule(entry) };
    chains.set(chain.name, chain);
  }
  return { elements: [...elements.values()], chains: [...chains.values()] };
}

function elementsOf(entry: FirewallEntry): Element[] {
  if (isBridgeEntry(entry) || isOverlayEntry(entry)) return [];
  switch (entry.kind) {
    case 'admit':
    case 'source':
      return [];
    case 'masquerade':
      return masquerade(entry);
    case 'hairpin': {
      const { family, field } = subnetOf(entry.kind, 'subnet', entry.subnet);
      const device = deviceOf(entry);
      const loopback: Element[] = family === 4 ? [{ set: 'hairpin', key: [device] }] : [];
      return [...loopback, { set: `hairpin${family}`, key: [field, device] }];
    }
    case 'policy':
      return policy(entry);
    case 'separate':
      return [{ set: 'separate', key: [deviceOf(entry), deviceOf(entry)] }];
    case 'port':
      return port(entry);
    case 'direct':
      return direct(entry);
    case 'exposure':
      return [exposure(entry)];
  }
}

/** Exceptions that contain others replace them: elements of an interval set must not overlap. */
function masquerade({ subnet, except, to }: Extract<FirewallEntry, { kind: 'masquerade' }>): Element[] {
  const { family, field } = subnetOf('masquerade', 'subnet', subnet);
  const exceptions = except.map((text) => subnetOf('masquerade', 'except', text));
  const outer = exceptions.filter(
    (one) =>
      one.family === family &&
      !exceptions.some((other) => other.prefix.length < one.prefix.length && contains(other.prefix, one.prefix.addr)),
  );
  return [
    { set: `masquerade${family}`, key: [field] },
    ...outer.map((one): Element => ({ set: `direct${family}`, key: [field, one.field] })),
    ...(to === undefined ? [] : [{ set: `source${family}`, key: [field], data: [addrOf('to', to, family)] }]),
  ];
}

/** `own` governs what a network sends itself, `leaving` what it sends, `entering` what it receives; in this order. */
function policy(entry: Extract<FirewallEntry, { kind: 'policy' }>): Element[] {
  const device = deviceOf(entry);
  const vxlan = entry.vxlan === undefined ? [] : [deviceOf({ kind: entry.kind, device: entry.vxlan })];
  const ways = [[device, device], ...vxlan.flatMap((other) => [[device, other] as const, [other, device] as const])];
  const own = (data: Verdict): Element[] => ways.map((key) => ({ set: 'own', key, data }));
  const each = (set: string, data?: Verdict): Element[] =>
    [device, ...vxlan].map((one) => ({ set, key: [one], ...given({ data }) }));
  // Not in `networks`: what leaves by a VXLAN device is masqueraded, since other hosts have no route back.
  const known: Element[] = [{ set: 'networks', key: [device] }, ...vxlan.map((one) => ({ set: 'remote', key: [one] }))];
  const apart = [...each('apart'), ...each('leaving', { verdict: 'jump', chain: 'isolation' })];
  const published: Verdict = { verdict: 'goto', chain: 'published' };
  const closed: Verdict = { verdict: 'goto', chain: 'closed' };
  switch (entry.policy) {
    case 'open':
      return known;
    case 'reachable':
      return [...known, ...each('reachable')];
    case 'same-bridge':
      return [...known, ...own({ verdict: 'accept' }), ...apart];
    case 'isolated':
      return [...known, ...own(published), ...apart];
    case 'closed':
      return [...known, ...own({ verdict: 'accept' }), ...each('entering', closed)];
    case 'internal':
      return [...known, ...own({ verdict: 'accept' }), ...['leaving', 'entering'].flatMap((set) => each(set, DROP))];
  }
}

const DROP: Verdict = { verdict: 'drop' };
const POLICIES: readonly IngressPolicy[] = ['open', 'reachable', 'same-bridge', 'isolated', 'closed', 'internal'];

/** Elements that another policy of the same device may have left behind, without those of the entries. */
export function obsoleteElements(entries: readonly FirewallEntry[]): Element[] {
  const policies = entries.filter((entry) => entry.kind === 'policy');
  if (policies.length === 0) return [];
  const kept = new Set(footprint(entries).elements.map(keyOf));
  const found = new Map<string, Element>();
  for (const entry of policies) {
    for (const element of POLICIES.flatMap((other) => policy({ ...entry, policy: other }))) {
      if (!kept.has(keyOf(element))) found.set(JSON.stringify(element), element);
    }
  }
  return [...found.values()];
}

/**
 * Names of sets: `any` means every address of the host, `condition` ports that lead through a chain, `span` spans of ports
 * that lead to the same ports. The kernel cannot shift a span, so another one is as many elements as ports.
 */
function port(entry: PortEntry): Element[] {
  const { count = 1 } = entry;
  const isPlain = entry.snat && !entry.masqAll && entry.conditions.length === 0;
  if (count > 1 && !(isPlain && entry.hostPort === entry.port)) return each(entry).flatMap(port);
  const family = familyOf('address', entry.address);
  const wild = isWild(entry.hostIp);
  const suffix = `${wild ? '_any' : ''}${family}`;
  const key: Field[] = [
    ...(wild || entry.hostIp === undefined ? [] : [addrOf('hostIp', entry.hostIp, family)]),
    { type: 'proto', value: entry.protocol },
    count > 1 ? portsOf('hostPort', entry.hostPort, count) : portOf('hostPort', entry.hostPort),
  ];
  const label = { verdict: 'jump', chain: 'translated' } as const;
  if (count > 1) {
    const data = [addrOf('address', entry.address, family)];
    return [
      { set: `span${suffix}`, key, data },
      { set: `span_label${suffix}`, key, data: label },
    ];
  }
  const target = [addrOf('address', entry.address, family), portOf('port', entry.port)];
  const way: Verdict | undefined = entry.masqAll
    ? { verdict: 'goto', chain: 'hide' }
    : entry.snat
      ? undefined
      : { verdict: 'return' };
  const leads: Element[] =
    entry.conditions.length === 0
      ? [
          { set: `port${suffix}`, key, data: target },
          { set: `label${suffix}`, key, data: label },
        ]
      : [{ set: `condition${suffix}`, key, data: { verdict: 'jump', chain: chainName(entry) } }];
  return [...leads, ...(way === undefined ? [] : [{ set: `answer${suffix}`, key, data: way }])];
}

/** The ports of a span as entries of their own. */
function each(entry: PortEntry): PortEntry[] {
  const { count = 1, ...first } = entry;
  return Array.from({ length: count }, (_, i) => ({ ...first, hostPort: first.hostPort + i, port: first.port + i }));
}

function direct(entry: DirectEntry): Element[] {
  const family = familyOf('address', entry.address);
  const address = addrOf('address', entry.address, family);
  const { kind, through, count = 1 } = entry;
  const input = through === undefined ? [] : [deviceOf({ kind, device: through })];
  const place = [...input, deviceOf(entry), address, { type: 'proto', value: entry.protocol } as const];
  const set = `${through === undefined ? 'routed' : 'trusted'}${family}`;
  return Array.from({ length: count }, (_, i) => ({ set, key: [...place, portOf('port', entry.port + i)] }));
}

function exposure(entry: ExposureEntry): Element {
  return { set: `${entry.what === 'all' ? 'exposed' : 'pingable'}${entry.family}`, key: [deviceOf(entry)] };
}

/** Returns true if the port applies to every address of the host. */
function isWild(hostIp: string | undefined): boolean {
  return hostIp === undefined || parseAddr(hostIp)?.value === 0n;
}

function chainName(entry: PortEntry): string {
  return `port-${digest('firewall chain', entryKey(entry)).slice(0, 16)}`;
}

function chainRule({ protocol, address, port: to, conditions }: PortEntry): string {
  for (const condition of conditions) {
    if (!isNftMatch(condition)) throw wrong('conditions', condition, 'a match in the syntax of nft');
  }
  const v6 = address.includes(':');
  const target = v6 ? `dnat ip6 to [${address}]:${to}` : `dnat ip to ${address}:${to}`;
  return `meta nfproto ${v6 ? 'ipv6' : 'ipv4'} meta l4proto ${protocol} ${conditions.join(' ')} ct label set ${PORT_LABEL} ${target} comment "${address}"`;
}

/** Returns equal strings for equal keys of one set, regardless of the value in a map. */
export function keyOf({ set, key }: Element): string {
  return `${set} ${key.map(({ value }) => value).join(' ')}`;
}

function twice({ hostIp = '*', hostPort, protocol, address }: PortEntry): NetError {
  const subject = `host port ${hostIp} ${protocol} ${hostPort}`;
  const what = `it is to lead to ${address} and elsewhere, or there in two ways`;
  return fault.conflict('firewall', subject, what, 'Publish each host port once');
}
