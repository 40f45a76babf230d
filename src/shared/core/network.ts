import type { Addressing, Driver } from '../drivers/driver.ts';
import { NetError } from '../errors/net-error.ts';
import type { View } from '../host/host.ts';
import type { Op } from '../model/op.ts';
import type { NetworkRow } from '../store/store.ts';
import type { Core } from './core.ts';
import { observeNetwork } from './view.ts';

export interface NetworkIdentity {
  readonly network: string;
  readonly driverName: string;
  readonly driver: Driver;
}

/**
 * The network is there with all that `addressing` needs of it; what was made is on record before it is made.
 * Returns the view that was planned from. Throws `conflict` where the network's device changed while it is in use.
 */
export function ensureNetwork(core: Core, identity: NetworkIdentity, addressing: Addressing): View {
  const { host, store } = core;
  const { network, driver, driverName } = identity;
  const device = driver.devices[0];
  using _lock = core.lock(deviceKey(device));
  const known = store.networks.get(network);
  assertUnchanged(core, known, identity);
  const view = observeNetwork(host, host.own, driver, addressing);
  const plan = driver.planNetwork(view, addressing);
  const bootId = host.identity.bootId;
  if (plan.ops.length > 0 || known?.bootId !== bootId || known.device !== device) {
    const undo = known?.bootId === bootId && known.device === device ? known.undo : [];
    const row = { name: network, driver: driverName, device, bootId, undo: mergeUndo(plan.undo, undo) };
    store.transaction(() => store.networks.put(row), { durable: true });
    host.apply(plan.ops, { host: host.own });
  }
  return view;
}

/**
 * What was made for the network is gone, unless it still has an endpoint of either camp, or somebody else's interface
 * is on its device. Another network on the same device inherits the duty.
 */
export function removeUnusedNetwork(core: Core, network: string): NetError[] {
  const { host, store } = core;
  const device = store.networks.get(network)?.device;
  if (device === undefined) return [];
  using _lock = core.lock(deviceKey(device));
  const row = store.networks.get(network);
  if (row === undefined || row.device !== device || store.endpoints.list(network).length > 0) return [];
  const undo = row.bootId === host.identity.bootId ? row.undo : [];
  const heir = store.networks.list().find((other) => other.name !== network && other.device === device);
  if (heir !== undefined) {
    store.transaction(() => {
      const inherited = heir.bootId === row.bootId ? heir.undo : [];
      store.networks.put({ ...heir, bootId: row.bootId, undo: mergeUndo(inherited, undo) });
      store.networks.delete(network);
    });
    return [];
  }
  const guests = foreignPorts(core, device, undo);
  if (guests.length > 0) {
    core.log.info('network.kept', { network, device, ports: guests.join(',') });
    return [];
  }
  const errors = host.revert(undo, { host: host.own });
  if (errors.length === 0) store.transaction(() => store.networks.delete(network));
  return errors;
}

function assertUnchanged(core: Core, known: NetworkRow | undefined, identity: NetworkIdentity): void {
  const device = identity.driver.devices[0];
  if (known === undefined || (known.device === device && known.driver === identity.driverName)) return;
  const others = core.store.endpoints.list(identity.network).filter((row) => row.progress === 'ready');
  if (others.length === 0) return;
  throw new NetError({
    kind: 'conflict',
    op: 'network',
    subject: `network ${identity.network}`,
    what: `is on ${known.driver} ${known.device} with ${others.length} endpoints, but ${identity.driverName} ${device} is asked for`,
    hint: 'Remove its endpoints first, or give the changed network another name',
  });
}

/** Ports of `device` that are not ours to remove with it. */
function foreignPorts({ host }: Core, device: string, undo: readonly Op[]): string[] {
  if (!undo.some((op) => op.op === 'link.delete' && op.name === device)) return [];
  const ours = new Set(undo.flatMap((op) => (op.op === 'link.delete' ? [op.name] : [])));
  const { links } = host.observe(host.own, { links: 'all' });
  return [...links.values()].filter((link) => link.master === device && !ours.has(link.name)).map(({ name }) => name);
}

/** `first`, then what `then` has beyond it; a step that both have is kept where it comes last. */
function mergeUndo(first: readonly Op[], then: readonly Op[]): Op[] {
  const later = new Set(then.map((op) => JSON.stringify(op)));
  return [...first.filter((op) => !later.has(JSON.stringify(op))), ...then];
}

/** One lock a device, not a network: two networks may share a bridge. */
function deviceKey(device: string): string {
  return `device:${device}`;
}
