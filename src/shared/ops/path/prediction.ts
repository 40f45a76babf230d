import type { LinuxNamespace } from '../../host/linux-namespace.ts';
import type { Addr } from '../../model/addr.ts';
import type { Hop } from './hops.ts';

/** What will happen to the first packet of a connection. */
export interface Prediction {
  readonly hops: readonly Hop[];
  readonly from: Addr;
  /** The address that the packet is sent to. */
  readonly to: Addr;
  /** Where it ends, after a published port has translated it. */
  readonly target: Addr;
  readonly targetPort?: number;
  /** The address that the packet leaves the host with. */
  readonly leaves: Addr;
  /** Where a probe can be sent from; absent: it comes from elsewhere. */
  readonly sender?: LinuxNamespace;
}
