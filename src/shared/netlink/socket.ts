import { closeSync } from 'node:fs';
import { fault } from '../errors/fault.ts';
import { NetError } from '../errors/net-error.ts';
import { chunks, encodeRequests, MAX_BYTES, type Request } from './chunks.ts';
import {
  AF_NETLINK,
  ECANCELED,
  ENOBUFS,
  ENOENT,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
} from './constants.ts';
import { MAX_DATAGRAMS, receiveAll } from './datagrams.ts';
import { type Answer, decodeAnswer, decodeMessages, type Message, socketError } from './message.ts';
import { connect, send, setsockopt, socket, writeInPool } from './sys.ts';

export type { Request };

/** A reply with the messages that answer its request. */
export interface Reply extends Answer {
  readonly messages: readonly Message[];
}

const MAX_DUMP_ATTEMPTS = 32;

/**
 * A netlink socket, in the network namespace that the thread is in when it is created. The kernel executes a request
 * during the send, and answers before `send` returns. So receiving never waits; sending waits as long as the kernel
 * works.
 */
export class NetlinkSocket implements Disposable {
  readonly fd: number;
  #sequence = 0;
  #open = true;
  #isStrict = false;
  /** Number of running and waiting exchanges, and the end of the last one. */
  #pending = 0;
  #last = Promise.resolve();

