import type { Core } from '../../../src/shared/core/core.ts';
import { withdrawEndpoint } from '../../../src/shared/core/endpoints/offer-endpoint.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import { isLinkGone } from './engine/differences.ts';

/**
 * Docker's endpoints whose interface has gone from the host are no more: their addresses and host ports are free. dockerd
 * that was killed forgets the endpoints of its containers without a word, and so does a kernel that has ended their
 * namespaces. Asks nobody but the kernel, so a handler may call it. Returns what failed.
 */
export async function withdrawGone(core: Core): Promise<NetError[]> {
  const { host, store } = core;
  const rows = store.endpoints.list().filter(({ attachment }) => attachment.camp === 'cnm');
  if (rows.length === 0) return [];
  const links = new Set(host.observe(host.own, { links: 'all' }).links.keys());
  const errors: NetError[] = [];
  for (const row of rows.filter((one) => isLinkGone(one, links))) {
    const { network, containerId } = row.attachment;
    core.log.info('docker.removed', { network, endpoint: containerId, reason: 'its interface is gone' });
    errors.push(...(await withdrawEndpoint(core, row.attachment)));
  }
  return errors;
}
