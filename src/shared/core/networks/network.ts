import type { NetworkSpec } from '../../config/network-spec.ts';
import type { Addressing, Driver } from '../../drivers/driver.ts';
import type { Rules } from '../../drivers/rules.ts';
import { fault } from '../../errors/fault.ts';
import { NetError } from '../../errors/net-error.ts';
import type { View } from '../../host/host.ts';
import { deleteUnusedScopeNotes, sweepScopeNotes } from '../../ipam/scope-notes.ts';
import { type Attachment, attachmentDigest } from '../../model/attachment.ts';
import { given } from '../../model/given.ts';
import { joinPlans, type Op, type Plan } from '../../model/op.ts';
import { isOverlayEntry } from '../../model/overlay-entries.ts';
import { mergeOwned, type Owned, ownedOf, planDeletion, without } from '../../model/owned.ts';
import type { LocalStore, NetworkRow } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { execute, reverse } from '../execute.ts';
import { forgetMacs, noteNewBridge } from '../known-macs.ts';
import { sweepLostEntries } from '../reset-entries.ts';
import { observeNetwork } from '../view.ts';
import { assertOwnAddresses } from './alone.ts';
import { assertSameNetwork, sameSpec } from './compare-specs.ts';
import { deviceKey, formatHolders, isHeld, isUsed, rulesFor, specFor, withHolders } from './record.ts';
import { missingGuards, missingRules } from './rules.ts';

export interface NetworkIdentity {
  readonly attachment: Attachment;
  readonly driverName: string;
  readonly driver: Driver;
  readonly rules?: Rules;
  /** Spec that the call requests; absent: the recorded spec stays. */
  readonly spec?: NetworkSpec;
}

/** A network that exists. */
export interface EnsuredNetwork {
  /** The view of the host before. */
  readonly view: View;
  /** True if the call's spec differs from the recorded one: call `recordSpec` once the call has succeeded. */
  readonly isRenewed: boolean;
}

/**
 * Creates what the network lacks for `addressing`, and records it before it creates it. `known` is its row as a moment
 * ago. Throws `conflict` if the
 * network's device changed while another endpoint uses it, or if the call contradicts a Network that has a holder.
 */
export async function ensureNetwork(
  core: Core,
  identity: NetworkIdentity,
  addressing: Addressing,
  known = core.store.networks.get(identity.attachment.network),
): Promise<EnsuredNetwork> {
  const device = identity.driver.devices[0];
  await deleteFromOldDevice(core, identity, known);
  using _lock = await core.lock(deviceKey(device));
  try {
    return await completeNetwork(core, identity, addressing);
  } catch (error) {
    // Lost a race: another plugin created it after we looked. Retry, and treat it as found, not ours.
    if (!(error instanceof NetError && error.kind === 'exists')) throw error;
    return await completeNetwork(core, identity, addressing);
  }
}

/** The caller holds the device's lock. On a failure, restores the record. */
async function completeNetwork(core: Core, identity: NetworkIdentity, addressing: Addressing): Promise<EnsuredNetwork> {
  const { host, store } = core;
  const { attachment, driver, driverName } = identity;
  const name = attachment.network;
  const device = driver.devices[0];
  const known = store.networks.get(name);
  if (known !== undefined && isHeld(known) && identity.spec !== undefined) {
    assertSameNetwork('ADD', known, identity.spec);
  }
  const rules = rulesFor(known, identity.rules);
  const bootId = host.identity.bootId;
  const spec = specFor(known, identity.spec);
  const isSame = known?.bootId === bootId && known.device === device;
  const isProven = isSame && !known.deleting && sameSpec(known.spec, spec);
  if (spec !== undefined && !isProven) assertOwnAddresses(core, name, spec, known);
  const { view, plan } = await planFor(core, driver, rules, addressing);
  if (plan.ops.length > 0 || !isSame || known.deleting) {
    const before = isSame ? known.owned : [];
    const wanted = ownedOf(plan.undo);
    const owned = mergeOwned(wanted, before, wanted);
    const bare = { name, driver: driverName, device, bootId, owned };
    const made = isSame ? known.spec : spec;
    const row = withHolders({ ...bare, ...given({ spec: made }) }, known?.holders ?? []);
    store.transaction(
      () => {
        store.networks.put(row);
        if (!isSame) noteNewBridge(core, row, plan.ops);
      },
      { durable: true },
    );
    await executeOwned(core, plan.ops, { ...row, owned: before });
  }
  return { view, isRenewed: isSame && !sameSpec(known.spec, spec) };
}

/** Records the call's spec as the Network's. Runs in the transaction that ends a successful call. */
export function recordSpec({ store }: Core, { attachment, spec }: NetworkIdentity): void {
  const row = store.networks.get(attachment.network);
  if (row !== undefined && !isHeld(row) && spec !== undefined) store.networks.put({ ...row, spec });
}

