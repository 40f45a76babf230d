import { strict as assert } from 'node:assert';
import type { ServerResponse } from 'node:http';
import { type DaemonBin, daemonBin } from '../support/daemon-site.ts';
import { answer, type RecordedDocker, startRecordedDocker } from '../support/docker-api.ts';
import type { CalledEndpoint, CalledNetwork } from '../support/docker-caller.ts';
import { type DockerLab, HOST, makeDockerLab } from '../support/docker-lab.ts';
import { netnsMissing } from '../support/netns.ts';
import { canPing, ping } from '../support/ping.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { assertTraffic } from '../support/traffic.ts';
import { makeVerbs, type Verbs } from '../support/verbs.ts';

const SUBNET = '10.88.0.0/24';
/** Options by which dockerd's networks become the Network `web`. */
const JOINED = { subnet: SUBNET, ipamOpt: { network: 'web' }, o: { network: 'web' } };
const CONTAINER = '7a'.repeat(32);

describe('the operator verbs with Docker networks', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let lab: DockerLab;
  let api: RecordedDocker;
  let verbs: Verbs;
  /** dockerd's names for them. */
  let networks: Map<string, CalledNetwork>;
  let containers: Map<string, readonly CalledEndpoint[]>;

  before(function () {
    skipIf(this, netnsMissing());
    bin = daemonBin();
  });
  beforeEach(async () => {
    [networks, containers] = [new Map(), new Map()];
    lab = await makeDockerLab(bin);
    api = await startRecordedDocker();
    api.instead = say;
    verbs = verbsOf(`unix://${api.socket}`);
  });
  afterEach(async () => {
    lab?.[Symbol.dispose]();
    await api?.[Symbol.asyncDispose]();
  });
  after(() => bin?.[Symbol.dispose]());

  function say(path: string, response: ServerResponse): unknown {
    if (path === '/networks') {
      const Labels = { tier: 'front' };
      const all = [...networks].map(([Name, { id: Id }]) => ({ Id, Name, Driver: 'isthmus', Scope: 'local', Labels }));
      return answer(response, 200, JSON.stringify([{ Id: 'b'.repeat(64), Name: 'bridge', Driver: 'bridge' }, ...all]));
    }
    if (path === '/containers/json?all=1') {
      const all = [...containers.keys(), 'stopped'].map((name) => ({ Id: 'e'.repeat(64), Names: [`/${name}`] }));
      return answer(response, 200, JSON.stringify(all));
    }
    if (path !== '/containers/json') return undefined;
    const all = [...containers].map(([name, endpoints], i) => {
      const of = endpoints.map(({ id, network }) => [network.id, { EndpointID: id, NetworkID: network.id }]);
      const Id = i === 0 ? CONTAINER : String(i).repeat(64);
      return { Id, Names: [`/${name}`], Labels: { of: name }, NetworkSettings: { Networks: Object.fromEntries(of) } };
    });
    return answer(response, 200, JSON.stringify(all));
  }

  const verbsOf = (host: string): Verbs => {
    const { stateDir, ns } = lab.site.host;
    return makeVerbs({ stateDir, netns: ns.path, env: { ISTHMUS_DOCKER_HOST: host } });
  };

  it('show networks and containers by their names in Docker', async () => {
    const { docker, host } = lab;
    const app = await docker.createNetwork({ subnet: '10.99.0.0/24' });
    networks.set('app', app);
    const ports = [{ host: 8080, container: 80 }];
    const endpoint = await docker.start(app, host, lab.container(0), { ports });
    containers.set('web1', [endpoint]);
    const name = `docker-${app.id.slice(0, 12)}`;
    const table = await verbs.ok('network', 'ls');
    assert.match(
      table,
      new RegExp(`^app +bridge +br-${app.id.slice(0, 12)} +10\\.99\\.0\\.0/24 +1/253 +1 +docker app$`, 'm'),
    );
    const status = await verbs.run('status', '--run-dir', lab.site.runDir);
    assert.match(status.stdout, new RegExp(`^app +bridge +br-${app.id.slice(0, 12)} `, 'm'));
    const address = endpoint.addresses[0]?.split('/')[0];
    assert.equal(
      await verbs.ok('ports', 'web1'),
      `
CONTAINER   NETWORK   HOST         LEADS TO
web1        app       *:8080/tcp   ${address}:80
`.slice(1),
    );
    const inside = lab.agent('web1', lab.container(0));
    await inside.serve('tcp', 80);
    await assertTraffic([[lab.agent('out', lab.outside), { address: HOST, port: 8080 }, 'web1']]);

    const [byName] = await verbs.json<Readonly<Record<string, unknown>>[]>('network', 'inspect', 'app');
    const labels = { tier: 'front' };
    assert.deepEqual([byName?.name, byName?.docker], [name, [{ id: app.id, name: 'app', labels }]]);
    for (const text of [app.id, app.id.slice(0, 12), name])
      assert.deepEqual(await verbs.json('network', 'inspect', text), [byName]);
    const [listed] = await verbs.json<Readonly<Record<string, unknown>>[]>('endpoint', 'ls', 'app');
    assert.deepEqual(listed?.container, { id: CONTAINER, name: 'web1', labels: { of: 'web1' } });
    assert.deepEqual([listed.camp, listed.mac, listed.interface], ['docker', endpoint.mac, undefined]);
    const endpoints = await verbs.ok('endpoint', 'ls');
    assert.match(endpoints, new RegExp(`^app +web1 +- +${listed.hostInterface} +10\\.99`, 'm'));
    assert.match(host.ip('-br', 'link', 'show', 'dev', String(listed.hostInterface)), /^veth/);
    for (const [words, found] of [
      ['network ls -q -f label=tier=front', 'app\n'],
      ['network ls -q -f label=tier=back', ''],
      ['endpoint ls -q -f label=of -f network=app', 'web1\n'],
    ] as const)
      assert.equal(await verbs.ok(...words.split(' ')), found, words);
    await verbs.refused(['network', 'create', 'app'], 1, /network app: Docker has a network of this name, \w{12}/);
    const stopped = await verbs.run('ports', 'stopped');
    assert.deepEqual([stopped.code, stopped.stdout], [0, 'CONTAINER   NETWORK   HOST   LEADS TO\n']);
    assert.match(stopped.stderr, /^isthmus: container stopped has no endpoint here: .*while it runs\n$/);
    for (const text of ['web1', CONTAINER.slice(0, 12), '7a', endpoint.id.slice(0, 12)]) {
      assert.deepEqual(await verbs.json('endpoint', 'inspect', text), [listed], text);
      assert.equal((await verbs.json<object[]>('ports', text)).length, 1, text);
    }
    await verbs.refused(['network', 'rm', 'app'], 1, /network app: Docker keeps it\. .*docker network rm/);
    assert.equal(canPing(lab.container(0), '10.99.0.1'), true);
  });

  it('show a container on several networks as one container', async () => {
    const { docker } = lab;
    const [first, second] = [await docker.createNetwork({ subnet: '10.98.0.0/24' }), await docker.createNetwork()];
    networks.set('one', first).set('two', second);
    containers.set('web1', [await docker.connect(first), await docker.connect(second)]);
    containers.set('web2', [await docker.connect(second)]);
    assert.equal((await verbs.json<object[]>('endpoint', 'inspect', 'web1')).length, 2);
    assert.equal((await verbs.json<object[]>('endpoint', 'inspect', CONTAINER.slice(0, 4))).length, 2);
    assert.equal((await verbs.json<object[]>('endpoint', 'ls', 'two')).length, 2);
    assert.deepEqual(await verbs.json('ports', 'web1'), []);
  });

  it('show ids when dockerd is gone or does not answer', async () => {
    const { docker } = lab;
    const app = await docker.createNetwork({ subnet: '10.99.0.0/24' });
    const endpoint = await docker.connect(app);
    networks.set('app', app);
    containers.set('web1', [endpoint]);
    for (const silence of ['none', 'gone', 'hangs', 'fails'] as const) {
      if (silence === 'hangs') api.instead = () => true;
      if (silence === 'fails') api.instead = (_, response) => answer(response, 500, '{"message":"out of order"}');
      const socket = silence === 'gone' ? 'unix:///nonexistent/docker.sock' : `unix://${api.socket}`;
      const alone = verbsOf(silence === 'none' ? 'none' : socket);
      assert.match(await alone.ok('network', 'ls'), new RegExp(` docker ${app.id.slice(0, 12)}$`, 'm'), silence);
      assert.match(await alone.ok('endpoint', 'ls'), new RegExp(` ${endpoint.id.slice(0, 12)} +- +veth`), silence);
      await alone.refused(['ports', 'web1'], 1, /container web1: there is no container of this name or id/);
      assert.deepEqual(await alone.json('ports', endpoint.id), [], silence);
    }
    await verbsOf('tcp://10.0.0.1:2375').refused(
      ['network', 'ls'],
      2,
      /ISTHMUS_DOCKER_HOST=tcp.*not a socket of this host/,
    );
  });

  it('create a network that Docker joins, and release it before Docker does', async () => {
    const { docker, host, site } = lab;
    await verbs.ok('network', 'create', 'first');
    await verbs.ok('network', 'rm', 'first');
    const gone = await docker.createNetwork({ subnet: '10.97.0.0/24' });
    await docker.removeNetwork(gone);
    const clean = lab.snapshot();
    await verbs.ok('network', 'create', 'web', '--subnet', SUBNET);
    const kept = lab.snapshot();
    const joined = await docker.createNetwork(JOINED);
    networks.set('shared', joined);
    const endpoint = await docker.start(joined, host, lab.container(0));
    const address = endpoint.addresses[0]?.split('/')[0] ?? '';
    // A pod by the CNI configuration of this name.
    const { ipam: _, bridge: __, ...config } = site.config;
    const web = { ...config, ipam: { subnet: SUBNET, routes: [{ dst: '0.0.0.0/0' }] } };
    const pod = site.ok('ADD', { pod: 1, config: web }).ips?.[0]?.address ?? '';
    ping(lab.container(0), pod);
    ping(lab.container(1), address);
    const [found] = await verbs.json<{ endpoints: { camp: string }[] }[]>('network', 'inspect', 'web');
    assert.deepEqual(found?.endpoints.map(({ camp }) => camp).sort(), ['cni', 'docker']);
    assert.match(await verbs.ok('network', 'ls'), /^web .* 2 +docker shared, operator$/m);

    site.ok('DEL', { pod: 1, config: web });
    await docker.stop(endpoint, host, lab.container(0));
    await docker.removeNetwork(joined);
    assertSame(lab.snapshot(), kept, 'both sides have gone, and the operator has not');

    const again = await docker.createNetwork(JOINED);
    const { code, stderr } = await verbs.run('network', 'rm', 'web');
    assert.deepEqual(
      [code, stderr],
      [0, 'isthmus: network web: Docker uses it. It is deleted when its last user leaves\n'],
    );
    await verbs.refused(['network', 'rm', 'web'], 1, /network web: Docker keeps it/);
    await docker.removeNetwork(again);
    assertSame(lab.snapshot(), clean, 'Docker goes last');
  });
});
