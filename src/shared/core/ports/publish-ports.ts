import type { PortMapping } from '../../config/port-mappings.ts';
import type { Addressing } from '../../drivers/driver.ts';
import { planPorts, portEntries, type Rules } from '../../drivers/rules.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { Attachment } from '../../model/attachment.ts';
import { type Endpoint, type PortsPart, publishedOf } from '../../model/endpoint.ts';
import { entryKey, type PublishedEntry } from '../../model/firewall.ts';
import type { Op } from '../../model/op.ts';
import type { PortClaim } from '../../store/store.ts';
import { attachmentKey, transition } from '../apply.ts';
import type { Core } from '../core.ts';
import { removeAnyway } from '../endpoints/delete-endpoint.ts';
import { execute, reverse } from '../execute.ts';
import { ensureChainedRules } from '../networks/rules.ts';
import { chooseMappings, claimsOf } from './choose-mappings.ts';
import type { PortRequest } from './pick-ports.ts';

export type { PortRequest } from './pick-ports.ts';

const role = 'portmap';

/** What is in force of an endpoint's ports, and what is claimed for them. */
interface Published {
  readonly row?: Endpoint;
  readonly entries: readonly PublishedEntry[];
  readonly claims: readonly PortClaim[];
}

/** What is to be done. */
interface Change {
  readonly mappings: readonly PortMapping[];
  readonly now: readonly PublishedEntry[];
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
  let change: Change | undefined;
  const changed = (): Change => {
    if (change === undefined) throw new Error('a transition began without facts');
    return change;
  };
  await transition(core, 'ports', {
    begin: () => {
      const mappings = chooseMappings(core, { attachment, rules, addressing, ...before }, wanted);
      change = changeOf(before, portEntries({ ...rules, mappings }, addressing, device), mappings);
      if (isNothing(change, before)) return undefined;
      // Until the end there may be any of what was and what will be.
      return { ...partOf(core, attachment, rules, [...change.now, ...change.gone]), progress: 'intent' };
    },
    apply: async () => {
      const { mappings, now, gone, fresh } = changed();
      await ensureChainedRules(core, attachment.network, device, forPorts(rules, mappings), addressing);
      core.mark?.('network');
      const ops = [
        ...planPorts(rules.backend, gone).undo,
        ...hairpin(endpoint, rules),
        ...planPorts(rules.backend, fresh).ops,
      ];
      await execute(core, ops, { host: core.host.own });
      core.mark?.('kernel');
      return partOf(core, attachment, rules, now);
    },
    commit: () => {
      const { mappings, gone } = changed();
      if (gone.length > 0) reclaim(core, attachment, claimsOf(mappings, attachment));
    },
    revert: () => revert(core, attachment, rules, changed(), before),
  });
  return [...changed().mappings];
}

/** No port of the endpoint is published, and none is claimed. Absence is success; all that fails is returned. */
export async function unpublishPorts(core: Core, attachment: Attachment): Promise<NetError[]> {
  using _lock = await core.lock(attachmentKey(attachment));
  core.mark?.('lock');
  return await removePorts(core, attachment);
}

/** As unpublishPorts, for a caller that holds the lock. */
export async function removePorts(core: Core, attachment: Attachment): Promise<NetError[]> {
  if (core.store.endpoints.get(attachment, role) === undefined) return [];
  return await removeAnyway(core, { attachment, role, netns: '', orphans: 'none', guarded: false }, undefined);
}

/** What can be built on. Half of a change that died is removed, and all of it where it is of no use any more. */
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

function isNothing({ gone, fresh }: Change, { row }: Published): boolean {
  return row !== undefined && gone.length + fresh.length === 0;
}

function changeOf(
  { entries: old }: Published,
  now: readonly PublishedEntry[],
  mappings: readonly PortMapping[],
): Change {
  const [there, wanted] = [old, now].map((entries) => new Map(entries.map((entry) => [keyOf(entry), entry])));
  return {
    mappings,
    now,
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

function partOf(
  { host }: Core,
  attachment: Attachment,
  { backend }: Rules,
  entries: readonly PublishedEntry[],
): PortsPart {
  const sandbox = { path: '', id: host.own.id };
  return { kind: 'ports', role, attachment, progress: 'ready', sandbox, published: { backend, entries } };
}

/** All is as it was; where that fails too, the record keeps all there may be, for the next call to remove. */
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
  for (const claim of claims) store.ports.take(claim);
}

/** What the network needs because of published ports; the rest came with the endpoint. */
function forPorts({ backend, options: { masquerade, ...options } }: Rules, mappings: readonly PortMapping[]): Rules {
  return { backend, options: { ...options, policy: 'open' }, mappings, admit: false };
}

/** A container may come back to itself by an address of the host. */
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
