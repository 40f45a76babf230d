import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { asNetError, NetError } from '../../../src/shared/errors/net-error.ts';
import type { Logger } from '../../../src/shared/log/log.ts';
import { given } from '../../../src/shared/model/given.ts';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from '../../../src/shared/netlink/constants.ts';
import { send } from '../../../src/shared/netlink/sys.ts';
import { peerOf } from '../../../src/shared/netlink/unix.ts';
import { CLAIM, type LauncherRequest } from '../../../src/shared/runtime/cni/protocol.ts';
import { fdOf } from '../connection.ts';
import { atMost, type Listening, startListening } from '../listen.ts';
import { type Caller, callerAt } from './caller.ts';
import { encodeAnswer, encodeDecline, RequestReader } from './frames.ts';
import { type AcceptedCall, type CniService, release } from './service.ts';

/** Milliseconds until a peer is cut off that neither sends the rest of its request nor reads its answer. */
const IDLE_MS = 10_000;
/** Milliseconds that claimed calls wait while more launchers keep arriving. */
const GATHERING_MS = 100;

interface Waiting {
  readonly call: AcceptedCall;
  readonly connection: Socket;
}

/**
 * The socket where launchers hand over their calls: one call per connection, each run exactly once. Calls `called`
 * after each answered call.
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
  /** True if a launcher arrived in this turn of the event loop: another one may be waiting behind it. */
  #arrived = false;
  #served = 0;
  #draining: (() => void) | undefined;

  constructor(service: CniService, log: Logger, called: () => void = () => {}) {
    this.#service = service;
    this.#log = log;
    this.#called = called;
    this.#server = createServer((connection) => this.#accept(connection));
  }

  /** Calls in progress, and claimed ones that wait for their turn. */
  get calls(): { readonly running: number; readonly waiting: number } {
    return { running: this.#running, waiting: this.#waiting.length };
  }

  /** Lets launchers connect. Rejects with the socket's error. */
  listen(where: Listening): Promise<void> {
    return startListening(this.#server, where, ({ message }) => this.#log.warn('cni.socket', { error: message }));
  }

  /** Takes no new calls; resolves when the calls in progress are answered, or after `limitMs`. */
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
    const caller = attempt(() => callerAt(fdOf(connection)));
    if (caller === undefined) {
      connection.destroy();
      return;
    }
    connection.on('close', () => caller[Symbol.dispose]());
    const reader = new RequestReader();
    connection.on('data', (piece: Buffer) => {
      const received = reader.push(piece);
      if (received.kind === 'partial') return;
      connection.removeAllListeners('data');
      if (received.kind === 'refused') this.#decline(connection, received.why);
      else this.#receive(connection, received.request, caller);
    });
  }

  #receive(connection: Socket, request: LauncherRequest, caller: Caller): void {
    const since = performance.now();
    try {
      const facts = caller.facts();
      const refusal = this.#draining === undefined ? this.#service.refusal(request, facts) : 'the daemon is ending';
      if (refusal !== undefined) {
        this.#decline(connection, refusal);
        return;
      }
      const sandbox = request.netnsFd < 0 ? undefined : caller.take(request.netnsFd);
      const gone = (): AbortSignal => whenClosed(connection);
      const umask = (): number | undefined => umaskOf(connection);
      const { bindsPorts } = facts;
      const call: AcceptedCall = {
        request,
        since,
        gone,
        umask,
        stamp: randomUUID(),
        ...given({ sandbox, bindsPorts }),
      };
      if (!deliver(connection, Buffer.of(CLAIM))) {
        release(call);
        this.#abandon(connection);
        return;
      }
      // From now on the launcher waits for the answer, however long it takes, and closes only when it gives up.
      connection.setTimeout(0);
      connection.resume();
      this.#waiting.push({ call, connection });
      this.#schedule();
    } catch (thrown) {
      // A launcher that became the plugin, or ended, has closed the descriptor: EBADF, ESRCH.
      if (deliver(connection, Buffer.alloc(0))) this.#decline(connection, asNetError(thrown, 'call').message);
      else this.#abandon(connection);
    }
  }

  /** The launcher shut the connection: it waited CLAIM_MS for a claim, and then ran the plugin. */
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
   * Runs one call per turn of the event loop, so that calls that arrive meanwhile are claimed between two calls. A turn
   * accepts only one waiting launcher (libuv 1.45), and each waits at most a second for its claim, so accepting comes
   * first.
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
      // The launcher left while its call waited: nothing has been done.
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

  /** Closes the connection once the rest of the answer, which did not fit the peer's buffer, is sent. */
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

/**
 * False if the peer has left or shut the connection, also for zero bytes (EPIPE). Sends later what does not fit now.
 */
function deliver(connection: Socket, bytes: Buffer): boolean {
  try {
    const sent = send(fdOf(connection), bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < bytes.length) connection.write(bytes.subarray(sent));
    return true;
  } catch (error) {
    // Also if our side has closed the connection, which then has no descriptor.
    if (error instanceof NetError) return false;
    throw error;
  }
}

/** Created only for the few calls that wait for another process. */
function whenClosed(connection: Socket): AbortSignal {
  const controller = new AbortController();
  if (connection.destroyed) controller.abort();
  else connection.once('close', () => controller.abort());
  return controller.signal;
}

/** The peer's file mode creation mask (proc(5), status); undefined if it has left. */
function umaskOf(connection: Socket): number | undefined {
  return attempt(() => {
    const { pid } = peerOf(fdOf(connection));
    const [, mask] = /^Umask:\t([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? [];
    return mask === undefined ? undefined : Number.parseInt(mask, 8);
  });
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
