import { fault } from '../../errors/fault.ts';
import type { ClusterStore } from '../cluster/cluster-store.ts';
import { EtcdStore } from './etcd-store.ts';
import type { EtcdOptions } from './options.ts';

/** Opens the cluster's directory in etcd. Connects at the first call. Throws `invalid-config` for a wrong option. */
export async function openEtcd(options: EtcdOptions): Promise<ClusterStore> {
  if (options.endpoints.length === 0) throw fault.invalidConfig('etcd', 'endpoints', 'the list is empty', 'Name one');
  if (!/^\/(?:[\w.-]+\/)+$/.test(options.root))
    throw fault.invalidConfig('etcd', `root ${options.root}`, 'not a directory', 'Write /isthmus/NAME/v1/');
  return new EtcdStore(options);
}
