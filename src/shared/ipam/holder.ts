import { type Addr, sameAddr } from '../model/addr.ts';
import type { Lease, LocalStore } from '../store/store.ts';

/** The lease of an address, or undefined where it is free. */
export function holderOf(store: LocalStore, scope: string, address: Addr): Lease | undefined {
  if (store.leases.runAt(scope, address) === undefined) return undefined;
  return store.leases.list(scope).find((lease) => sameAddr(lease.address, address));
}
