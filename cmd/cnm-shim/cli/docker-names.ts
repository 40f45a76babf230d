import { type ContainerNames, containerNames, networkNames } from '../docker/names.ts';

/** What Docker calls things that we know by ids; nothing where there is no dockerd. */
export interface DockerNames {
  /** By EndpointID. */
  readonly containers: ContainerNames;
  /** By NetworkID. */
  readonly networks: ReadonlyMap<string, string>;
}

/** What dockerd says now. */
export async function dockerNames(): Promise<DockerNames> {
  const [containers, networks] = await Promise.all([containerNames(), networkNames()]);
  return { containers, networks };
}
