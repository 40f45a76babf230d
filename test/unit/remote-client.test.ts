import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createSecureServer } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import type { ErrorKind } from '../../src/shared/errors/catalog.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { PluginClient, type PluginTimes } from '../../src/shared/remote/client.ts';
import { isGone, isRefusal } from '../../src/shared/remote/failures.ts';
import type { Method } from '../../src/shared/remote/plugin.ts';
import { makeAuthority } from '../support/certificates.ts';
import { answerWith, type PluginServer, startPlugin } from '../support/plugin-server.ts';
import { makeTempDir } from '../support/temp.ts';

/** Short, so that no test waits. */
const TIMES: PluginTimes = { connectMs: 400, retryMs: 20, answerMs: 150 };
const LEAVE: Method = 'NetworkDriver.Leave';
const IDS = { NetworkID: 'a'.repeat(64), EndpointID: 'b'.repeat(64) };

/** A plugin in a process of its own: it answers with what it gets. */
const CHILD = `
const path = process.argv[1];
require('node:fs').rmSync(path, { force: true });
require('node:http').createServer(async (request, response) => {
  const text = (await request.setEncoding('utf8').toArray()).join('');
  response.end(JSON.stringify({ Got: text && JSON.parse(text), Implements: ['NetworkDriver'] }));
}).listen(path, () => console.log('listens'));
`;

