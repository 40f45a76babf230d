import { setTimeout as sleep } from 'node:timers/promises';
import { fault } from '../../errors/fault.ts';
import { failureOf, isAuthOff, isTokenRefused, isTransient, reasonOf } from './failures.ts';
import type { Method } from './grpc/method.ts';
import { CODE, GrpcError } from './grpc/status.ts';
import type { GrpcStream } from './grpc/stream.ts';
import { type Member, Members } from './members.ts';
import type { EtcdOptions, EtcdUser } from './options.ts';
import { AuthService } from './services.ts';

/** How long one member may take. etcd itself gives up after 7 s, and answers within 0.1 s otherwise. */
export const CALL_MS = 1_500;
/** How long a call may take with its repetitions at other members. */
const TOTAL_MS = 2_900;
/** Less than this is no time for another attempt. */
const LEAST_MS = 50;

export interface Answer<O> {
  readonly value: O;
  readonly member: Member;
}

/**
 * Calls etcd at one of its members, and the next one where that fails. A call is repeated after an unknown outcome, so
 * each must be safe to repeat. After disposal every call, also one under way, fails.
 */
export class EtcdClient implements Disposable {
  readonly #members: Members;
  readonly #user: EtcdUser | undefined;
  #token: Promise<string> | undefined;
  #disposed = false;

  constructor(options: EtcdOptions) {
    this.#members = new Members(options);
    this.#user = options.user;
  }

  /** `op` names the call in errors. */
  async call<I, O>(op: string, method: Method<I, O>, request: I): Promise<O> {
    const { value } = await this.ask(op, method, request);
    return value;
  }

  /** As `call`; says which member answered. */
  async ask<I, O>(op: string, method: Method<I, O>, request: I): Promise<Answer<O>> {
    return await this.#repeat(op, async (member, ms) => {
      const token = await this.#tokenAt(member, ms);
      return await member.channel.unary(method, request, { metadata: metadataWith(token), ms });
    });
  }

  /** One answer of a method that streams: sends the request, takes the first answer, and ends the stream. */
  async first<I, O>(op: string, method: Method<I, O>, request: I): Promise<O> {
    const { value } = await this.#repeat(op, async (member, ms) => {
      const stream = await this.stream(member, method, ms);
      stream.write(request);
      for await (const answer of stream) return answer;
      throw new GrpcError(CODE.internal, 'the stream ended without an answer');
    });
    return value;
  }

  /** A stream to one member; without `ms` it lasts until it is cancelled. */
  async stream<I, O>(member: Member, method: Method<I, O>, ms?: number): Promise<GrpcStream<I, O>> {
    const metadata = metadataWith(await this.#tokenAt(member, ms ?? CALL_MS));
    this.#assertOpen();
    return await member.channel.stream(method, { metadata, ...(ms !== undefined && { ms }) });
  }

  /** Later calls go to another member. */
  avoid(member: Member): void {
    this.#members.avoid(member);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#members[Symbol.dispose]();
  }

  async #repeat<T>(op: string, attempt: (member: Member, ms: number) => Promise<T>): Promise<Answer<T>> {
    const { size } = this.#members;
    const end = performance.now() + (size > 1 ? TOTAL_MS : CALL_MS);
    const reasons = new Map<string, string>();
    for (let tries = 1, renewals = 0; ; tries++) {
      this.#assertOpen();
      const member = this.#members.current;
      const ms = Math.max(LEAST_MS, Math.min(CALL_MS, end - performance.now()));
      const token = this.#token;
      try {
        return { value: await attempt(member, ms), member };
      } catch (error) {
        if (!(error instanceof GrpcError)) throw error;
        this.#assertOpen();
        reasons.set(member.endpoint, reasonOf(error, ms));
        if (isTokenRefused(error) && token !== undefined && renewals++ === 0) {
          if (this.#token === token) this.#token = undefined;
          continue;
        }
        if (!isTransient(error)) throw failureOf(op, new Map([...reasons].slice(-1)), error);
        this.#members.avoid(member);
        // Once around, wait a little: an election takes a second.
        const pause = tries % size === 0 ? 30 + Math.random() * 70 : 0;
        if (performance.now() + pause + LEAST_MS > end) throw failureOf(op, reasons, error);
        await sleep(pause);
      }
    }
  }

  /** The token of our user; empty without one, or where etcd has no authentication. */
  async #tokenAt(member: Member, ms: number): Promise<string> {
    if (this.#user === undefined) return '';
    const { name, password } = this.#user;
    this.#token ??= member.channel
      .unary(AuthService.authenticate, { name, password }, { metadata: metadataWith(''), ms })
      .then(
        ({ token }) => token,
        (error: unknown) => {
          if (error instanceof GrpcError && isAuthOff(error)) return '';
          this.#token = undefined;
          throw error;
        },
      );
    return await this.#token;
  }

  #assertOpen(): void {
    if (this.#disposed) throw fault.unavailable('etcd', 'store', 'it is closed');
  }
}

function metadataWith(token: string): Readonly<Record<string, string>> {
  // A member without leader would take seven seconds to refuse a call, and never ends a watch.
  const metadata = { hasleader: 'true' };
  return token === '' ? metadata : { ...metadata, token };
}
