import { asNetError, type NetError } from '../../errors/net-error.ts';
import { type Attachment, sameAttachment } from '../../model/attachment.ts';
import type { Endpoint } from '../../model/endpoint.ts';
import type { AttachedEndpoint, EndpointFacts, EndpointSpec } from '../../remote/endpoint.ts';
import type { RemotePort } from '../../remote/options.ts';
import {
  deleteRemoteEndpoint,
  listRemoteEndpoints,
  putRemoteEndpoint,
  type RemoteEndpointRow,
  remoteEndpoint,
} from '../../store/remote-notes.ts';
import { attachmentKey } from '../apply.ts';
import type { Core } from '../core.ts';
import type { RemovalRequest } from '../requests.ts';
import { ensurePlugged, isOfEarlierBoot, type PluggedNetwork } from './network.ts';
import { assertRunning, deletionOptions, openPlugins, SilentPlugins } from './open.ts';

/** An endpoint that Docker plugins make. */
export interface PluggedRequest extends PluggedNetwork {
  readonly attachment: Attachment;
  /** Path of the sandbox's network namespace. */
  readonly netns: string;
  readonly mac?: string;
  readonly addresses: EndpointSpec['addresses'];
  readonly ports: readonly RemotePort[];
}

/**
 * The plugins have the network and the endpoint, and the endpoint has joined its sandbox. Notes each step, so that a DEL
 * finds what a dead call left. On an error, nothing is left. Hold the attachment's lock; it is on record.
 */
export async function plug(core: Core, request: PluggedRequest): Promise<AttachedEndpoint> {
  const { attachment, plugins: names, netns: sandboxKey, addresses, ports, mac } = request;
  const { notes } = core.store;
  if (isOfEarlierBoot(core, attachment.network)) {
    const failures = await unplugStale(core, { network: attachment.network, keep: [attachment] });
    for (const { message } of failures) core.log.warn('plugin.left', { error: message });
  }
  const network = await ensurePlugged(core, request, attachment);
  core.mark?.('network');
  const [{ attachEndpoint }, { endpointIdOf }] = await Promise.all([
    import('../../remote/endpoint.ts'),
    import('../../remote/ids.ts'),
  ]);
  const endpointId = endpointIdOf(network.networkId, attachment);
  const note = (facts: EndpointFacts): void =>
    core.store.transaction(() =>
      isNothing(facts)
        ? deleteRemoteEndpoint(notes, attachment)
        : putRemoteEndpoint(notes, { attachment, plugins: names, facts }),
    );
  const spec = {
    network,
    endpointId,
    sandboxKey,
    addresses,
    ports,
    options: {},
    ...(mac === undefined ? {} : { mac }),
  };
  const signal = core.gone?.();
  const known = remoteEndpoint(notes, attachment)?.facts;
  const attached = await attachEndpoint(await openPlugins(core, names), spec, known, note, signal && { signal });
  core.mark?.('delegate');
  return attached;
}

function isNothing({ created, joined, addresses, asked }: EndpointFacts): boolean {
  return created === 'no' && joined === 'no' && addresses.length + asked.length === 0;
}

/** Tells the plugin which ports of the host lead to the endpoint. Most publish none. */
export async function programPorts(core: Core, { facts }: AttachedEndpoint, request: PluggedRequest): Promise<void> {
  const [{ programConnectivity }, { portOptions }] = await Promise.all([
    import('../../remote/network-driver.ts'),
    import('../../remote/options.ts'),
  ]);
  const { driver } = await openPlugins(core, request.plugins);
  const signal = core.gone?.();
  await programConnectivity(driver, facts, portOptions(request.ports), signal && { signal });
}

/**
 * What a Docker driver has of an interface that is to be removed: on record, else as the configuration of the call says.
 * Undefined for an interface of another driver.
 */
export async function pluggedOf(
  core: Core,
  { attachment, role, plugged }: RemovalRequest,
  row: Endpoint | undefined,
): Promise<RemoteEndpointRow | undefined> {
  if (role !== 'interface' || (row !== undefined && row.kind !== 'lone')) return undefined;
  const known = remoteEndpoint(core.store.notes, attachment);
  if (known !== undefined) return known.plugins.driver === undefined ? undefined : known;
  return row === undefined && plugged !== undefined ? await impliedBy(core, plugged, attachment) : undefined;
}