describe('client of a plugin', () => {
  let plugin: PluginServer;
  let client: PluginClient;
  const children: ChildProcess[] = [];
  const clientOf = ({ name, directories }: PluginServer, times: Partial<PluginTimes> = {}): PluginClient =>
    new PluginClient(name, { directories, own: [], times: { ...TIMES, ...times } });

  beforeEach(async () => {
    plugin = await startPlugin();
    client = clientOf(plugin);
  });

  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    client[Symbol.dispose]();
    await plugin[Symbol.asyncDispose]();
  });

  const says = (status: number, body: unknown): void => {
    plugin.instead = (method, response) => method !== 'Plugin.Activate' && answerWith(response, body, status);
  };

  const fails = async (kind: ErrorKind, pattern: RegExp, call = client.call(LEAVE, IDS)): Promise<NetError> => {
    const error = await call.then(
      () => assert.fail('it succeeded'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof NetError, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, pattern);
    return error;
  };

  it('adds no listener to a connection that it uses again', async () => {
    const warnings: Error[] = [];
    const warned = (warning: Error): void => void warnings.push(warning);
    process.on('warning', warned);
    try {
      for (let i = 0; i < 30; i++) await client.call('NetworkDriver.GetCapabilities');
      await sleep(1);
      assert.equal(plugin.connections(), 1);
      assert.deepEqual(warnings, []);
    } finally {
      process.off('warning', warned);
    }
  });

  it('sends what moby sends', async () => {
    await client.call('NetworkDriver.GetCapabilities');
    await client.call('NetworkDriver.EndpointOperInfo', IDS);
    const [first, second] = plugin.received;
    assert.equal(first?.body, undefined);
    assert.equal(first?.headers['content-length'], '0');
    assert.deepEqual(second?.body, IDS);
    assert.equal(second?.headers.accept, 'application/vnd.docker.plugins.v1.2+json');
    assert.equal(second?.headers.host, 'plugin.moby.localhost');
    assert.equal(second?.headers['content-type'], undefined);
    assert.equal(second?.headers['content-length'], String(JSON.stringify(IDS).length));
  });

  it('activates once, and keeps its connection', async () => {
    let activations = 0;
    plugin.instead = (method) => {
      if (method === 'Plugin.Activate') activations++;
      return false;
    };
    await Promise.all([1, 2, 3].map(() => client.call('NetworkDriver.GetCapabilities')));
    const before = plugin.connections();
    for (let i = 0; i < 20; i++) await client.call('NetworkDriver.GetCapabilities');
    assert.equal(activations, 1);
    assert.equal(plugin.connections(), before);
  });

  it('refuses an interface that the plugin does not implement', async () => {
    plugin.instead = (method, response) =>
      method === 'Plugin.Activate' && answerWith(response, { Implements: ['VolumeDriver'] });
    await fails('unsupported', /^NetworkDriver\.Leave plugin gp: implements VolumeDriver, not NetworkDriver\. /);
    assert.deepEqual(plugin.received, []);
  });

  for (const answer of [null, {}, ''])
    it(`takes ${JSON.stringify(answer)} for an answer without values`, async () => {
      says(200, answer);
      assert.deepEqual(await client.call(LEAVE, IDS), {});
    });

  for (const [status, body, pattern] of [
    [500, { Err: 'no endpoint' }, /^NetworkDriver\.Leave plugin gp: failed \(no endpoint\)\. See the plugin's log$/],
    [500, 'broken\n', /failed \(broken\)/],
    [500, '', /failed \(without a reason\)/],
    [200, { Err: 'no' }, /failed \(no\)/],
    [200, { Error: 'pool empty really' }, /failed \(pool empty really\)/],
    [200, { err: 'lower case' }, /failed \(lower case\)/],
    [403, { Err: 'no' }, /failed \(403: no\)/],
    [204, '', /failed \(204:\)/],
    [500, { Err: `${'x'.repeat(9999)}` }, /failed \(x{400}…\)/],
  ] as const)
    it(`refusal: ${status} ${JSON.stringify(body).slice(0, 40)}`, async () => {
      says(status, body);
      const error = await fails('delegate', pattern);
      assert.ok(isRefusal(error));
      assert.equal(plugin.received.length, 1, 'it was sent again');
    });

  it('tells a method that the plugin lacks from a thing that it does not have', async () => {
    says(404, '404 page not found\n');
    assert.ok(!isGone(await fails('unsupported', /plugin gp: does not implement this method/)));
    says(404, { Err: 'endpoint b' });
    assert.ok(isGone(await fails('delegate', /failed \(404: endpoint b\)/)));
  });

  for (const [body, pattern] of [
    ['<html>', /answered with something that is not JSON/],
    ['[]', /answered with JSON that is not an object/],
    ['7', /answered with JSON that is not an object/],
    ['['.repeat(500_000), /answered with something that is not JSON/],
    [`{"Err":${'['.repeat(9999)}${']'.repeat(9999)}}`, /has the error a list, which is not a text/],
  ] as const)
    it(`refuses the answer ${body.slice(0, 12)}`, async () => {
      says(200, body);
      await fails('delegate', pattern);
    });

  it('any answer gives an object or a NetError', async () => {
    const statuses = fc.constantFrom(200, 201, 301, 400, 404, 500, 503);
    const bodies = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.json(),
      fc.json().map((json) => `{"Err":${json}}`),
    );
    // A pause of the machine is no answer.
    using patient = clientOf(plugin, { answerMs: 10_000 });
    await fc.assert(
      fc.asyncProperty(statuses, bodies, async (status, body) => {
        says(status, body);
        try {
          const value = await patient.call(LEAVE, IDS);
          assert.ok(status === 200 && typeof value === 'object' && value !== null && !Array.isArray(value));
        } catch (thrown) {
          assert.ok(thrown instanceof NetError, String(thrown));
          assert.ok(thrown.kind === 'delegate' || (thrown.kind === 'unsupported' && status === 404), thrown.message);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('answers 500 twice: neither is repeated, and the third call is served', async () => {
    let left = 2;
    plugin.instead = (method, response) =>
      method === LEAVE && left-- > 0 && answerWith(response, { Err: 'Cannot find device "v1"' }, 500);
    await fails('delegate', /Cannot find device/);
    assert.ok(isGone(await fails('delegate', /Cannot find device/)));
    plugin.state.joined.add(IDS.EndpointID);
    await client.call(LEAVE, IDS);
    assert.equal(plugin.received.length, 3);
    assert.equal(plugin.connections(), 1);
  });

  it('refuses an answer over 1 MiB', async () => {
    const long = 'x'.repeat((1 << 20) - 20);
    says(200, { a: long });
    assert.deepEqual(await client.call(LEAVE, IDS), { a: long });
    says(200, { a: long, b: long });
    await fails('unavailable', /its answer has more than 1048576 bytes/);
    says(200, {});
    await client.call(LEAVE, IDS);
  });

  it('gives up on a plugin that hangs, before or within its answer', async () => {
    plugin.instead = (method) => method === LEAVE;
    await fails('busy', /^NetworkDriver\.Leave plugin gp: did not answer within 0\.15 s/);
    plugin.instead = (method, response) => {
      if (method !== LEAVE) return false;
      response.writeHead(200);
      const timer = setInterval(() => response.write(' '), 10);
      response.on('close', () => clearInterval(timer));
      return true;
    };
    await fails('busy', /did not answer within/);
    assert.equal(plugin.received.length, 2);
  });

  it('gives up on a plugin that hangs at activation', async () => {
    plugin.instead = () => true;
    await fails('busy', /^Plugin\.Activate plugin gp: did not answer within/);
    plugin.instead = undefined;
    await client.call('NetworkDriver.GetCapabilities');
  });

  it('reports a plugin that dies in the middle, and does not send again', async () => {
    plugin.instead = (method, response) => {
      if (method !== LEAVE) return false;
      response.writeHead(200, { 'Content-Length': 100 });
      response.write('{"Err":');
      setTimeout(() => response.socket?.destroy(), 10);
      return true;
    };
    await fails('unavailable', /it closed the connection before the end of its answer/);
    plugin.instead = (method, response) => {
      if (method === LEAVE) response.socket?.destroy();
      return method === LEAVE;
    };
    await fails('unavailable', /it closed the connection before the end of its answer/);
    assert.equal(plugin.received.length, 2);
  });

  it('cancels a call', async () => {
    plugin.instead = (method) => method === LEAVE;
    await fails('busy', /the caller gave up/, client.call(LEAVE, IDS, { signal: AbortSignal.timeout(40) }));
    await fails('busy', /the caller gave up/, client.call(LEAVE, IDS, { signal: AbortSignal.abort() }));
    await plugin.kill();
    await fails('busy', /the caller gave up/, client.call(LEAVE, IDS, { signal: AbortSignal.timeout(40) }));
  });

  it('waits for a plugin that starts, and sends the whole body again', async () => {
    await using late = await startPlugin('late', false);
    using waiting = clientOf(late);
    const called = waiting.call('NetworkDriver.CreateNetwork', IDS);
    await sleep(60);
    await late.listen();
    await called;
    assert.deepEqual(
      late.received.map(({ body }) => body),
      [IDS],
    );
  });

  it('activates again after the plugin was restarted', async () => {
    let activations = 0;
    plugin.instead = (method) => {
      if (method === 'Plugin.Activate') activations++;
      return false;
    };
    await client.call('NetworkDriver.GetCapabilities');
    await plugin.kill();
    const called = client.call('NetworkDriver.CreateNetwork', IDS);
    await sleep(60);
    await plugin.listen();
    await called;
    assert.equal(activations, 2);
    assert.deepEqual(plugin.received.at(-1)?.body, IDS);
  });

  it('sends again what a kept connection to a killed plugin did not deliver', async () => {
    using temp = makeTempDir();
    const socket = join(temp.path, 'child.sock');
    const started = async (): Promise<ChildProcess> => {
      const child = spawn(process.execPath, ['-e', CHILD, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      await once(child.stdout, 'data');
      return child;
    };
    const child = await started();
    const directories = { sockets: [temp.path], specs: [] };
    using kept = new PluginClient('child', {
      directories,
      own: [],
      times: { connectMs: 5000, retryMs: 20, answerMs: 5000 },
    });
    await kept.call(LEAVE, IDS);
    child.kill('SIGKILL');
    // The kernel has closed the connection once it is a zombie; this thread does not see that before it sends.
    while (!/^State:\s+Z/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8')));
    const next = started();
    assert.deepEqual(await kept.call('NetworkDriver.Join', IDS), { Got: IDS, Implements: ['NetworkDriver'] });
    await next;
  });

  /** A client of the plugin, and when it has looked for it, in milliseconds. */
  const counting = (): { readonly client: PluginClient; readonly looks: readonly number[] } => {
    const looks: number[] = [];
    const start = performance.now();
    const directories = {
      get sockets() {
        looks.push(performance.now() - start);
        return plugin.directories.sockets;
      },
      specs: [],
    };
    return { client: new PluginClient(plugin.name, { directories, own: [], times: TIMES }), looks };
  };

  it('doubles the wait between attempts, and fails at the deadline', async () => {
    await plugin.kill();
    const { client: counted, looks } = counting();
    using _ = counted;
    await fails(
      'unavailable',
      /plugin gp: is not running: unix:\S+gp\.sock: connect ECONNREFUSED .*\. Start the plugin, or correct its name/,
      counted.call(LEAVE, IDS),
    );
    const waits = looks.map((time, i) => time - (looks[i - 1] ?? 0)).slice(1);
    // A busy machine makes fewer attempts. The last wait ends at the deadline.
    assert.ok(waits.length >= 2 && waits.length <= 5, looks.join(' '));
    for (const [i, wait] of waits.slice(0, -1).entries()) assert.ok(wait >= 20 * 2 ** i - 2, waits.join(' '));
    assert.ok((looks.at(-1) ?? 0) >= TIMES.connectMs - 2);
  });

  it('fails at once without retries', async () => {
    await plugin.kill();
    const { client: counted, looks } = counting();
    using _ = counted;
    await fails('unavailable', /is not running/, counted.call(LEAVE, IDS, { retry: false }));
    assert.equal(looks.length, 1);
  });

  it('sends once to a plugin that accepts and closes: it may have read the request', async () => {
    let connections = 0;
    using temp = makeTempDir();
    const server = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(join(temp.path, 'raw.sock'), resolve));
    using raw = new PluginClient('raw', { directories: { sockets: [temp.path], specs: [] }, own: [], times: TIMES });
    await fails('unavailable', /closed the connection/, raw.call(LEAVE, IDS));
    assert.equal(connections, 1);
    await new Promise((resolve) => server.close(resolve));
  });

  it('tells that an unknown plugin is in no directory', async () => {
    const { directories } = plugin;
    using unknown = new PluginClient('nobody', { directories, own: [], times: { ...TIMES, connectMs: 30 } });
    await fails('unavailable', /plugin nobody: is not running: neither \S+ nor \S+ has it/, unknown.call(LEAVE, IDS));
  });

  it('fails at once for a bad file, and finds the mended one', async () => {
    using temp = makeTempDir();
    const file = join(temp.path, 'spec.spec');
    writeFileSync(file, 'nonsense');
    using spec = new PluginClient('spec', { directories: { sockets: [], specs: [temp.path] }, own: [], times: TIMES });
    await fails('invalid-config', /spec\.spec: has "nonsense"/, spec.call(LEAVE, IDS));
    writeFileSync(file, `unix://${plugin.socket}\n`);
    assert.deepEqual(await spec.activate(), ['NetworkDriver', 'IpamDriver']);
  });

  it('reports an answer that is not HTTP', async () => {
    using temp = makeTempDir();
    const server = createServer((socket) => {
      socket.on('error', () => undefined).resume();
      socket.end('SSH-2.0-OpenSSH\r\n');
    });
    await new Promise<void>((resolve) => server.listen(join(temp.path, 'ssh.sock'), resolve));
    using ssh = new PluginClient('ssh', { directories: { sockets: [temp.path], specs: [] }, own: [], times: TIMES });
    await fails('unavailable', /its answer is not HTTP/, ssh.call(LEAVE, IDS));
    await new Promise((resolve) => server.close(resolve));
  });

  it('speaks TLS, and checks the certificate against CAFile', async () => {
    using temp = makeTempDir();
    const authority = makeAuthority(temp.path);
    makeAuthority(temp.path, 'other');
    const at = (name: string): string => join(temp.path, name);
    const server = createSecureServer(
      {
        ...{ ca: authority.ca, requestCert: true, rejectUnauthorized: true },
        ...{ cert: readFileSync(at('ca-server.pem')), key: readFileSync(at('ca-server.key')) },
      },
      (_, response) => void answerWith(response, { Implements: ['NetworkDriver'] }),
    );
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    authority.client('isthmus');
    const own = { CertFile: at('ca-client-isthmus.pem'), KeyFile: at('ca-client-isthmus.key') };
    const implemented = async (tls: object): Promise<readonly string[]> => {
      writeFileSync(at('tls.json'), JSON.stringify({ Addr: `https://127.0.0.1:${port}`, TLSConfig: tls }));
      const directories = { sockets: [], specs: [temp.path] };
      using secure = new PluginClient('tls', { directories, own: [], times: { ...TIMES, answerMs: 2000 } });
      return await secure.activate();
    };
    const named = { ...own, ServerName: 'localhost' };
    assert.deepEqual(await implemented({ ...named, CAFile: at('ca.pem') }), ['NetworkDriver']);
    assert.deepEqual(await implemented(own), ['NetworkDriver'], 'any certificate will do');
    await fails('unavailable', /no connection by TLS/, implemented({ ...named, CAFile: at('other.pem') }).then());
    await fails(
      'unavailable',
      /no connection by TLS: .*127\.0\.0\.1/,
      implemented({ ...own, CAFile: at('ca.pem') }).then(),
    );
    const anonymous = implemented({ ServerName: 'localhost', CAFile: at('ca.pem') });
    await fails('unavailable', /plugin tls: /, anonymous.then());
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
