import { strict as assert } from 'node:assert';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DaemonBin, daemonBin } from '../support/daemon-site.ts';
import type { CalledEndpoint } from '../support/docker-caller.ts';
import { type DockerLab, HOST, makeDockerLab, OUTSIDE } from '../support/docker-lab.ts';
import { netnsMissing } from '../support/netns.ts';
import { canPing, ping } from '../support/ping.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { makeTempDir } from '../support/temp.ts';
import { assertTraffic } from '../support/traffic.ts';

const SUBNET = '10.88.0.0/24';
const JOINED = { subnet: SUBNET, ipamOpt: { network: 'web' }, o: { network: 'web' } };
const bare = (address: string | undefined): string => address?.split('/')[0] ?? '';

describe('a network shared by pods and Docker containers', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let lab: DockerLab;

  before(function () {
    skipIf(this, netnsMissing());
    bin = daemonBin();
  });
  beforeEach(async () => {
    lab = await makeDockerLab(bin, 4);
  });
  afterEach(() => lab?.[Symbol.dispose]());
  after(() => bin?.[Symbol.dispose]());

  /** ADD for a pod; its address. */
  const addPod = (pod: number): string => {
    const { json } = lab.site.run('ADD', { pod });
    const { ips } = json as unknown as { ips?: readonly { address: string }[] };
    assert.ok(ips?.[0] !== undefined, JSON.stringify(json));
    return bare(ips[0].address);
  };

  it('a pod creates it, a container joins it, and either may leave first', async () => {
    const { docker, host, site } = lab;
    addPod(0);
    site.ok('DEL', { pod: 0 });
    const clean = lab.snapshot();
    for (const last of ['pod', 'container']) {
      const pod = addPod(0);
      const network = await docker.createNetwork(JOINED);
      const a = await docker.start(network, host, lab.container(1));
      assert.equal(a.join.Gateway, '10.88.0.1');
      assert.notEqual(bare(a.addresses[0]), pod);
      ping(lab.container(0), bare(a.addresses[0]));
      ping(lab.container(1), pod);
      ping(lab.container(1), OUTSIDE);
      if (last === 'pod') {
        await docker.stop(a, host, lab.container(1));
        await docker.removeNetwork(network);
        ping(lab.container(0), '10.88.0.1');
        site.ok('DEL', { pod: 0 });
      } else {
        site.ok('DEL', { pod: 0 });
        ping(lab.container(1), '10.88.0.1');
        await docker.stop(a, host, lab.container(1));
        await docker.removeNetwork(network);
      }
      assertSame(lab.snapshot(), clean, `the ${last} goes last`);
    }
  });

  it('Docker creates it from the CNI configuration file, and a pod joins it', async () => {
    const { docker, host, site } = lab;
    using confDir = makeTempDir();
    mkdirSync(confDir.path, { recursive: true });
    const { name, cniVersion, ...plugin } = site.config;
    writeFileSync(join(confDir.path, '10-web.conflist'), JSON.stringify({ cniVersion, name, plugins: [plugin] }));
    await site.daemon.end();
    await site.start({ env: { ISTHMUS_CNI_CONF_DIR: confDir.path, CNI_PATH: site.bin } });
    const clean = lab.snapshot();
    // The subnet may be omitted while the host has no route to it.
    const network = await docker.createNetwork({ ...JOINED, subnet: '' });
    assert.equal(network.pools[0]?.pool, SUBNET);
    const a = await docker.start(network, host, lab.container(1));
    assert.match(host.ip('-d', 'link', 'show', 'isth0'), /bridge/);
    const pod = addPod(0);
    ping(lab.container(1), pod);
    ping(lab.container(0), bare(a.addresses[0]));
    await docker.stop(a, host, lab.container(1));
    await docker.removeNetwork(network);
    ping(lab.container(0), '10.88.0.1');
    site.ok('DEL', { pod: 0 });
    assertSame(lab.snapshot(), clean, 'a network that Docker made first');
  });

  it('Docker joins it without a subnet while its bridge exists', async () => {
    const { docker, host } = lab;
    const pod = addPod(0);
    const network = await docker.createNetwork({ ...JOINED, subnet: '' });
    assert.deepEqual(network.pools[0] && [network.pools[0].pool, network.pools[0].gateway], [
      '0.0.0.0/0',
      '10.88.0.1/24',
    ]);
    const a = await docker.start(network, host, lab.container(1));
    assert.match(a.addresses[0] ?? '', /^10\.88\.0\.\d+\/24$/);
    ping(lab.container(1), pod);
  });

  it('GC of pods and `docker network rm` delete nothing of the other side', async () => {
    const { docker, host, outside, site } = lab;
    const pod = addPod(0);
    addPod(2);
    const network = await docker.createNetwork(JOINED);
    const inside = lab.agent('c1', lab.container(1));
    const out = lab.agent('out', outside);
    await docker.start(network, host, lab.container(1), { ports: [{ host: 8080, container: 80 }] });
    await inside.serve('tcp', 80);
    site.ok('GC', {
      config: {
        ...site.config,
        cniVersion: '1.1.0',
        'cni.dev/valid-attachments': [{ containerID: 'pod0', ifname: 'eth0' }],
      },
    });
    assert.equal(canPing(lab.container(0), '10.88.0.1'), true, 'the pod that GC keeps');
    assert.equal(lab.container(2).ip('link').includes('eth0'), false, 'the pod that GC collects');
    ping(lab.container(1), pod);
    await assertTraffic([[out, { address: HOST, port: 8080 }, 'c1']]);
    // dockerd no longer knows the container.
    await docker.removeNetwork(network);
    assert.equal(canPing(lab.container(1), '10.88.0.1'), false);
    ping(lab.container(0), '10.88.0.1');
    await assertTraffic([[out, { address: HOST, port: 8080 }, 'blocked']]);
  });

  it('two Docker networks share it, each with its own endpoints', async () => {
    const { docker, host } = lab;
    const [first, second] = await Promise.all([docker.createNetwork(JOINED), docker.createNetwork(JOINED)]);
    assert.ok(first !== undefined && second !== undefined);
    await docker.start(first, host, lab.container(0));
    const b = await docker.start(second, host, lab.container(1));
    ping(lab.container(0), bare(b.addresses[0]));
    await docker.removeNetwork(first);
    assert.equal(canPing(lab.container(0), '10.88.0.1'), false, 'what dockerd forgot');
    ping(lab.container(1), '10.88.0.1');
    await docker.stop(b, host, lab.container(1));
    await docker.removeNetwork(second);
    assert.doesNotMatch(host.ip('link'), /isth0|br-web/);
  });

  it('allocates every address once under concurrent requests', async () => {
    const { docker, site } = lab;
    const first = addPod(0);
    const network = await docker.createNetwork(JOINED);
    const pods = Promise.all([1, 2, 3].map(async (pod) => (await site.begin('ADD', { pod }).done).json));
    const containers = Promise.all(Array.from({ length: 16 }, () => docker.connect(network)));
    const addresses = (await containers).map(({ addresses: [address] }: CalledEndpoint) => bare(address));
    addresses.push(first);
    for (const json of await pods) {
      const { ips } = json as unknown as { ips?: readonly { address: string }[] };
      assert.ok(ips?.[0] !== undefined, JSON.stringify(json));
      addresses.push(bare(ips[0].address));
    }
    assert.equal(new Set(addresses).size, 20, addresses.join(' '));
    assert.equal(addresses.includes('10.88.0.1'), false);
  });

  it('cannot be shared when another IPAM allocates its addresses', async () => {
    const { docker } = lab;
    addPod(0);
    const before = lab.snapshot();
    const command =
      /docker network create -d isthmus --ipam-driver isthmus --ipam-opt network=web -o network=web --subnet 10\.88\.0\.0\/24 NAME/;
    await assert.rejects(docker.createNetwork({ subnet: SUBNET, o: { network: 'web' }, ownIpam: true }), command);
    await assert.rejects(docker.createNetwork({ subnet: '10.87.0.0/24', o: { network: 'web' } }), command);
    assertSame(lab.snapshot(), before, 'two networks that cannot share');
  });
});
