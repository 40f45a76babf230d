import type { NetError } from '../../errors/net-error.ts';
import { type NetworkHolder, sameHolder } from '../../model/owned.ts';
import type { LocalStore } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { removeUnusedPlugged } from '../plugins/network.ts';
import { deviceKey, isUsed, withHolders } from './record.ts';
import { removeNetwork } from './remove-network.ts';

/**
 * Removes the holder durably, and runs `inTransaction` in the same transaction. With the last holder, deletes the
 * Network unless an endpoint of either camp uses it; then the last endpoint's removal deletes it. Accepts absence;
 * returns all failures.
 */
export async function deleteNetwork(
  core: Core,
  name: string,
  holder: NetworkHolder,
  inTransaction?: (store: LocalStore) => void,
): Promise<NetError[]> {
  const { store } = core;
  for (;;) {
    const device = store.networks.get(name)?.device;
    if (device === undefined) {
      if (inTransaction !== undefined) store.transaction(() => inTransaction(store), { durable: true });
      return [];
    }
    using _lock = await core.lock(deviceKey({ name, device }));
    core.mark?.('lock');
    const row = store.networks.get(name);
    // Another call moved it to another device while we waited.
    if (row?.device !== device) continue;
    const left = withHolders(
      row,
      (row.holders ?? []).filter((other) => !sameHolder(other, holder)),
    );
    store.transaction(
      () => {
        store.networks.put(left);
        inTransaction?.(store);
      },
      { durable: true },
    );
    core.mark?.('commit');
    // Awaited here to hold the lock until everything is deleted.
    if (isUsed(core, left)) return [];
    const errors = await removeNetwork(core, left);
    return [...errors, ...(await removeUnusedPlugged(core, name))];
  }
}
