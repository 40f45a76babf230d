import type { Core } from '../../../src/shared/core/core.ts';
import type { NetworkNames } from '../../../src/shared/ops/networks.ts';
import { type ContainerNames, containerNames, networkNames } from '../docker/engine/names.ts';

/** Docker's names for things that we know by id; empty without a dockerd. */
export interface DockerNames {
  /** By EndpointID. */
  readonly containers: ContainerNames;
  readonly networks: NetworkNames;
}

/** Asks dockerd for its names, unless none of its networks is ours. */
export async function dockerNames({ store }: Core): Promise<DockerNames> {
  if (store.dockerNetworks.list().length === 0) return { containers: new Map(), networks: new Map() };
  const [containers, networks] = await Promise.all([containerNames(), networkNames()]);
  return { containers, networks };
}
