import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import {
  createSecureServer,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeFrame } from '../../src/shared/store/etcd/grpc/frames.ts';
import type { Method } from '../../src/shared/store/etcd/grpc/method.ts';
import { GrpcError } from '../../src/shared/store/etcd/grpc/status.ts';
import { type Endpoint, parseEndpoint } from '../../src/shared/store/etcd/options.ts';
import { makeTempDir } from './temp.ts';

/** How a server treats a call. It may do anything that HTTP/2 lets it. */
export type Serve = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** An HTTP/2 server at a socket in the file system. */
export interface GrpcServer extends AsyncDisposable {
  readonly path: string;
  readonly endpoint: Endpoint;
  /** All connections so far. */
  readonly sessions: readonly ServerHttp2Session[];
  /** The calls so far. */
  readonly calls: readonly ServerHttp2Stream[];
  /** Ends the server and its connections; `start` begins again. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** A method whose messages are bytes. */
export const BYTES: Method<Uint8Array, Buffer> = {
  path: '/test.Service/Method',
  encode: (message) => message,
  decode: (bytes) => Buffer.from(bytes),
};

export async function startGrpc(serve: Serve): Promise<GrpcServer> {
  const temp = makeTempDir();
  const path = join(temp.path, 'grpc.sock');
  const sessions: ServerHttp2Session[] = [];
  const calls: ServerHttp2Stream[] = [];
  // Node refuses calls of a connection with more than 10 MiB on the way.
  const server = createServer({ maxSessionMemory: 256 });
  server.on('session', (session) => void sessions.push(session.on('error', () => {})));
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => {});
    calls.push(stream);
    serve(stream, headers);
  });
  const site: GrpcServer = {
    path,
    endpoint: parseEndpoint(`unix://${path}`),
    sessions,
    calls,
    async stop() {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
    start: () => new Promise((resolve) => server.listen(path, resolve)),
    async [Symbol.asyncDispose]() {
      if (server.listening) await site.stop();
      temp[Symbol.dispose]();
    },
  };
  await site.start();
  return site;
}

/** A server with TLS on the loopback; its certificate is that of `makeAuthority(directory)`. */
export async function startSecureGrpc(
  directory: string,
  serve: Serve,
): Promise<AsyncDisposable & { readonly port: number }> {
  const file = (name: string): Buffer => readFileSync(join(directory, name));
  const server = createSecureServer({ cert: file('ca-server.pem'), key: file('ca-server.key') }, undefined);
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => void sessions.add(session.on('error', () => {})));
  server.on('stream', serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Begins an answer, with `trailers` at its end. */
export function respond(stream: ServerHttp2Stream, trailers: OutgoingHttpHeaders = { 'grpc-status': '0' }): void {
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
}

/** Answers with these messages, once the request has ended. */
export function answerWith(...messages: readonly Uint8Array[]): Serve {
  return (stream) => {
    stream.on('end', () => {
      if (stream.destroyed) return;
      respond(stream);
      stream.end(Buffer.concat(messages.map(encodeFrame)));
    });
    stream.resume();
  };
}

/** Sends each message back. */
export const echo: Serve = (stream) => {
  respond(stream);
  stream.pipe(stream);
};

/** True for a GrpcError of this code whose details match. */
export function grpcError(code: number, details: RegExp): (thrown: unknown) => boolean {
  return (thrown) => {
    assert.ok(thrown instanceof GrpcError, String(thrown));
    assert.equal(thrown.code, code, thrown.message);
    assert.match(thrown.details, details);
    return true;
  };
}

/** `condition` has come true within five seconds. */
export async function eventually(what: string, condition: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 5_000;
  while (!(await condition())) {
    assert.ok(Date.now() < end, `not within 5 s: ${what}`);
    await sleep(20);
  }
}
