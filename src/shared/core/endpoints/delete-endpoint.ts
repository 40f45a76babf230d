import { asNetError, type NetError } from '../../errors/net-error.ts';
import { isNoNamespace } from '../../host/failure.ts';
import type { Namespace } from '../../host/host.ts';
import { standIn } from '../../model/alias.ts';
import { type Attachment, hostIfName, type Role } from '../../model/attachment.ts';
import { claimsPorts, type Endpoint, hostIfOf } from '../../model/endpoint.ts';
import { countChange } from '../../store/changes.ts';
import { deleteRemoteEndpoint } from '../../store/remote-notes.ts';
import { isDiskFull } from '../../store/sqlite-errors.ts';
import type { LocalStore } from '../../store/store.ts';
import { attachmentKey } from '../apply.ts';
import type { Core, DelegateSource } from '../core.ts';
import { reverse } from '../execute.ts';
import { removeUnusedNetwork } from '../networks/remove-network.ts';
import { pluggedOf, unplug } from '../plugins/endpoint.ts';
import { removeUnusedPlugged } from '../plugins/network.ts';
import { seriousOf } from '../plugins/open.ts';
import { promotePartners } from '../ports/publish.ts';
import type { RemovalRequest } from '../requests.ts';
import { deleteLostEntries } from '../reset-entries.ts';
import { isOffered } from './offered-link.ts';
import { orphanUndo } from './orphans.ts';
import { deleteRecord } from './record.ts';
import { undoPart } from './undo.ts';

/** Runtimes use container ids of 64 characters. These always fit into an alias. */
const LONGEST_USUAL_ID = 64;

/** Roles whose rows may claim host ports. */
const CLAIMERS: readonly Role[] = ['interface', 'portmap'];

/**
 * Deletes the endpoint, and its network if it was the last one. Accepts absence. Returns all failures; what failed
 * stays on record for the next call. Waits for a running ADD.
 */
export async function deleteEndpoint(core: Core, request: RemovalRequest): Promise<NetError[]> {
  const errors = await removeLocked(core, request);
  return [...errors, ...(await promotePartners(core, request.attachment))];
}

async function removeLocked(core: Core, request: RemovalRequest): Promise<NetError[]> {
  using _lock = await core.lock(attachmentKey(request.attachment));
  core.mark?.('lock');
  using sandbox = openIfThere(core, request.netns);
  return await removeAnyway(core, request, sandbox);
}

/** Like `removeEndpoint`, but also returns the error that prevents the removal. */
export async function removeAnyway(
  core: Core,
  request: RemovalRequest,
  sandbox: Namespace | undefined,
  isRetry = false,
): Promise<NetError[]> {
  try {
    return await removeEndpoint(core, request, sandbox);
  } catch (thrown) {
    const error = asNetError(thrown, 'DEL');
    // An earlier DEL left its record on the full disk, and the first use of the state could not delete it.
    if (isDiskFull(error) && !isRetry) return await removeAnyway(core, request, sandbox, true);
    // If the store fails, the interface is still deleted by name; the lease waits for the next DEL.
    const failures = error.kind === 'state' ? await revertOrphan(core, request, sandbox) : [];
    return [error, ...failures];
  }
}

/** Like `deleteEndpoint`. The caller holds the lock, and the open sandbox if it still exists. */
export async function removeEndpoint(
  core: Core,
  request: RemovalRequest,
  sandbox: Namespace | undefined,
): Promise<NetError[]> {
  const { attachment, isForced } = request;
  const row = recordOf(core, request);
  if (request.when?.(row) === false) return [];
  // The path may lead to a new namespace by now; a namespace's identity is never reused.
  const isSame = row === undefined || row.sandbox.id === sandbox?.id;
  using recorded = isSame ? undefined : recordedSandbox(core, row);
  const same = isSame ? sandbox : recorded;
  // From here on the record says that the endpoint may be partly deleted. A full disk does not stop the removal.
  const errors = row?.progress === 'ready' ? attempted(() => markIntent(core, row)) : [];
  const delegate = delegateOf(core, request, row);
  // A DHCP client releases its lease over the link, so it runs first. Other plugins release after the link is deleted.
  const release = async (from: DelegateSource): Promise<void> =>
    void errors.push(...seriousOf(core, attachment, await released(from, row), isForced));
  if (delegate?.type === 'dhcp') await release(delegate);
  const plugged = await pluggedOf(core, request, row);
  const undo = (): Promise<NetError[]> => undoPart(core, request, row, same);
  const isPatient = request.isHurried !== true && row !== undefined;
  const failures = plugged === undefined ? await undo() : await unplug(core, plugged, undo, isPatient);
  errors.push(...(plugged === undefined ? failures : seriousOf(core, attachment, failures, isForced)));
  core.mark?.('kernel');
  if (delegate !== undefined && delegate.type !== 'dhcp') await release(delegate);
  errors.push(...(await deleteLostEntries(core, row, request)));
  if (errors.length === 0) errors.push(...attempted(() => forget(core, request, row)));
  else if (errors.every(isDiskFull) && isLeftBehind(core, row)) errors.length = 0;
  core.mark?.('commit');
  errors.push(...(await removeUnusedNetwork(core, attachment.network)));
  const unused = await removeUnusedPlugged(core, attachment.network, request.isHurried !== true);
  errors.push(...seriousOf(core, attachment, unused, isForced));
  core.mark?.('network');
  return errors;
}

