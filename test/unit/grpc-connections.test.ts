import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import { Channel } from '../../src/shared/store/etcd/grpc/channel.ts';
import { TIMING } from '../../src/shared/store/etcd/grpc/connection.ts';
import { CODE } from '../../src/shared/store/etcd/grpc/status.ts';
import { parseEndpoint } from '../../src/shared/store/etcd/options.ts';
import { startProxy } from '../support/byte-proxy.ts';
import { makeAuthority } from '../support/certificates.ts';
import {
  BYTES,
  echo,
  eventually,
  type GrpcServer,
  grpcError,
  startGrpc,
  startSecureGrpc,
} from '../support/grpc-server.ts';
import { makeTempDir } from '../support/temp.ts';
import { waitFor } from '../support/test-host.ts';

const REQUEST = Buffer.from('request');
const ms = 5_000;

/** What no type tells of Node's sessions. */
interface Numbered {
  setNextStreamID(id: number): void;
}

describe('gRPC: a connection', () => {
  let server: GrpcServer;
  beforeEach(async () => {
    server = await startGrpc(echo);
  });
  afterEach(() => server[Symbol.asyncDispose]());

  it('after a GOAWAY new calls get another one, and the running one goes on', async () => {
    using channel = new Channel(server.endpoint);
    const stream = await channel.stream(BYTES);
    const answers = stream[Symbol.asyncIterator]();
    stream.write(Buffer.from('before'));
    assert.equal(String((await answers.next()).value), 'before');
    const [first] = server.sessions;
    first?.goaway(0, 2 ** 31 - 1);
    await eventually('a second connection', async () => {
      // A call that meets the GOAWAY on its way is refused.
      await channel.unary(BYTES, REQUEST, { ms }).catch(grpcError(CODE.unavailable, /REFUSED_STREAM/));
      return server.sessions.length === 2;
    });
    stream.write(Buffer.from('after'));
    assert.equal(String((await answers.next()).value), 'after');
    assert.ok(!first?.destroyed);
    stream.cancel();
    await waitFor('the end of the first', () => first?.destroyed === true);
    await channel.unary(BYTES, REQUEST, { ms });
    assert.equal(server.sessions.length, 2);
  });

  it('a GOAWAY with an error ends its calls, and says why', async () => {
    using channel = new Channel(server.endpoint);
    const stream = await channel.stream(BYTES);
    stream.write(REQUEST);
    const answers = stream[Symbol.asyncIterator]();
    await answers.next();
    const next = answers.next();
    server.sessions[0]?.goaway(11, 0, Buffer.from('too_many_pings'));
    await assert.rejects(next, grpcError(CODE.unavailable, /ended the connection: ENHANCE_YOUR_CALM too_many_pings/));
    assert.deepEqual(await channel.unary(BYTES, REQUEST, { ms }), REQUEST);
  });

  it('a server that ends loses all calls; the next one connects again', async () => {
    using channel = new Channel(server.endpoint);
    const stream = await channel.stream(BYTES);
    stream.write(REQUEST);
    const answers = stream[Symbol.asyncIterator]();
    await answers.next();
    const [next] = await Promise.all([answers.next().catch((thrown: unknown) => thrown), server.stop()]);
    assert.ok(grpcError(CODE.unavailable, /ended/)(next));
    await assert.rejects(channel.unary(BYTES, REQUEST, { ms }), grpcError(CODE.unavailable, /ENOENT.*grpc\.sock/));
    await server.start();
    await eventually('an answer', async () => (await channel.unary(BYTES, REQUEST, { ms }).catch(() => '')) !== '');
  });

  it('an end within an HTTP/2 frame is a loss', async () => {
    const path = `${server.path}.cut`;
    await using proxy = await startProxy(path, server.path);
    using channel = new Channel(parseEndpoint(`unix://${path}`));
    await channel.unary(BYTES, REQUEST, { ms });
    proxy.cutAfter(5_000);
    await assert.rejects(channel.unary(BYTES, Buffer.alloc(100_000), { ms }), grpcError(CODE.unavailable, /ended/));
    assert.deepEqual(await channel.unary(BYTES, REQUEST, { ms }), REQUEST);
  });

  it('after a failure calls fail at once for a while, and do not connect', async () => {
    let connections = 0;
    const path = `${server.path}.closing`;
    const closing = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => closing.listen(path, resolve));
    using channel = new Channel(parseEndpoint(`unix://${path}`));
    const until = performance.now() + 1_000;
    let calls = 0;
    for (; performance.now() < until; calls++) {
      await assert.rejects(
        channel.unary(BYTES, REQUEST, { ms }),
        grpcError(CODE.unavailable, /ended|ECONNRESET|EPIPE/),
      );
      await sleep(5);
    }
    // At 0, 100, 300 and 700 ms.
    assert.ok(connections >= 2 && connections <= 4, `${connections} connections for ${calls} calls`);
    await new Promise((resolve) => closing.close(resolve));
  });

  it('a peer that accepts and says nothing costs the deadline of a call, and its connection an own one', async () => {
    const path = `${server.path}.mute`;
    await using proxy = await startProxy(path);
    using channel = new Channel(parseEndpoint(`unix://${path}`), undefined, { ...TIMING, connect: 400 });
    await assert.rejects(channel.unary(BYTES, REQUEST, { ms: 100 }), grpcError(CODE.deadlineExceeded, /in time/));
    await assert.rejects(channel.stream(BYTES, { ms: 100 }), grpcError(CODE.deadlineExceeded, /in time/));
    await assert.rejects(channel.stream(BYTES), grpcError(CODE.unavailable, /no connection within 0\.4 s/));
    assert.equal(proxy.connections, 1);
  });

  it('a peer that does not speak HTTP/2 is a failure', async () => {
    const path = `${server.path}.http1`;
    const http = createServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    );
    await new Promise<void>((resolve) => http.listen(path, resolve));
    using channel = new Channel(parseEndpoint(`unix://${path}`));
    await assert.rejects(channel.unary(BYTES, REQUEST, { ms }), grpcError(CODE.unavailable, /Protocol error|ended/));
    await new Promise((resolve) => http.close(resolve));
  });

  it('makes another one before HTTP/2 runs out of numbers', async () => {
    using channel = new Channel(server.endpoint);
    let session: Numbered | undefined;
    const onCall = (message: unknown): void => {
      session = (message as { readonly stream: { readonly session: Numbered } }).stream.session;
    };
    subscribe('http2.client.stream.created', onCall);
    await channel.unary(BYTES, REQUEST, { ms });
    unsubscribe('http2.client.stream.created', onCall);
    const stream = await channel.stream(BYTES);
    session?.setNextStreamID(2 ** 31 - 101);
    for (let call = 0; call < 100; call++) assert.deepEqual(await channel.unary(BYTES, REQUEST, { ms }), REQUEST);
    assert.equal(server.sessions.length, 2);
    stream.write(REQUEST);
    for await (const answer of stream) {
      assert.deepEqual(answer, REQUEST);
      break;
    }
  });

  it('over TLS, by name or by address: the certificate must be of the CA and have the name', async () => {
    using temp = makeTempDir();
    const { ca } = makeAuthority(temp.path);
    const other = makeAuthority(temp.path, 'other');
    await using secure = await startSecureGrpc(temp.path, echo);
    const call = async (host: string, trusted: Buffer, serverName?: string): Promise<Buffer> => {
      const security = { context: createSecureContext({ ca: trusted }), ...(serverName && { serverName }) };
      using channel = new Channel(parseEndpoint(`https://${host}:${secure.port}`), security);
      return await channel.unary(BYTES, REQUEST, { ms });
    };
    assert.deepEqual(await call('127.0.0.1', ca, 'localhost'), REQUEST);
    assert.deepEqual(await call('localhost', ca), REQUEST);
    await assert.rejects(call('127.0.0.1', ca), grpcError(CODE.unavailable, /IP: 127\.0\.0\.1 is not in the cert/));
    await assert.rejects(call('127.0.0.1', ca, '10.0.0.1'), grpcError(CODE.unavailable, /IP: 10\.0\.0\.1 is not/));
    await assert.rejects(call('localhost', other.ca), grpcError(CODE.unavailable, /certificate/));
  });

  it('leaves nothing that keeps a process, however a call ended', function () {
    this.timeout(30_000);
    const child = join(import.meta.dirname, '../support/grpc-child.ts');
    const output = execFileSync(process.execPath, ['--no-warnings', child], { encoding: 'utf8', timeout: 20_000 });
    assert.match(output, /^(?:[a-z ]+: [^\n]+\n){8}$/);
  });
});
