import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { Namespace } from '../../host/host.ts';
import type { Core } from '../core.ts';
import type { AttachRequest, RemovalRequest } from '../requests.ts';
import { removeEndpoint } from './delete-endpoint.ts';

/**
 * Removes what an interrupted ADD or DEL, or a sandbox that is gone, left. Throws if the endpoint is live, or if a
 * foreign interface has its name.
 */
export async function clearWay(core: Core, request: AttachRequest, sandbox: Namespace): Promise<void> {
  const { ifName } = request.attachment;
  const isTaken = (): boolean => core.host.observe(sandbox, { links: [ifName] }).links.has(ifName);
  const row = core.store.endpoints.get(request.attachment, request.role);
  if (row !== undefined) {
    const same = row.sandbox.id === sandbox.id || (row.sandbox.id === '' && isTaken());
    if (row.progress === 'ready' && same) throw alreadyAttached(request);
    const failures = await removeEndpoint(core, asRemoval(request), same ? sandbox : undefined);
    if (failures[0] !== undefined) throw failures[0];
  }
  if (isTaken()) throw interfaceExists(request);
}

/** The removal of the same attachment. Its record says what exists. */
export function asRemoval(request: AttachRequest): RemovalRequest {
  return { ...request, orphans: 'own' };
}

function interfaceExists({ attachment, netns }: AttachRequest): NetError {
  return fault.badEnvironment(
    'ADD',
    `CNI_IFNAME=${attachment.ifName}`,
    `an interface of this name already exists in ${netns}`,
    'Choose another name, or remove it (DEL for an attachment, ip link delete for anything else)',
  );
}

function alreadyAttached({ attachment }: AttachRequest): NetError {
  return fault.badEnvironment(
    'ADD',
    `CNI_CONTAINERID=${attachment.containerId}, CNI_IFNAME=${attachment.ifName}`,
    `is already attached to network ${attachment.network}`,
    'Call DEL first, or choose another CNI_IFNAME',
  );
}
