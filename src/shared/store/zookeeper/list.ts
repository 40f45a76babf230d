import { fault } from '../../errors/fault.ts';
import type { Entry, KeyChange, Snapshot } from '../cluster/cluster-store.ts';
import type { Connection } from './connection.ts';
import { catchUp, ensureHead, type Head, readHead } from './head.ts';
import type { Library } from './library.ts';
import { type Logged, readLog } from './log.ts';
import type { Paths } from './paths.ts';
import { boundKeys, placesBelow, readAll } from './read.ts';

/** A new store gets its head first, and the log may lose what a slow list needs. */
const ATTEMPTS = 5;

export interface Listed {
  readonly snapshot: Snapshot;
  readonly head: Head;
}

/**
 * Returns the entries below the prefix, as they were after one commit: reads them one by one, then makes the changes
 * that were committed meanwhile.
 */
export async function list(connection: Connection, paths: Paths, library: Library, prefix: string): Promise<Listed> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    await catchUp(connection, paths);
    const head = await readHead(connection, paths);
    const listed = head && (await listAfter(connection, paths, prefix, head));
    if (listed !== undefined) return listed;
    await ensureHead(connection, paths, library);
  }
  throw fault.unavailable('list', `ZooKeeper ${paths.head}`, 'it goes or changes again and again', 'Who deletes it?');
}

/** Undefined: what changed meanwhile is not known. */
async function listAfter(
  connection: Connection,
  paths: Paths,
  prefix: string,
  first: Head,
): Promise<Listed | undefined> {
  const places = await placesBelow(connection, paths, prefix);
  if (places === undefined) return undefined;
  const read = await readAll(connection, places);
  const entries = new Map([...read].map(([key, { entry }]) => [key, entry]));
  for (let version = first.version; ; ) {
    const [head, names, after] = await Promise.all([
      readHead(connection, paths),
      boundKeys(connection, paths),
      readHead(connection, paths),
    ]);
    if (head === undefined || names === undefined || head.epoch !== first.epoch) return undefined;
    const missed = await readLogs(connection, paths, head.epoch, [version, head.version]);
    if (missed === undefined) return undefined;
    for (const change of missed.flatMap(({ changes }) => changes))
      if (change.key.startsWith(prefix)) put(entries, change);
    version = head.version;
    // A commit between the two might have replaced an entry of a session, which is then neither here nor there.
    if (after?.version !== version || after.epoch !== head.epoch) continue;
    const bound = new Set(names);
    for (const { key, session } of [...entries.values()])
      if (session !== undefined && !bound.has(key)) entries.delete(key);
    const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
    const { epoch, at } = head;
    return { snapshot: { entries: new Map(sorted), at, epoch }, head };
  }
}

/** The commits behind `from`, to `to`; undefined if the log lacks one. */
async function readLogs(
  connection: Connection,
  paths: Paths,
  epoch: string,
  [from, to]: readonly [from: number, to: number],
): Promise<Logged[] | undefined> {
  const versions = Array.from({ length: Math.max(0, to - from) }, (_, index) => from + 1 + index);
  const logs = await Promise.all(versions.map((version) => readLog(connection, paths, epoch, version)));
  const found = logs.flatMap((log) => log ?? []);
  return found.length === versions.length ? found : undefined;
}

function put(entries: Map<string, Entry>, change: KeyChange): void {
  if (change.kind === 'delete') return void entries.delete(change.key);
  const { kind: _, ...entry } = change;
  entries.set(change.key, entry);
}
