// Fuzzes the launcher's wire, from the network namespace of the daemon. Prints how many requests it sent.
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { MAGIC, PROTOCOL_VERSION, REQUEST_BYTES } from '../../../src/shared/runtime/cni/protocol.ts';
import { mutated } from './mutated.ts';
import { type FuzzTask, fuzz } from './run.ts';

const task: FuzzTask = JSON.parse(process.argv[2] ?? '');
const HANGS_MS = 60_000;

const config = mutated({
  cniVersion: '1.1.0',
  name: 'web',
  type: 'isthmus',
  bridge: 'isth0',
  isGateway: true,
  ipam: { ranges: [[{ subnet: '10.88.0.0/24' }]] },
});
const word = fc.string({ unit: fc.constantFrom('a', '0', '/', '.', ';', '=', ' ', '-', 'é', '\n', ':', '\x1b') });
const env = fc.record(
  {
    CNI_COMMAND: fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom('ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION') },
      word,
    ),
    CNI_CONTAINERID: fc.oneof(fc.constant('c1'), word),
    CNI_IFNAME: fc.oneof(fc.constant('eth0'), word),
    CNI_NETNS: fc.oneof(fc.constant(task.pod), word),
    CNI_ARGS: word,
    CNI_PATH: word,
    TRACEPARENT: word,
    ISTHMUS_LOG: fc.oneof(fc.constant(''), word),
    ISTHMUS_STATE_DIR: fc.oneof(fc.constant(task.stateDir), word),
  },
  { requiredKeys: ['CNI_COMMAND'] },
);
const frame = fc.record({
  magic: fc.oneof({ weight: 9, arbitrary: fc.constant(MAGIC) }, fc.nat()),
  version: fc.oneof({ weight: 9, arbitrary: fc.constant(PROTOCOL_VERSION) }, fc.nat(65_535)),
  longer: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.integer({ min: -50, max: 50 })),
  fd: fc.oneof(fc.constantFrom(-1, 0, 1, 2, 3, 99, 2 ** 31 - 1, -(2 ** 31)), fc.nat(30)),
  rest: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  argv0: fc.oneof(fc.constantFrom('isthmus', 'bridge', 'portmap', 'tuning', 'host-local'), word),
  env,
  config: fc.oneof(
    { weight: 4, arbitrary: config.map((value) => JSON.stringify(value)) },
    fc.string({ unit: 'binary' }),
  ),
  cuts: fc.array(fc.nat(2000), { maxLength: 3 }),
  leave: fc.boolean(),
});
type Frame = typeof frame extends fc.Arbitrary<infer T> ? T : never;

function encode({ magic, version, longer, fd, rest, argv0, env: given, config: text }: Frame): Buffer {
  const entries = Object.entries(given).map(([name, value]) => `${name}=${value}\0`);
  const body = Buffer.from(`${argv0}\0${entries.join('')}\0${text}`);
  const head = Buffer.alloc(REQUEST_BYTES);
  head.set(rest, 16);
  head.writeUInt32LE(magic, 0);
  head.writeUInt16LE(version, 4);
  head.writeUInt32LE(Math.max(0, body.length + longer), 8);
  head.writeInt32LE(fd, 12);
  return Buffer.concat([head, body]);
}

/** Sends the request in pieces; resolves when the daemon closes the connection, or at once if this side leaves. */
async function send(given: Frame): Promise<void> {
  const bytes = encode(given);
  const socket = connect(task.path);
  socket.on('error', () => {});
  socket.resume();
  await once(socket, 'connect');
  let at = 0;
  for (const cut of given.cuts.toSorted((a, b) => a - b)) {
    socket.write(bytes.subarray(at, Math.max(at, cut)));
    at = Math.max(at, cut);
  }
  socket.write(bytes.subarray(at));
  // A request that is never complete would be cut off after ten seconds.
  if (given.leave || given.longer > 0) socket.destroy();
  if (socket.closed) return;
  let timer: NodeJS.Timeout | undefined;
  const hangs = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the daemon hangs')), HANGS_MS);
  });
  await Promise.race([once(socket, 'close'), hangs]).finally(() => clearTimeout(timer));
}

fuzz(task, fc.asyncProperty(frame, send)).then(
  (inputs) => {
    console.log(`wire: ${inputs} inputs`);
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
