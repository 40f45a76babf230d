import { asNetError, type NetError } from '../../errors/net-error.ts';
import { isNoNamespace } from '../../host/failure.ts';
import type { Namespace } from '../../host/host.ts';
import { release } from '../../ipam/leases.ts';
import { standIn } from '../../model/alias.ts';
import { type Attachment, attachmentDigest, hostIfName, type Role } from '../../model/attachment.ts';
import type { EndpointRow, LocalStore } from '../../store/store.ts';
import type { Core, DelegateSource } from '../core.ts';
import { reverse } from '../execute.ts';
import { forgetLostPorts } from '../lost-rules.ts';
import { removeUnusedNetwork } from '../networks/network.ts';
import { promotePorts } from '../ports/publish.ts';
import { countChange } from '../rebuild.ts';
import type { RemovalRequest } from '../requests.ts';
import { orphanUndo } from './orphans.ts';

/** Container ids of runtimes have 64 characters; these always have room in an alias. */
const LONGEST_USUAL_ID = 64;

/** Roles whose rows may have host ports. */
const CLAIMERS: readonly Role[] = ['interface', 'portmap'];

/** The lock that every call on one attachment takes first. */
export function attachmentKey(attachment: Attachment): string {
  return `attachment:${attachmentDigest(attachment)}`;
}

/**
 * Nothing of the endpoint is left, nor of its network if it was the last. Absence is success; all that fails is
 * returned, and what failed stays on record, so that the next call tries again. Waits for an ADD that still runs.
 */
export async function deleteEndpoint(core: Core, request: RemovalRequest): Promise<NetError[]> {
  using _lock = await core.lock(attachmentKey(request.attachment));
  core.mark?.('lock');
  using sandbox = openIfThere(core, request.netns);
  return await removeAnyway(core, request, sandbox);
}

/** As removeEndpoint; what keeps all of it from being done is returned too. */
export async function removeAnyway(
  core: Core,
  request: RemovalRequest,
  sandbox: Namespace | undefined,
): Promise<NetError[]> {
  try {
    return await removeEndpoint(core, request, sandbox);
  } catch (thrown) {
    const error = asNetError(thrown, 'DEL');
    // Without a state (a full disk) the interface still goes, by its name; the lease waits for the next DEL.
    const failures = error.kind === 'state' ? await revertOrphan(core, request, sandbox) : [];
    return [error, ...failures];
  }
}

/** As deleteEndpoint, for a caller that holds the lock and has the sandbox, if there still is one. */
export async function removeEndpoint(
  core: Core,
  request: RemovalRequest,
  sandbox: Namespace | undefined,
): Promise<NetError[]> {
  const { host } = core;
  const { attachment } = request;
  const row = recordOf(core, request);
  // The path may lead to a successor by now; the identity of a namespace is never used again.
  const same = row === undefined || row.sandbox.id === sandbox?.id ? sandbox : undefined;
  // From here on the record says that the endpoint may be half gone. A full disk does not stop the clean-up.
  const errors = row?.progress === 'ready' ? attempted(() => markIntent(core, row)) : [];
  const delegate = delegateOf(core, request, row);
  // A DHCP client says goodbye over the link, so it goes first; any other frees the address of a link that is gone.
  if (delegate?.type === 'dhcp') errors.push(...(await released(delegate, row)));
  const undo = row?.plan.undo ?? orphanUndo(core, request, same);
  const namespaces = same === undefined ? { host: host.own } : { host: host.own, sandbox: same };
  errors.push(...(await reverse(core, undo, namespaces)));
  core.mark?.('kernel');
  if (delegate !== undefined && delegate.type !== 'dhcp') errors.push(...(await released(delegate, row)));
  errors.push(...forgetLostPorts(core, row));
  if (errors.length === 0) errors.push(...attempted(() => forget(core, request, row)));
  if (row?.claimsPorts === true) errors.push(...promotePorts(core, row.attachment));
  core.mark?.('commit');
  errors.push(...(await removeUnusedNetwork(core, attachment.network)));
  core.mark?.('network');
  return errors;
}

function revertOrphan(core: Core, request: RemovalRequest, sandbox: Namespace | undefined): Promise<NetError[]> {
  const { host } = core;
  const namespaces = sandbox === undefined ? { host: host.own } : { host: host.own, sandbox };
  return reverse(core, orphanUndo(core, request, sandbox), namespaces);
}

function markIntent({ store }: Core, row: EndpointRow): void {
  store.transaction(() => store.endpoints.put({ ...row, progress: 'intent' }));
}

function forget(core: Core, request: RemovalRequest, row: EndpointRow | undefined): void {
  const { store } = core;
  const { source, role } = request;
  store.transaction(() => {
    if (source?.kind === 'local') source.release(store);
    if (row?.scope !== undefined) release(store, row.scope, row.attachment);
    const attachment = row?.attachment ?? request.attachment;
    const claims = row === undefined ? !hasOtherClaimer(store, attachment, role) : row.claimsPorts === true;
    if (claims) store.ports.release(attachment);
    // Also a row that is broken, which `row` cannot be.
    store.endpoints.delete(attachment, role);
    countChange(core);
  });
}

/** True if another part of the attachment is on record with claims of its own. */
function hasOtherClaimer({ endpoints }: LocalStore, attachment: Attachment, role: Role): boolean {
  return CLAIMERS.some((other) => other !== role && endpoints.get(attachment, other)?.claimsPorts === true);
}

/** The record of an attachment, also one that was rebuilt from an interface whose alias had no room for the id. */
function recordOf({ store }: Core, { attachment, role }: RemovalRequest): EndpointRow | undefined {
  const row = store.endpoints.get(attachment, role);
  if (row !== undefined || attachment.containerId.length <= LONGEST_USUAL_ID) return row;
  return store.endpoints.get(standIn(attachment, hostIfName(attachment)), role);
}

function attempted(work: () => void): NetError[] {
  try {
    work();
    return [];
  } catch (thrown) {
    return [asNetError(thrown, 'DEL')];
  }
}

/** The foreign IPAM plugin that ADD used, by the record; without one, that of the configuration. */
function delegateOf(core: Core, request: RemovalRequest, row: EndpointRow | undefined): DelegateSource | undefined {
  const given = request.source?.kind === 'delegate' ? request.source : undefined;
  if (row === undefined) return given;
  if (row.delegate === undefined || row.delegate.type === given?.type) return row.delegate && given;
  return core.delegate(row.delegate.type, row.delegate.config, request.attachment, request.netns);
}

/** Without a record, a delegate that is not installed is nobody to ask: there is nothing to give back that we know of. */
async function released(delegate: DelegateSource, row: EndpointRow | undefined): Promise<NetError[]> {
  try {
    await delegate.release();
    return [];
  } catch (thrown) {
    const error = asNetError(thrown, 'DEL');
    return row === undefined && error.kind === 'bad-environment' ? [] : [error];
  }
}

/** The sandbox, or undefined if its path leads to no network namespace any more. Throws if that cannot be told. */
export function openIfThere(core: Core, path: string): Namespace | undefined {
  if (path === '') return undefined;
  try {
    return core.host.open(path);
  } catch (thrown) {
    if (isNoNamespace(thrown)) return undefined;
    throw thrown;
  }
}
