import { NetError } from '../../../src/shared/errors/net-error.ts';
import type { DockerNames } from './docker-names.ts';
import { shortId } from './ids.ts';

/** Data of an endpoint, with the endpoint's id. */
interface Owned {
  readonly id: string;
}

/** The same, with Docker's name for the endpoint's container. */
export type Named<T extends Owned> = T & { readonly container?: { readonly id: string; readonly name: string } };

export function withName<T extends Owned>(owned: T, { containers }: DockerNames): Named<T> {
  const container = containers.get(owned.id);
  return container === undefined ? owned : { ...owned, container };
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
