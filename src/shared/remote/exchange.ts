import { Agent, type ClientRequest, type RequestOptions, request } from 'node:http';
import { hasCode } from '../errors/net-error.ts';
import type { Place } from './place.ts';

/** Largest answer. */
const MAX_BYTES = 1 << 20;
const IDLE_CONNECTIONS = 8;
/** pkg/plugins/transport; plugins do not look at it. moby sends no Content-Type. */
const ACCEPT = 'application/vnd.docker.plugins.v1.2+json';
/** Go's server refuses an empty one. */
const HOST = 'plugin.moby.localhost';

/** What became of a request. */
export type Outcome =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  /** The plugin has not got the request. */
  | { readonly kind: 'unreached'; readonly why: string; readonly cause?: unknown }
  /** The plugin may have served the request; there is no whole answer. */
  | { readonly kind: 'lost'; readonly why: string; readonly cause?: unknown }
  | { readonly kind: 'late' }
  | { readonly kind: 'cancelled' };

export interface Limits {
  /** Milliseconds from the request to the end of its answer. */
  readonly answerMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** The connections to one place. They stay open between requests, and do not keep the process alive. */
export class Connections implements Disposable {
  readonly #agent: Agent;
  readonly #start: (options: RequestOptions) => ClientRequest;
  readonly #address: RequestOptions;

  private constructor(agent: Agent, start: (options: RequestOptions) => ClientRequest, address: RequestOptions) {
    this.#agent = agent;
    this.#start = start;
    this.#address = address;
  }

  static async open(place: Place): Promise<Connections> {
    const kept = { keepAlive: true, maxFreeSockets: IDLE_CONNECTIONS };
    if (place.kind === 'unix') return new Connections(new Agent(kept), request, { socketPath: place.path });
    const { host, port, tls } = place;
    if (tls === undefined) return new Connections(new Agent(kept), request, { host, port });
    const https = await import('node:https');
    const { ca, cert, key, serverName, insecure } = tls;
    const agent = new https.Agent({ ...kept, ca, cert, key, rejectUnauthorized: !insecure, minVersion: 'TLSv1.2' });
    const named = serverName === undefined ? {} : { servername: serverName };
    return new Connections(agent, https.request, { host, port, ...named } as RequestOptions);
  }

  /** Posts `body`. Resolves always; sends again what a kept connection did not deliver. */
  async post(path: string, body: string, limits: Limits): Promise<Outcome> {
    const outcome = await this.#send(path, body, limits);
    return outcome === 'undelivered' ? ((await this.#send(path, body, limits)) as Outcome) : outcome;
  }

  /** Closes what no request uses. */
  closeIdle(): void {
    for (const sockets of Object.values(this.#agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #send(path: string, body: string, { answerMs, signal }: Limits): Promise<Outcome | 'undelivered'> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve({ kind: 'cancelled' });
      const headers = {
        Host: this.#address.socketPath === undefined ? `${this.#address.host}:${this.#address.port}` : HOST,
        Accept: ACCEPT,
        'User-Agent': 'isthmus',
      };
      let [connected, reached] = [false, false];
      const sent = this.#start({ ...this.#address, agent: this.#agent, method: 'POST', path, headers });
      const end = (outcome: Outcome | 'undelivered'): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', cancel);
        resolve(outcome);
        if (outcome === 'undelivered' || outcome.kind !== 'answer') sent.destroy();
      };
      const cancel = (): void => end({ kind: 'cancelled' });
      const timer = setTimeout(() => {
        end(reached ? { kind: 'late' } : { kind: 'unreached', why: 'it does not accept a connection' });
      }, answerMs);
      signal?.addEventListener('abort', cancel);
      sent.on('socket', (socket) => {
        reached = sent.reusedSocket;
        // A kept one is connected, and would collect the listeners of all its requests.
        if (reached) return;
        socket.once('connect', () => {
          connected = true;
        });
        socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => {
          reached = true;
        });
      });
      sent.on('error', (error) => {
        const why = error.message;
        if (!connected && !reached) end({ kind: 'unreached', why, cause: error });
        else if (!reached) end({ kind: 'lost', why: `no connection by TLS: ${why}`, cause: error });
        else if (sent.reusedSocket && isUndelivered(error)) end('undelivered');
        else end({ kind: 'lost', why: wordsOf(error), cause: error });
      });
      sent.on('response', (response) => {
        const pieces: Buffer[] = [];
        let size = 0;
        response.on('data', (piece: Buffer) => {
          size += piece.length;
          if (size > MAX_BYTES) end({ kind: 'lost', why: `its answer has more than ${MAX_BYTES} bytes` });
          else pieces.push(piece);
        });
        response.on('error', (error) => end({ kind: 'lost', why: wordsOf(error), cause: error }));
        response.on('end', () => {
          end({ kind: 'answer', status: response.statusCode ?? 0, body: Buffer.concat(pieces).toString('utf8') });
        });
      });
      sent.end(body);
    });
  }
}

/** A connection that the plugin closed before it read the request: writing fails, or the kernel drops unread bytes. */
function isUndelivered(error: Error): boolean {
  return (
    hasCode(error, ['EPIPE']) || (hasCode(error, ['ECONNRESET']) && 'syscall' in error && error.syscall === 'write')
  );
}

function wordsOf(error: Error): string {
  if (hasCode(error, ['ECONNRESET', 'EPIPE'])) return 'it closed the connection before the end of its answer';
  return 'code' in error && String(error.code).startsWith('HPE_')
    ? `its answer is not HTTP: ${error.message}`
    : error.message;
}