/**
 * Leaves the record of an endpoint that is gone to the next use of the state (`catchUp`), by the counter beside the
 * database: to count takes no space. False if nothing would find that the endpoint is gone.
 */
function isLeftBehind({ changes, log }: Core, row: Endpoint | undefined): boolean {
  if (row?.progress !== 'ready' || hostIfOf(row) === undefined) return false;
  const failures = attempted(() => changes.write(changes.read() + 1));
  if (failures.length === 0) log.warn('record.left', { container: row.attachment.containerId });
  return failures.length === 0;
}

function revertOrphan(core: Core, request: RemovalRequest, sandbox: Namespace | undefined): Promise<NetError[]> {
  const { host } = core;
  const namespaces = sandbox === undefined ? { host: host.own } : { host: host.own, sandbox };
  return reverse(core, orphanUndo(core, request, sandbox), namespaces);
}

function markIntent({ store }: Core, row: Endpoint): void {
  store.transaction(() => store.endpoints.put({ ...row, progress: 'intent' }));
}

function forget(core: Core, request: RemovalRequest, row: Endpoint | undefined): void {
  const { store } = core;
  const { source, role } = request;
  store.transaction(() => {
    if (request.isForced) deleteRemoteEndpoint(store.notes, request.attachment);
    // Before the leases are released: they say what the endpoint has in the cluster.
    if (row !== undefined) deleteRecord(store, row);
    if (source?.kind === 'local') source.release(store);
    if (row === undefined) {
      if (!hasOtherClaimer(store, request.attachment, role)) store.ports.release(request.attachment);
      // A broken row reads as undefined in `row`.
      store.endpoints.delete(request.attachment, role);
    }
    countChange(core);
  });
}

/** True if another part of the attachment may claim ports. */
function hasOtherClaimer({ endpoints }: LocalStore, attachment: Attachment, role: Role): boolean {
  return CLAIMERS.some((other) => {
    const part = other === role ? undefined : endpoints.get(attachment, other);
    return part !== undefined && claimsPorts(part);
  });
}

/** The record of an attachment. Includes a recalled one whose alias had no room for the container id. */
function recordOf({ store }: Core, { attachment, role }: RemovalRequest): Endpoint | undefined {
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

/** The foreign IPAM plugin that ADD recorded, else that of the configuration. */
function delegateOf(core: Core, request: RemovalRequest, row: Endpoint | undefined): DelegateSource | undefined {
  const given = request.source?.kind === 'delegate' ? request.source : undefined;
  if (row === undefined) return given;
  const recorded = row.kind === 'cni' || row.kind === 'lone' ? row.delegate : undefined;
  if (recorded === undefined || recorded.type === given?.type) return recorded && given;
  return core.delegate(recorded.type, recorded.config, request.attachment, request.netns);
}

/**
 * Releases the delegate's addresses. Without a record, ignores a delegate that is not installed or has an invalid name:
 * no lease is known.
 */
async function released(delegate: DelegateSource, row: Endpoint | undefined): Promise<NetError[]> {
  try {
    await delegate.release();
    return [];
  } catch (thrown) {
    const error = asNetError(thrown, 'DEL');
    return row === undefined && ['bad-environment', 'invalid-config'].includes(error.kind) ? [] : [error];
  }
}

/**
 * The sandbox of a part that is in it alone, where the caller names none (CNI_NETNS is empty) or another;
 * undefined if it is gone, and the part with it.
 */
function recordedSandbox(core: Core, row: Endpoint): Namespace | undefined {
  // dockerd made this namespace, so its id is not on record. The alias of the interface identifies the attachment.
  if (isOffered(row)) return openIfThere(core, row.netns ?? '');
  if (row.kind !== 'lone' && row.kind !== 'sbr' && row.kind !== 'vrf') return undefined;
  using stack = new DisposableStack();
  const opened = openIfThere(core, row.sandbox.path);
  if (opened === undefined) return undefined;
  stack.use(opened);
  if (opened.id !== row.sandbox.id) return undefined;
  stack.move();
  return opened;
}

/** Opens the sandbox; undefined if its path no longer leads to a network namespace. Throws if that is unknown. */
export function openIfThere(core: Core, path: string): Namespace | undefined {
  if (path === '') return undefined;
  try {
    return core.host.open(path);
  } catch (thrown) {
    if (isNoNamespace(thrown)) return undefined;
    throw thrown;
  }
}