/** The steps that the Network still needs for its device and packet filter, and the view that they are planned from. */
export async function planFor(
  core: Core,
  driver: Driver,
  rules: Rules | undefined,
  addressing: Addressing,
): Promise<{ readonly view: View; readonly plan: Plan }> {
  const { host } = core;
  const view = observeNetwork(host, host.own, driver, addressing);
  const plan = driver.planNetwork(view, addressing);
  const guards = await missingGuards(core, driver.networkGuards(addressing));
  const guarded = guards === undefined ? plan : joinPlans(plan, guards);
  if (rules === undefined) return { view, plan: guarded };
  const [device] = driver.devices;
  const separate = driver.separatesPorts ? [{ kind: 'separate', device } as const] : [];
  return { view, plan: joinPlans(guarded, await missingRules(core, rules, device, addressing, false, separate)) };
}

/** Runs the ops. If the device already exists, removes it from the record of what we created. */
async function executeOwned(core: Core, ops: readonly Op[], before: NetworkRow): Promise<void> {
  try {
    await execute(core, ops, { host: core.host.own });
  } catch (error) {
    if (isForeign(error, ops)) core.store.transaction(() => core.store.networks.put(before));
    throw error;
  }
}

/** True if the plan failed because another program has created its device. */
export function isForeign(error: unknown, [first]: readonly Op[]): boolean {
  if (!(error instanceof NetError && error.kind === 'exists') || first?.op !== 'link.create') return false;
  // Another link of the plan says nothing of the first one: a VNI may be taken.
  return error.op === first.op && error.subject === `link ${first.name}`;
}

/**
 * Deletes the network, unless it has a holder or an endpoint of either camp, or its device has a foreign port. Another
 * network on the same device takes over the device's record.
 */
export async function removeUnusedNetwork(core: Core, network: string): Promise<NetError[]> {
  const known = core.store.networks.get(network);
  // Checking for a holder or an endpoint needs no lock.
  if (known === undefined || isUsed(core, known)) return [];
  using _lock = await core.lock(deviceKey(known.device));
  const row = core.store.networks.get(network);
  if (row === undefined || row.device !== known.device || isUsed(core, row)) return [];
  // Awaited here to hold the lock until everything is deleted.
  return await removeNetwork(core, row);
}

/** Deletes what a network that moves to another device or driver has on the old one. */
async function deleteFromOldDevice(
  core: Core,
  { attachment, driver, driverName }: NetworkIdentity,
  known: NetworkRow | undefined,
): Promise<void> {
  const device = driver.devices[0];
  if (known === undefined || (known.device === device && known.driver === driverName)) return;
  // A plugin chained behind another one recorded the network; it stays on its device.
  if (known.driver === 'chained' && known.device === device) return;
  using _lock = await core.lock(deviceKey(known.device));
  const row = core.store.networks.get(attachment.network);
  if (row?.device !== known.device || row.driver !== known.driver) return;
  const own = attachmentDigest(attachment);
  const digests = core.store.endpoints.list(row.name).map((other) => attachmentDigest(other.attachment));
  const others = new Set(digests.filter((digest) => digest !== own)).size;
  if (others > 0 || isHeld(row)) {
    const users = [
      ...(others > 0 ? [`with ${others} endpoint${others === 1 ? '' : 's'}`] : []),
      ...(isHeld(row) ? [`kept by ${formatHolders(row.holders)}`] : []),
    ].join(' and ');
    throw fault.conflict(
      'ADD',
      `network ${row.name}`,
      `is on ${formatDevice(row)} ${users}, but ${driverName} ${device} is requested`,
      `Remove ${isHeld(row) ? 'what uses it' : 'its endpoints'} first, or give the changed network another name`,
    );
  }
  const [failure] = await removeNetwork(core, row);
  if (failure !== undefined) throw failure;
}

/** `bridge isth0`; for a Network without a device, its driver. */
function formatDevice({ driver, device }: NetworkRow): string {
  return device === '' ? `driver ${driver}` : `${driver} ${device}`;
}

/** Deletes an unused Network and its record. The caller holds the lock of the row's device. */
export async function removeNetwork(core: Core, row: NetworkRow): Promise<NetError[]> {
  const { host, store } = core;
  const { name, device } = row;
  const { bootId } = host.identity;
  const owned = row.bootId === bootId ? row.owned : [];
  const heir = store.networks.list().find((other) => other.name !== name && other.device === device);
  if (heir !== undefined) {
    store.transaction(() => {
      const own = heir.bootId === bootId ? heir.owned : [];
      if (owned.length > 0) store.networks.put({ ...heir, bootId, owned: mergeOwned(own, owned) });
      deleteRecord(store, row);
    });
    return [];
  }
  const guests = foreignPorts(core, device, owned);
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
