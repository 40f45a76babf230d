import type { NetError } from '../errors/net-error.ts';
import type { Logger } from '../log/log.ts';
import type { ClusterStore } from '../store/cluster/cluster-store.ts';
import type { LocalStore } from '../store/store.ts';
import type { Copy } from './copy.ts';
import type { Ledger } from './ledger.ts';
import type { AddressRecord, HostRecord, Settings } from './values.ts';

/** This host, as its peers see it. */
export interface Self extends HostRecord {
  /** `clusterHostId`. */
  readonly id: string;
}

/** A key that this host uses and the store assigns to another. */
export interface Conflict {
  readonly key: string;
  /** Name of the host or network that has the key; `nobody` if the cluster has deleted the endpoint's network. */
  readonly holder: string;
}

/** What the parts of a `Cluster` share. */
export interface Site {
  readonly store: ClusterStore;
  readonly local: LocalStore;
  readonly settings: Settings;
  readonly log: Logger;
  readonly copy: Copy;
  readonly ledger: Ledger;
  /** Milliseconds, whatever happens to the wall clock; only differences count. */
  readonly now: () => number;
  /** Milliseconds since the epoch: for what outlives the process. */
  readonly wall: () => number;
  /** True for an address of this boot that an endpoint has, although the local store lost its row. */
  readonly isUsed: (network: string, record: AddressRecord) => boolean;
  self: Self;
  /** The epoch in which this host has joined; undefined while it has not. */
  epoch: string | undefined;
  /** Why it has not. */
  obstacle: NetError | undefined;
  /** Keys in use here that another has, as of the last comparison. */
  conflicts: readonly Conflict[];
  /** Networks that had no user at the last comparison, each as `key version epoch`. */
  unused: ReadonlySet<string>;
}
