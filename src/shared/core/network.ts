import type { Addressing, Driver } from '../drivers/driver.ts';
import type { Rules } from '../drivers/rules.ts';
import { NetError } from '../errors/net-error.ts';
import type { View } from '../host/host.ts';
import { type Attachment, attachmentDigest } from '../model/attachment.ts';
import { joinPlans, type Op } from '../model/op.ts';
import type { NetworkRow } from '../store/store.ts';
import type { Core } from './core.ts';
import { execute, reverse } from './execute.ts';
import { sweepLostRules } from './lost-rules.ts';
import { deviceKey, mergeUndo } from './network-record.ts';
import { missingRules } from './network-rules.ts';
import { observeNetwork } from './view.ts';

export interface NetworkIdentity {
  readonly attachment: Attachment;
  readonly driverName: string;
  readonly driver: Driver;
  readonly rules?: Rules;
}

/**
 * The network is there with all that `addressing` needs of it; what was made is on record before it is made.
 * Returns the view that was planned from. Throws `conflict` where the network's device changed while another endpoint
 * uses it.
 */
export async function ensureNetwork(core: Core, identity: NetworkIdentity, addressing: Addressing): Promise<View> {
  const device = identity.driver.devices[0];
  await leaveOldDevice(core, identity);
  using _lock = await core.lock(deviceKey(device));
  try {
    return completeNetwork(core, identity, addressing);
  } catch (error) {
    // Somebody else, another plugin, made it between our look and our step: then it is found, not ours.
    if (!(error instanceof NetError && error.kind === 'exists')) throw error;
    return completeNetwork(core, identity, addressing);
  }
}

/** For a caller that holds the lock of the device. What is on record after a failure is what there was before. */
function completeNetwork(core: Core, identity: NetworkIdentity, addressing: Addressing): View {
  const { host, store } = core;
  const { attachment, driver, driverName, rules } = identity;
  const name = attachment.network;
  const device = driver.devices[0];
  const known = store.networks.get(name);
  const view = observeNetwork(host, host.own, driver, addressing);
  const devicePlan = driver.planNetwork(view, addressing);
  const plan = rules === undefined ? devicePlan : joinPlans(devicePlan, missingRules(core, rules, device, addressing));
  const bootId = host.identity.bootId;
  if (plan.ops.length > 0 || known?.bootId !== bootId || known.device !== device) {
    const undo = known?.bootId === bootId && known.device === device ? known.undo : [];
    const row = { name, driver: driverName, device, bootId, undo: mergeUndo(plan.undo, undo) };
    store.transaction(() => store.networks.put(row), { durable: true });
    applyOrForget(core, plan.ops, { ...row, undo });
  }
  return view;
}

/** A device that turned out to exist is not in the record as one that we made. */
function applyOrForget(core: Core, ops: readonly Op[], before: NetworkRow): void {
  try {
    execute(core, ops, { host: core.host.own });
  } catch (error) {
    const first = ops[0];
    const foreign = error instanceof NetError && error.kind === 'exists' && error.op === first?.op;
    if (foreign && first.op === 'link.create') core.store.transaction(() => core.store.networks.put(before));
    throw error;
  }
}

/**
 * What was made for the network is gone, unless it still has an endpoint of either camp, or somebody else's interface
 * is on its device. Another network on the same device inherits the duty.
 */
export async function removeUnusedNetwork(core: Core, network: string): Promise<NetError[]> {
  const known = core.store.networks.get(network);
  // Another endpoint that is there now does not need the lock to be seen.
  if (known === undefined || core.store.endpoints.any(network)) return [];
  using _lock = await core.lock(deviceKey(known.device));
  const row = core.store.networks.get(network);
  if (row === undefined || row.device !== known.device || core.store.endpoints.any(network)) return [];
  // Awaited here: the lock is held until all of it is gone.
  return await removeNetwork(core, row);
}

/** A network that moves to another device or driver leaves nothing on the old one. */
async function leaveOldDevice(core: Core, { attachment, driver, driverName }: NetworkIdentity): Promise<void> {
  const known = core.store.networks.get(attachment.network);
  const device = driver.devices[0];
  if (known === undefined || (known.device === device && known.driver === driverName)) return;
  // A plugin chained behind another one kept the network; it stays where it is.
  if (known.driver === 'chained' && known.device === device) return;
  using _lock = await core.lock(deviceKey(known.device));
  const row = core.store.networks.get(attachment.network);
  if (row?.device !== known.device || row.driver !== known.driver) return;
  const own = attachmentDigest(attachment);
  const digests = core.store.endpoints.list(row.name).map((other) => attachmentDigest(other.attachment));
  const others = new Set(digests.filter((digest) => digest !== own)).size;
  if (others > 0) {
    throw new NetError({
      kind: 'conflict',
      op: 'ADD',
      subject: `network ${row.name}`,
      what: `is on ${row.driver} ${row.device} with ${others} endpoint${others === 1 ? '' : 's'}, but ${driverName} ${device} is asked for`,
      hint: 'Remove its endpoints first, or give the changed network another name',
    });
  }
  const [failure] = await removeNetwork(core, row);
  if (failure !== undefined) throw failure;
}

/** For a caller that holds the lock of the row's device. */
async function removeNetwork(core: Core, row: NetworkRow): Promise<NetError[]> {
  const { host, store } = core;
  const { name, device } = row;
  const undo = row.bootId === host.identity.bootId ? row.undo : [];
  const heir = store.networks.list().find((other) => other.name !== name && other.device === device);
  if (heir !== undefined) {
    store.transaction(() => {
      const inherited = heir.bootId === row.bootId ? heir.undo : [];
      store.networks.put({ ...heir, bootId: row.bootId, undo: mergeUndo(inherited, undo) });
      store.networks.delete(name);
    });
    return [];
  }
  const guests = foreignPorts(core, device, undo);
  if (guests.length > 0) {
    core.log.info('network.kept', { network: name, device, ports: guests.join(',') });
    return [];
  }
  const errors = await reverse(core, undo, { host: host.own });
  if (errors.length === 0) store.transaction(() => store.networks.delete(name));
  return [...errors, ...sweepLostRules(core)];
}

/** Ports of `device` that are not ours to remove with it. */
function foreignPorts({ host }: Core, device: string, undo: readonly Op[]): string[] {
  if (!undo.some((op) => op.op === 'link.delete' && op.name === device)) return [];
  const ours = new Set(undo.flatMap((op) => (op.op === 'link.delete' ? [op.name] : [])));
  const { links } = host.observe(host.own, { links: 'all' });
  return [...links.values()].filter((link) => link.master === device && !ours.has(link.name)).map(({ name }) => name);
}
