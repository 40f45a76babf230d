import type { Claim } from '../cluster/addresses.ts';
import type { NetworkRecord } from '../cluster/values.ts';
import type { BridgeOptions } from '../config/bridge.ts';
import type { OverlayConfig, OverlayOptions } from '../config/overlay.ts';
import type { RangeSet } from '../ipam/ranges.ts';
import type { Addr, Family } from '../model/addr.ts';
import type { Attachment } from '../model/attachment.ts';
import type { Prefix } from '../model/prefix.ts';

/** The networks over several hosts, in a daemon that is a member of a cluster. */
export interface ClusterNetworks {
  /**
   * Ensures the network in the cluster, and that this host knows which host has which address. This host uses the network
   * until the caller has disposed of `call`, and then as long as the network is on record. Throws NetError `unavailable`
   * if the store does not answer; `conflict` with both values if the cluster's network differs.
   */
  join(request: OverlayRequest, call: DisposableStack): Promise<JoinedNetwork>;
  /**
   * The range of the subnet that this host has of a `per-host` network, or would get: a host with its gateway asks before
   * it joins. Undefined if the cluster's network of this name has another mode, or has none and `mode` is absent. Throws
   * as `join`.
   */
  offer(name: string, asked: OfferRequest): Promise<OfferedRange | undefined>;
  /** The network of this name, as far as this host knows what the cluster has. */
  named(name: string): NetworkRecord | undefined;
  /** Claims one address of each set of a `shared` network, or of the sets of one family. Throws as `join`; `exhausted`. */
  claim(network: string, request: ClaimRequest): Promise<Claim>;
  /** Assigns held addresses to their endpoint. Throws as `join`; `conflict` if this host does not hold one. */
  amend(network: string, addresses: readonly Addr[], use: AddressUse): Promise<void>;
  /** Records that the claim is in use, in the transaction that records the endpoint. */
  settle(claim: Claim): void;
  /** Gives the claim up, unless a transaction has settled it. */
  abandon(claim: Claim): void;
  /**
   * Makes the kernel's tables of this network agree with the cluster. Without a name: those of all networks, soon.
   */
  mirror(name?: string): Promise<void>;
  /**
   * Throws NetError `unavailable` with the reason unless this host can attach endpoints to the network; `unsupported` if it
   * is encrypted and this kernel has no ESP.
   */
  assertReady(name: string, mode: OverlayConfig['mode']): void;
}

export interface ClaimRequest {
  /** Addresses that the result must contain. */
  readonly requested: readonly Addr[];
  readonly owner: Attachment;
  /** Default: derived from the first address. */
  readonly mac?: string;
  readonly family?: Family;
}

/** The endpoint that has an address. */
export interface AddressUse {
  readonly owner: Attachment;
  readonly mac: string;
}

export interface OfferRequest {
  readonly family: Family;
  readonly mode?: 'per-host';
  /** Absent: that of the cluster's network. */
  readonly subnet?: Prefix;
}

export interface OfferedRange {
  /** Of all hosts. */
  readonly subnet: Prefix;
  readonly range: Prefix;
}

/** A network that a configuration describes. */
export interface OverlayRequest {
  readonly name: string;
  readonly config: OverlayConfig;
  readonly bridge: BridgeOptions;
  readonly sets: readonly RangeSet[];
  readonly internal: boolean;
  /** Mode `per-host`: the ranges that this host has to get, as `offer` said. Default: any. */
  readonly ranges?: readonly Prefix[];
}

/** A network that this host uses. */
export interface JoinedNetwork {
  readonly options: OverlayOptions;
  /** Ranges for the endpoints of this host: in mode `per-host`, those that it leases. */
  readonly sets: readonly RangeSet[];
  /** All subnets of the network, on all hosts. */
  readonly pools: readonly Prefix[];
}