/** What an earlier call may have made whose record was lost. The ids follow from names; addresses do not. */
async function impliedBy(
  core: Core,
  { plugins, spec }: PluggedNetwork,
  attachment: Attachment,
): Promise<RemoteEndpointRow> {
  const [{ networkIdFor }, { endpointIdOf }] = await Promise.all([
    import('../../remote/network.ts'),
    import('../../remote/ids.ts'),
  ]);
  const networkId = networkIdFor(await openPlugins(core, plugins), spec);
  const endpointId = endpointIdOf(networkId, attachment);
  const facts = { networkId, endpointId, addresses: [], asked: [], created: 'asked', joined: 'asked' } as const;
  return { attachment, plugins, facts, isRefused: true };
}

/**
 * The plugins have nothing of the endpoint any more. `giveBack` moves its interface back between Leave and
 * DeleteEndpoint, as dockerd does; it runs in any case. What fails stays on record for the next call; what plugins refuse
 * twice is forgotten. Returns all failures.
 */
export async function unplug(
  core: Core,
  row: RemoteEndpointRow,
  giveBack: () => Promise<NetError[]>,
  isPatient = true,
): Promise<NetError[]> {
  const { log, store } = core;
  const { attachment, facts, plugins, isRefused } = row;
  const { detachEndpoint } = await import('../../remote/detach.ts');
  const isRecorded = remoteEndpoint(store.notes, attachment) !== undefined;
  try {
    await assertRunning(core, plugins, isPatient && isRecorded);
  } catch (thrown) {
    const error = asNetError(thrown, 'DEL');
    if (!isRecorded) log.warn('plugin.absent', { container: attachment.containerId, error: error.message });
    return [...(await giveBack()), ...(isRecorded ? [error] : [])];
  }
  const errors: NetError[] = [];
  const collect = async (): Promise<void> => void errors.push(...(await giveBack()));
  const detached = await detachEndpoint(await openPlugins(core, plugins), facts, collect, deletionOptions());
  const { left, error } = detached;
  const isOver = left === undefined || (detached.isRefused && isRefused === true);
  if (error !== undefined && isOver)
    log.warn('plugin.refused', { container: attachment.containerId, error: error.message });
  if (isRecorded)
    store.transaction(() =>
      isOver
        ? deleteRemoteEndpoint(store.notes, attachment)
        : putRemoteEndpoint(store.notes, {
            ...{ attachment, plugins, facts: left },
            ...(detached.isRefused ? { isRefused: true } : {}),
          }),
    );
  return isOver || error === undefined || !isRecorded ? errors : [...errors, error];
}

/** True if the plugins have something of the attachment that no record of ours is about: it is of an earlier boot. */
function isStale({ store }: Core, { attachment }: RemoteEndpointRow): boolean {
  return store.endpoints.get(attachment, 'interface') === undefined;
}

/** Attachments on a network that are alive. */
export interface Alive {
  readonly network: string;
  readonly keep: readonly Attachment[];
}

/** Runs `work` under the lock of an attachment; undefined if another call holds it, and this one does not wait. */
export type Locked = (core: Core, key: string, work: () => Promise<NetError[]>) => Promise<NetError[] | undefined>;

/**
 * Deletes endpoints without a record from their plugins: all, or those on one network that are not alive. Returns all
 * failures.
 */
export async function unplugStale(core: Core, alive?: Alive, locked: Locked = waiting): Promise<NetError[]> {
  const errors: NetError[] = [];
  const isMeant = ({ attachment }: RemoteEndpointRow): boolean =>
    alive === undefined ||
    (attachment.network === alive.network && !alive.keep.some((one) => sameAttachment(one, attachment)));
  const silent = new SilentPlugins();
  for (const candidate of listRemoteEndpoints(core.store.notes).filter(isMeant)) {
    const { attachment, plugins } = candidate;
    // The ADD of one that is on record holds its lock, and may wait for ours in a sweep of its own.
    if (silent.has(plugins) || !isStale(core, candidate)) continue;
    try {
      const failures = await locked(core, attachmentKey(attachment), async () => {
        const row = remoteEndpoint(core.store.notes, attachment);
        return row !== undefined && isStale(core, row) ? await unplug(core, row, async () => [], false) : [];
      });
      silent.add(plugins, failures ?? []);
      errors.push(...(failures ?? []));
    } catch (thrown) {
      errors.push(asNetError(thrown, 'GC'));
    }
  }
  return errors;
}

async function waiting(core: Core, key: string, work: () => Promise<NetError[]>): Promise<NetError[]> {
  using _lock = await core.lock(key);
  return await work();
}
