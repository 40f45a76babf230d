import { parseJson } from '../../model/json.ts';
import type { ClusterChange, KeyChange } from '../cluster/cluster-store.ts';
import type { Connection } from './connection.ts';
import type { Op } from './library.ts';
import type { Paths } from './paths.ts';

/** How many commits stay in the log: a watch that is further behind lists again. */
const KEPT = 1_000;
/** After how many commits older ones are deleted. */
const EVERY = 128;
/** Deletions in one transaction. */
const BATCH = 100;

/** One commit, as the log has it. */
export interface Logged {
  readonly version: number;
  readonly at: bigint;
  readonly changes: readonly KeyChange[];
}

type Line = readonly [key: string] | readonly [key: string, value: string, session?: string];

/** `deleted`: keys that the commit deletes. */
export function formatLog(put: ClusterChange['put'], deleted: readonly string[]): string {
  const lines: Line[] = (put ?? []).map(({ key, value, session }) =>
    session === undefined ? [key, value] : [key, value, session.id],
  );
  return JSON.stringify([...lines, ...deleted.map((key): Line => [key])]);
}

/** Undefined: the log has it no longer. */
export async function readLog(
  connection: Connection,
  paths: Paths,
  epoch: string,
  version: number,
): Promise<Logged | undefined> {
  const node = await connection.read(paths.logOf(epoch, version));
  if (node === undefined) return undefined;
  const at = node.stat.czxid;
  const lines = parseJson(node.data) as readonly Line[];
  const changes = lines.map(([key, value, session]): KeyChange => {
    if (value === undefined) return { kind: 'delete', key };
    return { kind: 'put', key, value, version: at, ...(session !== undefined && { session }) };
  });
  return { version, at, changes };
}

/** Deletes commits of long ago or of other epochs, now and then. One that stays for any reason goes the next time. */
export async function trimLog(connection: Connection, paths: Paths, epoch: string, version: number): Promise<void> {
  if (version % EVERY !== 0) return;
  const { names = [] } = (await connection.list(paths.log)) ?? {};
  const last =
    paths
      .logOf(epoch, version - KEPT)
      .split('/')
      .at(-1) ?? '';
  const [tag = '', number] = last.split('-');
  const isOld = (name: string): boolean => !name.startsWith(`${tag}-`) || Number(name.split('-')[1]) <= Number(number);
  const old = names.filter(isOld).map((name) => `${paths.log}/${name}`);
  for (let at = 0; at < old.length; at += BATCH) {
    const steps = old.slice(at, at + BATCH).map((path): Op => ({ kind: 'delete', path, version: -1 }));
    await connection.apply(steps);
  }
}
