import type { PortMapping } from '../../config/port-mappings.ts';
import type { Addressing } from '../../drivers/driver.ts';
import { planPorts, portEntries, type Rules } from '../../drivers/rules.ts';
import { asNetError, NetError } from '../../errors/net-error.ts';
import type { Attachment } from '../../model/attachment.ts';
import { entryKey, type PublishedEntry } from '../../model/firewall.ts';
import type { Op, Plan } from '../../model/op.ts';
import type { EndpointRow, PortClaim } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { attachmentKey, removeAnyway } from '../endpoints/delete-endpoint.ts';
import { execute, reverse } from '../execute.ts';
import { ensureChainedRules } from '../networks/rules.ts';
import { chooseMappings, claimsOf, type Publisher } from './choose-mappings.ts';
import type { PortRequest } from './pick-ports.ts';

export type { PortRequest } from './pick-ports.ts';

const role = 'portmap';

/** What is in force of an endpoint's ports, and what is claimed for them. */
interface Published {
  readonly row?: EndpointRow;
  readonly entries: readonly PublishedEntry[];
  readonly claims: readonly PortClaim[];
}

/** What is to be done. */
interface Change {
  readonly mappings: readonly PortMapping[];
  readonly whole: Plan;
  readonly gone: readonly PublishedEntry[];
  readonly fresh: readonly PublishedEntry[];
}

/**
 * Exactly these ports of an offered endpoint are published, claimed and on record, with what its network needs for
 * them. What was published already and is asked for again is not touched and keeps its host port. After an error all is
 * as it was. A port that is routed is open at the endpoint's own address and has the host port 0; of an internal network
 * none is published. Throws NetError `conflict` for a host port that another endpoint or a process has,
 * `unknown-container` where the endpoint has not been offered, `invalid-config` for an address to publish on that is not
 * the host's, or of a family that the endpoint has not.
 */
export async function publishPorts(
  core: Core,
  attachment: Attachment,
  rules: Rules,
  addressing: Addressing,
  requests: readonly PortRequest[],
): Promise<PortMapping[]> {
  using _lock = await core.lock(attachmentKey(attachment));
  core.mark?.('lock');
  const endpoint = core.store.endpoints.get(attachment, 'interface');
  if (endpoint?.progress !== 'ready') throw unknownEndpoint(attachment);
  const wanted = rules.options.policy === 'internal' ? [] : requests;
  if (wanted.length > 0 && rules.backend === 'none') throw withoutFilter(attachment);
  const device = core.store.networks.get(attachment.network)?.device ?? '';
  const before = await publishedBefore(core, attachment, rules, wanted.length === 0);
  if (wanted.length === 0) return [];
  const change = begin(core, { attachment, rules, addressing, ...before }, device, wanted, before);
  core.mark?.('ports');
  const { mappings, gone, fresh } = change;
  if (isNothing(change, before)) return [...mappings];
  try {
    await ensureChainedRules(core, attachment.network, device, forPorts(rules, mappings), addressing);
    core.mark?.('network');
    const ops = [
      ...planPorts(rules.backend, gone).undo,
      ...hairpin(endpoint, rules),
      ...planPorts(rules.backend, fresh).ops,
    ];
    await execute(core, ops, { host: core.host.own });
    core.mark?.('kernel');
    commit(core, attachment, change);
    core.mark?.('commit');
  } catch (thrown) {
    const error = asNetError(thrown, 'ports');
    await restore(core, attachment, rules, change, before);
    throw error;
  }
  return [...mappings];
}

/** No port of the endpoint is published, and none is claimed. Absence is success; all that fails is returned. */
export async function unpublishPorts(core: Core, attachment: Attachment): Promise<NetError[]> {
  using _lock = await core.lock(attachmentKey(attachment));
  core.mark?.('lock');
  return await withdrawPorts(core, attachment);
}

/** As unpublishPorts, for a caller that holds the lock. */
export async function withdrawPorts(core: Core, attachment: Attachment): Promise<NetError[]> {
  if (core.store.endpoints.get(attachment, role) === undefined) return [];
  return await removeAnyway(core, { attachment, role, netns: '', orphans: 'none', guarded: false }, undefined);
}

/** What can be built on. Half of a change that died is taken back, and all of it where it is of no use any more. */
async function publishedBefore(core: Core, attachment: Attachment, rules: Rules, useless: boolean): Promise<Published> {
  const row = core.store.endpoints.get(attachment, role);
  const deletions = row?.plan.undo.flatMap((op) => (op.op === 'firewall.delete' ? [op] : [])) ?? [];
  if (useless || row?.progress !== 'ready' || deletions.some(({ backend }) => backend !== rules.backend)) {
    const [failure] = await withdrawPorts(core, attachment);
    if (failure !== undefined) throw failure;
    return { entries: [], claims: [] };
  }
  const entries = deletions.flatMap(({ entries: all }) => all.filter((entry) => isPublished(entry)));
  return { row, entries, claims: core.store.ports.list(attachment) };
}

