import { NetError } from '../../../../src/shared/errors/net-error.ts';
import { given } from '../../../../src/shared/model/given.ts';
import type { Environment } from '../../../../src/shared/runtime/environment.ts';
import type { TextMap } from '../wire/messages.ts';
import type { DockerApi } from './api.ts';
import { dockerApiOf } from './api.ts';
import type { DockerNetwork } from './api-answers.ts';

/** A container of dockerd. */
export interface DockerContainer {
  readonly id: string;
  readonly name: string;
  readonly labels: TextMap;
}

/** The running container of an endpoint, by EndpointID. */
export type ContainerNames = ReadonlyMap<string, DockerContainer>;

/** Names do not justify a longer wait. */
const TIMEOUT_MS = 2000;

/** dockerd's running containers. Empty if dockerd does not answer. */
export async function containerNames(api = apiOfThisHost()): Promise<ContainerNames> {
  const endpoints = await asked(api, (docker) => docker.containers());
  return new Map(
    endpoints.map((of) => [of.id, { id: of.containerId, name: of.containerName, labels: of.labels }] as const),
  );
}

/** dockerd's networks. Empty if dockerd does not answer. */
export function networksNow(api = apiOfThisHost()): Promise<readonly DockerNetwork[]> {
  return asked(api, (docker) => docker.networks());
}

/** The container of dockerd that `text` names, running or not: by its name or the beginning of its id. */
export async function containerCalled(text: string, api = apiOfThisHost()): Promise<string | undefined> {
  const all = await asked(api, (docker) => docker.allContainers());
  return all.find(({ id, name }) => name === text || (text.length >= 4 && id.startsWith(text)))?.name;
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

/** What we call a container's endpoint or a Docker network in a message. */
const ENDPOINT = /Docker endpoint ([0-9a-f]{12})\b/g;
const NETWORK = /(?:network docker-|Docker network )([0-9a-f]{12})\b/g;

/** Milliseconds that an error waits for names. */
const PATIENCE_MS = 500;

/**
 * Replaces ids of endpoints and networks in the error by the names of containers and networks. Asks dockerd: its lists
 * need no lock that it holds while it waits for our answer. The caller must hold no lock of ours. Keeps the ids if
 * dockerd does not answer soon.
 */
export async function inDockersWords(error: NetError, env: Environment): Promise<NetError> {
  const { kind, op, subject, what, hint, errno, reason } = error;
  const text = [subject, what, hint].join();
  if (text.search(ENDPOINT) < 0 && text.search(NETWORK) < 0) return error;
  const api = dockerApiOf(env, PATIENCE_MS);
  const [known, networks] = await Promise.all([
    text.search(ENDPOINT) < 0 ? [] : asked(api, (docker) => docker.containers()),
    text.search(NETWORK) < 0 ? [] : asked(api, (docker) => docker.networks()),
  ]);
  const say = (part: string): string =>
    part
      .replace(ENDPOINT, (same, id) => {
        const container = known.find((one) => one.id.startsWith(id));
        return container === undefined ? same : `container ${container.containerName}`;
      })
      .replace(NETWORK, (_, id) => `network ${networks.find((one) => one.id.startsWith(id))?.name ?? id}`);
  const said = { subject: say(subject), what: say(what), hint: say(hint) };
  return new NetError({ kind, op, ...said, reason, ...given({ errno }), cause: error });
}
