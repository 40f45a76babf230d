import {
  deleteRemoteEndpoint,
  deleteRemoteNetwork,
  listRemoteEndpoints,
  listRemoteNetworks,
  type PluginNames,
} from '../../store/remote-notes.ts';
import type { LocalStore } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { pluggedKey } from './network.ts';

/** Something that Docker plugins still have, although nothing on this host uses it. */
export interface LeftInPlugins {
  /** Names of the plugins. */
  readonly plugins: readonly string[];
  readonly network: string;
  /** `endpoint 0a1b2c3d4e5f with 10.7.0.2/24`: as the plugins know it. */
  readonly what: string;
}

const SHORT = 12;

/**
 * What a deletion left in plugins that were not there or refused, and what calls under way delete; by network. Changes
 * nothing.
 */
export function leftInPlugins({ notes, endpoints, networks }: LocalStore): LeftInPlugins[] {
  const stale = listRemoteEndpoints(notes, true).filter(
    ({ attachment }) => endpoints.get(attachment, 'interface') === undefined,
  );
  const unused = listRemoteNetworks(notes, true).filter(
    ({ network }) => networks.get(network) === undefined && !endpoints.any(network),
  );
  const left = [
    ...stale.map(({ attachment: { network }, plugins, facts: { endpointId, addresses } }) => ({
      ...{ plugins: namesOf(plugins), network },
      what: titleOf(
        'endpoint',
        endpointId,
        addresses.map(({ address }) => address),
      ),
    })),
    ...unused.map(({ network, plugins, facts: { networkId, pools } }) => ({
      ...{ plugins: namesOf(plugins), network },
      what: titleOf(
        'network',
        networkId,
        pools.map(({ pool }) => pool),
      ),
    })),
  ];
  return left.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/**
 * Deletes from the records what plugins have of a network that nothing on this host uses, for plugins that are gone for
 * good. Returns what that was.
 */
export async function forgetLeft(core: Core, network: string): Promise<LeftInPlugins[]> {
  const { store } = core;
  using _lock = await core.lock(pluggedKey(network));
  return store.transaction(
    () => {
      const left = leftInPlugins(store).filter((one) => one.network === network);
      for (const { attachment } of listRemoteEndpoints(store.notes)) {
        const isStale = store.endpoints.get(attachment, 'interface') === undefined;
        if (attachment.network === network && isStale) deleteRemoteEndpoint(store.notes, attachment);
      }
      const isUsed = store.networks.get(network) !== undefined || store.endpoints.any(network);
      if (!isUsed) deleteRemoteNetwork(store.notes, network);
      return left;
    },
    { durable: true },
  );
}

function keyOf({ network, what }: LeftInPlugins): string {
  return `${network} ${what}`;
}

function namesOf({ driver, ipam }: PluginNames): string[] {
  return [...new Set([driver, ipam].filter((name) => name !== undefined))];
}

function titleOf(kind: string, id: string, parts: readonly string[]): string {
  return `${kind} ${id.slice(0, SHORT)}${parts.length === 0 ? '' : ` with ${parts.join(', ')}`}`;
}
