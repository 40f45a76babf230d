import type { Core } from '../../../src/shared/core/core.ts';
import { NetError } from '../../../src/shared/errors/net-error.ts';
import { given } from '../../../src/shared/model/given.ts';
import type { NetworkNames } from '../../../src/shared/ops/networks.ts';
import { type ContainerNames, containerNames, type DockerContainer, networksNow } from '../docker/engine/names.ts';
import type { TextMap } from '../docker/wire/messages.ts';

/** Docker's names for things that we know by id; empty without a dockerd. */
export interface DockerNames {
  /** By EndpointID. */
  readonly containers: ContainerNames;
  readonly networks: NetworkNames;
  /** Labels of networks, by NetworkID. */
  readonly labels: ReadonlyMap<string, TextMap>;
}

/** Asks dockerd for its names, unless none of its networks is ours. */
export async function dockerNames({ store }: Core): Promise<DockerNames> {
  if (store.dockerNetworks.list().length === 0) {
    return { containers: new Map(), networks: new Map(), labels: new Map() };
  }
  const [containers, networks] = await Promise.all([containerNames(), networksNow()]);
  return {
    containers,
    networks: new Map(networks.map(({ id, name }) => [id, name] as const)),
    labels: new Map(networks.map(({ id, labels }) => [id, labels] as const)),
  };
}

/** Digits of an id that docker shows. */
const SHORT = 12;

/** An id as docker shows it. Keeps short ids and ids that are not hexadecimal. */
export function shortId(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, SHORT) : id;
}

/** Data of an endpoint, with the endpoint's id. */
interface Owned {
  readonly id: string;
}

/** The same, with Docker's name for the endpoint's container. */
export type Named<T extends Owned> = T & {
  readonly container?: DockerContainer;
  /** Docker's name of the network, if that is another one. */
  readonly dockerName?: string;
};

export function withName<T extends Owned & { readonly network: string }>(
  owned: T,
  { containers, networks }: DockerNames,
): Named<T> {
  const container = containers.get(owned.id);
  const dockerName = ownName(owned.network, networks);
  return { ...owned, ...given({ container, dockerName }) };
}

/** Docker's name of a Network that only one Docker network uses: `docker-` and the beginning of its id. */
export function ownName(network: string, networks: DockerNames['networks']): string | undefined {
  const [, id] = /^docker-([0-9a-f]{12})$/.exec(network) ?? [];
  return id === undefined ? undefined : [...networks].find(([whole]) => whole.startsWith(id))?.[1];
}

/** The network's name for people. */
export function networkOf({ dockerName, network }: Named<Owned & { readonly network: string }>): string {
  return dockerName ?? network;
}

/** The container's name for people. */
export function titleOf({ container, id }: Named<Owned>): string {
  return container?.name ?? shortId(id);
}

/**
 * Selects from `all` the items of the container that `text` names: by its Docker name, its id, the id of an endpoint,
 * or an id prefix. Throws NetError `unknown-container` if none matches, `conflict` if the prefix fits several
 * containers.
 */
export function ofContainer<T extends Owned>(all: readonly Named<T>[], text: string): Named<T>[] {
  const exact = all.filter(({ container, id }) => [container?.name, container?.id, id].includes(text));
  if (exact.length > 0) return exact;
  const found = text === '' ? [] : all.filter((owned) => idsOf(owned).some((id) => id.startsWith(text)));
  const owners = new Map(found.map((owned) => [owned.container?.id ?? owned.id, titleOf(owned)]));
  if (owners.size === 1) return found;
  const [kind, what, hint] =
    owners.size === 0
      ? (['unknown-container', 'there is no container of this name or id', LIST] as const)
      : (['conflict', `ids of ${owners.size} containers begin so: ${formatSome(owners)}`, 'Give more of it'] as const);
  throw new NetError({ kind, op: 'container', subject: text === '' ? '""' : text, what, hint });
}

const LIST = 'isthmus endpoint ls shows those that have endpoints';
/** Most matches that an error lists. */
const NAMED = 5;

function formatSome(owners: ReadonlyMap<string, string>): string {
  const titles = [...owners.values()];
  const more = titles.length > NAMED ? ` and ${titles.length - NAMED} more` : '';
  return `${titles.slice(0, NAMED).join(', ')}${more}`;
}

function idsOf({ container, id }: Named<Owned>): string[] {
  return container === undefined ? [id] : [id, container.id];
}
