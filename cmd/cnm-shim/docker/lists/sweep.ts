import { parsePluginList } from '../../../../src/shared/config/plugin-list.ts';
import { attachmentKey } from '../../../../src/shared/core/apply.ts';
import type { Core } from '../../../../src/shared/core/core.ts';
import { asNetError, type NetError } from '../../../../src/shared/errors/net-error.ts';
import type { ListedEndpoint } from '../../../../src/shared/model/chain.ts';
import { collectChain } from '../../../../src/shared/runtime/plugin-chain.ts';
import { listedEndpoint, listListedEndpoints } from '../../../../src/shared/store/listed-endpoints.ts';
import { HELD_NAME } from './holding.ts';
import { LIST, pluginsOf } from './list-network.ts';
import { removeListed } from './list-removal.ts';

/**
 * Runs DEL for what an interrupted call left, or a DEL that failed, and for endpoints of earlier boots, whose addresses
 * plugins keep on disk. Waits for running calls. Starts no more DELs once the daemon is ending. Returns all failures.
 */
export async function sweepListed(core: Core, isEnding = (): boolean => false): Promise<NetError[]> {
  const { store, host, log } = core;
  const isLeft = (row: ListedEndpoint | undefined): row is ListedEndpoint =>
    row !== undefined &&
    (row.progress !== 'ready' ||
      row.bootId !== host.identity.bootId ||
      store.endpoints.get(row.attachment, 'interface') === undefined);
  const errors: NetError[] = [];
  for (const { attachment } of listListedEndpoints(store.notes).filter(isLeft)) {
    if (isEnding()) break;
    try {
      using _lock = await core.lock(attachmentKey(attachment));
      const row = listedEndpoint(store.notes, attachment);
      if (!isLeft(row)) continue;
      const failures = await removeListed(core, row);
      errors.push(...failures);
      const { network, containerId: endpoint } = attachment;
      if (failures.length === 0) log.info('docker.removed', { network, endpoint, reason: 'a call or a boot ended' });
    } catch (thrown) {
      errors.push(asNetError(thrown, 'DEL'));
    }
  }
  return errors;
}

/**
 * Runs GC of a Docker network's list with the endpoints that it still has. Does nothing for a network that a file in the
 * directory of CNI configurations defines: other runtimes may have attachments of it, and GC would delete those. Returns
 * all failures.
 */
export async function collectListed(core: Core, dockerNetwork: string): Promise<NetError[]> {
  const { store, host } = core;
  const facts = store.dockerNetworks.get(dockerNetwork)?.list;
  if (facts === undefined) return [];
  const plugins = await pluginsOf(core);
  const list = parsePluginList(facts.text, LIST);
  if (plugins.isConfigured(list.name)) return [];
  // Several Docker networks may be of one CNI network.
  const named = new Set(
    store.dockerNetworks.list().flatMap((row) => {
      const other = row.list === undefined ? undefined : parsePluginList(row.list.text, LIST);
      return other?.name === list.name ? [row.id] : [];
    }),
  );
  const alive = listListedEndpoints(store.notes).filter(
    (row) => named.has(row.dockerNetwork) && row.bootId === host.identity.bootId,
  );
  const attachments = alive.map(({ attachment }) => ({ containerID: attachment.containerId, ifname: HELD_NAME }));
  return await collectChain(plugins, list, { path: facts.path, limitMs: facts.seconds * 1000 }, attachments);
}
