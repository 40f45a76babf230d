import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Handler, Routes } from '../../cmd/cnm-shim/docker/wire/routes.ts';
import { DockerServer, type DockerServerOptions } from '../../cmd/cnm-shim/docker/wire/server.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { makeLogger } from '../../src/shared/log/log.ts';
import { makeTempDir } from '../support/temp.ts';

const MEDIA_TYPE = 'application/vnd.docker.plugins.v1.2+json';
const NETWORK = 'd527509059b9f2f85c6351db7c8f4945bd1e96769e16f1c686edc6a408c761a5';

interface Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly connection: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

interface CallOptions {
  readonly verb?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent?: Agent;
}

interface TestServer extends AsyncDisposable {
  readonly path: string;
  readonly server: DockerServer;
  /** Log lines. */
  readonly lines: string[];
  /** The number of calls that it logged as answered. */
  called(): number;
  call(method: string, body?: unknown, options?: CallOptions): Promise<Answer>;
  /** Everything that the server replies to these bytes until it closes the connection. */
  raw(...pieces: readonly (string | Buffer)[]): Promise<string>;
}

const echo: Handler = (body) => ({ body });
const at = (handle: Handler, emptyBody = false): Routes[string] => ({ handle, emptyBody });

async function makeServer(routes: Routes, options: Partial<DockerServerOptions> = {}): Promise<TestServer> {
  const directory = makeTempDir();
  const path = join(directory.path, 'docker.sock');
  const lines: string[] = [];
  let called = 0;
  const log = makeLogger('debug', undefined, (line) => lines.push(line.trimEnd()));
  const server = new DockerServer({ routes, log, called: () => called++, ...options });
  await server.listen({ path });
  return {
    ...{ path, server, lines },
    called: () => called,
    call: (method, body, more) => ask(path, method, body, more),
    raw: (...pieces) => say(path, pieces),
    [Symbol.asyncDispose]: async () => {
      await server.drain(0);
      directory[Symbol.dispose]();
    },
  };
}

/** `body`: text unchanged, anything else as JSON. */
async function ask(socketPath: string, method: string, body: unknown = {}, options: CallOptions = {}): Promise<Answer> {
  const { verb = 'POST', headers = {}, agent } = options;
  const request = httpRequest({ socketPath, path: `/${method}`, method: verb, headers, ...(agent ? { agent } : {}) });
  request.end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
  const [response] = await once(request, 'response');
  // The server may close a connection before it has read an unwanted request to its end.
  request.on('error', () => {});
  let text = '';
  response.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  // Waits for the end of the response, not for its close, which may be an error then.
  await once(response, 'end');
  const { 'content-type': type, connection } = response.headers;
  return { status: response.statusCode, type, connection, body: JSON.parse(text) };
}

async function say(path: string, pieces: readonly (string | Buffer)[]): Promise<string> {
  const connection = connect(path);
  for (const piece of pieces) connection.write(piece);
  return await rest(connection);
}

async function rest(connection: Socket): Promise<string> {
  let text = '';
  connection.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  connection.on('error', () => {});
  if (!connection.closed) await new Promise((resolve) => connection.on('close', resolve));
  return text;
}

function assertFailed({ status, type, body }: Answer, expected: number, message: RegExp): void {
  assert.deepEqual([status, type, Object.keys(body)], [expected, MEDIA_TYPE, ['Err', 'Error']]);
  assert.equal(body.Err, body.Error);
  assert.match(String(body.Err), message);
}

/** Resolves when the condition holds. */
async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (condition()) return;
    await sleep(5);
  }
  assert.fail(`not within five seconds: ${what}`);
}

