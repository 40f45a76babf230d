import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { nearest } from '../../../../src/shared/config/nearest.ts';
import { fault } from '../../../../src/shared/errors/fault.ts';
import { asNetError, type NetError } from '../../../../src/shared/errors/net-error.ts';
import { type LogFields, type Logger, traceId } from '../../../../src/shared/log/log.ts';
import { given } from '../../../../src/shared/model/given.ts';
import { textField } from '../../../../src/shared/model/json.ts';
import { makePhases } from '../../../../src/shared/runtime/phases.ts';
import type { Recorder } from '../../control/operations.ts';
import { atMost, type Listening, startListening } from '../../listen.ts';
import { parseBody, readBody } from './body.ts';
import { withDeadline } from './deadline.ts';
import type { Route, Routes } from './routes.ts';
import { type CallSubject, subjectOf } from './subject.ts';

export interface DockerServerOptions {
  readonly routes: Routes;
  readonly log: Logger;
  /** Called after each answered call. */
  readonly called?: () => void;
  readonly recorder?: Recorder;
  /** Milliseconds until an unanswered call gets an error. Docker itself has no limit. */
  readonly deadlineMs?: number;
  /** Milliseconds in which a request must arrive completely. */
  readonly requestMs?: number;
}

/** Docker's media type, which it expects of a plugin. */
const MEDIA_TYPE = 'application/vnd.docker.plugins.v1.2+json';
const DEADLINE_MS = 60_000;
const REQUEST_MS = 30_000;
/** Milliseconds that connections and their requests may still take to arrive when the server ends. */
const ARRIVING_MS = 25;
/** Milliseconds that a connection stays open after its request was refused. */
const LINGER_MS = 1000;
/** Bytes of a body that takes some milliseconds to parse. */
const LONG = 1 << 20;

interface Reply {
  readonly status: number;
  /** JSON. */
  readonly text: string;
}

/** Docker's remote network driver reads `Err`, its remote IPAM driver `Error`. */
function failure(status: number, { message }: NetError): Reply {
  return { status, text: JSON.stringify({ Err: message, Error: message }) };
}

/**
 * The socket that dockerd calls: `POST /<Interface>.<Method>`, JSON both ways. Answers every request, however malformed
 * it is and whatever its handler does, and then serves the next one.
 */
export class DockerServer {
  readonly #routes: Routes;
  readonly #log: Logger;
  readonly #called: () => void;
  readonly #recorder: Recorder | undefined;
  readonly #deadlineMs: number;
  readonly #server: Server;
  readonly #connections = new Set<Socket>();
  #running = 0;
  #isEnding = false;
  #drained: (() => void) | undefined;

