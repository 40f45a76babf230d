import type { Assigned } from '../../drivers/driver.ts';
import { loopbackDevices } from '../../drivers/rules.ts';
import { asNetError, type NetError } from '../../errors/net-error.ts';
import { renderOp } from '../../host/render.ts';
import { parseAddr } from '../../model/addr.ts';
import { entryKey } from '../../model/firewall.ts';
import { given } from '../../model/given.ts';
import type { LinkState } from '../../model/link.ts';
import type { Op } from '../../model/op.ts';
import { mergeOwned, type Owned, ownedOf, planDeletion, planLocalnet, without } from '../../model/owned.ts';
import { parsePrefix } from '../../model/prefix.ts';
import type { NetworkRow } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { type BackendEntries, desiredEntries } from '../desired.ts';
import type { Mended } from '../endpoints/mend-endpoints.ts';
import { execute, reverse } from '../execute.ts';
import { noteNewBridge } from '../known-macs.ts';
import { planFor } from './network.ts';
import { deviceKey, isHeld, isUsed, networkAddressing, networkDriverOf } from './record.ts';
import { besideOthers } from './shared-policy.ts';

/**
 * Restores every Network that has a holder or endpoints, after a reboot, a deleted bridge or flushed entries. Continues
 * after a failure and returns all failures.
 */
export async function mendNetworks(core: Core): Promise<Mended> {
  const { store } = core;
  const errors: NetError[] = [];
  const mended: string[] = [];
  let entries = 0;
  const rows = store.networks.list();
  if (rows.length === 0) return { entries, mended, errors };
  errors.push(...(await refreshFilters(core)));
  // The network that created a shared device recreates it.
  const makers = rows.filter(ownsDevice);
  for (const { name, device } of [...makers, ...rows.filter((row) => !ownsDevice(row))]) {
    try {
      using _lock = await core.lock(deviceKey({ name, device }));
      const row = store.networks.get(name);
      if (row?.device !== device || !isUsed(core, row)) continue;
      const done = await mend(core, row);
      entries += done.entries;
      mended.push(...done.mended);
      errors.push(...done.errors);
    } catch (thrown) {
      errors.push(asNetError(thrown, 'reconcile'));
    }
  }
  return { entries, mended, errors };
}

/** Adapts the packet filter to new bridges of other programs. Returns all failures. */
export async function refreshFilters(core: Pick<Core, 'store' | 'firewall'>): Promise<NetError[]> {
  const errors: NetError[] = [];
  for (const backend of desiredEntries(core.store.networks.list(), []).keys()) {
    try {
      await core.firewall(backend).refresh();
    } catch (thrown) {
      errors.push(asNetError(thrown, 'reconcile'));
    }
  }
  return errors;
}

function ownsDevice({ owned, device }: NetworkRow): boolean {
  return owned.some((one) => one.kind === 'link' && one.name === device);
}

/** What the host lacks of a network. */
export interface NetworkLack {
  /** Steps besides packet filter entries. */
  readonly ops: readonly Op[];
  readonly entries: readonly BackendEntries[];
}

/**
 * Returns what the host lacks of a network that is in use. Changes nothing. An entry that admits its traffic in chains of
 * others counts only where these drop it: until then, nothing is lost.
 */
export async function lackOfNetwork(core: Core, row: NetworkRow): Promise<NetworkLack> {
  const { steps, again } = await stepsOf(core, row, ownedNow(core, row));
  const planned = steps.flatMap((op) => (op.op === 'firewall.add' ? [op] : []));
  const known = new Set(planned.flatMap(({ entries }) => entries.map(entryKey)));
  const lost = await missingOf(core, { ...row, owned: again });
  const all = [
    ...planned.map(({ backend, entries }) => ({ backend, entries })),
    ...lost.map(({ backend, entries }) => ({ backend, entries: entries.filter((one) => !known.has(entryKey(one))) })),
  ];
  const needed = await Promise.all(all.map((one) => withoutIdle(core, one)));
  return {
    ops: steps.filter(({ op }) => op !== 'firewall.add'),
    entries: needed.filter(({ entries }) => entries.length > 0),
  };
}

async function withoutIdle(core: Core, { backend, entries }: BackendEntries): Promise<BackendEntries> {
  if (entries.length === 0) return { backend, entries };
  const felt = new Set((await core.firewall(backend).missing(entries, true)).map(entryKey));
  return { backend, entries: entries.filter((one) => felt.has(entryKey(one))) };
}

/** What we created for the network in this boot: the reboot deleted what an earlier one created. */
function ownedNow({ host }: Core, row: NetworkRow): readonly Owned[] {
  return row.bootId === host.identity.bootId ? row.owned : [];
}

/** The steps that the network still needs, and what we own after them. */
async function stepsOf(
  core: Core,
  row: NetworkRow,
  owned: readonly Owned[],
): Promise<{ readonly steps: readonly Op[]; readonly again: readonly Owned[] }> {
  const plan = await planOf(core, row);
  const wanted = ownedOf(plan.undo);
  const again = mergeOwned(wanted, owned, wanted);
  return { steps: [...plan.ops, ...missingLocalnet(core, again, plan.ops)], again };
}

