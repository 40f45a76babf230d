import { fault } from '../errors/fault.ts';
import { NetError } from '../errors/net-error.ts';
import { SCHEMA_VERSION } from './migrations.ts';

/** The primary result codes of SQLite (sqlite3.h) that this file distinguishes. */
const CODE = {
  busy: 5,
  locked: 6,
  corrupt: 11,
  full: 13,
  cantOpen: 14,
  protocol: 15,
  constraint: 19,
  notADb: 26,
} as const;

const DISK_FULL = 'the disk is full';

/** True for the error of a change that found no space. What is on record can still be read. */
export function isDiskFull({ kind, what }: NetError): boolean {
  return kind === 'state' && what === DISK_FULL;
}

/** The primary result code of an error of node:sqlite, or undefined for any other thrown value. */
function codeOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('errcode' in thrown) || typeof thrown.errcode !== 'number') return undefined;
  // The low byte is the primary code; the other bytes refine it.
  return thrown.errcode & 0xff;
}

/** True if the file is not a database, or a corrupt one. */
export function isBroken(thrown: unknown): boolean {
  const code = codeOf(thrown);
  return code === CODE.corrupt || code === CODE.notADb;
}

/** True if a uniqueness constraint of the schema refused a row. */
export function isConstraint(thrown: unknown): boolean {
  return codeOf(thrown) === CODE.constraint;
}

export function isCantOpen(thrown: unknown): boolean {
  return codeOf(thrown) === CODE.cantOpen;
}

/**
 * Converts an SQLite error to a NetError that names the state directory: `busy` if a lock was not acquired in time,
 * `state` for the disk and the file. Returns any other value unchanged.
 */
export function storeError(thrown: unknown, op: string, stateDir: string): unknown {
  const code = codeOf(thrown);
  if (code === undefined) return thrown;
  switch (code) {
    case CODE.busy:
    case CODE.locked:
    case CODE.protocol:
      return failure('busy', op, stateDir, 'another process holds the store', thrown);
    case CODE.full:
      return diskFull(op, stateDir, thrown);
    default:
      return failure('state', op, stateDir, 'the store failed', thrown);
  }
}

/** Like `storeError`, for work that also opens, renames and syncs files: their errors are `state`, too. */
export function diskError(thrown: unknown, op: string, stateDir: string): unknown {
  if (!(thrown instanceof Error) || !('syscall' in thrown) || !('code' in thrown))
    return storeError(thrown, op, stateDir);
  const full = thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT';
  return full ? diskFull(op, stateDir, thrown) : failure('state', op, stateDir, 'the store failed', thrown);
}

function diskFull(op: string, stateDir: string, cause: unknown): NetError {
  return failure('state', op, stateDir, DISK_FULL, cause, 'Free some space and try again');
}

function failure(
  kind: 'busy' | 'state',
  op: string,
  stateDir: string,
  what: string,
  cause: unknown,
  hint?: string,
): NetError {
  const reason = cause instanceof Error ? cause.message : '';
  return new NetError({ kind, op, subject: `directory ${stateDir}`, what, reason, cause, ...(hint ? { hint } : {}) });
}

/** NetError for a broken state file that stays where it is. */
export function brokenState(cause: unknown, op: string, stateDir: string): NetError {
  const reason = cause instanceof Error ? cause.message : '';
  const hint = 'isthmus doctor tells what becomes of it';
  return fault.state(op, `file ${stateDir}/state.db`, 'it is broken', hint, { reason, cause });
}

/** NetError for a state file that a later version of this program wrote. */
export function newerSchema(stateDir: string, version: number): NetError {
  return fault.newerSchema(
    'store.open',
    `directory ${stateDir}`,
    `state.db has schema ${version}, this program knows up to ${SCHEMA_VERSION}`,
    'Use the newer version that wrote it, or move state.db away',
  );
}
