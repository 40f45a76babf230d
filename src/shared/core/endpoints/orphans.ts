import { fault } from '../../errors/fault.ts';
import type { Namespace } from '../../host/host.ts';
import { parseAlias, parseMovedAlias } from '../../model/alias.ts';
import { hostIfName, sameAttachment } from '../../model/attachment.ts';
import { ifNameFault, type LinkState } from '../../model/link.ts';
import type { Op } from '../../model/op.ts';
import type { Core } from '../core.ts';
import { removalByName } from '../desired.ts';
import type { RemovalRequest } from '../requests.ts';
import { strayDevice, unmarked } from './devices.ts';

/** Ops that delete an endpoint without a record: finds its interface by name. A device of the host is given back. */
export function orphanUndo(core: Core, request: RemovalRequest, sandbox: Namespace | undefined): Op[] {
  if (request.orphans === 'none') return [];
  const hostIf = hostIfName(request.attachment);
  const undo = removalByName(request.attachment, hostIf);
  const name = request.attachment.ifName;
  const place = sandbox?.id === core.host.own.id ? undefined : sandbox;
  const device = strayDevice(core, request.attachment, place, request.kind === 'moved');
  if (place === undefined || device.length > 0) return [...undo, ...device];
  const inside = core.host.observe(place, { links: [name] }).links.get(name);
  if (request.kind === 'moved' && inside !== undefined) return [...undo, ...foreignDevice(core, request, inside)];
  const kind = kindInside(core, request, inside);
  return kind === undefined ? undo : [...undo, { op: 'link.delete', ns: 'sandbox', name, kind }];
}

/** Gives back what the reference plugin moved: its alias is the name that it had on the host. */
function foreignDevice(core: Core, { orphans }: RemovalRequest, link: LinkState): Op[] {
  const { alias, loopback } = link;
  const isNamed = alias !== undefined && ifNameFault(alias) === undefined;
  return orphans === 'any' && isNamed && !loopback ? unmarked(core, alias, { ns: 'sandbox', link }) : [];
}

/** The kind of the interface in the sandbox, if it is the attachment's: by its alias, or as another plugin makes it. */
function kindInside(core: Core, { attachment, orphans, kind = 'veth' }: RemovalRequest, inside?: LinkState) {
  // A device of the host that another attachment has is not ours to delete.
  if (inside?.kind === undefined || parseMovedAlias(inside.alias) !== undefined) return undefined;
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
