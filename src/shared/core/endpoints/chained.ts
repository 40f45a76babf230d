import { asNetError, NetError } from '../../errors/net-error.ts';
import type { Namespace } from '../../host/host.ts';
import { type Attachment, attachmentDigest, type Role } from '../../model/attachment.ts';
import type { Plan } from '../../model/op.ts';
import type { EndpointRow, LocalStore } from '../../store/store.ts';
import { assertOther } from '../ambient.ts';
import type { Core } from '../core.ts';
import { execute } from '../execute.ts';
import type { RemovalRequest } from '../requests.ts';
import { findOpsDrift } from '../verify-ops.ts';
import { attachmentKey, deleteEndpoint, removeEndpoint } from './delete-endpoint.ts';

/** The part of an attachment that one plugin of a chain owns. */
export interface ChainedPart {
  readonly attachment: Attachment;
  readonly role: Role;
}

export interface ChainedRequest extends ChainedPart {
  readonly netns: string;
  /** True lets the sandbox be the host's own namespace (CNI_NETNS_OVERRIDE). Default false. */
  readonly ownNamespace?: boolean;
  /** What this part consists of, from what is seen once the attachment is locked and leftovers are gone. */
  plan(sandbox: Namespace): Plan;
  /** What of it waits for another attachment of the container; asked for after `plan`. */
  readonly standby?: () => Pick<EndpointRow, 'standby'>;
  /** Makes what the network needs for it, once the record keeps the network from being taken away. */
  readonly ensure?: () => Promise<void>;
  /** What has to be stored together with the record; it throws where the request cannot be granted. */
  readonly claim?: (store: LocalStore) => void;
  /** True where `claim` takes host ports, which go with the record. */
  readonly claimsPorts?: boolean;
}

/**
 * The part is there and on record: either all of it, or after an error none. What an ADD that died has left of it, or
 * an earlier sandbox of the same name, is removed first. Throws NetError `exists` where it is there already.
 */
export async function addChained(core: Core, request: ChainedRequest): Promise<void> {
  const { host, store } = core;
  const { netns, ownNamespace = false } = request;
  using sandbox = host.open(netns);
  assertOther(host, sandbox, { netns, ownNamespace });
  using _lock = await core.lock(attachmentKey(request.attachment));
  core.mark?.('lock');
  await clearWay(core, request, sandbox);
  const row = rowOf(core, request, sandbox);
  store.transaction(() => {
    request.claim?.(store);
    store.endpoints.put(row);
  });
  try {
    await request.ensure?.();
    core.mark?.('network');
    await execute(core, row.plan.ops, { host: host.own, sandbox });
    core.mark?.('kernel');
    store.transaction(() => store.endpoints.put({ ...row, progress: 'ready' }));
  } catch (thrown) {
    const error = asNetError(thrown, 'ADD');
    for (const failure of await removed(core, request, sandbox)) {
      core.log.warn('reverse.failed', { error: failure.message });
    }
    throw error;
  }
}

/** Nothing of the part is left: its record is run backwards. Absence is success; all that fails is returned. */
export function deleteChained(core: Core, part: ChainedPart, netns: string): Promise<NetError[]> {
  return deleteEndpoint(core, removalOf(part, netns));
}

/** Throws NetError `drift` for the first step of the record that the kernel or the packet filter no longer shows. */
export async function checkChained(core: Core, { attachment, role }: ChainedPart, netns: string): Promise<void> {
  const { host, store } = core;
  using sandbox = host.open(netns);
  const row = store.endpoints.get(attachment, role);
  if (row === undefined || row.progress !== 'ready') throw drift(attachment, `has no record of ${role}`);
  if (row.sandbox.id !== sandbox.id) throw drift(attachment, `was attached in another namespace than ${netns}`);
  const found = await findOpsDrift(core, row.plan.ops, { host: host.own, sandbox });
  if (found !== undefined) throw found;
}

export interface ChainedGarbage {
  readonly camp: Attachment['camp'];
  readonly network: string;
  readonly role: Role;
  /** Attachments that are alive. */
  readonly keep: readonly Attachment[];
}

/** Of this role only parts of attachments in `keep` are left on the network. Returns all that failed. */
export async function collectChained(core: Core, garbage: ChainedGarbage): Promise<NetError[]> {
  const { camp, network, role, keep } = garbage;
  const alive = new Set(keep.map(attachmentDigest));
  const errors: NetError[] = [];
  for (const row of core.store.endpoints.list(network)) {
    if (row.role !== role || row.attachment.camp !== camp || alive.has(attachmentDigest(row.attachment))) continue;
    errors.push(...(await deleteChained(core, row, row.sandbox.path)));
  }
  return errors;
}

function rowOf(core: Core, request: ChainedRequest, sandbox: Namespace): EndpointRow {
  const { attachment, role, netns, claimsPorts } = request;
  return {
    attachment,
    role,
    progress: 'intent',
    owner: core.owner,
    sandbox: { path: netns, id: sandbox.id },
    hostIf: '',
    plan: request.plan(sandbox),
    ...request.standby?.(),
    ...(claimsPorts === true ? { claimsPorts } : {}),
  };
}

async function clearWay(core: Core, request: ChainedRequest, sandbox: Namespace): Promise<void> {
  const { attachment, role } = request;
  const row = core.store.endpoints.get(attachment, role);
  if (row === undefined) return;
  const same = row.sandbox.id === sandbox.id;
  if (row.progress === 'ready' && same) throw alreadyThere(request);
  const [failure] = await removed(core, request, same ? sandbox : undefined);
  if (failure !== undefined) throw failure;
}

async function removed(core: Core, request: ChainedRequest, sandbox: Namespace | undefined): Promise<NetError[]> {
  try {
    return await removeEndpoint(core, removalOf(request, request.netns), sandbox);
  } catch (thrown) {
    return [asNetError(thrown, 'ADD')];
  }
}

function removalOf({ attachment, role }: ChainedPart, netns: string): RemovalRequest {
  return { attachment, role, netns, orphans: 'none', guarded: false };
}

function alreadyThere({ attachment, role }: ChainedRequest): NetError {
  return new NetError({
    kind: 'exists',
    op: 'ADD',
    subject: `container ${attachment.containerId} interface ${attachment.ifName}`,
    what: `already has ${role} on network ${attachment.network}`,
    hint: 'Call DEL first',
  });
}

function drift({ containerId, ifName }: Attachment, what: string): NetError {
  const subject = `container ${containerId} interface ${ifName}`;
  return new NetError({ kind: 'drift', op: 'CHECK', subject, what, hint: 'Run DEL, then ADD' });
}
