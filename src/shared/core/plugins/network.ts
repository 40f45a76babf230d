import { asNetError, type NetError } from '../../errors/net-error.ts';
import { type Attachment, sameAttachment } from '../../model/attachment.ts';
import { type Prefix, parsePrefix } from '../../model/prefix.ts';
import type { NetworkFacts, NetworkSpec } from '../../remote/network.ts';
import type { RemotePlugin } from '../../remote/plugin.ts';
import {
  deleteRemoteNetwork,
  listRemoteEndpoints,
  listRemoteNetworks,
  type PluginNames,
  putRemoteNetwork,
  type RemoteNetworkRow,
  remoteNetwork,
} from '../../store/remote-notes.ts';
import type { Core } from '../core.ts';
import { isBoundary, recordedIn, seenOn } from '../pools/taken.ts';
import { assertRunning, deletionOptions, openPlugins, SilentPlugins } from './open.ts';

/** A network as Docker plugins know it. */
export interface PluggedNetwork {
  readonly plugins: PluginNames;
  readonly spec: NetworkSpec;
}

/**
 * The plugins have the network, with its pools. Throws NetError `conflict` where others use it with other options. On an
 * error, nothing is left. `owner`: the attachment that needs it, which is on record.
 */
export async function ensurePlugged(core: Core, network: PluggedNetwork, owner?: Attachment): Promise<NetworkFacts> {
  const { plugins: names, spec } = network;
  using _lock = await core.lock(pluggedKey(spec.name));
  const { ensureNetwork, networkIdFor } = await import('../../remote/network.ts');
  const { notes } = core.store;
  const plugins = await openPlugins(core, names);
  const { bootId } = core.host.identity;
  let known = remoteNetwork(notes, spec.name);
  const isSame = known?.facts.networkId === networkIdFor(plugins, spec);
  const isOld = known !== undefined && known.bootId !== bootId;
  // Before anything is noted: a plugin that is not there has done nothing.
  await assertRunning(core, names, true);
  if (known !== undefined && (isOld || !isSame) && !isNeeded(core, spec.name, owner)) {
    // What a plugin has left of an earlier boot, it may have forgotten.
    const failures = await removePlugged(core, isOld ? { ...known, isRefused: true } : known);
    if (failures[0] !== undefined) throw failures[0];
    known = undefined;
  }
  if (known?.facts.created === 'yes' && isSame) {
    if (isOld) await replay(core, known, plugins.ipam);
    return known.facts;
  }
  const note = (facts: NetworkFacts): void => {
    const row = { network: spec.name, bootId, plugins: names, ipamOptions: spec.ipam?.options ?? {}, facts };
    const isNothing = facts.created === 'no' && facts.pools.every(({ poolId }) => poolId === undefined);
    core.store.transaction(
      () => (isNothing ? deleteRemoteNetwork(notes, spec.name) : putRemoteNetwork(notes, row)),
      // It outlives the boot, as that of the plugin does.
      { durable: facts.created === 'yes' },
    );
  };
  const signal = core.gone?.();
  return await ensureNetwork(plugins, spec, known?.facts, note, takenBy(core, spec.name), signal && { signal });
}

/** Tells an IPAM plugin that forgets what it held before the boot. No endpoint has an address of that boot. */
async function replay({ host, store }: Core, row: RemoteNetworkRow, ipam: RemotePlugin | undefined): Promise<void> {
  if (ipam !== undefined) {
    const { replayPools } = await import('../../remote/replay.ts');
    await replayPools(ipam, row.facts.pools, row.ipamOptions, []);
  }
  const { bootId } = host.identity;
  store.transaction(() => putRemoteNetwork(store.notes, { ...row, bootId }), { durable: true });
}

/** Prefixes that this host reaches, or that other networks have. */
function takenBy(core: Core, name: string): Prefix[] {
  const others = listRemoteNetworks(core.store.notes).filter((row) => row.network !== name);
  const pools = others.flatMap(({ facts }) => facts.pools.flatMap(({ pool }) => parsePrefix(pool) ?? []));
  return [
    ...[...seenOn(core.host).filter(isBoundary), ...recordedIn(core.store)].map(({ subnet }) => subnet),
    ...pools.filter(({ length }) => length > 0),
  ];
}

/** True if the plugins were told of the network in an earlier boot only. */
export function isOfEarlierBoot({ host, store }: Core, name: string): boolean {
  const known = remoteNetwork(store.notes, name);
  return known !== undefined && known.bootId !== host.identity.bootId;
}

/** True if somebody besides `owner` uses the network. */
function isNeeded({ store }: Core, name: string, owner?: Attachment): boolean {
  const isOther = (other: Attachment): boolean => owner === undefined || !sameAttachment(other, owner);
  return (
    (store.networks.get(name)?.holders?.length ?? 0) > 0 ||
    store.endpoints.list(name).some(({ attachment }) => isOther(attachment)) ||
    listRemoteEndpoints(store.notes).some(({ attachment }) => attachment.network === name && isOther(attachment))
  );
}

/** True if the network has a record, an endpoint, or an endpoint in a plugin. */
function isUsed({ store }: Core, name: string): boolean {
  return (
    store.networks.get(name) !== undefined ||
    store.endpoints.any(name) ||
    listRemoteEndpoints(store.notes).some(({ attachment }) => attachment.network === name)
  );
}

/**
 * Deletes the network from its plugins unless somebody uses it. Accepts absence; returns all failures. `isPatient`: waits
 * for plugins that are being restarted.
 */
export async function removeUnusedPlugged(core: Core, name: string, isPatient = true): Promise<NetError[]> {
  const { notes } = core.store;
  if (remoteNetwork(notes, name) === undefined || isUsed(core, name)) return [];
  using _lock = await core.lock(pluggedKey(name));
  const row = remoteNetwork(notes, name);
  // Awaited here to hold the lock until it is deleted.
  return row === undefined || isUsed(core, name) ? [] : await removePlugged(core, row, isPatient);
}

/** Deletes every network that nobody uses any more from its plugins. Returns all failures. */
export async function removeAllUnusedPlugged(core: Core): Promise<NetError[]> {
  const errors: NetError[] = [];
  const silent = new SilentPlugins();
  for (const { network, plugins } of listRemoteNetworks(core.store.notes)) {
    if (silent.has(plugins)) continue;
    const failures = await removeUnusedPlugged(core, network, false).catch((thrown) => [
      asNetError(thrown, 'network.delete'),
    ]);
    silent.add(plugins, failures);
    errors.push(...failures);
  }
  return errors;
}

/** The caller holds the lock. What the plugins refuse twice is forgotten. */
async function removePlugged(core: Core, row: RemoteNetworkRow, isPatient = true): Promise<NetError[]> {
  const { log, store } = core;
  const { removeNetwork } = await import('../../remote/network.ts');
  const forget = (): void => store.transaction(() => deleteRemoteNetwork(store.notes, row.network), { durable: true });
  try {
    await assertRunning(core, row.plugins, isPatient);
    await removeNetwork(await openPlugins(core, row.plugins), row.facts, deletionOptions());
    forget();
    return [];
  } catch (thrown) {
    const error = asNetError(thrown, 'network.delete');
    if (error.kind === 'delegate' && row.isRefused) {
      log.warn('plugin.refused', { network: row.network, error: error.message });
      forget();
      return [];
    }
    if (error.kind === 'delegate')
      store.transaction(() => putRemoteNetwork(store.notes, { ...row, isRefused: true }), { durable: true });
    return [error];
  }
}

/** Key of the lock of what plugins have of the network. */
export function pluggedKey(network: string): string {
  return `plugged:${network}`;
}
