import { randomUUID } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { fault } from '../../../src/shared/errors/fault.ts';
import { asNetError, NetError } from '../../../src/shared/errors/net-error.ts';
import type { Logger } from '../../../src/shared/log/log.ts';
import { given } from '../../../src/shared/model/given.ts';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from '../../../src/shared/netlink/constants.ts';
import { send } from '../../../src/shared/netlink/sys.ts';
import { peerOf, takeDescriptor } from '../../../src/shared/netlink/unix.ts';
import { CLAIM, type LauncherRequest } from '../../../src/shared/runtime/cni/protocol.ts';
import { atMost, type Listening, startListening } from '../serving.ts';
import { encodeAnswer, encodeDecline, RequestReader } from './frames.ts';
import { type AcceptedCall, type CniService, release } from './service.ts';

/** A peer that neither sends the rest of its request nor reads its answer is cut off after so long, in milliseconds. */
const IDLE_MS = 10_000;
/** Calls that have been taken wait for so long, in milliseconds, while more and more launchers arrive. */
const GATHERING_MS = 100;

interface Waiting {
  readonly call: AcceptedCall;
  readonly connection: Socket;
}

/**
 * The socket by which launchers hand their calls over: one call a connection, each carried out exactly once.
 * `called` is told of each that has been answered.
 */
export class CniServer {
  readonly #service: CniService;
  readonly #log: Logger;
  readonly #called: () => void;
  readonly #server: Server;
  readonly #waiting: Waiting[] = [];
  readonly #connections = new Set<Socket>();
  #running = 0;
  #scheduled = false;
  /** A launcher has come in this turn of the event loop, so that another one may be waiting behind it. */
  #arrived = false;
  #served = 0;
  #draining: (() => void) | undefined;

  constructor(service: CniService, log: Logger, called: () => void = () => {}) {
    this.#service = service;
    this.#log = log;
    this.#called = called;
    this.#server = createServer((connection) => this.#accept(connection));
  }

  /** Launchers can connect. Rejects with the error of the socket. */
  listen(where: Listening): Promise<void> {
    return startListening(this.#server, where, ({ message }) => this.#log.warn('cni.socket', { error: message }));
  }

  /** No new call is taken; those that were taken have been answered, or `limitMs` have passed. */
  async drain(limitMs: number): Promise<void> {
    this.#server.close();
    const ended = new Promise<void>((resolve) => {
      this.#draining = resolve;
    });
    this.#endIfDrained();
    await atMost(limitMs, ended);
    for (const connection of this.#connections) connection.destroy();
  }

  #accept(connection: Socket): void {
    this.#arrived = true;
    this.#connections.add(connection);
    connection.on('close', () => this.#connections.delete(connection));
    connection.on('error', () => connection.destroy());
    connection.setTimeout(IDLE_MS, () => connection.destroy());
    if (!isTrusted(connection)) {
      connection.destroy();
      return;
    }
    const reader = new RequestReader();
    connection.on('data', (piece: Buffer) => {
      const received = reader.push(piece);
      if (received.kind === 'partial') return;
      connection.removeAllListeners('data');
      if (received.kind === 'refused') this.#decline(connection, received.why);
      else this.#receive(connection, received.request);
    });
  }

  #receive(connection: Socket, request: LauncherRequest): void {
    const since = performance.now();
    try {
      const refusal = this.#draining === undefined ? this.#service.refusal(request) : 'the daemon is ending';
      if (refusal !== undefined) {
        this.#decline(connection, refusal);
        return;
      }
      const sandbox = request.netnsFd < 0 ? undefined : takeDescriptor(fdOf(connection), request.netnsFd);
      const gone = (): AbortSignal => whenClosed(connection);
      const call: AcceptedCall = { request, since, gone, stamp: randomUUID(), ...given({ sandbox }) };
      if (!deliver(connection, Buffer.of(CLAIM))) {
        release(call);
        this.#abandon(connection);
        return;
      }
      // From here on the launcher waits for an answer, however long it takes, and only closes when it gives up.
      connection.setTimeout(0);
      connection.resume();
      this.#waiting.push({ call, connection });
      this.#schedule();
    } catch (thrown) {
      // A launcher that has become the plugin, or has ended, has closed the descriptor: EBADF, ESRCH.
      if (deliver(connection, Buffer.alloc(0))) this.#decline(connection, asNetError(thrown, 'call').message);
      else this.#abandon(connection);
    }
  }

  /** The launcher has shut the connection: it waited CLAIM_MS for a claim, and then ran the plugin. */
  #abandon(connection: Socket): void {
    this.#log.debug('abandoned');
    connection.destroy();
  }

  #decline(connection: Socket, why: string): void {
    this.#log.debug('declined', { why });
    connection.end(encodeDecline(why));
    connection.resume();
  }

  /**
   * One call a turn of the event loop, so that what arrives meanwhile is claimed between two calls. Of launchers that
   * wait to be let in, a turn lets in one only (libuv 1.45), and each of them waits no longer than a second for its
   * claim: they all come first.
   */
  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const first = this.#arrived && performance.now() - this.#served < GATHERING_MS;
      this.#arrived = false;
      const next = first ? undefined : this.#waiting.shift();
      this.#schedule();
      if (next !== undefined) void this.#serve(next);
    });
  }

  async #serve({ call, connection }: Waiting): Promise<void> {
    this.#served = performance.now();
    this.#running++;
    try {
      // The launcher has gone while its call waited: nothing has been done.
      if (connection.destroyed) return;
      const { code, stdout, stderr } = await this.#service.answer(call);
      const delivered = !connection.destroyed && deliver(connection, encodeAnswer(code, stdout, stderr));
      if (delivered) this.#finish(connection);
      else {
        connection.destroy();
        if (code === 0) await this.#service.deleteUnclaimed(call);
      }
    } catch (thrown) {
      this.#log.warn('call.failed', { error: asNetError(thrown, 'call').message });
      connection.destroy();
    } finally {
      release(call);
      this.#called();
      this.#running--;
      this.#endIfDrained();
    }
  }

  /** What did not fit the peer's buffer is on its way; the connection is closed after it. */
  #finish(connection: Socket): void {
    if (connection.writableLength === 0) connection.destroy();
    else {
      connection.setTimeout(IDLE_MS);
      connection.end();
    }
  }

  #endIfDrained(): void {
    if (this.#running === 0 && this.#waiting.length === 0) this.#draining?.();
  }
}

/** False where the peer has gone or shut the connection, also for no bytes (EPIPE). What it has no room for now is sent later. */
function deliver(connection: Socket, bytes: Buffer): boolean {
  try {
    const sent = send(fdOf(connection), bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < bytes.length) connection.write(bytes.subarray(sent));
    return true;
  } catch (error) {
    // Also where the connection is closed on our side already, and has no descriptor.
    if (error instanceof NetError) return false;
    throw error;
  }
}

/** Made for the few calls that wait for somebody else. */
function whenClosed(connection: Socket): AbortSignal {
  const controller = new AbortController();
  if (connection.destroyed) controller.abort();
  else connection.once('close', () => controller.abort());
  return controller.signal;
}

/** Root's calls are served, and those of the user that the daemon runs as. */
function isTrusted(connection: Socket): boolean {
  try {
    const { uid } = peerOf(fdOf(connection));
    return uid === 0 || uid === process.getuid?.();
  } catch {
    return false;
  }
}

/** Node tells it by this property only. */
function fdOf(connection: Socket): number {
  const handle: unknown = Reflect.get(connection, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd === 'number' && fd >= 0) return fd;
  throw fault.io('socket', 'connection', 'it is closed');
}
