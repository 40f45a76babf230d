import type { DockerApi } from './api.ts';
import { dockerApiOf } from './api.ts';

/** The running container that has an endpoint, by EndpointID. */
export type ContainerNames = ReadonlyMap<string, { readonly id: string; readonly name: string }>;

/** A name is not worth a longer wait. */
const TIMEOUT_MS = 2000;

/** dockerd's running containers. Empty where there is no dockerd, or none that answers. */
export async function containerNames(api = apiOfThisHost()): Promise<ContainerNames> {
  const endpoints = await asked(api, (docker) => docker.containers());
  return new Map(endpoints.map((of) => [of.id, { id: of.containerId, name: of.containerName }] as const));
}

/** Names of dockerd's networks, by NetworkID. Empty where there is no dockerd, or none that answers. */
export async function networkNames(api = apiOfThisHost()): Promise<ReadonlyMap<string, string>> {
  const networks = await asked(api, (docker) => docker.networks());
  return new Map(networks.map(({ id, name }) => [id, name] as const));
}

/** Whoever only wants names starts no dockerd for them. */
async function asked<T>(
  api: DockerApi | undefined,
  question: (api: DockerApi) => Promise<readonly T[] | undefined>,
): Promise<readonly T[]> {
  if (api === undefined || !(await api.isRunning())) return [];
  return (await question(api).catch(() => undefined)) ?? [];
}

/** Throws NetError `bad-environment` where the environment names none that can be. */
function apiOfThisHost(): DockerApi | undefined {
  return dockerApiOf(process.env, TIMEOUT_MS);
}
