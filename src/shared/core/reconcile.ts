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
import { promotePartners, promotePorts } from './ports/publish.ts';
import { resetEntries } from './reset-entries.ts';
import { ifFree, type TryLock } from './try-lock.ts';

export interface ReconcileOptions {
  readonly tryLock: TryLock;
  /** True also resets the packet filter: what is of ours there and on no record goes. Default false. */
  readonly sweep?: boolean;
  /** Waits so many milliseconds for the calls under way. Default: a timer. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** What a pass found to do. */
export interface Reconciled {
  /** Endpoints that were half made or half gone, and are gone. */
  readonly endpoints: number;
  /** Networks that nobody used any more, and are gone. */
  readonly networks: number;
  /** Entries of the packet filter that were put back. */
  readonly entries: number;
  /** What was put back besides: devices, ports, addresses, settings, in `ip` and `nft` words. */
  readonly mended: readonly string[];
  readonly errors: readonly NetError[];
}

/**
 * The host has what the records want, and nothing half-done of calls that died. Each part is looked at again under its
 * lock; what a call under way has locked is that call's. Goes on after a failure and returns all of them.
 *
 * Rules: an interrupted transition is reverted to nothing (its caller was never told of success); a ready part gets back
 * what the host lacks of it; an interface goes with its sandbox (the runtime's DEL or dockerd's view follows).
 */
export async function reconcile(
  core: Core,
  { tryLock, sweep = false, wait = sleep }: ReconcileOptions,
): Promise<Reconciled> {
  const errors: NetError[] = [];
  const endpoints = await removeInterrupted(core, tryLock, errors);
  const networks = await removeUnused(core, errors);
  const reset = sweep ? await resetEntries(core) : { entries: 0, errors: [] };
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

/** A part with a foreign IPAM plugin waits for its runtime's DEL, which knows where that plugin is. */
function isInterrupted(endpoint: Endpoint): boolean {
  return endpoint.progress === 'intent' && !(endpoint.kind === 'cni' && endpoint.delegate !== undefined);
}

async function removeInterrupted(core: Core, tryLock: TryLock, errors: NetError[]): Promise<number> {
  let removed = 0;
  for (const { attachment, role } of core.store.endpoints.list().filter(isInterrupted)) {
    try {
      const failures = await ifFree(tryLock, attachmentKey(attachment), async () => {
        // Since the list was made, its runtime may have deleted it and attached it again.
        const row = core.store.endpoints.get(attachment, role);
        if (row === undefined || !isInterrupted(row)) return undefined;
        const { path } = row.sandbox;
        using sandbox = openIfThere(core, path);
        return await removeEndpoint(core, { attachment, role, netns: path, orphans: 'none', guarded: false }, sandbox);
      });
      if (failures === undefined) continue;
      if (failures.length === 0) removed++;
      errors.push(...failures, ...(await promotePartners(core, attachment)));
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

/** Ports that stood by for an attachment whose call died before it could promote them. */
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
