import type { Core } from '../../../../src/shared/core/core.ts';
import { dockerFactsOf, type Endpoint } from '../../../../src/shared/model/endpoint.ts';
import type { DockerApi } from './api.ts';
import type { DockerEndpoint, DockerNetwork } from './api-answers.ts';
import type { Look, Records } from './differences.ts';

/**
 * Asks dockerd for its networks and for the endpoints of the `wanted` ones. Undefined if no dockerd listens. Rejects
 * with NetError if dockerd does not list its networks. The caller must hold no lock.
 */
export async function lookAtDocker(
  api: DockerApi,
  wanted: (network: DockerNetwork) => boolean,
  signal: AbortSignal,
): Promise<Look | undefined> {
  const at = Date.now();
  const networks = await api.networks(signal);
  if (networks === undefined) return undefined;
  const endpoints = new Map<string, readonly DockerEndpoint[] | 'unknown'>();
  for (const { id } of networks.filter(wanted)) {
    // Skip a network that cannot be inspected, and go on with the others.
    const told = await api.endpoints(id, signal).catch(() => undefined);
    signal.throwIfAborted();
    endpoints.set(id, told ?? 'unknown');
  }
  return { at, networks, endpoints };
}

/** Docker's records, and the host's interfaces if there are endpoints to compare with them. */
export function readRecords({ host, store }: Core): Records {
  const endpoints = store.endpoints.list().filter(isDockers);
  const links = endpoints.length === 0 ? [] : host.observe(host.own, { links: 'all' }).links.keys();
  return { networks: store.dockerNetworks.list(), endpoints, links: new Set(links) };
}

/** The Docker networks with recorded endpoints; undefined if an endpoint may belong to any. */
export function networksToAsk({ endpoints }: Records): ReadonlySet<string> | undefined {
  if (endpoints.some(isUnclaimed)) return undefined;
  return new Set(endpoints.flatMap((endpoint) => dockerFactsOf(endpoint).dockerNetwork ?? []));
}

function isDockers({ attachment }: Endpoint): boolean {
  return attachment.camp === 'cnm';
}

/** True for a Docker endpoint that was rebuilt from its interface: its Docker network is unknown. */
export function isUnclaimed(row: Endpoint): boolean {
  return isDockers(row) && row.role === 'interface' && dockerFactsOf(row).dockerNetwork === undefined;
}
