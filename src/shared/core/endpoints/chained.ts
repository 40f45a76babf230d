import type { TuningFacts } from '../../drivers/tuning/tuning.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { Namespace } from '../../host/host.ts';
import { type Attachment, attachmentText, type Role } from '../../model/attachment.ts';
import type { ChainedPart, DeviceRules, ShapingFacts, ZoneFacts } from '../../model/endpoint.ts';
import { given } from '../../model/given.ts';
import type { Op } from '../../model/op.ts';
import type { SbrFacts, VrfFacts } from '../../model/routing-facts.ts';
import type { LocalStore } from '../../store/store.ts';
import { assertOther } from '../ambient.ts';
import { attachmentKey, transition } from '../apply.ts';
import type { Core } from '../core.ts';
import { desired } from '../desired.ts';
import { firstDrift } from '../diff.ts';
import { execute } from '../execute.ts';
import { forgetMacs } from '../known-macs.ts';
import type { PublishedPorts } from '../ports/publish.ts';
import type { RemovalRequest } from '../requests.ts';
import { deleteEndpoint, removeEndpoint } from './delete-endpoint.ts';

/** Identity of the part of an attachment that one plugin of a chain owns. */
export interface ChainedIdentity {
  readonly attachment: Attachment;
  readonly role: Role;
  /** RemovalRequest.when. */
  readonly when?: RemovalRequest['when'];
}

export interface ChainedRequest extends ChainedIdentity {
  readonly netns: string;
  /** True lets the sandbox be the host's own namespace (CNI_NETNS_OVERRIDE). Default false. */
  readonly ownNamespace?: boolean;
  /** Returns the facts of this part, once the attachment is locked and leftovers are removed. */
  describe(sandbox: Namespace): PartFacts;
  /**
   * Creates what the network needs for the part. Runs after the part is on record, which keeps the network from being
   * deleted.
   */
  readonly ensure?: () => Promise<void>;
  /** The same, after the part's own steps. */
  readonly ensureLast?: () => Promise<void>;
  /** Looks at the host, before `describe`. */
  readonly look?: () => Promise<void>;
  /** Writes to the store in the transaction of the record; throws if the request cannot be granted. */
  readonly claim?: (store: LocalStore) => void;
}

/** The facts that the plugin decides. */
export type PartFacts =
  | ({ readonly kind: 'ports'; readonly rules?: DeviceRules } & PublishedPorts)
  | { readonly kind: 'firewall'; readonly zone?: ZoneFacts; readonly rules?: DeviceRules }
  | { readonly kind: 'bandwidth'; readonly shaping: ShapingFacts }
  | ({ readonly kind: 'tuning' } & TuningFacts)
  | { readonly kind: 'sbr'; readonly sbr: SbrFacts }
  | { readonly kind: 'vrf'; readonly vrf: VrfFacts };

/**
 * Creates and records the part, all or nothing. Removes first what a dead ADD, or an earlier sandbox of the same name,
 * left. Throws NetError `exists` if the part exists.
 */
export async function addChained(core: Core, request: ChainedRequest): Promise<void> {
  const { netns, ownNamespace = false, attachment } = request;
  using sandbox = core.host.open(netns);
  assertOther(core.host, sandbox, { netns, ownNamespace });
  using _lock = await core.lock(attachmentKey(attachment));
  core.mark?.('lock');
  await clearWay(core, request, sandbox);
  await request.look?.();
  let part: ChainedPart | undefined;
  await transition(core, 'ADD', {
    begin: (store) => {
      request.claim?.(store);
      part = partOf(core, request, sandbox);
      // Neighbours may then know the interface's addresses by this MAC.
      if (part.kind === 'tuning' && part.wanted.link.mac !== undefined) forgetMacs(store, bridgeOf(store, attachment));
      return part;
    },
    apply: async () => {
      if (part === undefined) throw new Error('a transition began without facts');
      await request.ensure?.();
      core.mark?.('network');
      await execute(core, [...desired(part).ops, ...announcementOf(core.store, part)], {
        host: core.host.own,
        sandbox,
      });
      core.mark?.('kernel');
      await request.ensureLast?.();
      return part;
    },
    revert: () => removeEndpoint(core, removalOf(request, netns), sandbox),
  });
}

/** Deletes the part by its record. Accepts absence; returns all failures. */
export function deleteChained(core: Core, part: ChainedIdentity, netns: string): Promise<NetError[]> {
  return deleteEndpoint(core, removalOf(part, netns));
}

