import { fault } from '../../errors/fault.ts';
import type { ClusterStore } from '../cluster/cluster-store.ts';
import { loadLibrary } from './library.ts';
import { parseEndpoint, type ZooKeeperOptions } from './options.ts';
import { ZooKeeperStore } from './zookeeper-store.ts';

/** Opens the cluster's directory in ZooKeeper. Connects at the first call. Throws `invalid-config` for a wrong option. */
export async function openZooKeeper(options: ZooKeeperOptions): Promise<ClusterStore> {
  const { endpoints, root, user } = options;
  if (endpoints.length === 0) throw fault.invalidConfig('zookeeper', 'endpoints', 'the list is empty', 'Name one');
  for (const endpoint of endpoints) parseEndpoint(endpoint);
  if (!/^\/(?:[\w.-]+\/)+$/.test(root) || /\/\.{1,2}\//.test(root))
    throw fault.invalidConfig('zookeeper', `root ${root}`, 'not a directory', 'Write /isthmus/NAME/v1/');
  if (user?.name.includes(':') === true)
    throw fault.invalidConfig('zookeeper', `user ${user.name}`, 'it contains a colon', 'Choose another name');
  return new ZooKeeperStore(await loadLibrary(), options);
}
