import type { FirewallBackend } from '../model/firewall.ts';
import type { RouteSpec } from '../model/link.ts';
import type { BridgeOptions } from './bridge.ts';
import type { FirewallOptions } from './firewall.ts';

/** Addresses to assign, as host-local's `ranges` writes them. */
export interface RangeText {
  /** `10.88.0.0/16`, without host bits. */
  readonly subnet: string;
  readonly rangeStart?: string;
  readonly rangeEnd?: string;
  readonly gateway?: string;
}

/** The packet filter's rules for all endpoints of a network. */
export interface NetworkRules {
  readonly backend: FirewallBackend;
  readonly options: FirewallOptions;
  /** Accepts the network's traffic in chains of others that drop unknown packets. */
  readonly admit: boolean;
}

/** The specification of a network, whichever camp created it: plain JSON, stored with the network. */
export interface NetworkSpec {
  readonly options: BridgeOptions | { readonly driver: 'null' };
  /** Range sets; an endpoint gets one address from each. Empty if the network has no addresses. */
  readonly ranges: readonly (readonly RangeText[])[];
  /** Where the built-in IPAM stores its leases; absent if another IPAM assigns the addresses. */
  readonly scope?: string;
  /** The external IPAM: `docker`, or the `type` of a CNI IPAM plugin. Such a network belongs to one camp. */
  readonly allocator?: string;
  readonly routes: readonly RouteSpec[];
  /** Absent: no packet filter entries. */
  readonly rules?: NetworkRules;
}
