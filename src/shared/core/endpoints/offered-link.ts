import { fault } from '../../errors/fault.ts';
import type { Namespace, View } from '../../host/host.ts';
import { parseAlias } from '../../model/alias.ts';
import { type Attachment, sameAttachment } from '../../model/attachment.ts';
import type { DockerEndpoint, Endpoint } from '../../model/endpoint.ts';
import { given } from '../../model/given.ts';
import type { LoneLinkFacts } from '../../model/interface-facts.ts';
import type { LinkState, NsRef } from '../../model/link.ts';
import type { Op } from '../../model/op.ts';
import type { Core } from '../core.ts';

/** Interfaces without a side on the host that dockerd moves to a container and back. */

export type OfferedEndpoint = DockerEndpoint & { readonly lone: LoneLinkFacts };

export function isOffered(row: Endpoint | undefined): row is OfferedEndpoint {
  return row?.kind === 'docker' && row.lone !== undefined;
}

export interface FoundLink {
  readonly ns: NsRef;
  readonly link: LinkState;
}

/**
 * The attachment's interface, by its alias: dockerd may have left it under any name. Looks on the host, in the sandbox,
 * and on the host again, since dockerd may move it meanwhile.
 */
export function findOffered(
  { host }: Pick<Core, 'host'>,
  attachment: Attachment,
  sandbox?: Namespace,
): FoundLink | undefined {
  const { ifName } = attachment;
  const isIt = ({ alias, kind }: LinkState): boolean => {
    const named = kind === 'macvlan' || kind === 'ipvlan' ? parseAlias(alias)?.attachment : undefined;
    return named !== undefined && sameAttachment(named, attachment);
  };
  const all = (ns: Namespace): LinkState | undefined =>
    [...host.observe(ns, { links: 'all' }).links.values()].find(isIt);
  const usual = host.observe(host.own, { links: [ifName] }).links.get(ifName);
  if (usual !== undefined && isIt(usual)) return { ns: 'host', link: usual };
  const inside = sandbox === undefined || sandbox.id === host.own.id ? undefined : all(sandbox);
  if (inside !== undefined) return { ns: 'sandbox', link: inside };
  const moved = all(host.own);
  return moved && { ns: 'host', link: moved };
}

/** Throws NetError `conflict` for a MAC that the parent or another interface on it has: the kernel would not set it up. */
export function assertMacFree(
  { store }: Pick<Core, 'store'>,
  { attachment, lone: { link, mac } }: OfferedEndpoint,
  { links }: View,
): void {
  if (link.kind !== 'macvlan' || link.mode === 'passthru' || mac === undefined) return;
  const { dev } = link;
  const other = store.endpoints.withMac(mac).find((row) => {
    const facts = row.kind === 'lone' ? row.link : isOffered(row) ? row.lone : undefined;
    const isThere = facts?.mac === mac && facts.link.kind === 'macvlan' && facts.link.dev === dev;
    return isThere && !sameAttachment(row.attachment, attachment);
  });
  const holder = links.get(dev)?.mac === mac ? 'its parent' : other && `endpoint ${other.attachment.containerId}`;
  if (holder === undefined) return;
  const what = `${holder} has it, on ${dev}`;
  throw fault.conflict('endpoint', `${attachment.containerId} MAC ${mac}`, what, 'Choose another --mac-address');
}

/** Deletes the attachment's interface wherever it is. Accepts absence: it goes with its parent and its namespace. */
export function deletionOf(core: Pick<Core, 'host'>, attachment: Attachment, sandbox?: Namespace): Op[] {
  const found = findOffered(core, attachment, sandbox);
  if (found === undefined) return [];
  const { ns, link } = found;
  return [{ op: 'link.delete', ns, name: link.name, ...given({ kind: link.kind }) }];
}
