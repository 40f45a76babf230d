import type { NetworkSpec } from '../../config/network-spec.ts';
import { parseAddr } from '../../model/addr.ts';
import type { LocalStore } from '../../store/store.ts';
import { leaseTaken } from '../../store/taken.ts';

/** Throws NetError `conflict` if an endpoint has an address that the host is to have on the network. */
export function assertHostAddresses({ leases }: LocalStore, { options, scope }: NetworkSpec): void {
  if (scope === undefined || (options.driver !== 'macvlan' && options.driver !== 'ipvlan')) return;
  for (const text of options.hostAccess?.addresses ?? []) {
    const address = parseAddr(text);
    const holder = address && leases.at(scope, address);
    if (address !== undefined && holder !== undefined) throw leaseTaken({ address }, holder);
  }
}
