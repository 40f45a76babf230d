import { asNetError, type NetError } from '../errors/net-error.ts';
import type { EndpointRow } from '../store/store.ts';
import type { Core } from './core.ts';
import { attachmentKey, openIfThere, removeEndpoint } from './endpoints/delete-endpoint.ts';
import { removeUnusedNetwork } from './networks/network.ts';
import { reload } from './reload.ts';

/** What a start found to do. */
export interface Repaired {
  /** Endpoints that were half made or half gone, and are gone. */
  readonly endpoints: number;
  /** Networks that nobody used any more, and are gone. */
  readonly networks: number;
  /** Entries of the packet filter that were seen to. */
  readonly entries: number;
  readonly errors: readonly NetError[];
}

/**
 * Nothing half-done is left of calls that died: what they had begun is taken back, networks without endpoints are gone,
 * and the packet filter has what the records want. `tryLock` throws for what another process is busy with.
 */
export async function repair(core: Core, tryLock: (key: string) => Disposable): Promise<Repaired> {
  const errors: NetError[] = [];
  let endpoints = 0;
  for (const row of core.store.endpoints.list().filter(isHalfDone)) {
    const failures = await takeBack(core, row, tryLock);
    if (failures?.length === 0) endpoints++;
    errors.push(...(failures ?? []));
  }
  const before = core.store.networks.list().map(({ name }) => name);
  for (const name of before) {
    if (!core.store.endpoints.any(name)) errors.push(...(await collected(() => removeUnusedNetwork(core, name))));
  }
  const { reloaded, errors: failures } = await reload(core);
  return {
    endpoints,
    networks: before.length - core.store.networks.list().length,
    entries: reloaded.reduce((sum, { entries }) => sum + entries, 0),
    errors: [...errors, ...failures],
  };
}

/** One with a foreign IPAM plugin waits for its runtime's DEL, which knows where that plugin is. */
function isHalfDone({ progress, delegate }: EndpointRow): boolean {
  return progress === 'intent' && delegate === undefined;
}

/** Undefined where a call is still at it. */
async function takeBack(
  core: Core,
  { attachment, role, sandbox: { path } }: EndpointRow,
  tryLock: (key: string) => Disposable,
): Promise<NetError[] | undefined> {
  let held: Disposable;
  try {
    held = tryLock(attachmentKey(attachment));
  } catch {
    return undefined;
  }
  using _held = held;
  return await collected(async () => {
    using sandbox = openIfThere(core, path);
    return await removeEndpoint(core, { attachment, role, netns: path, orphans: 'none', guarded: false }, sandbox);
  });
}

async function collected(work: () => Promise<NetError[]>): Promise<NetError[]> {
  try {
    return await work();
  } catch (thrown) {
    return [asNetError(thrown, 'repair')];
  }
}
