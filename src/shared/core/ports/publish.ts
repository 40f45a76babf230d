import type { PortMapping } from '../../config/port-mappings.ts';
import { planPorts, type Rules } from '../../drivers/rules.ts';
import { asNetError, type NetError } from '../../errors/net-error.ts';
import type { Attachment } from '../../model/attachment.ts';
import { type Endpoint, type PublishedFacts, publishedOf, standbyOf } from '../../model/endpoint.ts';
import { type FirewallBackend, formatPorts, type PublishedEntry, type RelayFacts } from '../../model/firewall.ts';
import { given } from '../../model/given.ts';
import type { LocalStore, PortClaim } from '../../store/store.ts';
import { attachmentKey } from '../apply.ts';
import type { Core } from '../core.ts';
import { execute } from '../execute.ts';

/**
 * Claims the host ports for the attachment. Throws NetError `conflict`, naming the holder. The caller runs it in a
 * transaction.
 */
export function claimPorts(store: LocalStore, { mappings }: Rules, owner: Attachment): void {
  store.ports.take(...mappings.map((mapping) => claimOf(mapping, owner)));
}

/** Logs that the part's ports are not relayed until a daemon runs. */
export function tellRelays({ held, log }: Core, { containerId }: Attachment, relays: readonly RelayFacts[]): void {
  if (held !== undefined || relays.length === 0) return;
  const what = '"proxy6to4" needs the daemon: connections from IPv6 are not carried before "isthmus serve" runs';
  log.error('relay.none', { container: containerId, what });
}

/** The host port that the mapping claims. */
export function claimOf({ protocol, hostPort, hostIp, family, count }: PortMapping, owner: Attachment): PortClaim {
  return {
    protocol,
    hostPort,
    ...given({ hostIp, family, count }),
    owner,
  };
}

/** The published ports of a part: those in force, and those on standby for another attachment of the container. */
export interface PublishedPorts {
  readonly published?: PublishedFacts;
  readonly standby?: PublishedFacts;
}

/**
 * Runtimes pass the same mappings to each network of a container (podman, nerdctl). The first attachment has them in
 * force, the others are on standby. The specification (§3) forbids parallel calls for one container.
 */
export function describePorts(
  store: LocalStore,
  { backend, mappings }: Pick<Rules, 'backend' | 'mappings'>,
  owner: Attachment,
  entries: readonly PublishedEntry[],
  relays: readonly RelayFacts[],
): PublishedPorts {
  return mappings.length === 0 ? {} : divide(store, owner, { backend, entries, relays });
}

function divide(
  store: LocalStore,
  owner: Attachment,
  { backend, entries, relays = [] }: PublishedFacts,
): PublishedPorts {
  const partners = store.ports.partners(owner).flatMap((partner) => publishersOf(store, partner));
  const inForce = partners.flatMap((part) => publishedOf(part) ?? []);
  const taken = new Set(
    inForce.flatMap((other) => [...other.entries.map(portOf), ...(other.relays ?? []).map(relayed)]),
  );
  const isTaken = (entry: PublishedEntry): boolean => taken.has(portOf(entry));
  const isRelayed = (relay: RelayFacts): boolean => taken.has(relayed(relay));
  const waiting = publishedFacts(backend, entries.filter(isTaken), relays.filter(isRelayed));
  return {
    published: publishedFacts(
      backend,
      entries.filter((entry) => !isTaken(entry)),
      relays.filter((relay) => !isRelayed(relay)),
    ),
    ...(isNothing(waiting) ? {} : { standby: waiting }),
  };
}

/** The facts; without relays, they have no list of them. */
export function publishedFacts(
  backend: FirewallBackend,
  entries: readonly PublishedEntry[],
  relays: readonly RelayFacts[],
): PublishedFacts {
  return { backend, entries, ...(relays.length === 0 ? {} : { relays }) };
}

function isNothing({ entries, relays = [] }: PublishedFacts): boolean {
  return entries.length + relays.length === 0;
}

/** Key of a relayed port. */
function relayed(relay: RelayFacts): string {
  const { protocol, hostIp = '', hostPort } = relay;
  return `relay ${protocol} ${hostIp} ${formatPorts(hostPort, relay)}`;
}

/**
 * Puts standby ports of the container's other attachments in force, once no attachment has them in force. The caller
 * holds none of their locks. Returns all failures.
 */
export async function promotePartners(core: Core, gone: Attachment): Promise<NetError[]> {
  const errors: NetError[] = [];
  for (const partner of core.store.ports.partners(gone)) {
    if (!publishersOf(core.store, partner).some((part) => standbyOf(part) !== undefined)) continue;
    try {
      using _lock = await core.lock(attachmentKey(partner));
      await promotePorts(core, partner);
    } catch (thrown) {
      errors.push(asNetError(thrown, 'DEL'));
    }
  }
  return errors;
}

/** Like `promotePartners`, for one attachment whose lock the caller holds. */
export async function promotePorts(core: Core, owner: Attachment): Promise<void> {
  const { host, store } = core;
  const parts = store.transaction(() =>
    publishersOf(store, owner).flatMap((part): PublishedFacts[] => {
      const standby = standbyOf(part);
      if (standby === undefined || part.progress !== 'ready' || !('standby' in part)) return [];
      const { published, standby: still } = divide(store, owner, standby);
      if (published === undefined || isNothing(published)) return [];
      const { standby: _, ...rest } = part;
      const entries = [...(part.published?.entries ?? []), ...published.entries];
      const waiting = still === undefined ? {} : { standby: still };
      const relays = [...(part.published?.relays ?? []), ...(published.relays ?? [])];
      store.endpoints.put({ ...rest, ...waiting, published: publishedFacts(standby.backend, entries, relays) });
      return [published];
    }),
  );
  core.held?.settle(store, owner);
  for (const { backend, entries } of parts) await execute(core, planPorts(backend, entries).ops, { host: host.own });
}

/** The parts of an attachment that publish ports: the interface's, or portmap's in a chain. */
function publishersOf(store: LocalStore, attachment: Attachment): Endpoint[] {
  return (['interface', 'portmap'] as const).flatMap((role) => store.endpoints.get(attachment, role) ?? []);
}

/** Key of what only one endpoint of a container can have: a port of the host, or one at the endpoint's address. */
function portOf(entry: PublishedEntry): string {
  if (entry.kind === 'direct') return `direct ${entry.protocol} ${entry.address} ${formatPorts(entry.port, entry)}`;
  const { protocol, hostIp = '', hostPort, address } = entry;
  return `${protocol} ${hostIp} ${formatPorts(hostPort, entry)} ${address.includes(':') ? 6 : 4}`;
}
