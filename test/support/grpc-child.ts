/** Makes calls that end in all ways, and prints how they did. Then nothing is left that keeps the process. */
import { Channel } from '../../src/shared/store/etcd/grpc/channel.ts';
import { TIMING } from '../../src/shared/store/etcd/grpc/connection.ts';
import { encodeFrame } from '../../src/shared/store/etcd/grpc/frames.ts';
import { parseEndpoint } from '../../src/shared/store/etcd/options.ts';
import { startProxy } from './byte-proxy.ts';
import { BYTES, echo, respond, type Serve, startGrpc } from './grpc-server.ts';

const REQUEST = Buffer.from('request');
const ms = 1_000;

async function tell(what: string, serve: Serve, use: (channel: Channel) => Promise<unknown>): Promise<void> {
  await using server = await startGrpc(serve);
  const channel = new Channel(server.endpoint);
  const said = await use(channel).catch((error: unknown) => error);
  channel[Symbol.dispose]();
  console.log(`${what}: ${said}`);
}

const halfway: Serve = (stream) => {
  respond(stream);
  stream.write(encodeFrame(REQUEST).subarray(0, 7));
};
const unary = (channel: Channel): Promise<Buffer> => channel.unary(BYTES, REQUEST, { ms });
await tell('answered', echo, unary);
await tell(
  'no answer',
  () => {},
  (channel) => channel.unary(BYTES, REQUEST, { ms: 50 }),
);
await tell('half an answer', halfway, (channel) => channel.unary(BYTES, REQUEST, { ms: 50 }));
await tell('reset', (stream) => stream.close(2), unary);
await tell('cancelled', echo, async (channel) => {
  const stream = await channel.stream(BYTES);
  stream.write(REQUEST);
  for await (const answer of stream) return answer;
  throw new Error('the stream ended');
});
await tell(
  'disposed',
  () => {},
  async (channel) => {
    const stream = await channel.stream(BYTES);
    const calls = [unary(channel), stream[Symbol.asyncIterator]().next()];
    setTimeout(() => channel[Symbol.dispose](), 50);
    const ends = await Promise.allSettled(calls);
    return ends.map((end) => (end.status === 'rejected' ? end.reason.details : end.value)).join(', ');
  },
);
await tell('ended by the server', (stream) => stream.session?.destroy(), unary);
await using server = await startGrpc(echo);
await using proxy = await startProxy(`${server.path}.mute`);
const mute = new Channel(parseEndpoint(`unix://${proxy.path}`), undefined, TIMING);
const waiting = mute.unary(BYTES, REQUEST, { ms });
setTimeout(() => mute[Symbol.dispose](), 50);
console.log(`disposed while it connects: ${await waiting.catch((error: unknown) => error)}`);
