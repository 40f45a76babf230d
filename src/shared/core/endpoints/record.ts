import { held, release } from '../../ipam/leases.ts';
import { claimsPorts, type Endpoint, scopeOf } from '../../model/endpoint.ts';
import type { LocalStore } from '../../store/store.ts';
import { releaseKey, releaseKeysOf } from '../pools/cluster-keys.ts';

/** Deletes the record with its leases and host ports. The caller runs it in a transaction. */
export function deleteRecord(store: LocalStore, endpoint: Endpoint): void {
  const { attachment, role } = endpoint;
  const scope = scopeOf(endpoint);
  if (scope !== undefined) {
    releaseInCluster(store, scope, endpoint);
    release(store, scope, attachment);
  }
  if (claimsPorts(endpoint)) store.ports.release(attachment);
  store.endpoints.delete(attachment, role);
}

/** Records that the daemon is to delete the endpoint's addresses from the cluster's store. */
function releaseInCluster(store: LocalStore, scope: string, { attachment }: Endpoint): void {
  const { driver, spec } = store.networks.get(attachment.network) ?? {};
  // Rebuilt from the kernel.
  if (driver === 'overlay' && spec === undefined) releaseKeysOf(store, attachment);
  const options = spec?.options;
  if (options?.driver !== 'overlay' || options.mode !== 'shared') return;
  for (const { address } of held(store, scope, attachment)) releaseKey(store, options, address);
}
