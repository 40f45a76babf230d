import { type IncomingMessage, request } from 'node:http';
import { fault } from '../../../src/shared/errors/fault.ts';
import { hasCode, type NetError } from '../../../src/shared/errors/net-error.ts';
import { isObject } from '../../../src/shared/model/json.ts';
import type { OperationEvent } from './operations.ts';
import { controlSocket } from './socket.ts';
import type { DaemonStatus } from './status.ts';

/** Milliseconds that the daemon may take for an answer. */
const ANSWER_MS = 10_000;
const START = 'Start the daemon (systemctl start isthmus.service), or give its --run-dir';

/** Returns `GET /v1/status` of the daemon. Throws NetError `unavailable` if none answers. */
export async function daemonStatus(runDir: string): Promise<DaemonStatus> {
  // The daemon is the same program, so its answer has this type.
  return parsed(runDir, await textOf(runDir, '/v1/status')) as unknown as DaemonStatus;
}

/** Returns the daemon's metrics, as Prometheus reads them. Throws as `daemonStatus`. */
export async function daemonMetrics(runDir: string): Promise<string> {
  return await textOf(runDir, '/metrics');
}

/**
 * The operations that the daemon has kept, the oldest first; with `follow`, also those that come, until the daemon ends.
 * Throws NetError `unavailable` if no daemon answers, or if it ends the answer early.
 */
export async function* daemonEvents(runDir: string, follow: boolean): AsyncGenerator<OperationEvent> {
  const response = await ask(runDir, `/v1/events${follow ? '?follow=1' : ''}`);
  if (!follow) response.setTimeout(ANSWER_MS, () => response.destroy(new Error(LATE)));
  let rest = '';
  try {
    for await (const piece of response) {
      const lines = `${rest}${piece}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield parsed(runDir, line) as unknown as OperationEvent;
    }
  } catch (thrown) {
    if (!hasCode(thrown, ['ECONNRESET'])) throw thrown;
    const what = 'it ended, or dropped this reader because it read too slowly';
    throw failure(runDir, what, 'Run the verb again', thrown);
  }
}

const LATE = `the daemon does not answer within ${ANSWER_MS / 1000} s`;

async function textOf(runDir: string, path: string): Promise<string> {
  const response = await ask(runDir, path);
  let text = '';
  for await (const piece of response) text += piece;
  if (response.statusCode === 200) return text;
  throw failure(runDir, `answered with status ${response.statusCode}`, 'It may be of another version');
}

function ask(runDir: string, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: controlSocket(runDir), path, agent: false }, (response) => {
      asked.setTimeout(0);
      resolve(response.setEncoding('utf8'));
    });
    asked.setTimeout(ANSWER_MS, () => asked.destroy(new Error(LATE)));
    asked.on('error', (error) => reject(unreached(runDir, error)));
    asked.end();
  });
}

function unreached(runDir: string, error: Error): NetError {
  if (hasCode(error, ['ENOENT', 'ECONNREFUSED', 'ENOTDIR']))
    return failure(runDir, 'no daemon runs here', START, error);
  if (hasCode(error, ['EACCES', 'EPERM', 'ECONNRESET']))
    return failure(runDir, 'the daemon answers only root', 'Run the verb as root', error);
  return failure(runDir, error.message, START, error);
}

function failure(runDir: string, what: string, hint: string, cause?: unknown): NetError {
  return fault.unavailable('daemon', controlSocket(runDir), what, hint, { cause });
}

function parsed(runDir: string, text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // Not a daemon of ours.
  }
  throw failure(runDir, 'its answer is not JSON', 'It may be of another version');
}
