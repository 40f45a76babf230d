import { asNetError, type NetError } from '../errors/net-error.ts';
import { parseAlias } from '../model/alias.ts';
import { type Attachment, attachmentText, hostIfName, ifbName } from '../model/attachment.ts';
import type { Endpoint } from '../model/endpoint.ts';
import type { Op } from '../model/op.ts';
import type { EndpointKey } from '../store/store.ts';
import type { AddressSource, Core } from './core.ts';
import { deleteEndpoint } from './endpoints/delete-endpoint.ts';
import { reverse } from './execute.ts';
import { removeUnusedNetwork } from './networks/remove-network.ts';
import { unplugStale } from './plugins/endpoint.ts';
import { removeUnusedPlugged } from './plugins/network.ts';
import { deleteStrayGuard } from './reset-entries.ts';

/** One network of one camp, and its live attachments. */
export interface GarbageRequest {
  readonly camp: Attachment['camp'];
  readonly network: string;
  readonly keep: readonly Attachment[];
  readonly source?: AddressSource;
  /** False collects addresses only (an IPAM plugin's GC). */
  readonly interfaces: boolean;
}

/**
 * Removes every attachment of `camp` to the network that is not in `keep`: endpoints on record, interfaces without a
 * record, leases, and the addresses that a delegate holds. Continues after a failure and returns all failures.
 */
export async function collectGarbage(core: Core, request: GarbageRequest): Promise<NetError[]> {
  const { camp, network, keep, source } = request;
  const errors: NetError[] = [];
  const alive = new Set(keep.map(attachmentText));
  if (request.interfaces) {
    for (const row of core.store.endpoints.list(network)) {
      if (row.attachment.camp !== camp || alive.has(attachmentText(row.attachment))) continue;
      errors.push(...(await collected(core, row)));
    }
    for (const { attachment, role } of core.store.endpoints.broken(network)) {
      if (attachment.camp !== camp || alive.has(attachmentText(attachment))) continue;
      core.log.warn('record.broken', {
        network,
        container: attachment.containerId,
        interface: attachment.ifName,
        role,
      });
      errors.push(...(await collected(core, { attachment, role, sandbox: { path: '' } })));
    }
    const strays = strayLinks(core, request);
    errors.push(...(await reverse(core, strays, { host: core.host.own })));
    for (const { name, kind } of strays) if (kind === 'veth') errors.push(...(await deleteStrayGuard(core, name)));
    errors.push(...(await unplugStale(core, { network, keep })));
    errors.push(...(await removeUnusedNetwork(core, network)));
    errors.push(...(await removeUnusedPlugged(core, network, false)));
  }
  try {
    if (source?.kind === 'local')
      core.store.transaction(() => source.collect(core.store, [...keep, ...left(core, network)]));
    if (source?.kind === 'delegate') await source.collect();
  } catch (thrown) {
    errors.push(asNetError(thrown, 'GC'));
  }
  return errors;
}

/** Attachments that are still on record. Their addresses are still in use. */
function left({ store }: Core, network: string): Attachment[] {
  return store.endpoints.list(network).map((row) => row.attachment);
}

/** An endpoint on record. If its row is broken, its sandbox is unknown. */
type Collectable = EndpointKey & { readonly sandbox: Pick<Endpoint['sandbox'], 'path'> };

/** Removes one endpoint. Returns its failures, so that the caller can continue with the others. */
async function collected(core: Core, { attachment, role, sandbox: { path } }: Collectable): Promise<NetError[]> {
  try {
    return await deleteEndpoint(core, { attachment, role, netns: path, orphans: 'own', isHurried: true });
  } catch (thrown) {
    return [asNetError(thrown, 'GC')];
  }
}

type LinkDeletion = Extract<Op, { op: 'link.delete' }>;

/** Interfaces whose alias names this network and camp, but no attachment that is live or on record. */
function strayLinks({ host, store }: Core, { camp, network, keep }: GarbageRequest): LinkDeletion[] {
  // Links first: an ADD is on record before it makes its link, so that none of a call under way counts as stray.
  const { links } = host.observe(host.own, { links: 'all' });
  const attachments = [...keep, ...store.endpoints.list(network).map((row) => row.attachment)];
  const kept = new Set(attachments.map(attachmentText));
  const namesOf = (attachment: Attachment): string[] => [hostIfName(attachment), ifbName(attachment)];
  let names: ReadonlySet<string> | undefined;
  const isKept = (owner: Attachment, name: string): boolean => {
    if (owner.containerId !== '') return kept.has(attachmentText(owner)) && namesOf(owner).includes(name);
    // The alias had no room for the id. A name takes three digests, so those of all are not computed before.
    names ??= new Set(attachments.flatMap(namesOf));
    return names.has(name);
  };
  return [...links.values()].flatMap((link): LinkDeletion[] => {
    const owner = parseAlias(link.alias)?.attachment;
    const stray = owner?.camp === camp && owner.network === network && !isKept(owner, link.name);
    const kind = link.kind === 'ifb' ? 'ifb' : 'veth';
    return stray ? [{ op: 'link.delete', ns: 'host', name: link.name, kind }] : [];
  });
}
