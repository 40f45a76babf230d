import type { ClusterChange, Committed, Condition, Entry } from '../cluster/cluster-store.ts';
import { isDone, keysOf, wasReset } from '../cluster/limits.ts';
import type { Connection } from './connection.ts';
import { isRace } from './failures.ts';
import { type Head, readHead } from './head.ts';
import type { Op } from './library.ts';
import { trimLog } from './log.ts';
import type { Paths } from './paths.ts';
import { stepsOf } from './plan.ts';
import { type Known, placesBelow, readAll, readKeys, readSizes } from './read.ts';

/**
 * Tries to make the change. The head is read first and has to be the same in the transaction, so what is read behind it
 * is what the transaction is decided on. Undefined: somebody else committed meanwhile.
 */
export async function tryCommit(
  connection: Connection,
  paths: Paths,
  change: ClusterChange,
): Promise<Committed | undefined> {
  const known = await read(connection, paths, change);
  if (known === undefined) return undefined;
  const { head } = known;
  try {
    if (!change.compare.every((condition) => holds(condition, known)))
      return await refuse(connection, paths, change, known);
    const steps = stepsOf(paths, change, known);
    const at = await connection.apply(steps.length === 0 ? [same(paths, head)] : steps);
    void trimLog(connection, paths, head.epoch, head.version + 1).catch(() => {});
    return { done: true, found: [], at: at ?? head.at };
  } catch (error) {
    if (isRace(error)) return undefined;
    throw error;
  }
}

async function read(connection: Connection, paths: Paths, change: ClusterChange): Promise<Known | undefined> {
  const keys = keysOf(change);
  const prefixes = change.compare.flatMap((condition) => (condition.kind === 'empty' ? condition.prefix : []));
  const [head, held, sizes, ...below] = await Promise.all([
    readHead(connection, paths),
    readKeys(connection, paths, keys),
    readSizes(connection, paths, keys),
    ...prefixes.map((prefix) => placesBelow(connection, paths, prefix)),
  ]);
  if (head?.epoch !== change.epoch) throw wasReset(`ZooKeeper ${paths.root}`, change.epoch, head?.epoch);
  const places = below.flatMap((one) => one ?? []);
  return below.includes(undefined) ? undefined : { head, held, sizes, below: places };
}

function holds(condition: Condition, { held, below }: Known): boolean {
  if (condition.kind === 'empty') return !below.some(({ key }) => key.startsWith(condition.prefix));
  const entry = held.get(condition.key)?.entry;
  if (condition.kind === 'absent') return entry === undefined;
  return condition.kind === 'version' ? entry?.version === condition.version : entry?.value === condition.value;
}

/** What is in the way, which the leader has confirmed: a member may be late. */
async function refuse(
  connection: Connection,
  paths: Paths,
  change: ClusterChange,
  { head, held, below }: Known,
): Promise<Committed | undefined> {
  const firsts = change.compare.flatMap((condition) => {
    const place = condition.kind === 'empty' && below.find(({ key }) => key.startsWith(condition.prefix));
    return place ? [place] : [];
  });
  const more = await readAll(connection, firsts);
  await connection.apply([same(paths, head)]);
  const { at } = head;
  const entries = new Map<string, Entry>([...held, ...more].map(([key, { entry }]) => [key, entry]));
  if (isDone(change, new Map([...held].map(([key, { entry }]) => [key, entry])))) return { done: true, found: [], at };
  // An entry of a session ends without a commit.
  if (more.size < new Set(firsts.map(({ key }) => key)).size) return undefined;
  return { done: false, found: [...entries.values()], at };
}

const same = ({ head: path }: Paths, { version }: Head): Op => ({ kind: 'check', path, version });
