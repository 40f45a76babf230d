import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import type { ServerHttp2Stream } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { Channel } from '../../src/shared/store/etcd/grpc/channel.ts';
import { encodeFrame, FrameReader } from '../../src/shared/store/etcd/grpc/frames.ts';
import { CODE } from '../../src/shared/store/etcd/grpc/status.ts';
import { answerWith, BYTES, echo, grpcError, respond, type Serve, startGrpc } from '../support/grpc-server.ts';

const text = (...words: readonly string[]): Buffer[] => words.map((word) => Buffer.from(word));

/** The answers of a stream that sends nothing, as text. */
async function answersOf(serve: Serve, ms?: number): Promise<string[]> {
  await using server = await startGrpc(serve);
  using channel = new Channel(server.endpoint);
  const stream = await channel.stream(BYTES, ms === undefined ? {} : { ms });
  const answers: string[] = [];
  for await (const answer of stream) answers.push(String(answer));
  return answers;
}

describe('gRPC: a stream', () => {
  it('yields messages however they are cut', async () => {
    const words = ['first', '', 'second', 'x'.repeat(70_000), 'last'];
    const bytes = Buffer.concat(text(...words).map(encodeFrame));
    for (const size of [1_000, 4, bytes.length]) {
      const answers = await answersOf((stream) => {
        respond(stream);
        for (let at = 0; at < bytes.length; at += size) stream.write(bytes.subarray(at, at + size));
        stream.end();
      });
      assert.deepEqual(answers, words, `pieces of ${size}`);
    }
  });

  it('both sides talk in turn', async () => {
    await using server = await startGrpc(echo);
    using channel = new Channel(server.endpoint);
    const stream = await channel.stream(BYTES);
    const answers = stream[Symbol.asyncIterator]();
    for (const word of text('a', 'b', 'c')) {
      stream.write(word);
      assert.deepEqual((await answers.next()).value, word);
    }
  });

  it('throws what ended it, after the messages before', async () => {
    const seen: string[] = [];
    await using server = await startGrpc((stream) => {
      respond(stream, { 'grpc-status': '14', 'grpc-message': 'etcdserver: no leader' });
      stream.end(Buffer.concat(text('a', 'b').map(encodeFrame)));
    });
    using channel = new Channel(server.endpoint);
    const read = async (): Promise<void> => {
      for await (const answer of await channel.stream(BYTES)) {
        seen.push(String(answer));
        await sleep(30);
      }
    };
    await assert.rejects(read(), grpcError(CODE.unavailable, /no leader/));
    assert.deepEqual(seen, ['a', 'b']);
  });

  it('ends with the server, though our side is open', async () => {
    assert.deepEqual(
      await answersOf((stream) => {
        respond(stream);
        stream.end(encodeFrame(Buffer.from('all')));
      }),
      ['all'],
    );
    await assert.rejects(
      answersOf((stream) =>
        stream.respond(
          {
            ':status': 200,
            'content-type': 'application/grpc',
            'grpc-status': '16',
            'grpc-message': 'invalid auth token',
          },
          { endStream: true },
        ),
      ),
      grpcError(CODE.unauthenticated, /invalid auth token/),
    );
    await assert.rejects(answersOf(answerWith(), 100), grpcError(CODE.deadlineExceeded, /in time/));
  });

  it('cancelled, it ends without an error, and the server learns of it', async () => {
    await using server = await startGrpc(echo);
    using channel = new Channel(server.endpoint);
    for (const end of ['cancel', 'break'] as const) {
      const stream = await channel.stream(BYTES);
      stream.write(Buffer.from('a'));
      for await (const _ of stream)
        if (end === 'break') break;
        else setTimeout(() => stream.cancel(), 20);
      const call = server.calls.at(-1) as ServerHttp2Stream;
      if (!call.closed) await once(call, 'close');
      assert.equal(call.rstCode, 8);
      stream.write(Buffer.from('after the end'));
    }
  });

  it('a reader that is slow holds the server back, and no memory', async () => {
    const frame = encodeFrame(Buffer.alloc(10_000, 1));
    const count = 10_000;
    let sent = 0;
    await using server = await startGrpc((stream) => {
      respond(stream);
      const send = (): void => {
        for (let more = true; more && sent < count; sent++) more = stream.write(frame);
        if (sent < count) stream.once('drain', send);
        else stream.end();
      };
      send();
    });
    using channel = new Channel(server.endpoint);
    const stream = await channel.stream(BYTES);
    await sleep(300);
    // A window of 1 MiB, and what waits in either process.
    assert.ok(sent < 300, `${sent} messages were sent to nobody`);
    let got = 0;
    for await (const answer of stream) {
      assert.equal(answer.length, 10_000);
      if (got++ === 0) {
        await sleep(300);
        assert.ok(sent < 400, `${sent} messages were sent to a reader of one`);
      }
    }
    assert.equal(got, count);
  });

  it('one that nobody reads does not hold up other calls', async () => {
    await using server = await startGrpc((stream, headers) => {
      if (headers['x-flood'] === undefined) return echo(stream, headers);
      respond(stream);
      stream.write(Buffer.alloc(8 << 20));
    });
    using channel = new Channel(server.endpoint);
    const streams = await Promise.all(
      Array.from({ length: 8 }, () => channel.stream(BYTES, { metadata: { 'x-flood': '1' } })),
    );
    await sleep(200);
    const message = Buffer.alloc(2 << 20, 'x');
    assert.ok((await channel.unary(BYTES, message, { ms: 5_000 })).equals(message));
    for (const stream of streams) stream.cancel();
  });
});

describe('gRPC: frames', () => {
  it('a long message in small pieces costs time in proportion', () => {
    const reader = new FrameReader();
    const bytes = encodeFrame(Buffer.alloc(8 << 20, 'x'));
    let messages = 0;
    const since = performance.now();
    for (let at = 0; at < bytes.length; at += 1_000)
      for (const message of reader.push(bytes.subarray(at, at + 1_000))) messages += message.length;
    assert.equal(messages, 8 << 20);
    assert.ok(reader.isEmpty);
    assert.ok(performance.now() - since < 2_000);
  });
});
