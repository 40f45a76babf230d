import type { IncomingMessage } from 'node:http';
import { fault } from '../../../src/shared/errors/fault.ts';
import { hasCode, NetError } from '../../../src/shared/errors/net-error.ts';
import { isObject, type Json, parseJson } from '../../../src/shared/model/json.ts';
import type { DaemonStatus } from '../../../src/shared/ops/control.ts';
import type { OperationEvent } from './operations.ts';
import { controlSocket } from './socket.ts';

/** Milliseconds that the daemon may take for an answer. */
const ANSWER_MS = 10_000;
/** Characters of an answer, and of one operation. The daemon keeps a thousand of these, of a few thousand at most. */
const MOST = 64 << 20;
const MOST_OF_LINE = 1 << 20;
const START = 'Start the daemon (systemctl start isthmus.service), or give its --run-dir';
const RESTART = 'Restart the daemon: systemctl restart isthmus.service';
const OTHER = 'It may be of another version';
const LATE = `the daemon does not answer within ${ANSWER_MS / 1000} s`;

/** Returns `GET /v1/status` of the daemon. Throws NetError `unavailable` if none answers. */
export async function daemonStatus(runDir: string): Promise<DaemonStatus> {
  // The daemon is the same program, so its answer has this type.
  return parsed(runDir, await textOf(runDir, '/v1/status')) as unknown as DaemonStatus;
}

/** Returns the daemon's metrics, as Prometheus reads them. Throws as `daemonStatus`. */
export async function daemonMetrics(runDir: string): Promise<string> {
  return await textOf(runDir, '/metrics');
}

/** True for the error about a daemon that hangs: to ask it again costs as long again. */
export function isLate(thrown: unknown): boolean {
  return thrown instanceof NetError && thrown.what === LATE;
}

/**
 * The operations that the daemon has kept, the oldest first; with `follow`, also those that come, until the daemon ends.
 * Throws NetError `unavailable` if no daemon answers, or if what answers is not one, or ends the answer early.
 */
export async function* daemonEvents(runDir: string, follow: boolean): AsyncGenerator<OperationEvent> {
  const path = `/v1/events${follow ? '?follow=1' : ''}`;
  for await (const line of linesOf(runDir, pieces(runDir, path, follow))) yield eventOf(runDir, parsed(runDir, line));
}

async function* linesOf(runDir: string, texts: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of texts) {
    const lines = `${rest}${piece}`.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MOST_OF_LINE) throw failure(runDir, 'its answer is not a list of operations', OTHER);
    yield* lines;
  }
  // Each operation ends with a line break.
  if (rest !== '') yield rest;
}

async function textOf(runDir: string, path: string): Promise<string> {
  return (await Array.fromAsync(pieces(runDir, path, false))).join('');
}

/** The body of the answer. Throws NetError `unavailable`; so late, unless the answer goes on with what happens. */
async function* pieces(runDir: string, path: string, follows: boolean): AsyncGenerator<string> {
  const late = AbortSignal.timeout(ANSWER_MS);
  try {
    const response = await ask(runDir, path, late, follows);
    if (response.statusCode !== 200) {
      response.destroy();
      throw failure(runDir, `answered with status ${response.statusCode}`, OTHER);
    }
    let length = 0;
    for await (const piece of response) {
      length += piece.length;
      if (!follows && length > MOST) throw failure(runDir, 'its answer has no end', OTHER);
      yield piece;
    }
  } catch (thrown) {
    if (thrown instanceof NetError) throw thrown;
    if (!follows && late.aborted) throw failure(runDir, LATE, RESTART, thrown);
    const what = 'it ended, or dropped this reader because it read too slowly';
    if (hasCode(thrown, ['ECONNRESET'])) throw failure(runDir, what, 'Run the verb again', thrown);
    throw failure(runDir, reasonOf(thrown), RESTART, thrown);
  }
}

/** `late` ends the wait for the answer, and without `follows` also its body. */
function ask(runDir: string, path: string, late: AbortSignal, follows: boolean): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const end = (): void => void asked.destroy(new Error(LATE));
    const { request } = process.getBuiltinModule('node:http');
    const asked = request({ socketPath: controlSocket(runDir), path, agent: false }, (response) => {
      if (follows) late.removeEventListener('abort', end);
      resolve(response.setEncoding('utf8'));
    });
    late.addEventListener('abort', end);
    asked.on('error', (error) => reject(unreached(runDir, error)));
    asked.end();
  });
}

function unreached(runDir: string, error: Error): NetError {
  if (hasCode(error, ['ENOENT', 'ECONNREFUSED', 'ENOTDIR']))
    return failure(runDir, 'no daemon runs here', START, error);
  // The daemon hangs up on other users.
  const isRoot = process.getuid?.() === 0;
  if (hasCode(error, ['EACCES', 'EPERM']) || (!isRoot && hasCode(error, ['ECONNRESET'])))
    return failure(runDir, 'the daemon answers only root', 'Run the verb as root', error);
  return failure(runDir, reasonOf(error), RESTART, error);
}

function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function failure(runDir: string, what: string, hint: string, cause?: unknown): NetError {
  return fault.unavailable('daemon', controlSocket(runDir), what, hint, { cause });
}

function parsed(runDir: string, text: string): Json {
  try {
    const value: unknown = parseJson(text);
    if (isObject(value)) return value;
  } catch {
    // Not a daemon of ours.
  }
  throw failure(runDir, 'its answer is not JSON', OTHER);
}

/** What a daemon of another version has added stays. Throws NetError `unavailable` for anything but an operation. */
function eventOf(runDir: string, value: Json): OperationEvent {
  const { at, camp, operation, result, ms, subject, phases, message = '', traceparent = '', did = [] } = value;
  const isEvent =
    [at, camp, operation, result, message, traceparent].every((text) => typeof text === 'string') &&
    typeof ms === 'number' &&
    [subject, phases].every((of) => isObject(of) && Object.values(of).every(isPlain)) &&
    Array.isArray(did) &&
    did.every((one) => typeof one === 'string');
  if (!isEvent) throw failure(runDir, 'its answer is not a list of operations', OTHER);
  return value as unknown as OperationEvent;
}

function isPlain(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number';
}
