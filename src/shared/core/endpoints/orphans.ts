import { fault } from '../../errors/fault.ts';
import type { Namespace } from '../../host/host.ts';
import { parseAlias } from '../../model/alias.ts';
import { hostIfName, sameAttachment } from '../../model/attachment.ts';
import type { LinkState } from '../../model/link.ts';
import type { Op } from '../../model/op.ts';
import type { Core } from '../core.ts';
import { removalByName } from '../desired.ts';
import type { RemovalRequest } from '../requests.ts';

/** Ops that delete an endpoint without a record: finds its interface by name. */
export function orphanUndo(core: Core, request: RemovalRequest, sandbox: Namespace | undefined): Op[] {
  if (request.orphans === 'none') return [];
  const hostIf = hostIfName(request.attachment);
  const undo = removalByName(request.attachment, hostIf);
  const name = request.attachment.ifName;
  if (sandbox === undefined || sandbox.id === core.host.own.id) return undo;
  const kind = kindInside(core, request, core.host.observe(sandbox, { links: [name] }).links.get(name));
  return kind === undefined ? undo : [...undo, { op: 'link.delete', ns: 'sandbox', name, kind }];
}

/** The kind of the interface in the sandbox, if it is the attachment's: by its alias, or as another plugin makes it. */
function kindInside(core: Core, { attachment, orphans, kind = 'veth' }: RemovalRequest, inside?: LinkState) {
  if (inside?.kind === undefined) return undefined;
  const named = parseAlias(inside.alias)?.attachment;
  if (named !== undefined) return sameAttachment(named, attachment) ? inside.kind : undefined;
  if (orphans !== 'any' || inside.kind !== kind) return undefined;
  return kind !== 'veth' || hasStrangerOutside(core, inside) ? kind : undefined;
}

/** True for a veth whose other end is on this host and does not belong to another attachment on record. */
function hasStrangerOutside({ host }: Core, inside: LinkState): boolean {
  const { links } = host.observe(host.own, { links: 'all' });
  const peer = [...links.values()].find((link) => isPeer(link, inside));
  return peer !== undefined && parseAlias(peer.alias) === undefined;
}

export function isPeer(outside: LinkState, inside: LinkState): boolean {
  return outside.kind === 'veth' && outside.index === inside.linkIndex && outside.linkIndex === inside.index;
}

/**
 * Finds the veth on the host whose other end is `ifName` in the sandbox. Searches the `known` names first, then all
 * links. Throws NetError `bad-environment` if the sandbox has no such interface, `unsupported` if its other end is not
 * on the host.
 */
export function findHostSide({ host }: Core, sandbox: Namespace, ifName: string, known: readonly string[]): LinkState {
  const inside = host.observe(sandbox, { links: [ifName] }).links.get(ifName);
  if (inside === undefined) {
    throw fault.badEnvironment(
      'ADD',
      `CNI_IFNAME=${ifName}`,
      'the container has no interface of this name',
      'Put the plugin that creates it before this one in the list',
    );
  }
  for (const links of [known, 'all'] as const) {
    const found = [...host.observe(host.own, { links }).links.values()].find((link) => isPeer(link, inside));
    if (found !== undefined) return found;
  }
  throw fault.unsupported(
    'ADD',
    `link ${ifName}`,
    `is of kind ${inside.kind ?? 'none'} and has no veth on this host as its other end`,
    'Put this plugin after one that creates veth pairs, such as bridge',
  );
}
