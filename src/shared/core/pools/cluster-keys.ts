import { addressKey } from '../../cluster/keys.ts';
import { endpointText, parseAddress } from '../../cluster/values.ts';
import type { OverlayOptions } from '../../config/overlay.ts';
import type { Addr } from '../../model/addr.ts';
import type { Attachment } from '../../model/attachment.ts';
import { contains } from '../../model/prefix.ts';
import type { LocalStore } from '../../store/store.ts';

export interface SharedOverlay {
  readonly name: string;
  readonly options: OverlayOptions;
}

/** The `shared` overlay network that leases its addresses in this scope and contains this address. */
export function sharedOverlay(store: LocalStore, scope: string, address: Addr): SharedOverlay | undefined {
  for (const { name, spec } of store.networks.list()) {
    if (spec?.options.driver !== 'overlay' || spec.options.mode !== 'shared' || spec.scope !== scope) continue;
    if (spec.ranges.flat().some(({ subnet }) => contains(subnet, address))) return { name, options: spec.options };
  }
  return undefined;
}

/**
 * Ends a lease. For an address of an overlay network, also records that the daemon is to delete it from the cluster's
 * store. For the caller's transaction.
 */
export function giveBack(store: LocalStore, scope: string, address: Addr): void {
  const overlay = sharedOverlay(store, scope, address);
  if (overlay !== undefined) releaseKey(store, overlay.options, address);
  store.leases.release(scope, address);
}

/** As `releaseKey`, for all addresses of an endpoint: the record of its network may not tell the network's id. */
export function releaseKeysOf({ clusterKeys }: LocalStore, owner: Attachment): void {
  const endpoint = endpointText(owner);
  for (const row of clusterKeys.list('a/'))
    if (row.state !== 'released' && row.value.includes(endpoint) && parseAddress(row.value)?.endpoint === endpoint)
      clusterKeys.put({ ...row, state: 'released' });
}

/** Records that the daemon is to delete the address from the cluster's store. Accepts absence. */
export function releaseKey({ clusterKeys }: LocalStore, { network }: OverlayOptions, address: Addr): void {
  const row = clusterKeys.get(addressKey(network, address));
  if (row !== undefined && row.state !== 'released') clusterKeys.put({ ...row, state: 'released' });
}
