import type { DockerApi } from './api.ts';
import { dockerApiOf } from './api.ts';

/** The running container of an endpoint, by EndpointID. */
export type ContainerNames = ReadonlyMap<string, { readonly id: string; readonly name: string }>;

/** Names do not justify a longer wait. */
const TIMEOUT_MS = 2000;

/** dockerd's running containers. Empty if dockerd does not answer. */
export async function containerNames(api = apiOfThisHost()): Promise<ContainerNames> {
  const endpoints = await asked(api, (docker) => docker.containers());
  return new Map(endpoints.map((of) => [of.id, { id: of.containerId, name: of.containerName }] as const));
}

/** Names of dockerd's networks, by NetworkID. Empty if dockerd does not answer. */
export async function networkNames(api = apiOfThisHost()): Promise<ReadonlyMap<string, string>> {
  const networks = await asked(api, (docker) => docker.networks());
  return new Map(networks.map(({ id, name }) => [id, name] as const));
}

/** Looking up names must not start a dockerd. */
async function asked<T>(
  api: DockerApi | undefined,
  question: (api: DockerApi) => Promise<readonly T[] | undefined>,
): Promise<readonly T[]> {
  if (api === undefined || !(await api.isRunning())) return [];
  return (await question(api).catch(() => undefined)) ?? [];
}

/** Throws NetError `bad-environment` for an invalid environment. */
function apiOfThisHost(): DockerApi | undefined {
  return dockerApiOf(process.env, TIMEOUT_MS);
}