/** Throws NetError `drift` for the first step of the record that the kernel or the packet filter lacks. */
export async function checkChained(core: Core, { attachment, role }: ChainedIdentity, netns: string): Promise<void> {
  const { host, store } = core;
  using sandbox = host.open(netns);
  const row = store.endpoints.get(attachment, role);
  if (row === undefined || row.progress !== 'ready') throw drift(attachment, `has no record of ${role}`);
  if (row.sandbox.id !== sandbox.id) throw drift(attachment, `was attached in another namespace than ${netns}`);
  const found = await firstDrift(core, desired(row).ops, { host: host.own, sandbox });
  if (found !== undefined) throw found;
}

export interface ChainedGarbage {
  readonly camp: Attachment['camp'];
  readonly network: string;
  readonly role: Role;
  /** Live attachments. */
  readonly keep: readonly Attachment[];
}

/** Deletes the parts of this role on the network whose attachment is not in `keep`. Returns all failures. */
export async function collectChained(core: Core, garbage: ChainedGarbage): Promise<NetError[]> {
  const { camp, network, role, keep } = garbage;
  const alive = new Set(keep.map(attachmentText));
  const errors: NetError[] = [];
  for (const row of core.store.endpoints.list(network)) {
    if (row.role !== role || row.attachment.camp !== camp || alive.has(attachmentText(row.attachment))) continue;
    errors.push(...(await deleteChained(core, row, row.sandbox.path)));
  }
  return errors;
}

function partOf(
  { stamp, store }: Core,
  { attachment, netns, ...request }: ChainedRequest,
  sandbox: Namespace,
): ChainedPart {
  const facts = request.describe(sandbox);
  const place = { path: netns, id: sandbox.id };
  const part = { attachment, progress: 'intent', sandbox: place, ...given({ stamp }) } as const;
  switch (facts.kind) {
    case 'ports':
      return { ...part, role: 'portmap', ...facts };
    case 'firewall':
      return { ...part, role: 'firewall', ...facts };
    case 'bandwidth':
      return { ...part, role: 'bandwidth', ...facts };
    case 'sbr':
      return { ...part, role: 'sbr', ...facts };
    case 'vrf':
      return { ...part, role: 'vrf', ...facts };
    case 'tuning':
      return { ...part, role: 'tuning', ...facts, ...given({ guardedPort: guardedPort(store, attachment) }) };
  }
}

/** Announces the IPv6 addresses with the MAC that the part sets; the kernel does so for IPv4 (`arp_notify`). */
function announcementOf({ endpoints }: LocalStore, part: ChainedPart): Op[] {
  const { attachment } = part;
  const mac = part.kind === 'tuning' ? part.wanted.link.mac : undefined;
  const row = mac === undefined ? undefined : endpoints.get(attachment, 'interface');
  if (mac === undefined || row?.kind !== 'cni' || !row.inside.up) return [];
  const addresses = row.inside.addresses.map(({ address }) => address.replace(/\/.*/, ''));
  const ofV6 = addresses.filter((address) => address.includes(':'));
  if (ofV6.length === 0) return [];
  return [{ op: 'announce', ns: 'sandbox', dev: attachment.ifName, mac, addresses: ofV6 }];
}

/** The bridge of the attachment's own endpoint; empty without one. */
function bridgeOf({ endpoints }: LocalStore, attachment: Attachment): string {
  const row = endpoints.get(attachment, 'interface');
  return (row?.kind === 'cni' ? row.link.bridge : undefined) ?? '';
}

/** The bridge port of the attachment's own endpoint, if it is guarded. */
function guardedPort({ endpoints }: LocalStore, attachment: Attachment): string | undefined {
  const row = endpoints.get(attachment, 'interface');
  if (row?.kind !== 'cni') return undefined;
  const { hostIf, guarded, spoofGuard } = row.link;
  return guarded || spoofGuard ? hostIf : undefined;
}

async function clearWay(core: Core, request: ChainedRequest, sandbox: Namespace): Promise<void> {
  const { attachment, role } = request;
  const row = core.store.endpoints.get(attachment, role);
  if (row === undefined) return;
  const same = row.sandbox.id === sandbox.id;
  if (row.progress === 'ready' && same) throw alreadyThere(request);
  const [failure] = await removeEndpoint(core, removalOf(request, request.netns), same ? sandbox : undefined);
  if (failure !== undefined) throw failure;
}

function removalOf({ attachment, role, when }: ChainedIdentity, netns: string): RemovalRequest {
  return { attachment, role, netns, orphans: 'none', ...given({ when }) };
}

function alreadyThere({ attachment, role }: ChainedRequest): NetError {
  return fault.exists(
    'ADD',
    `container ${attachment.containerId} interface ${attachment.ifName}`,
    `already has ${role} on network ${attachment.network}`,
    'Call DEL first',
  );
}

function drift({ containerId, ifName }: Attachment, what: string): NetError {
  const subject = `container ${containerId} interface ${ifName}`;
  return fault.drift('CHECK', subject, what, 'Run DEL, then ADD');
}
