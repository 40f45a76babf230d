import type { Core } from '../../../../src/shared/core/core.ts';
import { dockerFactsOf, type Endpoint } from '../../../../src/shared/model/endpoint.ts';
import type { DockerApi } from './api.ts';
import type { DockerEndpoint, DockerNetwork } from './api-answers.ts';
import type { Look, Records } from './differences.ts';

/**
 * What dockerd tells now: its networks, and the endpoints of those that are `wanted`. Undefined where no dockerd listens.
 * Rejects with NetError where it does not tell of its networks. The caller holds no lock.
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
    // One that cannot be looked at is left alone; the others are not.
    const told = await api.endpoints(id, signal).catch(() => undefined);
    signal.throwIfAborted();
    endpoints.set(id, told ?? 'unknown');
  }
  return { at, networks, endpoints };
}

/** What is on record of Docker's, and the interfaces of the host where an endpoint is to be compared with them. */
export function readRecords({ host, store }: Core): Records {
  const endpoints = store.endpoints.list().filter(isDockers);
  const links = endpoints.length === 0 ? [] : host.observe(host.own, { links: 'all' }).links.keys();
  return { networks: store.dockerNetworks.list(), endpoints, links: new Set(links) };
}

/** The Docker networks that have endpoints on record; undefined where an endpoint may be on any. */
export function networksToAsk({ endpoints }: Records): ReadonlySet<string> | undefined {
  if (endpoints.some(isUnclaimed)) return undefined;
  return new Set(endpoints.flatMap((endpoint) => dockerFactsOf(endpoint).dockerNetwork ?? []));
}

function isDockers({ attachment }: Endpoint): boolean {
  return attachment.camp === 'cnm';
}

/** True for one of Docker's endpoints that was rebuilt from its interface: its Docker network is not known. */
export function isUnclaimed(row: Endpoint): boolean {
  return isDockers(row) && row.role === 'interface' && dockerFactsOf(row).dockerNetwork === undefined;
}
