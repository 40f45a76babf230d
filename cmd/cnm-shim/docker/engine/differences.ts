import { type Attachment, sameAttachment } from '../../../../src/shared/model/attachment.ts';
import { dockerFactsOf, type Endpoint, hostIfOf } from '../../../../src/shared/model/endpoint.ts';
import type { DockerNetworkRow } from '../../../../src/shared/store/store.ts';
import type { DockerEndpoint, DockerNetwork } from './api-answers.ts';

/** What dockerd answered. */
export interface Look {
  /** Time of the first request, in milliseconds since the epoch. */
  readonly at: number;
  readonly networks: readonly DockerNetwork[];
  /** Endpoints by NetworkID, for the requested networks; `unknown` without an answer. */
  readonly endpoints: ReadonlyMap<string, readonly DockerEndpoint[] | 'unknown'>;
}

/** Our records, and the interfaces that the host has. */
export interface Records {
  readonly networks: readonly DockerNetworkRow[];
  /** Docker's endpoints, whatever their role. */
  readonly endpoints: readonly Endpoint[];
  readonly links: ReadonlySet<string>;
}

export interface Differences {
  /** Recorded networks that dockerd does not know. */
  readonly networks: readonly DockerNetworkRow[];
  /** Recorded endpoints that dockerd does not know. */
  readonly endpoints: readonly Attachment[];
  /** Networks of dockerd that are not recorded. */
  readonly lost: readonly DockerNetwork[];
  /** When something that is too young to be deleted is old enough; absent if nothing is. */
  readonly again?: number;
}

export interface Rules {
  /** Names under which dockerd knows this plugin. */
  readonly drivers: ReadonlySet<string>;
  /** In milliseconds. dockerd may not know anything younger yet, because it is still being created. */
  readonly grace: number;
  /** Time of creation, as far as known. */
  readonly since: (id: string, createdAt: number | undefined, at: number) => number;
}

/** True for a network that this plugin should have recorded. */
export function isOurs({ driver, scope, configOnly }: DockerNetwork, { drivers }: Pick<Rules, 'drivers'>): boolean {
  return drivers.has(driver) && scope === 'local' && !configOnly;
}

/** Compares the records with dockerd's answers. What is unknown is not a difference. */
export function differences(look: Look, records: Records, rules: Rules): Differences {
  const listed = new Set(look.networks.map(({ id }) => id));
  const known = new Set(records.networks.map(({ id }) => id));
  let again = Number.POSITIVE_INFINITY;
  const isOld = (id: string, createdAt: number | undefined): boolean => {
    const end = rules.since(id, createdAt, look.at) + rules.grace;
    if (end > look.at) again = Math.min(again, end);
    return end <= look.at;
  };
  const networks = records.networks.filter(({ id, createdAt }) => !listed.has(id) && isOld(id, createdAt));
  const endpoints = attachmentsOf(records.endpoints).filter((attachment) => {
    const rows = records.endpoints.filter((row) => sameAttachment(row.attachment, attachment));
    if (!isUnknown(look, attachment, rows, rules)) return false;
    const isGone = rows.some((row) => isLinkGone(row, records.links));
    return (
      isGone ||
      isOld(
        attachment.containerId,
        rows.map((row) => dockerFactsOf(row).createdAt).find((at) => at !== undefined),
      )
    );
  });
  const lost = look.networks.filter((network) => isOurs(network, rules) && !known.has(network.id));
  return { networks, endpoints, lost, ...(Number.isFinite(again) ? { again } : {}) };
}

/** The differences that two looks have in common, as the later look saw them. */
export function commonTo(first: Differences, second: Differences): Differences {
  return {
    ...second,
    networks: second.networks.filter(({ id }) => first.networks.some((other) => other.id === id)),
    endpoints: second.endpoints.filter((one) => first.endpoints.some((other) => sameAttachment(one, other))),
    lost: second.lost.filter(({ id }) => first.lost.some((other) => other.id === id)),
  };
}

export function isEmpty({ networks, endpoints, lost }: Differences): boolean {
  return networks.length + endpoints.length + lost.length === 0;
}

/** True if a complete endpoint's interface is gone from the host. */
export function isLinkGone(endpoint: Endpoint, links: ReadonlySet<string>): boolean {
  const hostIf = hostIfOf(endpoint);
  return endpoint.progress === 'ready' && hostIf !== undefined && !links.has(hostIf);
}

function attachmentsOf(rows: readonly Endpoint[]): Attachment[] {
  const found: Attachment[] = [];
  for (const { attachment } of rows) if (!found.some((one) => sameAttachment(one, attachment))) found.push(attachment);
  return found;
}

/** True if dockerd lacks the endpoint's network, or lists the network's endpoints without this one. */
function isUnknown(
  { networks, endpoints }: Look,
  { containerId }: Attachment,
  rows: readonly Endpoint[],
  rules: Rules,
): boolean {
  // A stand-in for the id cannot be compared.
  if (rows.some((row) => row.kind === 'recalled' && row.isCut)) return false;
  const isIn = (id: string): boolean | undefined => {
    const told = endpoints.get(id);
    return told === undefined || told === 'unknown' ? undefined : told.some((one) => one.id === containerId);
  };
  const of = rows.map((row) => dockerFactsOf(row).dockerNetwork).find((id) => id !== undefined);
  // dockerd lists a network before it creates endpoints on it.
  if (of !== undefined) return !networks.some(({ id }) => id === of) || isIn(of) === false;
  // Rebuilt from an interface, which does not name its Docker network: it may belong to any.
  return networks.filter((network) => isOurs(network, rules)).every(({ id }) => isIn(id) === false);
}
