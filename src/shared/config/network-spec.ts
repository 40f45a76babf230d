import type { FirewallBackend } from '../model/firewall.ts';
import type { RouteSpec } from '../model/link.ts';
import type { BridgeOptions } from './bridge.ts';
import type { FirewallOptions } from './firewall.ts';

/** Addresses to hand out, as host-local's `ranges` writes them. */
export interface RangeText {
  /** `10.88.0.0/16`, without host bits. */
  readonly subnet: string;
  readonly rangeStart?: string;
  readonly rangeEnd?: string;
  readonly gateway?: string;
}

/** What the packet filter does for all endpoints of a network. */
export interface NetworkRules {
  readonly backend: FirewallBackend;
  readonly options: FirewallOptions;
  /** The network's traffic is let through where others drop what they do not know. */
  readonly admit: boolean;
}

/** What a network is made by, whoever asked for it first: plain JSON, which is kept with the network. */
export interface NetworkSpec {
  readonly options: BridgeOptions | { readonly driver: 'null' };
  /** Range sets; an endpoint has one address of each. Empty where the network has no addresses. */
  readonly ranges: readonly (readonly RangeText[])[];
  /** Where the built-in IPAM leases the addresses; absent where it does not. */
  readonly scope?: string;
  /** Who else hands out the addresses: `docker`, or the `type` of a CNI IPAM plugin. Such a network has one camp. */
  readonly allocator?: string;
  readonly routes: readonly RouteSpec[];
  /** Absent: the packet filter is left alone. */
  readonly rules?: NetworkRules;
}
