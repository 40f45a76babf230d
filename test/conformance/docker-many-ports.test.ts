import { strict as assert } from 'node:assert';
import { type DaemonBin, daemonBin } from '../support/daemon-site.ts';
import { type CalledEndpoint, DockerCaller, type Port, Refusal } from '../support/docker-caller.ts';
import { type DockerLab, HOST, makeDockerLab } from '../support/docker-lab.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { assertTraffic } from '../support/traffic.ts';

/** UDP ports that a media server publishes. */
const FIRST = 20_000;
const COUNT = 16_384;
const LAST = FIRST + COUNT - 1;

/** Host ports `first` to `first + count - 1`, to container ports that differ by `shift`, in no order. */
function ports(first: number, count: number, shift = 0): Port[] {
  const all = Array.from({ length: count }, (_, i) => first + ((i * 7919) % count));
  return all.map((host) => ({ host, container: host + shift, protocol: 'udp' }));
}

describe('thousands of published ports', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let lab: DockerLab;

  before(function () {
    skipIf(this, netnsMissing());
    bin = daemonBin();
  });
  beforeEach(async () => {
    lab = await makeDockerLab(bin);
  });
  afterEach(() => lab?.[Symbol.dispose]());
  after(() => bin?.[Symbol.dispose]());

  const elements = (): number =>
    lab.host.run('nft', 'list', 'table', 'inet', 'isthmus').match(/udp \. [\d-]+ : (?!jump)/g)?.length ?? 0;

  it('a range is published as a whole, kept by a restart of the daemon, and unpublished', async () => {
    const { docker, host, outside, site } = lab;
    const network = await docker.createNetwork({ subnet: '10.99.0.0/24', subnet6: 'fd00:99::/64' });
    const a = await docker.start(network, host, lab.container(0), { ports: ports(FIRST, COUNT) });
    const [inside, out, own] = [lab.agent('c0', lab.container(0)), lab.agent('out', outside), lab.agent('host', host)];
    for (const port of [FIRST, 29_999, LAST]) await inside.serve('udp', port);
    const udp = (port: number, address = HOST) => ({ protocol: 'udp' as const, address, port });
    const reached = (): Promise<void> =>
      assertTraffic([
        [out, udp(FIRST), 'c0'],
        [out, udp(29_999), 'c0'],
        [own, udp(LAST), 'c0'],
        [out, udp(FIRST - 1), 'blocked'],
        [out, udp(LAST + 1), 'blocked'],
      ]);
    await reached();
    assert.equal(elements(), 2, 'one element for each family');
    const info = await docker.call('NetworkDriver.EndpointOperInfo', ids(a));
    assert.deepEqual(info.Value, { 'isthmus.ports': `*:${FIRST}-${LAST}/udp` });
    await site.daemon.end('SIGKILL');
    host.run('nft', 'delete', 'table', 'inet', 'isthmus');
    await site.start();
    await reached();
    await docker.stop(a, host, lab.container(0));
    assert.equal(elements(), 0);
    await docker.removeNetwork(network);
  });

  it('a shifted range leads to its own ports', async () => {
    const { docker, host, outside } = lab;
    const network = await docker.createNetwork({ subnet: '10.99.0.0/24' });
    const a = await docker.start(network, host, lab.container(0), { ports: ports(FIRST, 3000, 1000) });
    const [inside, out] = [lab.agent('c0', lab.container(0)), lab.agent('out', outside)];
    for (const port of [FIRST + 1000, FIRST + 3999]) await inside.serve('udp', port);
    await assertTraffic([
      [out, { protocol: 'udp', address: HOST, port: FIRST }, 'c0'],
      [out, { protocol: 'udp', address: HOST, port: FIRST + 2999 }, 'c0'],
      [out, { protocol: 'udp', address: HOST, port: FIRST + 3000 }, 'blocked'],
    ]);
    assert.equal(elements(), 3000);
    await docker.stop(a, host, lab.container(0));
    assert.equal(elements(), 0);
  });

  it('a port in the middle of a range is refused to others, whichever comes first', async () => {
    const { docker, host } = lab;
    const network = await docker.createNetwork({ subnet: '10.99.0.0/24' });
    const one = await docker.start(network, host, lab.container(0), { ports: ports(FIRST, COUNT) });
    const two = await docker.connect(network, { ports: ports(29_999, 1) });
    await assert.rejects(docker.program(two), Refusal);
    await docker.program(two, ports(LAST + 1, 1));
    await docker.stop(one, host, lab.container(0));
    await docker.program(two, ports(29_999, 1));
    const three = await docker.connect(network, { ports: ports(FIRST, COUNT) });
    await assert.rejects(docker.program(three), /29999/);
    await docker.program(three, ports(FIRST, 29_999 - FIRST));
    assert.equal(elements(), 2);
  });

  it('the daemon answers others while it publishes thousands of ports one by one', async () => {
    const { docker, site } = lab;
    const network = await docker.createNetwork({ subnet: '10.99.0.0/24' });
    using other = new DockerCaller(`${site.runDir}/docker.sock`);
    const endpoint = await docker.connect(network, { ports: ports(FIRST, COUNT, 1000) });
    for (const work of [() => docker.program(endpoint), () => docker.call('NetworkDriver.Leave', ids(endpoint))]) {
      let isOver = false;
      const working = work().finally(() => {
        isOver = true;
      });
      let answers = 0;
      while (!isOver) {
        await other.call('Plugin.Activate', null);
        answers++;
      }
      await working;
      // One that held its thread would answer the first with the request, and the second after it.
      assert.ok(answers > 10, `${answers} answers meanwhile`);
    }
  });

  it('refuses ports that are too many, or too scattered', async () => {
    const { docker } = lab;
    const network = await docker.createNetwork({ subnet: '10.99.0.0/24' });
    const scattered = ports(1, 2050).filter(({ host }) => host % 2 === 0);
    const limits: [Port[], RegExp][] = [
      [scattered, /=1025: these are too many ports that are not consecutive\. Publish 1024 at most/],
      [[...ports(1, 65_535), ...ports(1, 1)], /=65536: these are too many ports\. Publish 65535 at most/],
    ];
    for (const [many, refusal] of limits) await assert.rejects(docker.connect(network, { ports: many }), refusal);
  });
});

function ids({ id, network }: CalledEndpoint): { NetworkID: string; EndpointID: string } {
  return { NetworkID: network.id, EndpointID: id };
}
