import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite } from '../support/daemon-site.ts';
import { type CalledEndpoint, type CalledNetwork, DockerCaller, Refusal } from '../support/docker-caller.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame, snapshot } from '../support/snapshot.ts';
import { Replay, sessions } from './docker-replay.ts';
import { mutated } from './mutated.ts';

type Json = Readonly<Record<string, unknown>>;

const NO_BODY = [
  'Plugin.Activate',
  ...['NetworkDriver.GetCapabilities', 'IpamDriver.GetCapabilities', 'IpamDriver.GetDefaultAddressSpaces'],
];
const WITH_BODY = [
  ...['GwAllocCheck', 'AllocateNetwork', 'FreeNetwork', 'CreateNetwork', 'DeleteNetwork', 'CreateEndpoint'],
  ...['DeleteEndpoint', 'EndpointOperInfo', 'Join', 'Leave', 'ProgramExternalConnectivity'],
  ...['RevokeExternalConnectivity', 'DiscoverNew', 'DiscoverDelete'],
]
  .map((name) => `NetworkDriver.${name}`)
  .concat(['RequestPool', 'ReleasePool', 'RequestAddress', 'ReleaseAddress'].map((name) => `IpamDriver.${name}`));

describe('requests of dockerd', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let docker: DockerCaller;

  before(function () {
    skipIf(this, netnsMissing());
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());

  const start = async (): Promise<void> => {
    site = makeSite(bin, { pods: 1 });
    await site.start();
    docker = new DockerCaller(socket());
  };
  const stop = (): void => {
    docker?.[Symbol.dispose]();
    site?.[Symbol.dispose]();
  };
  const socket = (): string => join(site.runDir, 'docker.sock');
  const look = (): string => snapshot({ netns: [site.host.ns], stateDir: site.host.stateDir });

  describe('as recorded', () => {
    beforeEach(start);
    afterEach(stop);

    for (const session of sessions())
      it(`answers all ${session.requests.length} requests of ${session.name}, and leaves nothing`, async () => {
        const before = look();
        const replay = new Replay(docker);
        await replay.play(session);
        await replay.end();
        assertSame(look(), before);
        for (const message of replay.refused)
          assert.match(
            message,
            /-opt ipk=v: it is not an option|-o (foo=bar|x=1|nosuch=1): it is not an option|has no IPv6 address|does not lead connections to ::1|has it\. Ask for another|host port 8110\/tcp: .* has it/,
          );
        assert.equal(await site.daemon.end(), 0);
      });
  });

  describe('malformed requests change nothing', () => {
    let network: CalledNetwork;
    let endpoint: CalledEndpoint;
    let ids: Json;
    let before: string;

    // One network and one endpoint that everything has to leave alone.
    beforeEach(async () => {
      await start();
      network = await docker.createNetwork({ subnet: '10.55.0.0/24' });
      endpoint = await docker.connect(network, { ports: [{ container: 80, host: 8080 }] });
      ids = { NetworkID: network.id, EndpointID: endpoint.id };
      before = look();
    });
    afterEach(stop);

    /** The host is unchanged, and the daemon that was started still answers. */
    async function assertUnharmed(): Promise<void> {
      assertSame(look(), before);
      assert.equal(site.daemon.child.exitCode, null, site.daemon.log());
      assert.doesNotMatch(site.daemon.log(), /event=(daemon\.failed|call\.failed)/);
      assert.deepEqual(await docker.call('NetworkDriver.Join', { ...ids, Options: endpoint.options }), endpoint.join);
    }

    async function assertRefused(method: string, body: Json | null, message: RegExp): Promise<void> {
      await assert.rejects(docker.call(method, body), (error) => {
        assert.ok(error instanceof Refusal);
        assert.match(error.message, message, `${method} ${JSON.stringify(body)}`);
        return true;
      });
    }

    it('empty request', async () => {
      for (const method of NO_BODY) assert.equal(typeof (await docker.call(method, null)), 'object');
      for (const method of WITH_BODY) await assertRefused(method, null, /body: it is empty/);
      await assertUnharmed();
    });

    it('wrong type or missing field', async () => {
      for (const method of WITH_BODY.filter((name) => !/\.(GwAllocCheck|Discover)/.test(name)))
        await assertRefused(method, {}, /: it is missing|must|no entry|AddressSpace/);
      for (const method of WITH_BODY)
        for (const body of [[], 1, 'a', null, true])
          assert.match((await raw(method, JSON.stringify(body))).text, /it is not an object/);
      await assertUnharmed();
    });

    it('truncated request', async () => {
      const [recorded] = sessions();
      for (const { method, body } of (recorded?.requests ?? []).slice(0, 40)) {
        const text = JSON.stringify(body);
        if (body === null) continue;
        const { status, text: answer } = await raw(method, text.slice(0, text.length * Math.random()));
        assert.equal(status, 500);
        assert.match(answer, /body: it is (not JSON|empty)/);
      }
      await assertUnharmed();
    });

    it('unknown ids: an error from calls that act, success from calls that delete', async () => {
      const unknown = randomBytes(32).toString('hex');
      const Interface = { Address: '10.55.0.9/24', AddressIPv6: '', MacAddress: '' };
      for (const other of [
        { EndpointID: unknown },
        { NetworkID: unknown },
        { NetworkID: unknown, EndpointID: unknown },
      ])
        for (const method of ['Join', 'ProgramExternalConnectivity', 'CreateEndpoint']) {
          // An endpoint of this id is no reason why there should not be another.
          if (method === 'CreateEndpoint' && !('NetworkID' in other)) continue;
          await assertRefused(
            `NetworkDriver.${method}`,
            { ...ids, Interface, Options: {}, ...other },
            /not known|unknown|no /i,
          );
        }
      const gone = { NetworkID: unknown, EndpointID: unknown };
      for (const method of ['Leave', 'RevokeExternalConnectivity', 'DeleteEndpoint', 'DeleteNetwork'])
        await docker.call(`NetworkDriver.${method}`, gone);
      await docker.call('IpamDriver.ReleasePool', { PoolID: unknown });
      await docker.call('IpamDriver.ReleaseAddress', { PoolID: unknown, Address: '10.55.0.9' });
      await assertRefused('IpamDriver.RequestAddress', { PoolID: unknown, Address: '' }, new RegExp(unknown));
      await assertUnharmed();
    });

    it('a recorded request with any single value changed', async () => {
      const recorded = sessions()
        .flatMap(({ requests }) => requests)
        .filter(({ body, method }) => body !== null && !/\.(Delete|Leave|Release|Revoke)/.test(method));
      const creations = new Map([['NetworkDriver.CreateNetwork', 'NetworkDriver.DeleteNetwork']]);
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...recorded),
          fc.infiniteStream(fc.jsonValue()),
          fc.nat(),
          async (call, any, at) => {
            const body = mutated({ ...call.body, NetworkID: randomBytes(32).toString('hex') }, any, at);
            const { status, text } = await raw(call.method, JSON.stringify(body));
            const answer: Json = JSON.parse(text);
            if (status !== 200) {
              assert.deepEqual([status, Object.keys(answer)], [500, ['Err', 'Error']]);
              assert.match(String(answer.Err), /^[^\n]{10,}$/);
              return;
            }
            // Now and then nothing is wrong with it.
            const undo = creations.get(call.method);
            if (undo !== undefined) await docker.call(undo, body as Json);
            if (answer.PoolID !== undefined) await docker.call('IpamDriver.ReleasePool', { PoolID: answer.PoolID });
          },
        ),
        { numRuns: 300 },
      );
      await assertUnharmed();
    });

    it('not HTTP', async () => {
      const head = Buffer.from(
        'POST /NetworkDriver.DeleteNetwork HTTP/1.1\r\nHost: a\r\nContent-Length: 88\r\n\r\n{"NetworkID":',
      );
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.nat(head.length), async (bytes, at) => {
          await say(Buffer.concat([head.subarray(0, at), bytes]));
        }),
        { numRuns: 200 },
      );
      await assertUnharmed();
    });

    it('a body of 100 MB, which is not buffered', async () => {
      const resident = residentOf(site.daemon.pid);
      const { status, text } = await raw('NetworkDriver.CreateNetwork', `"${'x'.repeat(100e6)}"`);
      assert.equal(status, 500);
      assert.match(text, /it is too long\. 16777216 bytes are the limit/);
      const more = residentOf(site.daemon.pid) - resident;
      assert.ok(more < 40e6, `${more} bytes more are resident`);
      await assertUnharmed();
    });

    it('many connections that send nothing, or half a request', async () => {
      const connections = Array.from({ length: 200 }, (_, i) => {
        const connection = connect(socket());
        connection.on('error', () => {});
        if (i % 2 === 0) connection.write('POST /NetworkDriver.Join HTTP/1.1\r\nContent-Le');
        return connection;
      });
      await assertUnharmed();
      for (const connection of connections) connection.destroy();
      await assertUnharmed();
    });
  });

  async function raw(method: string, body: string): Promise<{ readonly status: number; readonly text: string }> {
    return await new Promise((resolve, reject) => {
      const options = { socketPath: socket(), path: `/${method}`, method: 'POST', agent: false as const };
      const request = httpRequest(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  /** Resolves when the daemon has closed the connection. */
  function say(bytes: Buffer): Promise<void> {
    return new Promise((resolve) => {
      const connection = connect(socket());
      connection.on('error', () => {});
      connection.on('close', () => resolve());
      connection.resume();
      connection.end(bytes);
    });
  }
});

function residentOf(pid: number): number {
  const [, kB = ''] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kB) * 1024;
}
