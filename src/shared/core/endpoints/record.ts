import { release } from '../../ipam/leases.ts';
import { claimsPorts, type Endpoint, scopeOf } from '../../model/endpoint.ts';
import type { LocalStore } from '../../store/store.ts';

/** The record is gone, with its leases and its host ports. Part of a transaction. */
export function deleteRecord(store: LocalStore, endpoint: Endpoint): void {
  const { attachment, role } = endpoint;
  const scope = scopeOf(endpoint);
  if (scope !== undefined) release(store, scope, attachment);
  if (claimsPorts(endpoint)) store.ports.release(attachment);
  store.endpoints.delete(attachment, role);
}