function isPublished(entry: { readonly kind: string }): entry is PublishedEntry {
  return entry.kind === 'port' || entry.kind === 'direct';
}

/** Host ports are chosen and claimed, and on record is what takes back both what there was and what comes. */
function begin(
  core: Core,
  publisher: Publisher,
  device: string,
  requests: readonly PortRequest[],
  before: Published,
): Change {
  const { attachment, rules, addressing, entries: old } = publisher;
  const { store } = core;
  return store.transaction(() => {
    const mappings = chooseMappings(core, publisher, requests);
    const entries = portEntries({ ...rules, mappings }, addressing, device);
    const change = changeOf(rules, old, entries, mappings);
    if (isNothing(change, before)) return change;
    const { undo } = planPorts(rules.backend, [...entries, ...change.gone]);
    store.endpoints.put({ ...rowOf(core, attachment, { ops: [], undo }), progress: 'intent' });
    return change;
  });
}

function isNothing({ gone, fresh }: Change, { row }: Published): boolean {
  return row !== undefined && gone.length + fresh.length === 0;
}

function changeOf(
  { backend }: Rules,
  old: readonly PublishedEntry[],
  now: readonly PublishedEntry[],
  mappings: readonly PortMapping[],
): Change {
  const [there, wanted] = [old, now].map((entries) => new Map(entries.map((entry) => [keyOf(entry), entry])));
  return {
    mappings,
    // The undo tells what is published; the same once more as Ops would double a record that may be long.
    whole: { ops: [], undo: planPorts(backend, now).undo },
    gone: [...(there ?? [])].flatMap(([key, entry]) => (wanted?.has(key) ? [] : [entry])),
    fresh: [...(wanted ?? [])].flatMap(([key, entry]) => (there?.has(key) ? [] : [entry])),
  };
}

/** As entryKey, for one kind: a hundred ports are compared in every call. */
function keyOf(entry: PublishedEntry): string {
  if (entry.kind !== 'port') return entryKey(entry);
  const { protocol, hostIp, hostPort, address, port, snat, masqAll, conditions, mark } = entry;
  return JSON.stringify([protocol, hostIp, hostPort, address, port, snat, masqAll, conditions, mark]);
}

function rowOf({ host, owner }: Core, attachment: Attachment, plan: Plan): EndpointRow {
  const sandbox = { path: '', id: host.own.id };
  return { attachment, role, progress: 'ready', owner, sandbox, hostIf: '', plan, claimsPorts: true };
}

function commit(core: Core, attachment: Attachment, { whole, mappings, gone }: Change): void {
  const { store } = core;
  store.transaction(() => {
    if (gone.length > 0) {
      reclaim(core, attachment, claimsOf(mappings, attachment));
    }
    store.endpoints.put(rowOf(core, attachment, whole));
  });
}

/** All is as it was; where that fails too, the record keeps all there may be, for the next call to take back. */
async function restore(
  core: Core,
  attachment: Attachment,
  { backend }: Rules,
  { gone, fresh }: Change,
  { row, claims }: Published,
): Promise<void> {
  const { host, store } = core;
  const ops = [...planPorts(backend, fresh).undo, ...planPorts(backend, gone).ops];
  const failures = await reverse(core, ops, { host: host.own });
  for (const failure of failures) core.log.warn('reverse.failed', { error: failure.message });
  if (failures.length > 0) return;
  try {
    store.transaction(() => {
      reclaim(core, attachment, claims);
      if (row === undefined) store.endpoints.delete(attachment, role);
      else store.endpoints.put(row);
    });
  } catch (thrown) {
    core.log.warn('reverse.failed', { error: asNetError(thrown, 'ports').message });
  }
}

function reclaim({ store }: Core, attachment: Attachment, claims: readonly PortClaim[]): void {
  store.ports.release(attachment);
  for (const claim of claims) store.ports.take(claim);
}

/** What the network needs because of published ports; the rest came with the endpoint. */
function forPorts({ backend, options: { masquerade, ...options } }: Rules, mappings: readonly PortMapping[]): Rules {
  return { backend, options: { ...options, policy: 'open' }, mappings, admit: false };
}

/** A container may come back to itself by an address of the host. */
function hairpin({ plan, hostIf: name }: EndpointRow, { options }: Rules): Op[] {
  const isPort = plan.ops.some((op) => op.op === 'link.create' && op.name === name && op.master !== undefined);
  return isPort && options.ports.snat ? [{ op: 'port.set', ns: 'host', name, set: { hairpin: true } }] : [];
}

function unknownEndpoint({ containerId, network }: Attachment): NetError {
  return new NetError({
    kind: 'unknown-container',
    op: 'ports',
    subject: `endpoint ${containerId}`,
    what: `is not on network ${network}: there is no record of it`,
    hint: 'Connect the container to the network again',
  });
}

function withoutFilter({ network }: Attachment): NetError {
  return new NetError({
    kind: 'invalid-config',
    op: 'ports',
    subject: `network ${network}`,
    what: 'it leaves the packet filter alone, and host ports need one',
    hint: 'Publish no ports on it, or give it a backend: nftables or iptables',
  });
}
