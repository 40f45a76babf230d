import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Channel } from '../../src/shared/store/etcd/grpc/channel.ts';
import { TIMING } from '../../src/shared/store/etcd/grpc/connection.ts';
import { encodeFrame } from '../../src/shared/store/etcd/grpc/frames.ts';
import { CODE } from '../../src/shared/store/etcd/grpc/status.ts';
import { parseEndpoint } from '../../src/shared/store/etcd/options.ts';
import { startProxy } from '../support/byte-proxy.ts';
import { BYTES, echo, eventually, type GrpcServer, grpcError, respond, startGrpc } from '../support/grpc-server.ts';
import { waitFor } from '../support/test-host.ts';

const REQUEST = Buffer.from('request');
const ms = 5_000;

describe('gRPC: signs of life', () => {
  let server: GrpcServer;
  beforeEach(async () => {
    server = await startGrpc(echo);
  });
  afterEach(() => server[Symbol.asyncDispose]());

  it('pings while a call is under way, and ends when the answer is missing', async () => {
    assert.ok(TIMING.ping >= 6_000, 'etcd counts faster pings, and ends the connection');
    const path = `${server.path}.ping`;
    await using proxy = await startProxy(path, server.path);
    using channel = new Channel(parseEndpoint(`unix://${path}`), undefined, { ...TIMING, ping: 100, pong: 150 });
    await channel.unary(BYTES, REQUEST, { ms });
    await sleep(200);
    let pings = 0;
    server.sessions[0]?.on('ping', () => pings++);
    await sleep(350);
    assert.equal(pings, 0, 'etcd does not want pings of an idle connection');
    const stream = await channel.stream(BYTES);
    stream.write(REQUEST);
    const answers = stream[Symbol.asyncIterator]();
    await answers.next();
    await waitFor('two pings', () => pings >= 2);
    const since = performance.now();
    proxy.mute();
    await assert.rejects(answers.next(), grpcError(CODE.unavailable, /no answer to a ping within 0\.15 s/));
    assert.ok(performance.now() - since < 2_000);
  });

  it('a call in vain makes it ping, so that a connection into nowhere ends', async () => {
    const path = `${server.path}.vain`;
    await using proxy = await startProxy(path, server.path);
    using channel = new Channel(parseEndpoint(`unix://${path}`), undefined, { ...TIMING, pong: 100 });
    await channel.unary(BYTES, REQUEST, { ms });
    proxy.mute();
    const since = performance.now();
    await assert.rejects(channel.unary(BYTES, REQUEST, { ms: 50 }), grpcError(CODE.deadlineExceeded, /in time/));
    await eventually('another connection', async () => {
      await channel.unary(BYTES, REQUEST, { ms: 20 }).catch(() => {});
      return proxy.connections === 2;
    });
    assert.ok(performance.now() - since < 2_000);
  });

  it('a call in vain does not make it ping faster than it may', async () => {
    await using silent = await startGrpc(() => {});
    using channel = new Channel(silent.endpoint, undefined, { ...TIMING, ping: 500 });
    const calls = async (until: number): Promise<number> => {
      let pings = 0;
      await channel.unary(BYTES, REQUEST, { ms: 20 }).catch(() => {});
      silent.sessions[0]?.on('ping', () => pings++);
      while (performance.now() < until) await channel.unary(BYTES, REQUEST, { ms: 20 }).catch(() => {});
      return pings;
    };
    const pings = await calls(performance.now() + 1_300);
    assert.ok(pings >= 1 && pings <= 3, `${pings} pings`);
    assert.equal(silent.sessions.length, 1);
  });

  it('a process that was busy takes the answer that came meanwhile', async () => {
    const worker = new Worker(join(import.meta.dirname, '../support/grpc-worker.ts'));
    const [path] = (await once(worker, 'message')) as [string];
    const channel = new Channel(parseEndpoint(`unix://${path}`));
    await channel.unary(BYTES, REQUEST, { ms });
    for (let round = 0; round < 5; round++) {
      const answer = channel.unary(BYTES, REQUEST, { ms: 100 });
      // Node sends it at the end of this round of its event loop.
      await new Promise(setImmediate);
      for (const until = performance.now() + 250; performance.now() < until; );
      assert.deepEqual(await answer, REQUEST);
    }
    channel[Symbol.dispose]();
    worker.postMessage('end');
    await once(worker, 'exit');
  });

  it('an answer to a ping may be late behind a long list', async () => {
    const path = `${server.path}.slow`;
    await using flood = await startGrpc((stream) => {
      respond(stream);
      stream.end(encodeFrame(Buffer.alloc(900_000)));
    });
    // A line that takes all at once, and delivers 1 MB in a second.
    const line = createServer((client) => {
      const member = connect(flood.path);
      client.on('error', () => {}).pipe(member.on('error', () => {}));
      const waiting: Buffer[] = [];
      member.on('data', (bytes: Buffer) => {
        for (let at = 0; at < bytes.length; at += 10_000) waiting.push(bytes.subarray(at, at + 10_000));
      });
      const timer = setInterval(() => client.write(waiting.shift() ?? ''), 10);
      client.on('close', () => {
        clearInterval(timer);
        member.destroy();
      });
    });
    await new Promise<void>((resolve) => line.listen(path, resolve));
    const channel = new Channel(parseEndpoint(`unix://${path}`), undefined, { ...TIMING, ping: 50, pong: 100 });
    const since = performance.now();
    for await (const answer of await channel.stream(BYTES)) assert.equal(answer.length, 900_000);
    assert.ok(performance.now() - since > 500, 'nothing was late');
    channel[Symbol.dispose]();
    await new Promise((resolve) => line.close(resolve));
  });
});
