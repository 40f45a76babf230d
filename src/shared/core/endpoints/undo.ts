import { planSbr } from '../../drivers/sbr/sbr.ts';
import { restoreRoutes, TABLES_QUERY } from '../../drivers/tables.ts';
import { planVrf, planVrfRest } from '../../drivers/vrf/vrf.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { Namespace, View } from '../../host/host.ts';
import type { Endpoint, SbrPart, VrfPart } from '../../model/endpoint.ts';
import type { Op } from '../../model/op.ts';
import type { Core } from '../core.ts';
import { desired } from '../desired.ts';
import { reverse } from '../execute.ts';
import type { RemovalRequest } from '../requests.ts';
import { hasDevice, returnDevice } from './devices.ts';
import { deletionOf, isOffered } from './offered-link.ts';
import { orphanUndo } from './orphans.ts';

/** Deletes what the kernel and the packet filter have of a part, by its record or without one. Returns all failures. */
export async function undoPart(
  core: Core,
  request: RemovalRequest,
  row: Endpoint | undefined,
  sandbox: Namespace | undefined,
): Promise<NetError[]> {
  const { host } = core;
  const namespaces = sandbox === undefined ? { host: host.own } : { host: host.own, sandbox };
  if (row === undefined) return await reverse(core, orphanUndo(core, request, sandbox), namespaces);
  if (hasDevice(row))
    return [...(await reverse(core, row.journal ?? [], namespaces)), ...(await returnDevice(core, row, sandbox))];
  if (row.kind === 'sbr' || row.kind === 'vrf')
    return sandbox === undefined ? [] : await undoRouting(core, row, sandbox);
  if (isOffered(row)) return await reverse(core, deletionOf(core, row.attachment, sandbox), namespaces);
  return await reverse(core, desired(row).undo, namespaces);
}

/**
 * Empties the part's tables, then puts the interface's routes back into the main table, so that an ADD may follow. It is
 * no failure of DEL where the interface can have them no more.
 */
async function undoRouting(core: Core, row: SbrPart | VrfPart, sandbox: Namespace): Promise<NetError[]> {
  const { host, log } = core;
  const namespaces = { host: host.own, sandbox };
  const view = host.observe(sandbox, TABLES_QUERY);
  const errors = await reverse(core, undoOf(row, view), namespaces);
  const routes = row.kind === 'sbr' ? row.sbr.taken : row.vrf.routes;
  const restore = restoreRoutes(routes, host.observe(sandbox, TABLES_QUERY));
  for (const { message } of await reverse(core, restore, namespaces)) log.warn('route.unrestored', { error: message });
  return errors;
}

function undoOf(row: SbrPart | VrfPart, view: View): Op[] {
  const { ifName } = row.attachment;
  if (row.kind === 'sbr') return [...planSbr(row.sbr).undo];
  // Another VRF, or a bridge, may have the interface by now.
  const isMember = view.links.get(ifName)?.master === row.vrf.vrf;
  const undo = planVrf(ifName, row.vrf).undo.filter(({ op }) => isMember || op !== 'link.set');
  return [...undo, ...planVrfRest(ifName, row.vrf, view)];
}
