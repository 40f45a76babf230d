import { type Addr, type Family, formatAddr, parseAddr } from '../model/addr.ts';
import type { FirewallBackend } from '../model/firewall.ts';
import { given } from '../model/given.ts';
import type { RouteSpec } from '../model/link.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../model/prefix.ts';
import { formatRoute, parseRoute, type Route } from '../model/route.ts';
import type { BridgeOptions } from './bridge.ts';
import type { FirewallOptions, MasqueradeOptions } from './firewall.ts';
import type { RangeConfig } from './ipam-ranges.ts';
import type { OverlayOptions } from './overlay.ts';
import type { ParentedOptions } from './parented.ts';
import type { PtpOptions } from './ptp.ts';
import type { HostAccessOptions } from './read-host-access.ts';
import type { RemoteOptions, RemotePools } from './remote.ts';

/** The packet filter's rules for all endpoints of a network. */
export interface NetworkRules {
  readonly backend: FirewallBackend;
  readonly options: FirewallOptions;
  /** Accepts the network's traffic in chains of others that drop unknown packets. */
  readonly admit: boolean;
}

/** Options of a network on this host, by driver. */
export type NetworkOptions =
  | BridgeOptions
  | OverlayOptions
  | PtpOptions
  | ParentedOptions
  | HostAccessOptions
  | RemoteNetworkOptions
  | { readonly driver: 'null' | 'cni' };

/** A network of a Docker plugin. */
export interface RemoteNetworkOptions extends RemoteOptions {
  /** Absent: the addresses are not from a plugin. */
  readonly ipam?: RemotePools;
}

/** The options of the network's bridge on this host; undefined without one. */
export function bridgeOf(options: NetworkOptions): BridgeOptions | undefined {
  if (options.driver === 'overlay') return options.bridge;
  return options.driver === 'bridge' ? options : undefined;
}

/** The specification of a network, whichever camp created it. Rows hold its text. */
export interface NetworkSpec {
  readonly options: NetworkOptions;
  /** Range sets; an endpoint gets one address from each. Empty if the network has no addresses. */
  readonly ranges: readonly (readonly RangeConfig[])[];
  /** Where the built-in IPAM stores its leases; absent if another IPAM assigns the addresses. */
  readonly scope?: string;
  /** The external IPAM: `docker`, or the `type` of a CNI IPAM plugin. Such a network belongs to one camp. */
  readonly allocator?: string;
  readonly routes: readonly Route[];
  /** Absent: no packet filter entries. */
  readonly rules?: NetworkRules;
}

/** A RangeConfig as text, as host-local's `ranges` writes it. */
export interface RangeText {
  /** `10.88.0.0/16`, without host bits. */
  readonly subnet: string;
  readonly rangeStart?: string;
  readonly rangeEnd?: string;
  readonly gateway?: string;
}

type MasqueradeText = Omit<MasqueradeOptions, 'except' | 'to'> & {
  readonly except: readonly string[];
  readonly to: Readonly<Partial<Record<Family, string>>>;
};

/** A NetworkSpec in JSON, for rows. */
export interface SpecText extends Omit<NetworkSpec, 'ranges' | 'routes' | 'rules'> {
  readonly ranges: readonly (readonly RangeText[])[];
  readonly routes: readonly RouteSpec[];
  readonly rules?: Omit<NetworkRules, 'options'> & {
    readonly options: Omit<FirewallOptions, 'masquerade'> & { readonly masquerade?: MasqueradeText };
  };
}

/** The same spec always has the same text. */
export function formatSpec({ options, ranges, scope, allocator, routes, rules }: NetworkSpec): SpecText {
  return {
    options,
    ranges: ranges.map((set) => set.map(formatRangeConfig)),
    ...given({ scope, allocator }),
    routes: routes.map(formatRoute),
    ...(rules === undefined ? {} : { rules: formatRules(rules) }),
  };
}

export function formatRangeConfig({ subnet, rangeStart, rangeEnd, gateway }: RangeConfig): RangeText {
  const text = (addr: Addr | undefined): string | undefined => addr && formatAddr(addr);
  return {
    subnet: formatPrefix(subnet),
    ...given({ rangeStart: text(rangeStart), rangeEnd: text(rangeEnd), gateway: text(gateway) }),
  };
}

function formatRules({ backend, options, admit }: NetworkRules): NonNullable<SpecText['rules']> {
  const { backend: chosen, policy, unprotected, trusted, vxlan, masquerade, ports } = options;
  const text = masquerade && {
    ...given({ families: masquerade.families }),
    except: masquerade.except.map(formatPrefix),
    to: Object.fromEntries(Object.entries(masquerade.to).map(([family, addr]) => [family, formatAddr(addr)])),
  };
  const more = given({ unprotected, trusted, vxlan, masquerade: text });
  return { backend, options: { backend: chosen, policy, ...more, ports }, admit };
}

/** The inverse of formatSpec. Throws for an address that is malformed. */
export function parseSpec({ options, ranges, scope, allocator, routes, rules }: SpecText): NetworkSpec {
  return {
    options,
    ranges: ranges.map((set) => set.map(parseRangeText)),
    ...given({ scope, allocator }),
    routes: routes.map((route) => parseRoute(route) ?? malformed(route.dst)),
    ...(rules === undefined ? {} : { rules: parseRules(rules) }),
  };
}

function parseRangeText({ subnet, rangeStart, rangeEnd, gateway }: RangeText): RangeConfig {
  const addr = (text: string | undefined): Addr | undefined => (text === undefined ? undefined : addrOf(text));
  return {
    subnet: prefixOf(subnet),
    ...given({ rangeStart: addr(rangeStart), rangeEnd: addr(rangeEnd), gateway: addr(gateway) }),
  };
}

function parseRules({ options, ...rest }: NonNullable<SpecText['rules']>): NetworkRules {
  const { masquerade, ...others } = options;
  if (masquerade === undefined) return { ...rest, options: others };
  const to: Partial<Record<Family, Addr>> = {};
  for (const family of [4, 6] as const) {
    const text = masquerade.to[family];
    if (text !== undefined) to[family] = addrOf(text);
  }
  const except = masquerade.except.map(prefixOf);
  return { ...rest, options: { ...others, masquerade: { ...masquerade, except, to } } };
}

function prefixOf(text: string): Prefix {
  return parsePrefix(text) ?? malformed(text);
}

function addrOf(text: string): Addr {
  return parseAddr(text) ?? malformed(text);
}

function malformed(text: string): never {
  throw new SyntaxError(`${JSON.stringify(text)} is on record and is no address`);
}
