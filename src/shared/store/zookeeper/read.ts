import type { Entry } from '../cluster/cluster-store.ts';
import type { Connection } from './connection.ts';
import type { Head } from './head.ts';
import type { Node } from './library.ts';
import { decode, directoryName, type Paths, type Place } from './paths.ts';

/** An entry and its node. */
export interface Held extends Place {
  readonly entry: Entry;
  /** Of the node's data. */
  readonly dataVersion: number;
}

/** What a change is about, as it was after the commit `head`. */
export interface Known {
  readonly head: Head;
  readonly held: ReadonlyMap<string, Held>;
  /** Places below the prefixes that have to be empty. */
  readonly below: readonly Place[];
  /** Entries of each directory that exists. */
  readonly sizes: ReadonlyMap<string, number>;
}

/**
 * Where entries below the prefix are. Without their values: one call for each directory. Undefined: somebody deleted the
 * cluster's own nodes.
 */
export async function placesBelow(connection: Connection, paths: Paths, prefix: string): Promise<Place[] | undefined> {
  const [listed, bound] = await Promise.all([connection.list(paths.keys), boundKeys(connection, paths)]);
  if (listed === undefined || bound === undefined) return undefined;
  const meant = listed.names.flatMap((encoded) => {
    const name = decode(encoded);
    return name !== undefined && (name.startsWith(prefix) || prefix.startsWith(name)) ? name : [];
  });
  const lists = await Promise.all(
    meant.map(async (directory) => {
      const listed = await connection.list(paths.directory(directory));
      return (listed?.names ?? []).map((name) => directory + (decode(name) ?? ''));
    }),
  );
  const isMeant = (key: string): boolean => key.startsWith(prefix);
  return [
    ...lists
      .flat()
      .filter(isMeant)
      .map((key) => paths.lasting(key)),
    ...bound.filter(isMeant).map((key) => paths.bound(key)),
  ];
}

/** Keys of the entries that go with a session; undefined as of `placesBelow`. */
export async function boundKeys(
  connection: Connection,
  { sessions }: Paths,
  watcher?: () => void,
): Promise<string[] | undefined> {
  const listed = await connection.list(sessions, watcher);
  return listed?.names.flatMap((name) => decode(name) ?? []);
}

/** The entries at these places; those that have gone meanwhile are left out. */
export async function readAll(connection: Connection, places: readonly Place[]): Promise<Map<string, Held>> {
  const nodes = await Promise.all(places.map(({ path }) => connection.read(path)));
  return new Map(
    places.flatMap((place, index) => {
      const node = nodes[index];
      return node === undefined ? [] : [[place.key, heldOf(place, node)] as const];
    }),
  );
}

/** The entries of these keys, wherever they are. */
export async function readKeys(
  connection: Connection,
  paths: Paths,
  keys: readonly string[],
): Promise<Map<string, Held>> {
  return await readAll(
    connection,
    keys.flatMap((key) => [paths.lasting(key), paths.bound(key)]),
  );
}

/** How many entries each of the keys' directories has; those that are not there are left out. */
export async function readSizes(
  connection: Connection,
  paths: Paths,
  keys: readonly string[],
): Promise<Map<string, number>> {
  const directories = [...new Set(keys.map(directoryName))];
  const stats = await Promise.all(directories.map((name) => connection.stat(paths.directory(name))));
  return new Map(
    directories.flatMap((name, index) => {
      const stat = stats[index];
      return stat === undefined ? [] : [[name, stat.children] as const];
    }),
  );
}

function heldOf(place: Place, { data, stat }: Node): Held {
  const entry = { key: place.key, value: data, version: stat.mzxid };
  const { session } = stat;
  return { ...place, entry: session === undefined ? entry : { ...entry, session }, dataVersion: stat.version };
}
