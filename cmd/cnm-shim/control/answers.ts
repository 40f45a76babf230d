import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Operations } from './operations.ts';
import { type DaemonFacts, statusOf } from './status.ts';

/** Lines that are written at a time. */
const BATCH = 50;
const JSON_TYPE = 'application/json';

/** Answers one request of the control socket. */
export async function answerControl(
  request: IncomingMessage,
  response: ServerResponse,
  facts: DaemonFacts,
): Promise<void> {
  const question = questionOf(request, response);
  switch (question?.path) {
    case undefined:
      return;
    case '/v1/status':
      return send(response, 200, JSON_TYPE, `${JSON.stringify(statusOf(facts))}\n`);
    case '/v1/events':
      return await answerEvents(response, facts.operations, question.query.get('follow'));
    case '/metrics':
      return await answerMetrics(response, facts);
    default:
      return refuse(response, 404, 'There is /v1/status, /v1/events and /metrics');
  }
}

/** Answers one request of the port for a scraper, which gets nothing but the metrics. */
export async function answerScrape(
  request: IncomingMessage,
  response: ServerResponse,
  facts: DaemonFacts,
): Promise<void> {
  const question = questionOf(request, response);
  if (question === undefined) return;
  if (question.path === '/metrics') await answerMetrics(response, facts);
  else refuse(response, 404, 'There is /metrics');
}

/** Undefined for a request that is refused. */
function questionOf(request: IncomingMessage, response: ServerResponse) {
  const { method, url = '', headers } = request;
  const length = headers['content-length'] ?? '0';
  if (method !== 'GET') refuse(response, 405, 'Only GET is allowed');
  else if (length !== '0' || headers['transfer-encoding'] !== undefined) refuse(response, 400, 'It must have no body');
  else {
    const [path = '', query = ''] = url.split(/\?(.*)/s);
    return { path, query: new URLSearchParams(query) };
  }
  return undefined;
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) }).end(text);
}

/** Closes the connection too: what follows may be a body. */
function refuse(response: ServerResponse, status: number, error: string): void {
  response.setHeader('Connection', 'close');
  send(response, status, JSON_TYPE, `${JSON.stringify({ error })}\n`);
}

async function answerMetrics(response: ServerResponse, facts: DaemonFacts): Promise<void> {
  const { METRICS_TYPE, metricsText } = await import('./metrics.ts');
  send(response, 200, METRICS_TYPE, await metricsText(facts));
}

async function answerEvents(response: ServerResponse, operations: Operations, follow: string | null): Promise<void> {
  if (follow !== null && !['0', '1'].includes(follow))
    return refuse(response, 400, `follow=${follow}: it is neither 1 nor 0`);
  // A follower has nothing to read while nothing happens.
  if (follow === '1') response.socket?.setTimeout(0);
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson' }).flushHeaders();
  await sendEvents(response, operations, follow === '1');
}

/**
 * Sends the lines that are kept, and with `follow` those that come. Waits for a slow reader, and drops it once a line is
 * gone that it has not got: the only lines that wait for it are those that are kept anyway.
 */
async function sendEvents(response: ServerResponse, operations: Operations, follow: boolean): Promise<void> {
  const { first, next } = operations.range;
  for (let at = first; follow || at < next; ) {
    const lines = operations.lines(at, follow ? BATCH : Math.min(BATCH, next - at));
    if (lines === undefined) {
      response.destroy();
      return;
    }
    // Its buffer is full: the next operation may push out the line that it is to get.
    const isFull = response.writableNeedDrain;
    if (isFull || lines.length === 0) await until(response, (wake) => whenReady(response, operations, wake));
    else {
      at += lines.length;
      response.write(`${lines.join('\n')}\n`);
    }
    if (response.destroyed) return;
  }
  response.end();
}

function whenReady(response: ServerResponse, operations: Operations, wake: () => void): () => void {
  const cancel = operations.whenNext(wake);
  response.once('drain', wake);
  return () => {
    cancel();
    response.off('drain', wake);
  };
}

/** Resolves once `wake` is called, or the reader has left. `arm` returns what cancels it. */
function until(response: ServerResponse, arm: (wake: () => void) => () => void): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve();
    const wake = (): void => {
      cancel();
      response.off('close', wake);
      resolve();
    };
    const cancel = arm(wake);
    response.once('close', wake);
  });
}
