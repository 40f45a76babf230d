import { release } from '../../ipam/leases.ts';
import { claimsPorts, type Endpoint, scopeOf } from '../../model/endpoint.ts';
import type { LocalStore } from '../../store/store.ts';

/** Deletes the record with its leases and host ports. The caller runs it in a transaction. */
export function deleteRecord(store: LocalStore, endpoint: Endpoint): void {
  const { attachment, role } = endpoint;
  const scope = scopeOf(endpoint);
  if (scope !== undefined) release(store, scope, attachment);
  if (claimsPorts(endpoint)) store.ports.release(attachment);
  store.endpoints.delete(attachment, role);
}
