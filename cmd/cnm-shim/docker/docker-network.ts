import type { Core } from '../../../src/shared/core/core.ts';
import { createNetwork } from '../../../src/shared/core/networks/create-network.ts';
import { deleteNetwork } from '../../../src/shared/core/networks/delete-network.ts';
import { explainOverlay } from '../../../src/shared/core/networks/overlay-failure.ts';
import { unusePools } from '../../../src/shared/core/pools/pools.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import { type Attachment, sameAttachment } from '../../../src/shared/model/attachment.ts';
import { dockerFactsOf } from '../../../src/shared/model/endpoint.ts';
import type { NetworkHolder } from '../../../src/shared/model/owned.ts';
import { formatPrefix } from '../../../src/shared/model/prefix.ts';
import { listListedEndpoints } from '../../../src/shared/store/listed-endpoints.ts';
import type { DockerNetworkRow, LocalStore } from '../../../src/shared/store/store.ts';
import { removeEndpoint } from './docker-endpoint.ts';
import { shortId } from './network-options.ts';
import { ownName, planNetwork } from './network-plan.ts';
import type { CreateNetworkRequest, IpamData } from './wire/messages.ts';

/**
 * Records the Docker network and creates its Network in the kernel, durably. Idempotent. Reverts everything on failure.
 */
export async function createDockerNetwork(core: Core, request: CreateNetworkRequest, now: number): Promise<void> {
  const text = requestText(request);
  if (isThere(core.store, request, text)) return;
  using during = new DisposableStack();
  const { name, spec, row, takePools } = await planNetwork(core, request, now, during);
  core.mark?.('plan');
  const creating = createNetwork(core, {
    name,
    holder: holderOf(request.networkId),
    spec,
    inTransaction: (store) => {
      // Another identical call may have finished meanwhile.
      if (isThere(store, request, text)) return;
      takePools(store);
      store.dockerNetworks.put({ ...row, request: text });
    },
  });
  const { options } = spec;
  await creating.catch((thrown: unknown) => {
    throw options.driver === 'overlay' ? explainOverlay(core.host, name, options, thrown) : thrown;
  });
  if (options.driver === 'overlay') await core.cluster?.mirror(name);
}

/** Deletes the Docker network, except for what others share. Accepts absence. Returns all failures. */
export async function deleteDockerNetwork(core: Core, id: string): Promise<NetError[]> {
  const { store } = core;
  const row = store.dockerNetworks.get(id);
  if (row === undefined) return [];
  const errors: NetError[] = [];
  // dockerd calls this when it has no endpoint on the network, so it no longer knows the endpoints that remain.
  for (const attachment of endpointsOf(store, row)) errors.push(...(await removeEndpoint(core, attachment)));
  core.mark?.('endpoints');
  // A remaining endpoint keeps its network, so the next call finds both.
  if (errors.length > 0) return errors;
  return await deleteNetwork(core, row.network, holderOf(id), (records) => {
    records.dockerNetworks.delete(id);
    // Usually a no-op: dockerd releases its pools first. If it failed to, this is the last chance.
    unusePools(records, id);
  });
}

/** The endpoints of one Docker network; others may share its Network. */
function endpointsOf(store: LocalStore, { id, network }: DockerNetworkRow): Attachment[] {
  // A record rebuilt from the kernel does not name its Docker network. Only one has this name.
  const isAlone = network === ownName(id);
  const own = store.endpoints.list(network).filter((endpoint) => {
    const { dockerNetwork = isAlone ? id : '' } = dockerFactsOf(endpoint);
    return endpoint.attachment.camp === 'cnm' && endpoint.role === 'interface' && dockerNetwork === id;
  });
  const listed = listListedEndpoints(store.notes).filter(({ dockerNetwork }) => dockerNetwork === id);
  const all = [...own, ...listed].map(({ attachment }) => attachment);
  return all.filter((one, i) => all.findIndex((other) => sameAttachment(one, other)) === i);
}

export function holderOf(id: string): NetworkHolder {
  return { kind: 'docker', id };
}

function isThere(store: LocalStore, { networkId }: CreateNetworkRequest, text: string): boolean {
  const known = store.dockerNetworks.get(networkId);
  if (known === undefined) return false;
  if (known.request === text) return true;
  throw fault.conflict(
    'create',
    `network ${shortId(networkId)}`,
    'it exists already with other options',
    'Remove it first: docker network rm',
  );
}

/** The request in canonical form: equal requests give equal text. Its pools tell its families, and Docker may be renewed. */
function requestText(whole: CreateNetworkRequest): string {
  const { networkId: _id, enableIPv4: _4, enableIPv6: _6, completes: _version, ...request } = whole;
  const data = ({ addressSpace, pool, gateway, auxAddresses }: IpamData) => ({
    addressSpace,
    pool: formatPrefix(pool),
    gateway: gateway === undefined ? '' : formatPrefix(gateway),
    aux: Object.fromEntries(Object.entries(auxAddresses).map(([key, value]) => [key, formatPrefix(value)])),
  });
  return sortedJson({ ...request, ipv4: request.ipv4.map(data), ipv6: request.ipv6.map(data) });
}

function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
