import { fault } from '../../errors/fault.ts';
import type { Namespace } from '../../host/host.ts';
import { parseAlias } from '../../model/alias.ts';
import { hostIfName } from '../../model/attachment.ts';
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
  if (request.orphans === 'any' && sandbox !== undefined && isAdoptable(core, sandbox, name)) {
    undo.push({ op: 'link.delete', ns: 'sandbox', name, kind: 'veth' });
  }
  return undo;
}

/** True for a veth whose other end is on this host and does not belong to another attachment on record. */
function isAdoptable({ host }: Core, sandbox: Namespace, name: string): boolean {
  if (sandbox.id === host.own.id) return false;
  const inside = host.observe(sandbox, { links: [name] }).links.get(name);
  if (inside?.kind !== 'veth') return false;
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
