import { asNetError, type NetError } from '../errors/net-error.ts';
import { parseAlias } from '../model/alias.ts';
import { type Attachment, attachmentDigest, hostIfName, ifbName } from '../model/attachment.ts';
import type { Op } from '../model/op.ts';
import type { AddressSource, Core } from './core.ts';
import { attachmentKey, openIfThere, removeEndpoint } from './delete-endpoint.ts';
import { reverse } from './execute.ts';
import { removeUnusedNetwork } from './network.ts';

/** One network of one camp, and the attachments of it that are alive. */
export interface GarbageRequest {
  readonly camp: Attachment['camp'];
  readonly network: string;
  readonly keep: readonly Attachment[];
  readonly source?: AddressSource;
  /** False collects addresses only (an IPAM plugin's GC). */
  readonly interfaces: boolean;
}

/**
 * Of `camp`'s attachments to the network nothing is left but those in `keep`: endpoints on record, interfaces without a
 * record, leases, and whatever a delegate holds. Goes on after a failure and returns all of them.
 */
export async function collectGarbage(core: Core, request: GarbageRequest): Promise<NetError[]> {
  const { camp, network, keep, source } = request;
  const errors: NetError[] = [];
  const alive = new Set(keep.map(attachmentDigest));
  if (request.interfaces) {
    for (const row of core.store.endpoints.list(network)) {
      if (row.attachment.camp !== camp || alive.has(attachmentDigest(row.attachment))) continue;
      using _lock = core.lock(attachmentKey(row.attachment));
      const removal = {
        attachment: row.attachment,
        role: row.role,
        netns: row.sandbox.path,
        orphans: 'own',
        guarded: false,
      } as const;
      using sandbox = openIfThere(core, row.sandbox.path);
      errors.push(...(await removeEndpoint(core, removal, sandbox)));
    }
    errors.push(...reverse(core, strayLinks(core, request), { host: core.host.own }));
    errors.push(...removeUnusedNetwork(core, network));
  }
  if (source?.kind === 'local') core.store.transaction(() => source.collect(core.store, keep));
  if (source?.kind === 'delegate') {
    await source.collect().catch((thrown: unknown) => errors.push(asNetError(thrown, 'GC')));
  }
  return errors;
}

/** Interfaces that say they belong to this network and camp, but to no attachment alive or on record. */
function strayLinks({ host, store }: Core, { camp, network, keep }: GarbageRequest): Op[] {
  const attachments = [...keep, ...store.endpoints.list(network).map((row) => row.attachment)];
  const kept = new Set(attachments.flatMap((attachment) => [hostIfName(attachment), ifbName(attachment)]));
  const { links } = host.observe(host.own, { links: 'all' });
  return [...links.values()].flatMap((link): Op[] => {
    const owner = parseAlias(link.alias)?.attachment;
    const stray = owner?.camp === camp && owner.network === network && !kept.has(link.name);
    const kind = link.kind === 'ifb' ? 'ifb' : 'veth';
    return stray ? [{ op: 'link.delete', ns: 'host', name: link.name, kind }] : [];
  });
}
