import type { EtcdOptions } from '../etcd/options.ts';
import type { ZooKeeperOptions } from '../zookeeper/options.ts';
import type { ClusterStore } from './cluster-store.ts';

export type ClusterOptions =
  | ({ readonly kind: 'etcd' } & EtcdOptions)
  | ({ readonly kind: 'zookeeper' } & ZooKeeperOptions);

/** Opens the store that the hosts of a cluster share. Loads its client only now: most processes have no cluster. */
export async function openClusterStore(options: ClusterOptions): Promise<ClusterStore> {
  if (options.kind === 'zookeeper') {
    const { openZooKeeper } = await import('../zookeeper/open.ts');
    return await openZooKeeper(options);
  }
  const { openEtcd } = await import('../etcd/open.ts');
  return await openEtcd(options);
}