describe('Docker plugin server', () => {
  it('answers with the plugin content type, whatever the request headers', async () => {
    await using site = await makeServer({ 'A.B': at(echo) });
    for (const headers of [{}, { 'Content-Type': 'text/html' }, { Host: '' }, { 'Transfer-Encoding': 'chunked' }]) {
      const { status, type, body } = await site.call('A.B', { a: 'é' }, { headers });
      assert.deepEqual([status, type, body], [200, MEDIA_TYPE, { body: { a: 'é' } }]);
    }
    assert.equal(site.called(), 4);
  });

  it('accepts an empty body where the protocol has none, and only there', async () => {
    await using site = await makeServer({ 'A.None': at(echo, true), 'A.Some': at(echo) });
    assert.deepEqual((await site.call('A.None', '')).body, { body: {} });
    assert.deepEqual((await site.call('A.None', ' \n')).body, { body: {} });
    assertFailed(await site.call('A.Some', ''), 500, /^A\.Some body: it is empty\. Docker repeats a call without/);
    assert.match(site.lines.at(-1) ?? '', /level=warn event=A\.Some result=error kind=decode error="A\.Some body/);
  });

  for (const body of ['{"a":', '{"a":1}}', 'a', '\0', Buffer.of(0xff, 0xfe), '['.repeat(100_000)])
    it(`rejects ${String(body).slice(0, 10)}, which is not JSON`, async () => {
      await using site = await makeServer({ 'A.B': at(echo) });
      assertFailed(await site.call('A.B', body), 500, /^A\.B body: it is not JSON \(.+\)\. Send one JSON object/);
    });

  it('accepts 16 MiB, and rejects more at once, without waiting for the rest', async () => {
    await using site = await makeServer({ 'A.B': at((body) => ({ length: JSON.stringify(body).length })) });
    const text = (length: number): string => `"${'x'.repeat(length - 2)}"`;
    const message = /^A\.B body: it is too long\. 16777216 bytes are the limit$/;
    assert.deepEqual((await site.call('A.B', text(16 << 20))).body, { length: 16 << 20 });
    assertFailed(await site.call('A.B', text((16 << 20) + 1)), 500, message);
    assertFailed(await site.call('A.B', Buffer.alloc(20e6, 'x')), 500, message);
    const said = await site.raw('POST /A.B HTTP/1.1\r\nHost: \r\nContent-Length: 90000000\r\n\r\n', text(17 << 20));
    assert.match(said, /^HTTP\/1\.1 500 .*it is too long/s);
    assert.deepEqual((await site.call('A.B')).body, { length: 2 });
  });

  it('answers unknown methods and other verbs with 404', async () => {
    await using site = await makeServer({ 'NetworkDriver.Join': at(echo) });
    assertFailed(
      await site.call('NetworkDriver.Jion'),
      404,
      /^call \/NetworkDriver\.Jion: unknown method\. Did you mean NetworkDriver\.Join\?$/,
    );
    assertFailed(await site.call('Volume.List'), 404, /newer than this plugin/);
    assertFailed(await site.call(''), 404, /unknown method/);
    assertFailed(await site.call('constructor'), 404, /unknown method/);
    assertFailed(await site.call('NetworkDriver.Join', {}, { verb: 'PUT' }), 404, /called by PUT instead of POST/);
  });

  it('continues after handlers fail', async () => {
    const known = new NetError({
      kind: 'conflict',
      op: 'Join',
      subject: 'endpoint a',
      what: 'it is there',
      hint: 'Go',
    });
    await using site = await makeServer({
      'A.Known': at(() => {
        throw known;
      }),
      'A.Rejects': at(() => Promise.reject(known)),
      'A.Throws': at(() => {
        throw new TypeError('what\nis this');
      }),
      'A.Nothing': at((): never => undefined as never),
      'A.Cycle': at(() => {
        const cycle: Record<string, unknown> = {};
        cycle.self = cycle;
        return cycle;
      }),
      'A.Good': at(echo),
    });
    assertFailed(await site.call('A.Known'), 500, /^Join endpoint a: it is there\. Go$/);
    assertFailed(await site.call('A.Rejects'), 500, /^Join endpoint a: it is there\. Go$/);
    assertFailed(await site.call('A.Throws'), 500, /^A\.Throws isthmus: what is this$/);
    assertFailed(await site.call('A.Nothing'), 500, /the answer is nothing/);
    assertFailed(await site.call('A.Cycle'), 500, /circular/);
    assert.equal((await site.call('A.Good')).status, 200);
  });

  it('logs one line for each call', async () => {
    await using site = await makeServer({
      'A.Good': at((_, { phases }) => {
        phases.mark('store');
        return {};
      }),
      'A.Bad': at(() => {
        throw new NetError({ kind: 'busy', op: 'a', subject: 'b', what: 'c' });
      }),
    });
    await site.call('A.Good', { NetworkID: NETWORK, EndpointID: 'x\ny', Interface: { Address: '10.1.0.2/16' } });
    await site.call('A.Bad', { PoolID: 'p', Pool: '10.1.0.0/16', Address: '10.1.0.3' });
    const number = '[\\d.]+';
    assert.match(
      site.lines.join('\n'),
      new RegExp(
        `^level=info event=A\\.Good network=d527509059b9 endpoint="x\\\\ny" address=10\\.1\\.0\\.2/16 result=ok ms=${number} receive_ms=${number} store_ms=${number}\n` +
          `level=warn event=A\\.Bad pool=p subnet=10\\.1\\.0\\.0/16 address=10\\.1\\.0\\.3 ` +
          `result=error kind=busy error="a b: c" ms=${number} receive_ms=${number}$`,
      ),
    );
  });

  it('answers for a hanging handler at the deadline, and logs when that ends', async () => {
    let release = (): void => {};
    const handle: Handler = async () => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return {};
    };
    await using site = await makeServer({ 'A.Hangs': at(handle), 'A.Good': at(echo) }, { deadlineMs: 50 });
    const message = /^A\.Hangs call: it has not ended within its deadline of 0\.05 s\. It goes on; the log tells/;
    assertFailed(await site.call('A.Hangs', { NetworkID: NETWORK }), 500, message);
    assert.equal((await site.call('A.Good')).status, 200);
    release();
    await until('its end is told', () => site.lines.some((line) => line.includes('late=true result=ok')));
  });

  it('serves many calls at once, each with its own answer', async () => {
    const handle: Handler = async (body) => {
      await sleep(Math.random() * 5);
      return { body };
    };
    await using site = await makeServer({ 'A.B': at(handle) });
    const answers = await Promise.all(Array.from({ length: 64 }, (_, i) => site.call('A.B', { i })));
    assert.deepEqual(
      answers.map(({ body }) => body),
      Array.from({ length: 64 }, (_, i) => ({ body: { i } })),
    );
  });

  describe('connections', () => {
    const good = 'POST /A.B HTTP/1.1\r\nHost: \r\nContent-Length: 2\r\n\r\n{}';

    it('stay open if they are idle for longer than a request may take', async () => {
      await using site = await makeServer({ 'A.B': at(echo) }, { requestMs: 40 });
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const fresh = connect(site.path);
      try {
        for (let i = 0; i < 2; i++) {
          assert.equal((await site.call('A.B', {}, { agent })).status, 200);
          await sleep(150);
        }
        assert.deepEqual(Object.values(agent.freeSockets).flat().length, 1);
        fresh.write(good);
        const [piece] = await once(fresh, 'data');
        assert.match(String(piece), /^HTTP\/1\.1 200 OK\r\n/);
      } finally {
        agent.destroy();
        fresh.destroy();
      }
    });

    for (const [what, pieces] of [
      ['a head', ['POST /A.B HTTP/1.1\r\nHo']],
      ['a body', ['POST /A.B HTTP/1.1\r\nHost: \r\nContent-Length: 10\r\n\r\n{']],
    ] as const)
      it(`are closed if ${what} is not complete in time`, async () => {
        await using site = await makeServer({ 'A.B': at(echo) }, { requestMs: 40 });
        assert.match(
          await site.raw(...pieces),
          /^HTTP\/1\.1 408 .*"Err":"the request has not come to its end in time"/s,
        );
        assert.equal((await site.call('A.B')).status, 200);
      });

    for (const [what, pieces] of [
      ['bytes that are not HTTP', ['\0\x01\x02 hello\r\n\r\n']],
      ['a head that is too long', [`POST /A.B HTTP/1.1\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`]],
      ['an invalid length', ['POST /A.B HTTP/1.1\r\nHost: \r\nContent-Length: -7\r\n\r\n{}']],
      ['two lengths', ['POST /A.B HTTP/1.1\r\nHost: \r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}']],
      ['bad chunks', ['POST /A.B HTTP/1.1\r\nHost: \r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n']],
    ] as const)
      it(`are closed after ${what}`, async () => {
        await using site = await makeServer({ 'A.B': at(echo) });
        assert.match(await site.raw(...pieces), /^HTTP\/1\.1 4\d\d .*"Err":".*"Error":"/s);
        assert.equal((await site.call('A.B')).status, 200);
      });

    it('that end within a request affect no others, and call no handler', async () => {
      let seen = 0;
      const handle: Handler = () => ({ seen: seen++ });
      await using site = await makeServer({ 'A.B': at(handle) });
      for (let end = 1; end < good.length; end += 3) {
        const connection = connect(site.path);
        connection.end(good.slice(0, end));
        await rest(connection);
      }
      const cut = connect(site.path);
      cut.write(good.slice(0, -1), () => cut.destroy());
      await rest(cut);
      assert.deepEqual((await site.call('A.B')).body, { seen: 0 });
    });

    it('that end before the answer do not interrupt their call', async () => {
      let ended = 0;
      const handle: Handler = async () => {
        await sleep(30);
        return { ended: ended++ };
      };
      await using site = await makeServer({ 'A.B': at(handle) });
      const connection = connect(site.path);
      connection.write(good, () => connection.destroy());
      await until('the call has ended', () => ended === 1);
      await until('it is counted', () => site.called() === 1);
      assert.deepEqual((await site.call('A.B')).body, { ended: 1 });
    });
  });

  describe('when it stops', () => {
    it('finishes its calls and accepts no new connections', async () => {
      let release = (): void => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const handle: Handler = async () => {
        await held;
        return { ok: true };
      };
      await using site = await makeServer({ 'A.B': at(handle) });
      const agent = new Agent({ keepAlive: true });
      const idle = connect(site.path);
      await once(idle, 'connect');
      const call = site.call('A.B', {}, { agent });
      await sleep(50);
      const drained = site.server.drain(5000);
      await until('the socket is gone', () => !existsSync(site.path));
      await assert.rejects(site.call('A.B'), /ENOENT|ECONNREFUSED/);
      release();
      const { status, connection, body } = await call;
      assert.deepEqual([status, connection, body], [200, 'close', { ok: true }]);
      await drained;
      await rest(idle);
      agent.destroy();
    });

    it('accepts a request that was sent before', async () => {
      await using site = await makeServer({ 'A.B': at(echo) });
      const call = site.call('A.B', { a: 1 });
      const idle = connect(site.path);
      await once(idle, 'connect');
      const drained = site.server.drain(5000);
      idle.write('POST /A.B HTTP/1.1\r\nHost: \r\nContent-Length: 7\r\n\r\n{"a":2}');
      assert.match(await rest(idle), /^HTTP\/1\.1 200 .*\{"body":\{"a":2\}\}$/s);
      await drained;
      assert.deepEqual((await call).body, { body: { a: 1 } });
    });

    it('waits no longer than the given time for a hanging call', async () => {
      await using site = await makeServer({ 'A.Hangs': at(() => new Promise(() => {})) });
      const call = site.call('A.Hangs');
      const failed = assert.rejects(call, /hang up|ECONNRESET/);
      await sleep(50);
      await site.server.drain(10);
      await failed;
    });
  });
});
