import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import fc from 'fast-check';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite, until } from '../support/daemon-site.ts';
import { DockerCaller, Refusal } from '../support/docker-caller.ts';
import { mutated } from '../support/fuzz/mutated.ts';
import { FUZZ_MS, FUZZ_SEED, fuzz, runChild } from '../support/fuzz/run.ts';
import { assertSame } from '../support/snapshot.ts';

const ID = 'a'.repeat(64);
const ENDPOINT = 'b'.repeat(64);
const POOL = { AddressSpace: 'isthmus', Pool: '10.77.0.0/24', SubPool: '', Options: {}, V6: false };
const DATA = {
  AddressSpace: 'LocalDefault',
  Pool: '10.77.0.0/24',
  Gateway: '10.77.0.1/24',
  AuxAddresses: { a: '10.77.0.9' },
};
const PORTS = [{ Proto: 6, IP: '', Port: 80, HostIP: '', HostPort: 8080, HostPortEnd: 8080 }];
const PORT_OPTIONS = {
  'com.docker.network.portmap': PORTS,
  'com.docker.network.endpoint.exposedports': [{ Proto: 6, Port: 80 }],
};

/** One good body of each method. */
const BODIES: Readonly<Record<string, object>> = {
  'IpamDriver.RequestPool': POOL,
  'IpamDriver.RequestAddress': { PoolID: 'isthmus/10.77.0.0/24', Address: '10.77.0.5', Options: {} },
  'IpamDriver.ReleaseAddress': { PoolID: 'isthmus/10.77.0.0/24', Address: '10.77.0.5' },
  'IpamDriver.ReleasePool': { PoolID: 'isthmus/10.77.0.0/24' },
  'NetworkDriver.CreateNetwork': {
    NetworkID: ID,
    Options: { 'com.docker.network.enable_ipv6': false, 'com.docker.network.generic': { bridge: 'fz0', mtu: '1400' } },
    IPv4Data: [DATA],
    IPv6Data: [],
  },
  'NetworkDriver.CreateEndpoint': {
    NetworkID: ID,
    EndpointID: ENDPOINT,
    Options: PORT_OPTIONS,
    Interface: { Address: '10.77.0.5/24', AddressIPv6: '', MacAddress: '02:42:0a:4d:00:05' },
  },
  'NetworkDriver.Join': { NetworkID: ID, EndpointID: ENDPOINT, SandboxKey: '/run/netns/none', Options: {} },
  'NetworkDriver.EndpointOperInfo': { NetworkID: ID, EndpointID: ENDPOINT },
  'NetworkDriver.ProgramExternalConnectivity': { NetworkID: ID, EndpointID: ENDPOINT, Options: PORT_OPTIONS },
  'NetworkDriver.RevokeExternalConnectivity': { NetworkID: ID, EndpointID: ENDPOINT },
  'NetworkDriver.Leave': { NetworkID: ID, EndpointID: ENDPOINT },
  'NetworkDriver.DeleteEndpoint': { NetworkID: ID, EndpointID: ENDPOINT },
  'NetworkDriver.DeleteNetwork': { NetworkID: ID },
};

/** Every input gets an answer that is no fault of the daemon's, which lives and serves the next call. */
describe('fuzz: the daemon', function () {
  this.timeout(FUZZ_MS * 3 + 60_000);
  let bin: DaemonBin;
  let site: DaemonSite;

  before(() => {
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(async () => {
    site = makeSite(bin, { pods: 1 });
    await site.start();
    site.ok('ADD');
    site.ok('DEL');
  });
  afterEach(() => site?.[Symbol.dispose]());

  const serves = (): void => {
    const before = site.daemon.served('DEL');
    site.ok('ADD');
    site.ok('DEL');
    assert.equal(site.daemon.served('DEL'), before + 1, 'the daemon serves');
    const faults = site.daemon.log().match(/.*(kind=internal|code=999|event=call\.failed).*/g) ?? [];
    assert.deepEqual(faults, [], `seed ${FUZZ_SEED}`);
  };

  it("the launcher's wire", async () => {
    const clean = site.host.snapshot();
    console.log(`      ${await runChild('wire-child', site.host, join(site.runDir, 'cni.sock'), 'wire')}`);
    // A call whose client left is taken back.
    await until(
      () => site.host.snapshot() === clean || site.run('DEL', { containerId: 'c1' }).code !== 0,
      'the end',
      20,
    );
    assertSame(site.host.snapshot(), clean);
    serves();
  });

  it("Docker's bodies", async () => {
    using docker = new DockerCaller(join(site.runDir, 'docker.sock'));
    const call = async (method: string, body: unknown): Promise<void> => {
      try {
        await docker.call(method, body as Readonly<Record<string, unknown>>);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        assert.doesNotMatch(error.message, /^\S+ isthmus: |undefined|\[object/, 'a fault of the daemon');
        assert.notEqual(error.message, '');
      }
    };
    const one = fc
      .constantFrom(...Object.entries(BODIES))
      .chain(([method, body]) => fc.tuple(fc.constant(method), mutated(body)));
    const ends = ['NetworkDriver.Leave', 'NetworkDriver.DeleteEndpoint', 'NetworkDriver.DeleteNetwork'];
    const property = fc.asyncProperty(
      fc.array(one, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (calls, made) => {
        if (made)
          for (const method of ['NetworkDriver.CreateNetwork', 'NetworkDriver.CreateEndpoint'])
            await call(method, BODIES[method]);
        for (const [method, body] of calls) await call(method, body);
        for (const method of ends) await call(method, BODIES[method]);
      },
    );
    console.log(`      Docker: ${await fuzz({ ms: FUZZ_MS, seed: FUZZ_SEED }, property)} inputs`);
    serves();
  });
});
