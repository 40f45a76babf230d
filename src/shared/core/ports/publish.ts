import type { PortMapping } from '../../config/port-mappings.ts';
import { planPorts, type Rules } from '../../drivers/rules.ts';
import { asNetError, type NetError } from '../../errors/net-error.ts';
import type { Attachment } from '../../model/attachment.ts';
import { type Endpoint, type PublishedFacts, publishedOf, standbyOf } from '../../model/endpoint.ts';
import { type FirewallBackend, formatPorts, type PublishedEntry } from '../../model/firewall.ts';
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
  for (const mapping of mappings) store.ports.take(claimOf(mapping, owner));
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
): PublishedPorts {
  return mappings.length === 0 ? {} : divide(store, backend, owner, entries);
}

function divide(
  store: LocalStore,
  backend: FirewallBackend,
  owner: Attachment,
  entries: readonly PublishedEntry[],
): PublishedPorts {
  const partners = store.ports.partners(owner).flatMap((partner) => publishersOf(store, partner));
  const taken = new Set(partners.flatMap((part) => publishedOf(part)?.entries.map(portOf) ?? []));
  const waiting = entries.filter((entry) => taken.has(portOf(entry)));
  return {
    published: { backend, entries: entries.filter((entry) => !waiting.includes(entry)) },
    ...(waiting.length === 0 ? {} : { standby: { backend, entries: waiting } }),
  };
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
      const { published, standby: still } = divide(store, standby.backend, owner, standby.entries);
      if (published === undefined || published.entries.length === 0) return [];
      const { standby: _, ...rest } = part;
      const entries = [...(part.published?.entries ?? []), ...published.entries];
      const waiting = still === undefined ? {} : { standby: still };
      store.endpoints.put({ ...rest, ...waiting, published: { backend: standby.backend, entries } });
      return [published];
    }),
  );
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
