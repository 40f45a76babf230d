import { strict as assert } from 'node:assert';
import { createServer, type Server, type Socket } from 'node:net';
import { collect } from '../../cmd/cnm-shim/bundle/collect.ts';
import { daemonEvents, daemonMetrics, daemonStatus } from '../../cmd/cnm-shim/control/client.ts';
import type { OperationEvent } from '../../cmd/cnm-shim/control/operations.ts';
import { controlSocket } from '../../cmd/cnm-shim/control/socket.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { skipIf } from '../support/skip.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;

const EVENT = {
  ...{ seq: 1, at: '2026-01-01T00:00:00Z', camp: 'cni', operation: 'ADD', subject: { network: 'web' } },
  ...{ result: 'ok', ms: 1.5, phases: { host: 1 } },
};

function whole(text: string): string {
  return `${OK}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** Writes the text again and again, as fast as it is read. */
function withoutEnd(socket: Socket, text: string): void {
  const more = (): void => {
    while (socket.writable && socket.write(text));
  };
  socket.write(CHUNKED);
  socket.on('drain', more);
  more();
}

describe('answers at the control socket that are not a daemon of ours', () => {
  let directory: TempDir;
  let server: Server;
  let answer: (socket: Socket) => void;
  const open = new Set<Socket>();

  beforeEach(async () => {
    directory = makeTempDir();
    server = createServer((socket) => {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => open.delete(socket));
      socket.once('data', () => answer(socket));
    });
    await new Promise<void>((done) => server.listen(controlSocket(directory.path), done));
  });
  afterEach(() => {
    for (const socket of open) socket.destroy();
    server.close();
    directory[Symbol.dispose]();
  });

  const eventsNow = (): Promise<OperationEvent[]> => Array.fromAsync(daemonEvents(directory.path, false));
  const ASKS = {
    events: eventsNow,
    status: () => daemonStatus(directory.path),
    metrics: () => daemonMetrics(directory.path),
  };

  async function refused(ask: keyof typeof ASKS, what: RegExp): Promise<NetError> {
    const thrown = await ASKS[ask]().then(
      (value) => assert.fail(`it took ${JSON.stringify(value)}`),
      (error: unknown) => error,
    );
    assert.ok(thrown instanceof NetError, String(thrown));
    assert.equal(thrown.kind, 'unavailable');
    assert.match(thrown.message, what);
    return thrown;
  }

  it('takes what a daemon says, and what a later one adds', async () => {
    const later = { ...EVENT, seq: 2, more: [1] };
    answer = (socket) => socket.end(whole(`${JSON.stringify(EVENT)}\n${JSON.stringify(later)}\n`));
    assert.deepEqual(await eventsNow(), [EVENT, later]);
  });

  for (const [title, text, what] of [
    ['noise', '\0\x01noise\r\n\r\n', /Parse Error.*Restart the daemon/],
    ['another status', 'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n', /answered with status 500/],
    ['a redirection', 'HTTP/1.1 302 F\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n', /answered with status 302/],
    ['noise in the body', `${CHUNKED}${chunk(`${JSON.stringify(EVENT)}\n`)}ZZZ\r\n`, /Parse Error|it ended/],
    ['half an answer', `${OK}Content-Length: 1000\r\n\r\n{"version":`, /it ended/],
  ] as const)
    for (const ask of ['events', 'status', 'metrics'] as const)
      it(`refuses ${title} as ${ask}`, async () => {
        answer = (socket) => socket.end(text);
        await refused(ask, what);
      });

  it('tells root that the daemon hung up, not to be root', async function () {
    skipIf(this, process.getuid?.() === 0 ? undefined : 'this test needs root');
    answer = (socket) => socket.destroy();
    for (const ask of ['events', 'status', 'metrics'] as const) {
      const { message } = await refused(ask, /Restart the daemon/);
      assert.doesNotMatch(message, /root/);
    }
  });

  for (const [title, text] of [
    ['null', 'null'],
    ['a list', '[]'],
    ['text without a line break at its end', 'half'],
    ['an object of something else', '{"version":"1"}\n'],
    ...Object.entries({
      at: 5,
      camp: null,
      operation: {},
      subject: null,
      result: 3,
      ms: '1',
      phases: 7,
      did: 'x',
      message: {},
      traceparent: [],
    }).map(([key, value]) => [`a wrong ${key}`, `${JSON.stringify({ ...EVENT, [key]: value })}\n`] as const),
    ['a subject that is no text', `${JSON.stringify({ ...EVENT, subject: { a: {} } })}\n`],
  ] as const)
    it(`refuses ${title} as an operation`, async () => {
      answer = (socket) => socket.end(whole(text));
      await refused('events', /its answer is not (JSON|a list of operations)\. It may be of another version$/);
    });

  it('reads no line and no answer without an end', async function () {
    this.timeout(60_000);
    answer = (socket) => withoutEnd(socket, chunk('x'.repeat(1 << 16)));
    await refused('events', /its answer is not a list of operations/);
    await refused('metrics', /its answer has no end/);
    answer = (socket) => withoutEnd(socket, chunk(`${JSON.stringify(EVENT)}\n`.repeat(400)));
    await refused('events', /its answer has no end|does not answer within 10 s/);
  });

  it('waits ten seconds for a daemon that hangs, and a bundle does so once', async function () {
    this.timeout(60_000);
    answer = (socket) => socket.write(`${OK}Content-Length: 1000\r\n\r\n{"version":`);
    const places = {
      stateDir: directory.path,
      runDir: directory.path,
      confDir: '/nonexistent',
      cluster: '/nonexistent',
    };
    const begun = performance.now();
    const [, , , { missing }] = await Promise.all([
      refused('events', /does not answer within 10 s.*Restart the daemon/),
      refused('status', /does not answer within 10 s/),
      refused('metrics', /does not answer within 10 s/),
      collect(places),
    ]);
    assert.equal(missing.filter((line) => /^daemon\/.*does not answer within 10 s/.test(line)).length, 3);
    assert.ok(performance.now() - begun < 19_000, 'asks a daemon that hangs again');
  });

  it('follows for longer than an answer may take', async function () {
    this.timeout(30_000);
    const line = chunk(`${JSON.stringify(EVENT)}\n`);
    answer = (socket) => {
      socket.write(`${CHUNKED}${line}`);
      setTimeout(() => socket.end(`${line}0\r\n\r\n`), 11_000);
    };
    assert.equal((await Array.fromAsync(daemonEvents(directory.path, true))).length, 2);
  });
});
