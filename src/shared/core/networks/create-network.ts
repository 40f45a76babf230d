import type { NetworkSpec } from '../../config/network-spec.ts';
import { fault } from '../../errors/fault.ts';
import { NetError } from '../../errors/net-error.ts';
import { EMPTY_PLAN, type Plan } from '../../model/op.ts';
import {
  mergeOwned,
  type NetworkHolder,
  type Owned,
  ownedOf,
  planDeletion,
  sameHolder,
  without,
} from '../../model/owned.ts';
import type { LocalStore, NetworkRow } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { execute, reverse } from '../execute.ts';
import { noteNewBridge } from '../known-macs.ts';

import { ensurePlugged } from '../plugins/network.ts';
import { pluggedNetwork } from '../plugins/spec.ts';

import { assertSameNetwork, sameSpec } from './compare-specs.ts';
import { assertHostAddresses } from './host-addresses.ts';
import { isForeign, planFor } from './network.ts';
import { assertOnlyUser, trialOf, tryLink } from './on-parent.ts';
import { carrierOf, deviceKey, isUsed, networkAddressing, networkDriverOf, withHolders } from './record.ts';
import { removeNetwork } from './remove-network.ts';

/** A request for a Network that exists, with or without endpoints, until its holder releases it. */
export interface NetworkRequest {
  readonly name: string;
  readonly holder: NetworkHolder;
  readonly spec: NetworkSpec;
  /** Writes to the store in the same transaction. If it throws, nothing has been created. */
  readonly inTransaction?: (store: LocalStore) => void;
}

/**
 * Creates the Network in the kernel (gateways, forwarding, packet filter entries) and records it durably with its
 * holder. If it exists for another holder, adds this holder and changes nothing else. The same request again succeeds.
 * Throws NetError `conflict` if the request contradicts the existing Network, or if another Network uses its bridge or
 * addresses. On an error, restores the state before.
 */
export async function createNetwork(core: Core, request: NetworkRequest): Promise<void> {
  const device = deviceOf(request);
  await deleteUnused(core, request, device);
  using _lock = await core.lock(deviceKey({ name: request.name, device }));
  core.mark?.('lock');
  try {
    await make(core, request);
  } catch (error) {
    // Lost a race: another program created the bridge after we looked. Retry, and treat it as found, not ours.
    if (!(error instanceof NetError && error.kind === 'exists')) throw error;
    await make(core, request);
  }
}

/** Name of the bridge; empty for a Network without a device. */
function deviceOf({ spec, name }: NetworkRequest): string {
  const driver = networkDriverOf(spec.options, name);
  return driver === undefined ? '' : carrierOf(driver);
}

/** Deletes an unused Network of this name that is on another device. */
async function deleteUnused(core: Core, { name }: NetworkRequest, device: string): Promise<void> {
  const known = core.store.networks.get(name);
  if (known === undefined || known.device === device || isUsed(core, known)) return;
  using _lock = await core.lock(deviceKey(known));
  const row = core.store.networks.get(name);
  if (row === undefined || row.device !== known.device || isUsed(core, row)) return;
  const [failure] = await removeNetwork(core, row);
  if (failure !== undefined) throw failure;
}

/** The caller holds the device's lock. Records the holder once everything exists. */
async function make(core: Core, request: NetworkRequest): Promise<void> {
  const { host, store } = core;
  const { name, holder, inTransaction } = request;
  const before = store.networks.get(name);
  const isJoined = before !== undefined && isUsed(core, before);
  const spec = isJoined ? agreed(before, request) : request.spec;
  // Checked first: this error names the other network, while the kernel's only names an address.
  if (!isJoined) assertOnlyUser(core, name, spec);
  const plan = await planOf(core, name, spec);
  const trial = isJoined ? EMPTY_PLAN : trialOf(name, spec);
  const tried = ownedOf(trial.undo);
  core.mark?.('network');
  const { bootId } = host.identity;
  const owned = before?.bootId === bootId ? before.owned : [];
  const made = ownedOf(plan.undo);
  const row = withHolders(
    {
      name,
      driver: spec.options.driver,
      device: deviceOf({ ...request, spec }),
      bootId,
      owned: mergeOwned(made, owned, made),
      spec,
    },
    before?.holders ?? [],
  );
  store.transaction(() => {
    assertUnchanged(before, store.networks.get(name));
    if (!isJoined) assertOnlyUser(core, name, spec);
    assertHostAddresses(store, spec);
    store.networks.put({ ...row, owned: [...tried, ...row.owned] });
    if (before?.bootId !== bootId) noteNewBridge(core, row, plan.ops);
  });
  core.mark?.('commit');
  try {
    await execute(core, plan.ops, { host: host.own });
    await tryLink(core, spec, trial);
    const plugged = pluggedNetwork(name, spec.options);
    if (plugged !== undefined) await ensurePlugged(core, plugged);
    core.mark?.('kernel');
    store.transaction(
      () => {
        const others = (row.holders ?? []).filter((other) => !sameHolder(other, holder));
        store.networks.put(withHolders(row, [...others, holder]));
        inTransaction?.(store);
      },
      { durable: true },
    );
    core.mark?.('commit');
  } catch (thrown) {
    const created = isForeign(thrown, plan.ops) ? [] : without(made, owned);
    await revert(core, { row, before, made: [...tried, ...created] });
    throw thrown;
  }
}

/** Returns the existing spec; throws NetError `conflict` if the request differs. */
function agreed(row: NetworkRow, request: NetworkRequest): NetworkSpec {
  const { name, spec } = request;
  assertSameNetwork('create', row, spec);
  const device = deviceOf(request);
  if (row.device === device) return row.spec ?? spec;
  throw fault.conflict(
    'create',
    `network ${name}`,
    `is on ${row.device || `driver ${row.driver}`}, but ${device || `driver ${spec.options.driver}`} is requested`,
    'Request the device that it is on, or use another name',
  );
}

async function planOf(core: Core, name: string, spec: NetworkSpec): Promise<Plan> {
  const driver = networkDriverOf(spec.options, name);
  if (driver === undefined) return EMPTY_PLAN;
  const rules = spec.rules === undefined ? undefined : { ...spec.rules, mappings: [] };
  const { plan } = await planFor(core, name, driver, rules, driver.complete(networkAddressing(spec)));
  return plan;
}

/** Throws NetError `busy` if another call has moved the network to another device. */
function assertUnchanged(before: NetworkRow | undefined, now: NetworkRow | undefined): void {
  if (before?.device === now?.device && sameSpec(before?.spec, now?.spec)) return;
  throw fault.busy(
    'create',
    `network ${now?.name ?? before?.name ?? ''}`,
    'is being changed by another call',
    'Try again',
  );
}

interface Attempt {
  readonly row: NetworkRow;
  readonly before: NetworkRow | undefined;
  /** What this attempt created. */
  readonly made: readonly Owned[];
}

/**
 * Deletes what the attempt created. What cannot be deleted stays on record without the holder, and the next start
 * retries.
 */
async function revert(core: Core, { row, before, made }: Attempt): Promise<void> {
  const { host, log, store } = core;
  const failures = await reverse(core, planDeletion(made), { host: host.own });
  for (const failure of failures) log.warn('revert.failed', { error: failure.message });
  if (failures.length > 0) return;
  store.transaction(() => (before === undefined ? store.networks.delete(row.name) : store.networks.put(before)));
}
