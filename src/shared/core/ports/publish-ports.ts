import type { PortMapping } from '../../config/port-mappings.ts';
import type { Addressing } from '../../drivers/driver.ts';
import { relaysOf } from '../../drivers/relays.ts';
import { planPorts, portEntries, type Rules } from '../../drivers/rules.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { Attachment } from '../../model/attachment.ts';
import { type Endpoint, type PortsPart, publishedOf } from '../../model/endpoint.ts';
import { entryKey, type PublishedEntry, type RelayFacts } from '../../model/firewall.ts';
import type { Op } from '../../model/op.ts';
import type { PortClaim } from '../../store/store.ts';
import { attachmentKey, transition } from '../apply.ts';
import type { Core } from '../core.ts';
import { removeAnyway } from '../endpoints/delete-endpoint.ts';
import { execute, reverse } from '../execute.ts';
import { ensureChainedRules } from '../networks/rules.ts';
import { chooseMappings, claimsOf, type Publisher } from './choose-mappings.ts';
import type { PortRequest } from './pick-ports.ts';
import { publishedFacts } from './publish.ts';
import { lookAtRequests, type RequestsSeen } from './scene.ts';
import { naming } from './seen.ts';

export type { PortRequest } from './pick-ports.ts';

const role = 'portmap';

/** An endpoint's ports in force, and its claims. */
interface Published {
  readonly row?: Endpoint;
  readonly entries: readonly PublishedEntry[];
  readonly claims: readonly PortClaim[];
}

/** The changes to make. */
interface Change {
  readonly mappings: readonly PortMapping[];
  readonly now: readonly PublishedEntry[];
  readonly gone: readonly PublishedEntry[];
  readonly fresh: readonly PublishedEntry[];
  readonly relays: readonly RelayFacts[];
}

/**
 * Publishes, claims and records exactly these ports of an offered endpoint, with the network entries that they need.
 * Does not touch a port that is already published and requested again; it keeps its host port. On an error, restores
 * the state before. A routed port is open at the endpoint's own address and has host port 0. Publishes nothing on an
 * internal network. Throws NetError `conflict` for a host port that another endpoint or a process has,
 * `unknown-container` if the endpoint was not offered, `invalid-config` for a publish address that the host does not
 * have or of a family that the endpoint lacks.
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
  const before = await publishedBefore(core, attachment, rules, wanted.length === 0);
  if (wanted.length === 0) return [];
  const publisher = { attachment, rules, addressing, ...before };
  const seen = await lookAtRequests(core, wanted, attachment);
  return await naming(core, seen, () => changePorts(core, endpoint, publisher, wanted, seen));
}

/** Publishes what `wanted` has and `publisher` lacks. The caller holds the attachment's lock. */
async function changePorts(
  core: Core,
  endpoint: Endpoint,
  publisher: Publisher & Published,
  wanted: readonly PortRequest[],
  seen: RequestsSeen,
): Promise<PortMapping[]> {
  const { attachment, rules, addressing, ...before } = publisher;
  const device = core.store.networks.get(attachment.network)?.device ?? '';
  let change: Change | undefined;
  const changed = (): Change => {
    if (change === undefined) throw new Error('a transition began without facts');
    return change;
  };
  await transition(core, 'ports', {
    begin: () => {
      const mappings = chooseMappings(core, publisher, wanted, seen);
      const wholly = { ...rules, mappings };
      const relays = relaysOf(wholly, addressing);
      change = { ...changeOf(before, portEntries(wholly, addressing, device), mappings), relays };
      if (isNothing(change, before)) return undefined;
      // Until the transition ends, both old and new entries may be in force.
      return { ...partOf(core, attachment, rules, [...change.now, ...change.gone], relays), progress: 'intent' };
    },
    apply: async () => {
      const { mappings, now, gone, fresh, relays } = changed();
      await ensureChainedRules(core, attachment.network, device, forPorts(rules, mappings), addressing);
      core.mark?.('network');
      const ops = [
        ...planPorts(rules.backend, gone).undo,
        ...hairpin(endpoint, rules),
        ...planPorts(rules.backend, fresh).ops,
      ];
      await execute(core, ops, { host: core.host.own });
      core.mark?.('kernel');
      return partOf(core, attachment, rules, now, relays);
    },
    commit: () => {
      const { mappings, gone } = changed();
      if (gone.length > 0) reclaim(core, attachment, claimsOf(mappings, attachment));
    },
    revert: () => revert(core, attachment, rules, changed(), before),
  });
  return [...changed().mappings];
}

/** Unpublishes all ports of the endpoint and releases their claims. Accepts absence; returns all failures. */
export async function unpublishPorts(core: Core, attachment: Attachment): Promise<NetError[]> {
  using _lock = await core.lock(attachmentKey(attachment));
  core.mark?.('lock');
  return await removePorts(core, attachment);
}