  /** `protocol` is NETLINK_ROUTE, NETLINK_NETFILTER, … Throws NetError with the errno. */
  constructor(protocol: number) {
    this.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    try {
      setsockopt(this.fd, SOL_NETLINK, NETLINK_EXT_ACK, ON);
      // struct sockaddr_nl with port 0: a socket connected to the kernel receives no other sender's messages.
      const kernel = new Uint8Array(12);
      kernel[0] = AF_NETLINK;
      connect(this.fd, kernel);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Returns one reply for each request, in order. The kernel continues after a failed request. `whole` keeps all
   * requests in one send, as a nfnetlink batch requires; otherwise they go in chunks. Throws NetError `kernel` only if
   * the socket itself fails.
   */
  exchange(requests: readonly Request[], options: { readonly whole?: boolean } = {}): Reply[] {
    this.#checkFree();
    if (options.whole) {
      this.#makeRoom(requests);
      return this.#exchangeOnce(requests);
    }
    const replies: Reply[] = [];
    for (const chunk of chunks(requests)) replies.push(...this.#exchangeOnce(chunk));
    return replies;
  }

  /**
   * Like `exchange`, but sends on a thread of libuv's pool: this thread continues while the kernel works. Exchanges run
   * one after the other; `exchange` and `dump` throw NetError `internal` until the last one ends. The first use starts
   * the pool's threads, so never call it inside `withinNetns`.
   */
  async exchangeAsync(requests: readonly Request[]): Promise<Reply[]> {
    this.#checkOpen();
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = promise;
    this.#pending += 1;
    await before;
    try {
      const replies: Reply[] = [];
      for (const chunk of chunks(requests)) {
        const { first, bytes } = this.#encode(chunk);
        await writeInPool(this.fd, bytes);
        replies.push(...this.#replies(chunk, first));
      }
      return replies;
    } finally {
      this.#pending -= 1;
      this.#closeUnused();
      resolve();
    }
  }

  /**
   * Returns the messages of a dump; restarts it if the kernel reports a change meanwhile. Throws NetError `kernel` with
   * the kernel's answer, `busy` if the changes never stop.
   */
  dump(request: Request): Message[] {
    this.#checkFree();
    for (let attempt = 0; attempt < MAX_DUMP_ATTEMPTS; attempt++) {
      const messages = this.#dumpOnce(request);
      if (messages !== undefined) return messages;
    }
    throw fault.busy(
      'dump',
      `message ${request.type}`,
      `what it lists changed during each of ${MAX_DUMP_ATTEMPTS} attempts`,
      'Try again',
    );
  }

  /** Accepts no more requests; closes the descriptor when all accepted ones of `exchangeAsync` are answered. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    this.#closeUnused();
  }

  /** Closing it before a thread has written to it could send the write to another file with that number. */
  #closeUnused(): void {
    if (!this.#open && this.#pending === 0) closeSync(this.fd);
  }

  #checkOpen(): void {
    if (!this.#open) throw fault.internal('netlink', 'socket', 'it was used after it had been closed');
  }

  #checkFree(): void {
    this.#checkOpen();
    if (this.#pending > 0)
      throw fault.internal('netlink', 'socket', 'it was used while another exchange was under way');
  }

  /**
   * Enlarges the send buffer to hold all bytes; beyond the system's limit this needs CAP_NET_ADMIN, as a batch does.
   */
  #makeRoom(requests: readonly Request[]): void {
    const bytes = requests.reduce((sum, { payload }) => sum + payload.length + 32, 0);
    if (bytes <= MAX_BYTES) return;
    setsockopt(this.fd, SOL_SOCKET, SO_SNDBUFFORCE, new Uint8Array(Uint32Array.of(bytes).buffer));
  }

  #exchangeOnce(requests: readonly Request[]): Reply[] {
    const { first, bytes } = this.#encode(requests);
    send(this.fd, bytes, 0);
    return this.#replies(requests, first);
  }

  /** Reads the waiting replies to requests that have been sent, the first with sequence number `first`. */
  #replies(requests: readonly Request[], first: number): Reply[] {
    const answers: (Answer | undefined)[] = requests.map((request) => (request.ack === false ? DONE : undefined));
    const messages: Message[][] = requests.map(() => []);
    // If each request has an answer, the last request's comes last. A refused batch has errors in any order.
    let unanswered = requests.some(({ ack }) => ack === false) ? Number.POSITIVE_INFINITY : requests.length;
    while (unanswered > 0) {
      const datagrams = receiveAll(this.fd);
      for (const message of datagrams.flatMap(decodeMessages)) {
        const index = (message.sequence - first) >>> 0;
        if (message.type === NLMSG_ERROR && index < requests.length) {
          answers[index] = decodeAnswer(message);
          unanswered--;
        } else messages[index]?.push(message);
      }
      if (datagrams.length < MAX_DATAGRAMS) break;
    }
    const failed = answers.some((answer) => answer !== undefined && answer.errno !== 0);
    return answers.map((answer, index) => {
      // If the kernel refuses a batch as a whole, it answers only one of its messages.
      if (answer === undefined && !failed) throw socketError(ENOBUFS, 'an answer of the kernel was lost');
      return { ...(answer ?? CANCELED), messages: messages[index] ?? [] };
    });
  }

  #dumpOnce(request: Request): Message[] | undefined {
    // Filters of dumps need it; most sockets of sandboxes never dump.
    if (!this.#isStrict) setsockopt(this.fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, ON);
    this.#isStrict = true;
    const dump = { ...request, flags: (request.flags ?? 0) | NLM_F_DUMP, ack: false };
    const { first: sequence, bytes } = this.#encode([dump]);
    send(this.fd, bytes, 0);
    const messages: Message[] = [];
    let interrupted = false;
    for (;;) {
      const batch = this.#receiveOfDump();
      if (batch === 'gone') return undefined;
      if (batch.length === 0) throw socketError(ENOBUFS, 'a dump ended early');
      for (const message of batch) {
        if (message.sequence !== sequence) continue;
        if (message.flags & NLM_F_DUMP_INTR) interrupted = true;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          const { errno, text } = decodeAnswer(message);
          if (errno !== 0) throw socketError(errno, `message ${request.type} was refused`, text);
          return interrupted ? undefined : messages;
        }
        if (message.type !== NLMSG_NOOP) messages.push(message);
      }
    }
  }

  #encode(requests: readonly Request[]): { readonly first: number; readonly bytes: Uint8Array } {
    const first = (this.#sequence + 1) >>> 0;
    this.#sequence = (this.#sequence + requests.length) >>> 0;
    return { first, bytes: encodeRequests(requests, first) };
  }

  /**
   * Like `#receive`; `gone` if the listed object (a set, a chain) was deleted between two parts, as the socket's error
   * tells.
   */
  #receiveOfDump(): Message[] | 'gone' {
    try {
      return this.#receive();
    } catch (error) {
      if (error instanceof NetError && error.errno === ENOENT) return 'gone';
      throw error;
    }
  }

  /** Receives the messages of the datagrams that wait; none if none waits. */
  #receive(): Message[] {
    return receiveAll(this.fd).flatMap(decodeMessages);
  }
}

const ON = new Uint8Array(Uint32Array.of(1).buffer);
const DONE: Answer = { errno: 0, text: '' };
const CANCELED: Answer = { errno: ECANCELED, text: '' };
