import type { View, ViewQuery } from '../../host/host.ts';
import type { Op } from '../../model/op.ts';
import { desired, type Entries, observed } from './entries.ts';
import type { RemoteNetwork } from './remote.ts';

/** The query for `diffRemote`. */
export function remoteQuery(network: RemoteNetwork): ViewQuery {
  const { vxlan } = network;
  return network.mode === 'shared'
    ? { links: [network.bridge, vxlan], forwarding: [vxlan], neighbours: [network.bridge] }
    : { links: [vxlan], forwarding: [vxlan], neighbours: [vxlan], routes: true };
}

/**
 * The Ops that make the tables of the kernel equal to the network, entries of others excepted: first missing and
 * wrong entries, then surplus ones. Empty once they are equal. Pure.
 *
 * Run them by `Host.revert`: one entry that the kernel refuses does not stop the others, and an entry that has gone
 * meanwhile needs no deletion.
 */
export function diffRemote(network: RemoteNetwork, view: View): Op[] {
  return opsBetween(observed(network, view), desired(network, view));
}

/**
 * The Ops that lead tables from one state of the network, or of a part of it, to another, as `diffRemote`: without a look
 * at the tables, so in time for the change alone. `view` has the devices. Pure.
 */
export function changeRemote(before: RemoteNetwork, after: RemoteNetwork, view: View): Op[] {
  return opsBetween(desired(before, view), desired(after, view));
}

function opsBetween(found: Entries, wanted: Entries): Op[] {
  const lacking = [...wanted.values()].filter(({ key, value }) => found.get(key)?.value !== value);
  const surplus = [...found.values()].filter(({ key }) => !wanted.has(key));
  return [...lacking.map(({ put }) => put), ...surplus.map(({ drop }) => drop)];
}
