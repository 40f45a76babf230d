import type { Core } from '../../../src/shared/core/core.ts';
import { deleteOffered } from '../../../src/shared/core/endpoints/offer-endpoint.ts';
import { isOfferGone } from '../../../src/shared/core/endpoints/placed-offers.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import type { Endpoint } from '../../../src/shared/model/endpoint.ts';
import { isLinkGone } from './engine/differences.ts';

/**
 * Deletes Docker's endpoints whose interface is gone from the host, which frees their addresses and host ports. A
 * killed dockerd loses its containers' endpoints silently, and the kernel deletes interfaces with their namespace. Asks
 * only the kernel, so a handler may call it. Returns the failures.
 */
export async function deleteGone(core: Core): Promise<NetError[]> {
  const { store } = core;
  const rows = store.endpoints.list().filter(({ attachment }) => attachment.camp === 'cnm');
  if (rows.length === 0) return [];
  const links = linksNow(core);
  const errors: NetError[] = [];
  for (const row of rows.filter((one) => isLinkGone(one, links) || isOfferGone(core, one))) {
    const { network, containerId } = row.attachment;
    core.log.info('docker.removed', { network, endpoint: containerId, reason: 'its interface is gone' });
    // Check again under the lock: dockerd may have created it again.
    const when = (now: Endpoint | undefined): boolean =>
      now !== undefined && (isLinkGone(now, linksNow(core)) || isOfferGone(core, now));
    errors.push(...(await deleteOffered(core, row.attachment, when)));
  }
  return errors;
}

function linksNow({ host }: Core): ReadonlySet<string> {
  return new Set(host.observe(host.own, { links: 'all' }).links.keys());
}