/** The caller holds the device's lock. */
async function mend(core: Core, row: NetworkRow): Promise<Mended> {
  const { host, store, log } = core;
  const { name, device } = row;
  const { bootId } = host.identity;
  const owned = ownedNow(core, row);
  const names = owned.flatMap((one) => (one.kind === 'link' ? [one.name] : []));
  const { links } = host.observe(host.own, { links: [device, ...names].filter((name) => name !== '') });
  const isLost = device !== '' && !links.has(device);
  const errors = isLost ? await removeRest(core, owned, links) : [];
  const { steps: ops, again } = await stepsOf(core, row, owned);
  const { deleting, ...rest } = row;
  if (ops.length > 0 || row.bootId !== bootId || deleting) {
    store.transaction(
      () => {
        store.networks.put({ ...rest, bootId, owned: again });
        if (row.bootId !== bootId) noteNewBridge(core, row, ops);
      },
      { durable: isHeld(row) },
    );
  }
  if (ops.length > 0) {
    await execute(core, ops, { host: host.own });
    log.info('network.restored', { network: name, device });
  }
  const entries = await addMissing(core, { ...row, owned: again });
  const added = ops.reduce((sum, op) => sum + (op.op === 'firewall.add' ? op.entries.length : 0), 0);
  const commands = ops.filter(({ op }) => op !== 'firewall.add').map((op) => renderOp(op, { sandbox: name }));
  return { entries: entries + added, mended: commands, errors };
}

/** The steps that the network's spec still needs; none if only parts of a plugin chain use it. */
async function planOf(
  core: Core,
  row: NetworkRow,
): Promise<{ readonly ops: readonly Op[]; readonly undo: readonly Op[] }> {
  const { spec, name } = row;
  const driver = spec === undefined ? undefined : networkDriverOf(spec.options, name);
  if (spec === undefined || driver === undefined) return { ops: [], undo: [] };
  const rules = spec.rules === undefined ? undefined : { ...spec.rules, mappings: [] };
  const ofEndpoints = isHeld(row) ? [] : endpointAddresses(core, name);
  // A recalled endpoint does not tell its gateway.
  const addressing = ofEndpoints.length === 0 ? networkAddressing(spec) : { addresses: ofEndpoints, routes: [] };
  const { plan } = await planFor(core, name, driver, rules, driver.complete(addressing));
  return plan;
}

/** The addresses of the network's endpoints. A network of a CNI configuration is created for these. */
function endpointAddresses({ store }: Core, network: string): Assigned[] {
  const found = new Map<string, Assigned>();
  for (const endpoint of store.endpoints.list(network)) {
    if (endpoint.kind !== 'cni') continue;
    for (const { address: text, gateway } of endpoint.inside.addresses) {
      const address = parsePrefix(text);
      if (address === undefined) continue;
      const key = `${gateway} ${address.length}`;
      if (!found.has(key)) found.set(key, { address, ...given({ gateway: parseAddr(gateway ?? '') }) });
    }
  }
  return [...found.values()];
}

/**
 * Deletes the other devices of the network (the veth of a VLAN's gateway): they are useless without the bridge, and the
 * plan recreates them.
 */
function removeRest(core: Core, owned: readonly Owned[], links: ReadonlyMap<string, LinkState>): Promise<NetError[]> {
  const rest = owned.filter((one) => one.kind === 'link' && links.has(one.name));
  return reverse(core, planDeletion(rest), { host: core.host.own });
}

/**
 * Settings that the bridge's deletion or another program reverted: published ports need them to be reachable at
 * 127.0.0.1. Includes settings that another program had made before we published ports. We never revert those, but our
 * ports need them.
 */
function missingLocalnet({ host }: Core, owned: readonly Owned[], coming: readonly Op[]): Op[] {
  const entries = owned.flatMap((one) => (one.kind === 'entry' ? [one.entry] : []));
  const needed = loopbackDevices(entries).map((dev): Owned => ({ kind: 'localnet', dev }));
  const wanted = planLocalnet([...without(needed, owned), ...owned]);
  const keys = wanted.flatMap((op) => (op.op === 'sysctl.set' ? [op.key] : []));
  if (keys.length === 0) return [];
  const { sysctls } = host.observe(host.own, { sysctls: keys });
  const planned = new Set(coming.flatMap((op) => (op.op === 'sysctl.set' ? [op.key] : [])));
  return wanted.filter((op) => op.op === 'sysctl.set' && sysctls.get(op.key) !== '1' && !planned.has(op.key));
}

/** Adds the missing entries that it owns besides those of its spec, such as those for published ports. */
async function addMissing(core: Core, row: NetworkRow): Promise<number> {
  let added = 0;
  for (const { backend, entries } of await missingOf(core, row)) {
    if (entries.length > 0) await core.firewall(backend).add(entries);
    added += entries.length;
  }
  return added;
}

/** The entries that it owns and that are not in force. */
async function missingOf(core: Core, row: NetworkRow): Promise<BackendEntries[]> {
  const found: BackendEntries[] = [];
  for (const [backend, entries] of desiredEntries([row], [])) {
    const wanted = besideOthers(core, row.name, backend, entries);
    found.push({ backend, entries: await core.firewall(backend).missing(wanted) });
  }
  return found;
}
