import { setTimeout as sleep } from 'node:timers/promises';
import { asNetError, type NetError } from '../errors/net-error.ts';
import { attachmentDigest } from '../model/attachment.ts';
import type { Endpoint } from '../model/endpoint.ts';
import { attachmentKey } from './apply.ts';
import type { Core } from './core.ts';
import { openIfThere, removeEndpoint } from './endpoints/delete-endpoint.ts';
import { mendEndpoints } from './endpoints/mend-endpoints.ts';
import { mendNetworks } from './networks/mend-networks.ts';
import { removeUnusedNetwork } from './networks/network.ts';
import { promotePorts } from './ports/publish.ts';
import { resetEntries } from './reset-entries.ts';
import { ifFree, type TryLock } from './try-lock.ts';

export interface ReconcileOptions {
  readonly tryLock: TryLock;
  /** True also resets the packet filter: deletes our entries that no record needs. Default: false. */
  readonly sweep?: boolean;
  /** Waits this many milliseconds for running calls. Default: a timer. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** The result of a pass. */
export interface Reconciled {
  /** Interrupted endpoints that the pass deleted. */
  readonly endpoints: number;
  /** Unused networks that the pass deleted. */
  readonly networks: number;
  /** Packet filter entries that the pass restored. */
  readonly entries: number;
  /** Everything else that the pass restored: devices, ports, addresses, settings, as `ip` and `nft` commands. */
  readonly mended: readonly string[];
  readonly errors: readonly NetError[];
}

/**
 * Makes the host agree with the records, and removes what interrupted calls left. Checks each part again under its
 * lock, and skips a part that a running call has locked. Continues after a failure and returns all failures.
 * Rules: it reverts an interrupted transition completely, since its caller never saw success. It restores what a ready
 * part lacks on the host. An interface disappears with its sandbox; the runtime's DEL or dockerd follows.
 */
export async function reconcile(
  core: Core,
  { tryLock, sweep = false, wait = sleep }: ReconcileOptions,
): Promise<Reconciled> {
  const errors: NetError[] = [];
  const endpoints = await removeInterrupted(core, tryLock, errors);
  const networks = await removeUnused(core, errors);
  const reset = sweep ? await resetEntries(core, { tryLock, wait }) : { entries: 0, errors: [] };
  const ofNetworks = await mendNetworks(core);
  await promoteStandbys(core, tryLock, errors);
  const ofEndpoints = await mendEndpoints(core, tryLock, wait);
  return {
    endpoints,
    networks,
    entries: reset.entries + ofNetworks.entries + ofEndpoints.entries,
    mended: [...ofNetworks.mended, ...ofEndpoints.mended],
    errors: [...errors, ...reset.errors, ...ofNetworks.errors, ...ofEndpoints.errors],
  };
}

/**
 * True for a part that a dead call left. A part with a foreign IPAM plugin waits for its runtime's DEL, which knows the
 * path of that plugin.
 */
function isInterrupted(endpoint: Endpoint): boolean {
  return endpoint.progress === 'intent' && !(endpoint.kind === 'cni' && endpoint.delegate !== undefined);
}

async function removeInterrupted(core: Core, tryLock: TryLock, errors: NetError[]): Promise<number> {
  let removed = 0;
  for (const { attachment, role } of core.store.endpoints.list().filter(isInterrupted)) {
    try {
      const failures = await ifFree(tryLock, attachmentKey(attachment), async () => {
        // The runtime may have deleted it and attached it again since the list was read.
        const row = core.store.endpoints.get(attachment, role);
        if (row === undefined || !isInterrupted(row)) return undefined;
        const { path } = row.sandbox;
        using sandbox = openIfThere(core, path);
        return await removeEndpoint(core, { attachment, role, netns: path, orphans: 'none' }, sandbox);
      });
      if (failures === undefined) continue;
      if (failures.length === 0) removed++;
      errors.push(...failures);
    } catch (thrown) {
      errors.push(asNetError(thrown, 'reconcile'));
    }
  }
  return removed;
}

async function removeUnused(core: Core, errors: NetError[]): Promise<number> {
  const before = core.store.networks.list();
  for (const { name } of before) {
    try {
      errors.push(...(await removeUnusedNetwork(core, name)));
    } catch (thrown) {
      errors.push(asNetError(thrown, 'reconcile'));
    }
  }
  return before.length - core.store.networks.list().length;
}

/** Puts standby ports in force if their attachment's call died before it could. */
async function promoteStandbys(core: Core, tryLock: TryLock, errors: NetError[]): Promise<void> {
  const waiting = core.store.endpoints.list().filter((one) => 'standby' in one && one.standby !== undefined);
  const owners = new Map(waiting.map(({ attachment }) => [attachmentDigest(attachment), attachment]));
  for (const owner of owners.values()) {
    try {
      await ifFree(tryLock, attachmentKey(owner), () => promotePorts(core, owner));
    } catch (thrown) {
      errors.push(asNetError(thrown, 'reconcile'));
    }
  }
}
