import type { NetworkSpec } from '../../config/network-spec.ts';
import type { Addressing, NetworkDriver } from '../../drivers/driver.ts';
import type { Rules } from '../../drivers/rules.ts';
import { fault } from '../../errors/fault.ts';
import { NetError } from '../../errors/net-error.ts';
import type { View } from '../../host/host.ts';
import { type Attachment, attachmentDigest } from '../../model/attachment.ts';
import { given } from '../../model/given.ts';
import { joinPlans, type Op, type Plan } from '../../model/op.ts';
import { mergeOwned, ownedOf } from '../../model/owned.ts';
import type { NetworkRow } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { execute } from '../execute.ts';
import { noteNewBridge } from '../known-macs.ts';
import { observeNetwork } from '../view.ts';
import { assertOwnAddresses } from './alone.ts';
import { assertSameNetwork, sameSpec } from './compare-specs.ts';
import { assertHostAddresses } from './host-addresses.ts';
import { carrierOf, deviceKey, formatHolders, isHeld, rulesFor, specFor, withHolders } from './record.ts';
import { removeNetwork } from './remove-network.ts';
import { missingGuards, missingRules } from './rules.ts';

export interface NetworkIdentity {
  readonly attachment: Attachment;
  readonly driverName: string;
  readonly driver: NetworkDriver;
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
  const device = carrierOf(identity.driver);
  await deleteFromOldDevice(core, identity, known);
  using _lock = await core.lock(deviceKey({ name: identity.attachment.network, device }));
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
  const device = carrierOf(driver);
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
  const { view, plan } = await planFor(core, name, driver, rules, addressing);
  if (plan.ops.length > 0 || !isSame || known.deleting) {
    const before = isSame ? known.owned : [];
    const wanted = ownedOf(plan.undo);
    const owned = mergeOwned(wanted, before, wanted);
    const bare = { name, driver: driverName, device, bootId, owned };
    const made = isSame ? known.spec : spec;
    const row = withHolders({ ...bare, ...given({ spec: made }) }, known?.holders ?? []);
    store.transaction(
      () => {
        if (spec !== undefined) assertHostAddresses(store, spec);
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
  network: string,
  driver: NetworkDriver,
  rules: Rules | undefined,
  addressing: Addressing,
): Promise<{ readonly view: View; readonly plan: Plan }> {
  const { host } = core;
  const view = observeNetwork(host, host.own, driver, addressing);
  const plan = driver.planNetwork(view, addressing);
  const guards = await missingGuards(core, driver.networkGuards(addressing));
  const guarded = guards === undefined ? plan : joinPlans(plan, guards);
  if (rules === undefined) return { view, plan: guarded };
  const device = carrierOf(driver);
  const separate = driver.separatesPorts ? [{ kind: 'separate', device } as const] : [];
  return {
    view,
    plan: joinPlans(guarded, await missingRules(core, network, rules, device, addressing, false, separate)),
  };
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

/** Deletes what a network that moves to another device or driver has on the old one. */
async function deleteFromOldDevice(
  core: Core,
  { attachment, driver, driverName }: NetworkIdentity,
  known: NetworkRow | undefined,
): Promise<void> {
  const device = carrierOf(driver);
  if (known === undefined || (known.device === device && known.driver === driverName)) return;
  // A plugin chained behind another one recorded the network; it stays on its device.
  if (known.driver === 'chained' && known.device === device) return;
  using _lock = await core.lock(deviceKey(known));
  const row = core.store.networks.get(attachment.network);
  if (row?.device !== known.device || row.driver !== known.driver) return;
  if (row.driver === 'chained' && device === '') {
    // Its pods are those of another plugin, each on a device of its own.
    core.store.transaction(() => core.store.networks.put({ ...row, driver: driverName, device }));
    return;
  }
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
