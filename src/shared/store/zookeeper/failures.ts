import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';

/** Codes of ZooKeeper's answers (KeeperException.Code). */
export const CODE = {
  connectionLoss: -4,
  timeout: -7,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  authFailed: -115,
} as const;

/** An error of ours, as the client's own are. */
export function refusal(code: number, text: string): Error {
  return Object.assign(new Error(text), { code });
}

export function noAnswer(ms: number): Error {
  return refusal(CODE.timeout, `no answer within ${(ms / 1_000).toFixed(1)} s`);
}

/** The code of an answer; undefined for other errors. */
export function codeOf(thrown: unknown): number | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'number' ? thrown.code : undefined;
}

/** True if a transaction failed because somebody else was faster. */
export function isRace(thrown: unknown): boolean {
  const code = codeOf(thrown);
  return [CODE.noNode, CODE.badVersion, CODE.nodeExists, CODE.notEmpty].some((one) => one === code);
}

/** True if another member, or the same one a moment later, can answer the same call. */
export function isTransient(thrown: unknown): boolean {
  const code = codeOf(thrown);
  // The system's codes are texts.
  if (code === undefined) return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string';
  return [CODE.connectionLoss, CODE.timeout, CODE.sessionExpired].some((one) => one === code);
}

/** What failed, in words. */
export function reasonOf(thrown: unknown): string {
  if (codeOf(thrown) === CODE.connectionLoss && isOfClient(thrown)) return 'it ended the connection';
  if (codeOf(thrown) === CODE.noAuth) return 'permission denied';
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The client's own errors have their name in the message. */
const isOfClient = (thrown: unknown): boolean => thrown instanceof Error && thrown.message.startsWith('Exception');

/** The error of a call that `endpoint` refused, or that all endpoints failed. */
export function failureOf(op: string, endpoints: ReadonlyMap<string, string>, cause: unknown): NetError {
  const [first = ['', '']] = endpoints;
  const isOne = endpoints.size === 1;
  const subject = `ZooKeeper ${isOne ? first[0] : `at ${[...endpoints.keys()].join(', ')}`}`;
  const what = isOne ? first[1] : [...endpoints].map(([endpoint, reason]) => `${endpoint}: ${reason}`).join('; ');
  return fault.unavailable(op, subject, what, hintOf(codeOf(cause), what), { cause });
}

function hintOf(code: number | undefined, what: string): string {
  if (code === CODE.noAuth || code === CODE.authFailed)
    return "Use one user and password on all hosts: another user created the cluster's nodes";
  if (/ENOTFOUND|EAI_AGAIN/.test(what)) return 'Check the name of the endpoint';
  return 'Check that ZooKeeper runs, has a quorum, and is reachable from this host';
}
