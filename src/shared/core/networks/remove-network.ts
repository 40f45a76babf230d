import { shimName } from '../../drivers/lone/shim.ts';
import type { NetError } from '../../errors/net-error.ts';
import { deleteUnusedScopeNotes, sweepScopeNotes } from '../../ipam/scope-notes.ts';
import { isOverlayEntry } from '../../model/overlay-entries.ts';
import { mergeOwned, type Owned, planDeletion, without } from '../../model/owned.ts';
import type { LocalStore, NetworkRow } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { reverse } from '../execute.ts';
import { forgetMacs } from '../known-macs.ts';
import { sweepLostEntries } from '../reset-entries.ts';
import { guestsOn, stillOurs } from './on-parent.ts';
import { deviceKey, isUsed } from './record.ts';

/**
 * Deletes the network, unless it has a holder or an endpoint of either camp, or its device has a foreign port. Another
 * network on the same device takes over the device's record.
 */
export async function removeUnusedNetwork(core: Core, network: string): Promise<NetError[]> {
  const known = core.store.networks.get(network);
  // Checking for a holder or an endpoint needs no lock.
  if (known === undefined || isUsed(core, known)) return [];
  using _lock = await core.lock(deviceKey(known));
  const row = core.store.networks.get(network);
  if (row === undefined || row.device !== known.device || isUsed(core, row)) return [];
  // Awaited here to hold the lock until everything is deleted.
  return await removeNetwork(core, row);
}

/** Deletes an unused Network and its record. The caller holds the lock of the row's device. */
export async function removeNetwork(core: Core, row: NetworkRow): Promise<NetError[]> {
  const { host, store } = core;
  const { name, device } = row;
  const { bootId } = host.identity;
  const owned = row.bootId === bootId ? stillOurs(core, row.owned) : [];
  const others = device === '' ? [] : store.networks.list(device);
  const heir = others.find((other) => other.name !== name);
  if (heir !== undefined) {
    // The host's own interface serves this network alone.
    const isShim = (one: Owned): boolean => one.kind === 'link' && one.name === shimName(name);
    const errors = await reverse(core, planDeletion(owned.filter(isShim)), { host: host.own });
    const shared = owned.filter((one) => !isShim(one));
    store.transaction(() => {
      const own = heir.bootId === bootId ? heir.owned : [];
      if (shared.length > 0) store.networks.put({ ...heir, bootId, owned: mergeOwned(own, shared) });
      if (errors.length === 0) deleteRecord(store, row);
      else store.networks.put({ ...row, owned: owned.filter(isShim) });
    });
    return errors;
  }
  const guests = [...foreignPorts(core, device, owned), ...guestsOn(core, device, owned)];
  if (guests.length > 0) {
    core.log.info('network.kept', { network: name, device, ports: guests.join(',') });
    // Its subnets are free for other networks; its next endpoint compares with those again.
    const { spec: _, ...rest } = row;
    store.transaction(() => store.networks.put(rest));
    return [];
  }
  // On record before its entries go: a reset under way must not count on them.
  store.transaction(() => store.networks.put({ ...row, deleting: true }));
  core.mark?.('network');
  const errors = await reverse(core, planDeletion(unshared(store, row, owned)), { host: host.own });
  core.mark?.('kernel');
  if (errors.length === 0)
    store.transaction(() => {
      forgetMacs(store, device);
      deleteRecord(store, row);
    });
  return [...errors, ...(await sweepLostEntries(core))];
}

/** Leaves out underlay entries that another overlay network has too. */
function unshared({ networks }: LocalStore, { name }: NetworkRow, owned: readonly Owned[]): readonly Owned[] {
  const isShared = (one: Owned): boolean => one.kind === 'entry' && isOverlayEntry(one.entry);
  if (!owned.some(isShared)) return owned;
  const others = networks.list().flatMap((other) => (other.name === name ? [] : other.owned));
  return without(owned, others.filter(isShared));
}

/** Deletes the record of the network, with the notes of its addresses. */
function deleteRecord(store: LocalStore, { name, spec }: NetworkRow): void {
  store.networks.delete(name);
  if (spec?.scope === undefined) sweepScopeNotes(store, name);
  else deleteUnusedScopeNotes(store, spec.scope);
}

/** Ports of `device` that we did not create and must not remove with it. */
function foreignPorts({ host }: Core, device: string, owned: readonly Owned[]): string[] {
  const ours = new Set(owned.flatMap((one) => (one.kind === 'link' ? [one.name] : [])));
  if (!ours.has(device)) return [];
  const { links } = host.observe(host.own, { links: 'all' });
  return [...links.values()].filter((link) => link.master === device && !ours.has(link.name)).map(({ name }) => name);
}
