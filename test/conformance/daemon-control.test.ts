import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import manifest from '../../package.json' with { type: 'json' };
import { type ControlAnswer, controlRequest } from '../support/control.ts';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite, until } from '../support/daemon-site.ts';
import { DockerCaller } from '../support/docker-caller.ts';
import { withoutRevisions } from '../support/version.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

interface Event {
  readonly seq: number;
  readonly camp: string;
  readonly operation: string;
  readonly result: string;
  readonly subject: Readonly<Record<string, string>>;
  readonly phases: Readonly<Record<string, number>>;
  readonly [key: string]: unknown;
}

/** What root asks a daemon, and clients that ask badly. */
describe("the daemon's control socket", function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let open: number;

  before(async () => {
    bin = daemonBin();
    site = makeSite(bin, { pods: 1 });
    site.host.pod(0).ip('link', 'set', 'lo', 'up');
    await site.start();
    site.ok('ADD', { env: { TRACEPARENT } });
    site.ok('DEL');
    open = descriptors();
  });
  after(() => {
    site?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
  });

  const path = () => join(site.runDir, 'control.sock');
  const descriptors = () => readdirSync(`/proc/${site.daemon.pid}/fd`).length;
  const memory = () => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${site.daemon.pid}/status`, 'utf8'))?.[1]);
  const get = (url: string, method = 'GET'): Promise<ControlAnswer> => controlRequest(path(), url, method);
  const events = async (): Promise<Event[]> => {
    const { status, text } = await get('/v1/events');
    assert.equal(status, 200);
    assert.ok(text.endsWith('\n'));
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  };
  const raw = async (): Promise<Socket> => {
    const socket = connect(path());
    socket.on('error', () => {}); // EPIPE and ECONNRESET of one that the daemon has shut
    await once(socket, 'connect');
    return socket;
  };
  /** Calls are served, and no client has left anything behind. */
  const works = async (): Promise<void> => {
    site.ok('ADD');
    site.ok('DEL');
    assert.equal((await get('/v1/status')).status, 200);
    await until(() => descriptors() <= open, `${open} descriptors again`, 15);
  };

  it('is for root only', () => {
    const { mode, uid } = statSync(path());
    assert.deepEqual([(mode & 0o777).toString(8), uid], ['600', 0]);
  });

  it('tells the status', async () => {
    const { status, text, type } = await get('/v1/status');
    assert.deepEqual([status, type], [200, 'application/json']);
    const told = JSON.parse(text);
    assert.deepEqual(Object.keys(told), [
      ...['version', 'pid', 'startedAt', 'uptimeSeconds', 'rssBytes', 'eventLoopDelayMs', 'calls', 'sockets'],
      'lastErrors',
    ]);
    assert.deepEqual([withoutRevisions(told.version), told.pid], [manifest.version, site.daemon.pid]);
    const age = (Date.now() - Date.parse(told.startedAt)) / 1000;
    assert.ok(age > 0 && Math.abs(told.uptimeSeconds - age) < 2, text);
    assert.ok(Math.abs(told.rssBytes / 1024 - memory()) < 10_000, text);
    assert.deepEqual(Object.keys(told.eventLoopDelayMs), ['p50', 'p99', 'max']);
    assert.deepEqual(told.calls, { running: 0, waiting: 0 });
    const sockets = { cni: join(site.runDir, 'cni.sock'), docker: join(site.runDir, 'docker.sock'), control: path() };
    assert.deepEqual(told.sockets, sockets);
  });

  it('costs the daemon less than 5 ms for a status', async () => {
    const spent = () => {
      const fields = readFileSync(`/proc/${site.daemon.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      // utime and stime, in hundredths of a second.
      return (Number(fields[11]) + Number(fields[12])) * 10;
    };
    await get('/v1/status');
    const before = spent();
    for (let i = 0; i < 100; i++) await get('/v1/status');
    assert.ok((spent() - before) / 100 < 5, `${(spent() - before) / 100} ms`);
  });

  it('shows CNI calls with attachment, phases and trace context', async () => {
    const [add] = (await events()).filter(({ operation }) => operation === 'ADD');
    assert.ok(add !== undefined);
    assert.deepEqual([add.camp, add.result, add.traceparent], ['cni', 'ok', TRACEPARENT]);
    const call = site.call('ADD').env ?? {};
    assert.deepEqual(
      [add.subject.network, add.subject.ifname, add.subject.netns],
      [site.config.name, 'eth0', site.host.pod(0).path],
      JSON.stringify([add.subject, call]),
    );
    for (const phase of ['queue', 'lock', 'kernel', 'commit']) assert.ok((add.phases[phase] ?? -1) >= 0, phase);
  });

  it('shows a failed call, and why, also as a last error', async () => {
    const config = { ...site.config, ipam: { ranges: [[{ subnet: 'nonsense' }]] } };
    const { json } = site.run('ADD', { config });
    assert.equal(json?.code, 7);
    const failed = (await events()).at(-1);
    assert.deepEqual([failed?.operation, failed?.result, failed?.code], ['ADD', 'error', 7]);
    assert.match(String(failed?.message), /nonsense/);
    const [last] = JSON.parse((await get('/v1/status')).text).lastErrors;
    assert.deepEqual([last.operation, last.code, last.message], ['ADD', 7, failed?.message]);
    assert.match(last.subject, /network \S+, container /);
  });

  it("shows dockerd's calls with the trace context of their header", async () => {
    using docker = new DockerCaller(join(site.runDir, 'docker.sock'), { traceparent: TRACEPARENT });
    const network = await docker.createNetwork();
    await docker.removeNetwork(network);
    const told = (await events()).filter(({ camp }) => camp === 'docker');
    const created = told.find(({ operation }) => operation === 'NetworkDriver.CreateNetwork');
    assert.deepEqual(
      [created?.result, created?.subject.network, created?.traceparent],
      ['ok', network.id.slice(0, 12), TRACEPARENT],
    );
    assert.match(site.daemon.log(), /event=NetworkDriver\.CreateNetwork .*trace=0af7651916cd43dd8448eb211c80319c/);
  });

  it('shows what the daemon has restored', async () => {
    site.ok('ADD');
    const bridge = String(site.config.bridge);
    site.host.ns.ip('link', 'set', bridge, 'down');
    const mended = async () => (await events()).filter(({ operation, did }) => operation === 'reconcile' && did);
    for (let i = 0; (await mended()).length < 2 && i < 100; i++) await sleep(100);
    const last = (await mended()).at(-1);
    assert.match(String(last?.did), /ip link set/);
    site.ok('DEL');
  });

  it('streams operations as they happen, to several readers', async () => {
    const followers = await Promise.all([1, 2].map(() => follow('/v1/events?follow=1')));
    site.ok('ADD');
    site.ok('DEL');
    const { seq = 0 } = (await events()).at(-1) ?? {};
    for (const follower of followers) {
      await until(() => follower.text().includes(`"seq":${seq},`), 'the last operation has come');
      follower.end();
    }
    await works();
  });

  it('drops a reader that is too slow, and keeps nothing for it', async () => {
    const slow = await Promise.all(Array.from({ length: 20 }, raw));
    for (const socket of slow) {
      socket.pause();
      socket.write('GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n');
    }
    const before = memory();
    {
      using docker = new DockerCaller(join(site.runDir, 'docker.sock'));
      for (let i = 0; i < 4000; i++) await docker.call('NetworkDriver.GetCapabilities');
    }
    await until(() => descriptors() <= open, 'the readers are dropped', 30);
    assert.ok(memory() - before < 30_000, `${memory() - before} kB more`);
    for (const socket of slow) socket.destroy();
    await works();
  });

  const refusals: readonly [what: string, url: string, method: string, status: number][] = [
    ['an unknown path', '/v1/nothing', 'GET', 404],
    ['a path that is no path', '//', 'GET', 404],
    ['another method', '/v1/status', 'POST', 405],
    ['a wrong value', '/v1/events?follow=perhaps', 'GET', 400],
  ];
  for (const [what, url, method, status] of refusals)
    it(`refuses ${what}, and says why`, async () => {
      const answer = await get(url, method);
      assert.equal(answer.status, status);
      assert.ok(JSON.parse(answer.text).error.length > 5);
    });

  it('survives half a request, a huge one, a huge body and noise', async () => {
    const half = await raw();
    half.write('GET /v1/stat');
    for (const text of [
      `GET /${'x'.repeat(1 << 20)} HTTP/1.1\r\n\r\n`,
      `GET /v1/status HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(1 << 20)}\r\n\r\n`,
      `POST /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: ${1 << 30}\r\n\r\n${'x'.repeat(4 << 20)}`,
      '\0\0\0\0\0\0\0\0 no HTTP at all\r\n\r\n',
    ]) {
      const socket = await raw();
      const closed = whenClosed(socket);
      socket.resume();
      socket.write(text);
      await closed;
    }
    const closed = whenClosed(half);
    half.resume();
    await closed;
    await works();
  });

  it('answers a hundred at once', async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => get('/v1/status')));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    await works();
  });

  it('goes on answering CNI calls while a hundred connections are open and say nothing', async () => {
    const idle = await Promise.all(Array.from({ length: 100 }, raw));
    site.ok('ADD');
    site.ok('DEL');
    for (const socket of idle) socket.destroy();
    await works();
  });

  it('ends with the daemon, and its followers too', async () => {
    const follower = await follow('/v1/events?follow=1');
    assert.equal(await site.daemon.end(), 0);
    await follower.ended;
    assert.deepEqual(readdirSync(site.runDir), ['lock']);
  });

  async function follow(url: string) {
    const socket = await raw();
    let text = '';
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    const ended = whenClosed(socket);
    socket.write(`GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await until(() => text.includes('"seq":'), 'the first operations have come');
    return { text: () => text, end: () => socket.destroy(), ended };
  }
});

function whenClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}
