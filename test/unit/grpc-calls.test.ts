import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { Channel } from '../../src/shared/store/etcd/grpc/channel.ts';
import { encodeFrame, MAX_MESSAGE } from '../../src/shared/store/etcd/grpc/frames.ts';
import { CODE } from '../../src/shared/store/etcd/grpc/status.ts';
import { answerWith, BYTES, echo, grpcError, respond, type Serve, startGrpc } from '../support/grpc-server.ts';

const REQUEST = Buffer.from('request');

/** The answer of a server that serves so. */
async function ask(serve: Serve, request: Uint8Array = REQUEST, ms = 5_000): Promise<Buffer> {
  await using server = await startGrpc(serve);
  using channel = new Channel(server.endpoint);
  return await channel.unary(BYTES, request, { ms });
}

/** Ends the answer so, in headers alone. */
const refuse =
  (headers: OutgoingHttpHeaders): Serve =>
  (stream) =>
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...headers }, { endStream: true });

describe('gRPC: a call', () => {
  it('sends what the protocol asks for', async () => {
    let asked: IncomingHttpHeaders = {};
    await using server = await startGrpc((stream, headers) => {
      asked = headers;
      echo(stream, headers);
    });
    using channel = new Channel(server.endpoint);
    const metadata = { hasleader: 'true', token: 'x.1' };
    assert.deepEqual(await channel.unary(BYTES, REQUEST, { metadata, ms: 1_500 }), REQUEST);
    const { te, token, hasleader, ':method': method, ':path': path, ':authority': authority } = asked;
    assert.deepEqual([te, token, hasleader], ['trailers', 'x.1', 'true']);
    assert.deepEqual([method, path, authority], ['POST', BYTES.path, 'localhost']);
    assert.equal(asked['content-type'], 'application/grpc');
    const [, ms] = /^(\d{1,8})m$/.exec(String(asked['grpc-timeout'])) ?? [];
    assert.ok(Number(ms) > 500 && Number(ms) <= 1_500, String(asked['grpc-timeout']));
  });

  it('takes an empty message, and one of 10 MiB each way', async () => {
    assert.deepEqual(await ask(echo, Buffer.alloc(0)), Buffer.alloc(0));
    const large = Buffer.alloc(10 << 20, 'abcdefg');
    assert.ok((await ask(echo, large, 20_000)).equals(large));
  });

  it('takes a message in many pieces', async () => {
    const frame = encodeFrame(Buffer.from('in many pieces'));
    const answer = await ask(async (stream) => {
      respond(stream);
      for (const byte of frame) {
        stream.write(Buffer.of(byte));
        await sleep(1);
      }
      stream.end();
    });
    assert.equal(answer.toString(), 'in many pieces');
  });

  it('reports the error that the trailers name, percent-decoded', async () => {
    const trailers = { 'grpc-status': '5', 'grpc-message': 'no lease %C3%A4%0A100%25' };
    await assert.rejects(
      ask((stream) => {
        respond(stream, trailers);
        stream.end();
      }),
      grpcError(CODE.notFound, /^no lease ä\n100%$/),
    );
    for (const [headers, code, details] of [
      [trailers, CODE.notFound, /^no lease ä/],
      [{ 'grpc-status': '9', 'grpc-message': 'odd %zz' }, CODE.failedPrecondition, /^odd %zz$/],
      [{ 'grpc-status': '16' }, CODE.unauthenticated, /^$/],
      [{ 'grpc-status': 'many' }, CODE.unknown, /^$/],
    ] as const)
      await assert.rejects(ask(refuse(headers)), grpcError(code, details));
  });

  it('an error after a message is an error', async () => {
    await assert.rejects(
      ask((stream) => {
        respond(stream, { 'grpc-status': '14', 'grpc-message': 'etcdserver: leader changed' });
        stream.end(encodeFrame(REQUEST));
      }),
      grpcError(CODE.unavailable, /leader changed/),
    );
  });

  it('an answer without trailers, half a message, none, and two are errors', async () => {
    const headers = { ':status': 200, 'content-type': 'application/grpc' };
    await assert.rejects(
      ask((stream) => {
        stream.respond(headers);
        stream.end(encodeFrame(REQUEST));
      }),
      grpcError(CODE.internal, /without a status/),
    );
    for (const bytes of [3, 5, 8])
      await assert.rejects(
        ask((stream) => {
          respond(stream);
          stream.end(encodeFrame(REQUEST).subarray(0, bytes));
        }),
        grpcError(CODE.internal, /ends within a message/),
      );
    await assert.rejects(ask(answerWith()), grpcError(CODE.internal, /no answer/));
    await assert.rejects(ask(answerWith(REQUEST, REQUEST)), grpcError(CODE.internal, /several answers/));
    await assert.rejects(ask(refuse({ 'grpc-status': '0' })), grpcError(CODE.internal, /no answer/));
  });

  it('refuses a compressed message, and one that is too large before it arrives', async () => {
    const frames = (first: number, size: number): Serve => {
      const header = Buffer.alloc(5, first);
      header.writeUInt32BE(size, 1);
      return (stream) => {
        respond(stream);
        stream.write(header);
      };
    };
    await assert.rejects(ask(frames(1, 7)), grpcError(CODE.internal, /compressed/));
    await assert.rejects(
      ask(frames(0, MAX_MESSAGE + 1)),
      grpcError(CODE.resourceExhausted, /67108865 bytes; at most 67108864/),
    );
  });

  it('reports malformed answers as errors of the call', async () => {
    await using server = await startGrpc(echo);
    using channel = new Channel(server.endpoint);
    const decode = (): never => {
      throw new RangeError('index out of range');
    };
    await assert.rejects(
      channel.unary({ ...BYTES, decode }, REQUEST, { ms: 5_000 }),
      grpcError(CODE.internal, /malformed answer \(index out of range\)/),
    );
  });

  it('reports what a proxy answers', async () => {
    const http = (status: number, type: string): Serve => {
      return (stream) => {
        stream.respond({ ':status': status, 'content-type': type });
        stream.end('<html><h1>Bad gateway</h1></html>');
      };
    };
    for (const [status, code] of [
      [502, CODE.unavailable],
      [503, CODE.unavailable],
      [403, CODE.permissionDenied],
      [404, CODE.unimplemented],
      [500, CODE.unknown],
    ] as const)
      await assert.rejects(ask(http(status, 'text/html')), grpcError(code, new RegExp(`HTTP status ${status}`)));
    await assert.rejects(ask(http(200, 'text/html')), grpcError(CODE.unknown, /content-type text\/html instead/));
    await assert.rejects(ask(http(200, 'application/grpc-web')), grpcError(CODE.unknown, /grpc-web instead/));
  });

  it('reports a reset by its code', async () => {
    for (const [reset, code, details] of [
      [0, CODE.internal, /without a status/],
      [2, CODE.internal, /INTERNAL_ERROR/],
      [7, CODE.unavailable, /REFUSED_STREAM/],
      [8, CODE.cancelled, /CANCEL/],
      [11, CODE.resourceExhausted, /ENHANCE_YOUR_CALM/],
      [99, CODE.internal, /reset: 99/],
    ] as const) {
      await assert.rejects(
        ask((stream) => stream.close(reset)),
        grpcError(code, details),
      );
      const answered: Serve = (stream) => {
        respond(stream);
        stream.write(encodeFrame(REQUEST), () => stream.close(reset));
      };
      await assert.rejects(ask(answered), grpcError(code, details));
    }
  });

  it('without an answer ends at its deadline, here and at the server', async () => {
    await using server = await startGrpc(() => {});
    using channel = new Channel(server.endpoint);
    const since = performance.now();
    await assert.rejects(channel.unary(BYTES, REQUEST, { ms: 200 }), grpcError(CODE.deadlineExceeded, /in time/));
    const ms = performance.now() - since;
    assert.ok(ms >= 199 && ms < 1_000, `${ms} ms`);
    const [call] = server.calls;
    assert.ok(call);
    if (!call.closed) await once(call, 'close');
    assert.equal(call.rstCode, 8);
  });

  it('a hundred at once share one connection', async () => {
    await using server = await startGrpc(echo);
    using channel = new Channel(server.endpoint);
    const messages = Array.from({ length: 100 }, (_, index) => Buffer.from(`message ${index}`));
    const answers = await Promise.all(messages.map((message) => channel.unary(BYTES, message, { ms: 5_000 })));
    assert.deepEqual(answers, messages);
    assert.equal(server.sessions.length, 1);
  });
});
