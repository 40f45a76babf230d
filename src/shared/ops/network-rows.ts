import type { Core } from '../core/core.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { LoneLink } from '../model/interface-facts.ts';
import type { NetworkRow } from '../store/store.ts';

/**
 * The recorded networks, and those that exist only as interfaces without a side on the host, such as macvlan: CNI calls
 * record no network for them. Sorted as `recorded`, then by name.
 */
export function networkRows(
  core: Core,
  recorded: readonly NetworkRow[] = core.store.networks.list(),
  endpoints: readonly Endpoint[] = core.store.endpoints.list(),
): NetworkRow[] {
  const rows = new Map(recorded.map((row) => [row.name, row]));
  for (const endpoint of endpoints) {
    const name = endpoint.attachment.network;
    if (endpoint.kind !== 'lone' || rows.has(name)) continue;
    rows.set(name, {
      ...{ name, driver: driverOf(endpoint.link.link), device: '', owned: [] },
      bootId: core.host.identity.bootId,
    });
  }
  return [...rows.values()];
}

/** The row of one network. */
export function networkRow(core: Core, name: string): NetworkRow | undefined {
  const recorded = core.store.networks.get(name);
  if (recorded !== undefined) return recorded;
  return networkRows(core, [], core.store.endpoints.list(name)).find((row) => row.name === name);
}

function driverOf({ kind }: LoneLink): string {
  if (kind === 'moved' || kind === 'userspace') return 'host-device';
  return kind === 'awaited' ? 'remote' : kind;
}
