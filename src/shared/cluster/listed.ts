import type { ClusterStore, Snapshot } from '../store/cluster/cluster-store.ts';
import { wasReset } from '../store/cluster/limits.ts';

/**
 * As `ClusterStore.list`. Throws NetError `unavailable` in another epoch: in a store that has lost its data, absence
 * does not mean deletion.
 */
export async function listIn(store: ClusterStore, epoch: string, prefix: string): Promise<Snapshot> {
  const snapshot = await store.list(prefix);
  if (snapshot.epoch !== epoch) throw wasReset(`prefix ${prefix}`, epoch, snapshot.epoch);
  return snapshot;
}