  constructor({ routes, log, called, recorder, deadlineMs, requestMs = REQUEST_MS }: DockerServerOptions) {
    this.#routes = routes;
    this.#log = log;
    this.#called = called ?? (() => {});
    this.#recorder = recorder;
    this.#deadlineMs = deadlineMs ?? DEADLINE_MS;
    // dockerd keeps its connections: one that was idle for hours must still work for the next call.
    const limits = { keepAliveTimeout: 0, headersTimeout: requestMs, requestTimeout: requestMs };
    const often = Math.min(requestMs / 2, 5000);
    this.#server = createServer({ ...limits, connectionsCheckingInterval: often }, (request, response) => {
      void this.#serve(request, response);
    });
    this.#server.on('connection', (connection: Socket) => this.#accept(connection));
    this.#server.on('clientError', refuseConnection);
  }

  /** Calls in progress. */
  get running(): number {
    return this.#running;
  }

  /** Lets dockerd connect. Rejects with the socket's error. */
  listen(where: Listening): Promise<void> {
    return startListening(this.#server, where, ({ message }) => this.#log.warn('docker.socket', { error: message }));
  }

  /**
   * Takes no new calls; resolves when the calls in progress are answered, or after `limitMs`. Remove the socket's path
   * before, so that no client connects.
   */
  async drain(limitMs: number): Promise<void> {
    this.#isEnding = true;
    // Accepts the connections and requests that have arrived by now: dockerd would repeat a request without its body.
    await sleep(ARRIVING_MS);
    this.#server.close();
    await sleep(ARRIVING_MS);
    const ended = new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
    this.#endIfDrained();
    await atMost(limitMs, ended);
    for (const connection of this.#connections) connection.destroy();
  }

  #accept(connection: Socket): void {
    this.#connections.add(connection);
    connection.on('close', () => this.#connections.delete(connection));
  }

  /** Never rejects. */
  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#running++;
    response.on('error', () => {});
    const { status, text } = await this.#reply(request);
    if (response.closed || request.socket.destroyed) this.#end();
    else if (!request.complete) {
      refuse(request.socket, '500 Internal Server Error', text);
      this.#end();
    } else {
      response.once('close', () => this.#end());
      const last = this.#isEnding ? { Connection: 'close' } : {};
      const length = Buffer.byteLength(text);
      response.writeHead(status, { 'Content-Type': MEDIA_TYPE, 'Content-Length': length, ...last }).end(text);
    }
  }

  #end(): void {
    this.#called();
    this.#running--;
    this.#endIfDrained();
  }

  async #reply(request: IncomingMessage): Promise<Reply> {
    const method = (request.url ?? '').slice(1);
    const route = request.method === 'POST' ? routeOf(this.#routes, method) : undefined;
    try {
      if (route !== undefined) return { status: 200, text: await this.#call(method, route, request) };
      await readBody(request, 'call');
      return failure(404, this.#unknown(request.method, method));
    } catch (thrown) {
      return failure(500, asNetError(thrown, method));
    }
  }

  /** Logs one line per call: method, subject, result, duration and where the time went. */
  async #call(method: string, { handle, emptyBody }: Route, request: IncomingMessage): Promise<string> {
    this.#recorder?.begun();
    const phases = makePhases(() => performance.now(), performance.now());
    const traceparent = textField(request.headers, 'traceparent');
    let subject: CallSubject = {};
    const tell = (more: LogFields, thrown?: unknown): void => {
      const fields = { trace: traceId(traceparent), ...subject, ...more };
      const error = thrown === undefined ? undefined : asNetError(thrown, method);
      if (error === undefined) this.#log.info(method, { ...fields, result: 'ok', ...phases.fields() });
      else {
        const { kind, message } = error;
        this.#log.warn(method, { ...fields, result: 'error', kind, error: message, ...phases.fields() });
      }
      // Its caller got an error at the deadline, which counts.
      if (more.late === true) return;
      const times = phases.times();
      this.#recorder?.ended({ camp: 'docker', operation: method, subject, times, error, traceparent });
    };
    try {
      const bytes = await readBody(request, method);
      const body = parseBody(bytes, method, emptyBody);
      // To parse a long body takes long. The first callback still precedes the requests that have arrived meanwhile.
      for (let i = 0; bytes.length > LONG && i < 2; i++) await setImmediate();
      phases.mark('receive');
      subject = subjectOf(body);
      const late = (thrown?: unknown): void => tell({ late: true }, thrown);
      const options = { op: method, ms: this.#deadlineMs, late };
      const text = formatAnswer(await withDeadline(options, () => handle(body, { phases, ...given({ traceparent }) })));
      tell({});
      return text;
    } catch (thrown) {
      tell({}, thrown);
      throw thrown;
    }
  }

  #unknown(verb: string | undefined, method: string): NetError {
    const near = nearest(method, Object.keys(this.#routes));
    const hint = near === undefined ? 'It may be newer than this plugin' : `Did you mean ${near}?`;
    const what = verb === 'POST' ? 'unknown method' : `it is called by ${verb} instead of POST`;
    const error = fault.unsupported('call', `/${method.slice(0, 100)}`, what, hint);
    this.#log.debug('unknown', { error: error.message });
    return error;
  }

  #endIfDrained(): void {
    if (this.#running === 0) this.#drained?.();
  }
}

/** Throws TypeError if a handler returned what JSON cannot express. */
function formatAnswer(answer: object): string {
  const text: string | undefined = JSON.stringify(answer);
  if (text === undefined) throw new TypeError('the answer is nothing');
  return text;
}

function routeOf(routes: Routes, method: string): Route | undefined {
  return Object.hasOwn(routes, method) ? routes[method] : undefined;
}

/** The peer sent something other than HTTP, or did not send everything in time. */
function refuseConnection(error: NodeJS.ErrnoException, connection: Socket): void {
  const isLate = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  // A connection opened in advance: it has sent no request yet.
  if (isLate && connection.bytesRead === 0) return;
  if (!connection.writable || error.code === 'ECONNRESET') {
    connection.destroy();
    return;
  }
  const what = isLate ? 'the request has not come to its end in time' : `this is no request (${error.message})`;
  refuse(connection, isLate ? '408 Request Timeout' : '400 Bad Request', JSON.stringify({ Err: what, Error: what }));
  connection.end(() => connection.destroy());
}

/**
 * Sends the last answer of a connection. Ignores what the peer still sends, and gives it time to read the answer:
 * closing with unread data would reset the peer's side.
 */
function refuse(connection: Socket, status: string, text: string): void {
  const head = `Content-Type: ${MEDIA_TYPE}\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close`;
  connection.write(`HTTP/1.1 ${status}\r\n${head}\r\n\r\n${text}`);
  setTimeout(() => connection.destroy(), LINGER_MS).unref();
}