/** Like `unpublishPorts`; the caller holds the lock. */
export async function removePorts(core: Core, attachment: Attachment): Promise<NetError[]> {
  if (core.store.endpoints.get(attachment, role) === undefined) return [];
  return await removeAnyway(core, { attachment, role, netns: '', orphans: 'none' }, undefined);
}

/** The published state to start from. Removes an interrupted change, or everything if none of it can be kept. */
async function publishedBefore(core: Core, attachment: Attachment, rules: Rules, useless: boolean): Promise<Published> {
  const row = core.store.endpoints.get(attachment, role);
  const published = row === undefined ? undefined : publishedOf(row);
  const other = published !== undefined && published.backend !== rules.backend;
  if (row === undefined || useless || row.progress !== 'ready' || other) {
    const [failure] = await removePorts(core, attachment);
    if (failure !== undefined) throw failure;
    return { entries: [], claims: [] };
  }
  return { row, entries: published?.entries ?? [], claims: core.store.ports.list(attachment) };
}

function isNothing({ gone, fresh, relays }: Change, { row }: Published): boolean {
  if (row === undefined || gone.length + fresh.length > 0) return false;
  return JSON.stringify(publishedOf(row)?.relays ?? []) === JSON.stringify(relays);
}

function changeOf(
  { entries: old }: Published,
  now: readonly PublishedEntry[],
  mappings: readonly PortMapping[],
): Omit<Change, 'relays'> {
  const [there, wanted] = [old, now].map((entries) => new Map(entries.map((entry) => [keyOf(entry), entry])));
  return {
    mappings,
    now,
    gone: [...(there ?? [])].flatMap(([key, entry]) => (wanted?.has(key) ? [] : [entry])),
    fresh: [...(wanted ?? [])].flatMap(([key, entry]) => (there?.has(key) ? [] : [entry])),
  };
}

/** Like `entryKey`, for one kind: every call compares up to a thousand entries. */
function keyOf(entry: PublishedEntry): string {
  if (entry.kind !== 'port') return entryKey(entry);
  const { protocol, hostIp, hostPort, address, port, snat, masqAll, conditions, mark, count } = entry;
  return JSON.stringify([protocol, hostIp, hostPort, address, port, snat, masqAll, conditions, mark, count]);
}

function partOf(
  { host }: Core,
  attachment: Attachment,
  { backend }: Rules,
  entries: readonly PublishedEntry[],
  relays: readonly RelayFacts[],
): PortsPart {
  const sandbox = { path: '', id: host.own.id };
  const published = publishedFacts(backend, entries, relays);
  return { kind: 'ports', role, attachment, progress: 'ready', sandbox, published };
}

/**
 * Restores the state before. If that fails, the record keeps everything that may exist, for the next call to remove.
 */
async function revert(
  core: Core,
  attachment: Attachment,
  { backend }: Rules,
  { gone, fresh }: Change,
  { row, claims }: Published,
): Promise<NetError[]> {
  const { host, store } = core;
  const ops = [...planPorts(backend, fresh).undo, ...planPorts(backend, gone).ops];
  const failures = await reverse(core, ops, { host: host.own });
  if (failures.length > 0) return failures;
  store.transaction(() => {
    reclaim(core, attachment, claims);
    if (row === undefined) store.endpoints.delete(attachment, role);
    else store.endpoints.put(row);
  });
  return [];
}

function reclaim({ store }: Core, attachment: Attachment, claims: readonly PortClaim[]): void {
  store.ports.release(attachment);
  store.ports.take(...claims);
}

/** The network entries that published ports need; the endpoint's creation adds the others. */
function forPorts({ backend, options: { masquerade, ...options } }: Rules, mappings: readonly PortMapping[]): Rules {
  return { backend, options: { ...options, policy: 'open' }, mappings, admit: false };
}

/** Hairpin: a container may reach itself through an address of the host. */
function hairpin(endpoint: Endpoint, { options }: Rules): Op[] {
  const name = endpoint.kind === 'docker' ? endpoint.link?.hostIf : undefined;
  if (name === undefined || !options.ports.snat) return [];
  return [{ op: 'port.set', ns: 'host', name, set: { hairpin: true } }];
}

function unknownEndpoint({ containerId, network }: Attachment): NetError {
  return fault.unknownContainer(
    'ports',
    `endpoint ${containerId}`,
    `is not on network ${network}: there is no record of it`,
    'Connect the container to the network again',
  );
}

function withoutFilter({ network }: Attachment): NetError {
  return fault.invalidConfig(
    'ports',
    `network ${network}`,
    'it leaves the packet filter alone, and host ports need one',
    'Publish no ports on it, or give it a backend: nftables or iptables',
  );
}
