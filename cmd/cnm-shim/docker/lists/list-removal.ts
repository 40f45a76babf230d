import { attachmentKey } from '../../../../src/shared/core/apply.ts';
import type { Core } from '../../../../src/shared/core/core.ts';
import { removeOffered } from '../../../../src/shared/core/endpoints/offer-endpoint.ts';
import { removePorts } from '../../../../src/shared/core/ports/publish-ports.ts';
import { asNetError, type NetError } from '../../../../src/shared/errors/net-error.ts';
import type { Attachment } from '../../../../src/shared/model/attachment.ts';
import type { ListedEndpoint } from '../../../../src/shared/model/chain.ts';
import { given } from '../../../../src/shared/model/given.ts';
import { deleteChain } from '../../../../src/shared/runtime/plugin-chain.ts';
import {
  deleteListedEndpoint,
  listedEndpoint,
  putListedEndpoint,
} from '../../../../src/shared/store/listed-endpoints.ts';
import type { DockerNetworkRow } from '../../../../src/shared/store/store.ts';
import { holdingPath, isThere, takeBack } from './holding.ts';
import { pluginsOf } from './list-network.ts';
import { callOf, rowOf } from './list-row.ts';
import { dismissListed } from './list-rules.ts';

/** Milliseconds for a second DEL, however long the first one took. */
const LEAST_MS = 2000;

/**
 * Runs DEL of the endpoint's list, if it has one. Undefined if it has none. Returns all failures. If the state was lost,
 * its namespace tells that plugins ran for it; then they get what the network knows.
 */
export async function deleteListed(
  core: Core,
  attachment: Attachment,
  network?: DockerNetworkRow,
): Promise<NetError[] | undefined> {
  using _lock = await core.lock(attachmentKey(attachment));
  core.mark?.('lock');
  const row = listedEndpoint(core.store.notes, attachment) ?? lostRow(core, attachment, network);
  return row && (await removeListed(core, row));
}

function lostRow({ host }: Core, attachment: Attachment, network?: DockerNetworkRow): ListedEndpoint | undefined {
  const { containerId: endpointId } = attachment;
  if (network?.list === undefined || !isThere(host, holdingPath(endpointId))) return undefined;
  const request = { networkId: network.id, endpointId, portMap: [], ignored: [] };
  return rowOf({ network, list: network.list, attachment }, request, host.identity.bootId);
}

/**
 * Runs DEL and deletes all that the endpoint has. What fails stays on record, for the next call or the next sweep.
 * `isForced`: forgets what plugins do not delete. The caller holds the lock.
 */
export async function removeListed(core: Core, row: ListedEndpoint, isForced = false): Promise<NetError[]> {
  const { store, host } = core;
  const { attachment } = row;
  const plugins = await pluginsOf(core);
  const note = (running = row.running): void => {
    const deleting = { ...row, ...given({ running }), progress: 'deleting' } as const;
    store.transaction(() => putListedEndpoint(store.notes, deleting));
  };
  note();
  const errors = await removePorts(core, attachment);
  const isHere = row.bootId === host.identity.bootId;
  if (isHere && row.running !== undefined) await plugins.end(row.running);
  // A daemon that was killed may have started a plugin without a record of it.
  if (isHere && row.progress !== 'ready') {
    const types = row.plugins.map(({ type }) => type);
    await plugins.endIn(row.netns, types);
  }
  const place = isHere ? await taken(core, row) : { netns: '', hasLink: false };
  const end = performance.now() + row.seconds * 1000;
  let failures = await deleteChain(plugins, callOf(row, place.netns), row.result, note);
  // Plugins that move hardware fail without it, but do the rest where they are told that the namespace is gone.
  if (failures.length > 0 && !place.hasLink && place.netns !== '') {
    const limitMs = Math.max(LEAST_MS, end - performance.now());
    failures = await deleteChain(plugins, { ...callOf(row, ''), limitMs }, row.result, note);
  }
  core.mark?.('plugins');
  if (failures.length > 0 && !isForced) return [...errors, ...failures];
  try {
    await plugins.deleteNamespace(row.netns);
    errors.push(...(await removeOffered(core, attachment)));
    errors.push(...(await dismissListed(core, row)));
  } catch (thrown) {
    errors.push(asNetError(thrown, 'DEL'));
  }
  if (errors.length === 0) store.transaction(() => deleteListedEndpoint(store.notes, attachment), { durable: true });
  return errors;
}

/** Where DEL runs. Without a namespace, plugins delete what is outside of it. */
async function taken(core: Core, row: ListedEndpoint): Promise<{ readonly netns: string; readonly hasLink: boolean }> {
  try {
    return { netns: row.netns, hasLink: await takeBack(core, row) };
  } catch (thrown) {
    core.log.warn('docker.netns', { netns: row.netns, error: asNetError(thrown, 'DEL').message });
    return { netns: '', hasLink: false };
  }
}
