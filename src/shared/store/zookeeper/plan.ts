import { fault } from '../../errors/fault.ts';
import type { ClusterChange, Put } from '../cluster/cluster-store.ts';
import type { Op } from './library.ts';
import { formatLog } from './log.ts';
import { directoryName, type Paths } from './paths.ts';
import type { Held, Known } from './read.ts';

/** Entries of one directory: the addresses of 1,000 endpoints with two families. */
export const MOST_ENTRIES = 2_000;
/** Bytes of a transaction: members close the connection at 1 MiB (`jute.maxbuffer`). */
export const MOST_BYTES = 1_000_000;
/** Of a step beside its path and data, at most. */
const STEP_BYTES = 100;

/**
 * The steps that make the change; none if it changes nothing. Throws NetError `exhausted` or `unsupported` for more than
 * ZooKeeper takes.
 */
export function stepsOf(paths: Paths, change: ClusterChange, known: Known): Op[] {
  const { head, held } = known;
  const { put = [], compare } = change;
  const deleted = (change.delete ?? []).flatMap((key) => held.get(key) ?? []);
  if (put.length + deleted.length === 0) return [];
  const changed = new Set([...put.map(({ key }) => key), ...deleted.map(({ key }) => key)]);
  const { before, after } = directorySteps(paths, put, deleted, known);
  const steps: Op[] = [
    { kind: 'set', path: paths.head, data: head.epoch, version: head.version },
    // An entry of a session ends without a commit, so the head does not tell.
    ...compare.flatMap((condition): Op[] => {
      const found = condition.kind === 'empty' ? undefined : held.get(condition.key);
      if (found?.entry.session === undefined || changed.has(found.key)) return [];
      return [{ kind: 'check', path: found.path, version: found.dataVersion }];
    }),
    ...deleted.map(remove),
    ...before,
    ...put.flatMap((one) => putSteps(paths, one, held.get(one.key))),
    ...after,
    {
      kind: 'create',
      path: paths.logOf(head.epoch, head.version + 1),
      data: formatLog(
        put,
        deleted.map(({ key }) => key),
      ),
    },
  ];
  assertFits(steps, [...changed][0] ?? '');
  return steps;
}

/** A node keeps its session, or having none, for life. */
function putSteps(paths: Paths, { key, value, session }: Put, found: Held | undefined): Op[] {
  const { path } = session === undefined ? paths.lasting(key) : paths.bound(key);
  const create: Op = { kind: 'create', path, data: value, isEphemeral: session !== undefined };
  if (found === undefined) return [create];
  if (found.entry.session === session?.id) return [{ kind: 'set', path, data: value, version: versionOf(found) }];
  return [remove(found), create];
}

const remove = (found: Held): Op => ({ kind: 'delete', path: found.path, version: versionOf(found) });

/** Entries without session change with the head only. */
const versionOf = ({ entry, dataVersion }: Held): number => (entry.session === undefined ? -1 : dataVersion);

/** Creates directories that are missing, deletes those that become empty. */
function directorySteps(
  paths: Paths,
  put: readonly Put[],
  deleted: readonly Held[],
  { held, sizes }: Known,
): { readonly before: Op[]; readonly after: Op[] } {
  const changes = new Map<string, number>();
  const count = (key: string, by: number): void => {
    const name = directoryName(key);
    changes.set(name, (changes.get(name) ?? 0) + by);
  };
  for (const { key, session } of put) {
    const found = held.get(key);
    const was = found !== undefined && found.entry.session === undefined;
    if (session === undefined && !was) count(key, 1);
    else if (session !== undefined && was) count(key, -1);
    else if (session === undefined) count(key, 0);
  }
  for (const { key, entry } of deleted) if (entry.session === undefined) count(key, -1);
  const before: Op[] = [];
  const after: Op[] = [];
  for (const [name, by] of changes) {
    const size = sizes.get(name);
    if (by > 0 && (size ?? 0) + by > MOST_ENTRIES) throw full(name);
    if (size === undefined && by >= 0) before.push({ kind: 'create', path: paths.directory(name), data: '' });
    if (size !== undefined && size + by === 0) after.push({ kind: 'delete', path: paths.directory(name), version: -1 });
  }
  return { before, after };
}

function full(name: string): Error {
  return fault.exhausted(
    'commit',
    `ZooKeeper ${name}`,
    `it has ${MOST_ENTRIES} entries, which is the most that one network can have with ZooKeeper`,
    'Use etcd for larger networks',
  );
}

function assertFits(steps: readonly Op[], key: string): void {
  const bytes = steps.reduce((sum, step) => {
    const data = 'data' in step ? Buffer.byteLength(step.data) : 0;
    return sum + STEP_BYTES + Buffer.byteLength(step.path) + data;
  }, 0);
  if (bytes <= MOST_BYTES) return;
  const what = `${bytes} bytes with its copy in the log; at most ${MOST_BYTES} fit into a transaction of ZooKeeper`;
  throw fault.unsupported('commit', `key ${key}`, what, 'Store less, or use etcd');
}
