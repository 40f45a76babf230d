import type { NetError } from '../../errors/net-error.ts';
import type { LocalStore } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { isUsed, removeNetwork } from './network.ts';
import { deviceKey, withHolders } from './record.ts';

/**
 * The holder keeps the Network no longer, durably, and `inTransaction` is stored with that. What was made for it goes
 * with the last holder, unless an endpoint of either camp is on it: then it goes with the last endpoint. Absence is
 * success; all that fails is returned.
 */
export async function deleteNetwork(
  core: Core,
  name: string,
  holder: string,
  inTransaction?: (store: LocalStore) => void,
): Promise<NetError[]> {
  const { store } = core;
  for (;;) {
    const device = store.networks.get(name)?.device;
    if (device === undefined) {
      if (inTransaction !== undefined) store.transaction(() => inTransaction(store), { durable: true });
      return [];
    }
    using _lock = await core.lock(deviceKey(device));
    core.mark?.('lock');
    const row = store.networks.get(name);
    // It has moved to another device while we waited.
    if (row?.device !== device) continue;
    const left = withHolders(
      row,
      (row.holders ?? []).filter((other) => other !== holder),
    );
    store.transaction(
      () => {
        store.networks.put(left);
        inTransaction?.(store);
      },
      { durable: true },
    );
    core.mark?.('commit');
    // Awaited here: the lock is held until all of it is gone.
    return isUsed(core, left) ? [] : await removeNetwork(core, left);
  }
}
