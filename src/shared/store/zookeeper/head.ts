import { randomUUID } from 'node:crypto';
import type { Connection } from './connection.ts';
import { CODE, codeOf } from './failures.ts';
import { aclsOf, type Library, type Op } from './library.ts';
import type { Paths } from './paths.ts';

/** The node that every commit changes: it tells stores apart that lost their data, and orders commits. */
export interface Head {
  readonly epoch: string;
  /** Number of the last commit. */
  readonly version: number;
  /** ZooKeeper's number of the last commit. */
  readonly at: bigint;
}

/** Undefined: the store is new or was emptied. */
export async function readHead(
  connection: Connection,
  { head }: Paths,
  watcher?: () => void,
): Promise<Head | undefined> {
  const node = await connection.read(head, watcher);
  return node && { epoch: node.data, version: node.stat.version, at: node.stat.mzxid };
}

/** Afterwards this member knows what all others knew before. */
export async function catchUp(connection: Connection, { head }: Paths): Promise<void> {
  try {
    await connection.apply([{ kind: 'check', path: head, version: -1 }]);
  } catch (error) {
    // The refusal comes from the leader too, in the order of all transactions.
    if (codeOf(error) !== CODE.noNode) throw error;
  }
}

/** Afterwards the store has an epoch and its directories: ours, or those of a host that was faster. */
export async function ensureHead(connection: Connection, paths: Paths, library: Library): Promise<void> {
  const directories = [paths.log, paths.keys, paths.sessions];
  const [head, ...stats] = await Promise.all([paths.head, ...directories].map((path) => connection.stat(path)));
  const missing = directories.filter((_, index) => stats[index] === undefined);
  if (head !== undefined && missing.length === 0) return;
  const own = paths.parents.length - 2;
  for (const [index, path] of paths.parents.entries()) {
    // Clusters with other users share what is above their own directories.
    const acls = index < own ? aclsOf(library).open : undefined;
    await made(connection.apply([{ kind: 'create', path, data: '' }], acls));
  }
  const data = randomUUID();
  const first: Op =
    head === undefined
      ? { kind: 'create', path: paths.head, data }
      : { kind: 'set', path: paths.head, data, version: head.version };
  await made(connection.apply([first, ...missing.map((path): Op => ({ kind: 'create', path, data: '' }))]));
}

/** Afterwards the store has another epoch: it was restored from a copy, and with it the epoch. */
export async function replaceEpoch(connection: Connection, paths: Paths, { version }: Head): Promise<void> {
  await made(connection.apply([{ kind: 'set', path: paths.head, data: randomUUID(), version }]));
}

/** Somebody else may have been faster. */
async function made(applied: Promise<unknown>): Promise<void> {
  try {
    await applied;
  } catch (error) {
    if (![CODE.nodeExists, CODE.badVersion].some((code) => code === codeOf(error))) throw error;
  }
}
