import { strict as assert } from 'node:assert';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DockerApi, dockerApiOf, isProcessRunning } from '../../cmd/cnm-shim/docker/engine/api.ts';
import {
  containerCalled,
  containerNames,
  inDockersWords,
  networksNow,
} from '../../cmd/cnm-shim/docker/engine/names.ts';
import { fault } from '../../src/shared/errors/fault.ts';
import { refusedWith } from '../support/core.ts';
import { answer, type RecordedDocker, recorded, recordedNetwork, startRecordedDocker } from '../support/docker-api.ts';
import { makeTempDir } from '../support/temp.ts';

describe('Docker API client', () => {
  let docker: RecordedDocker;
  let api: DockerApi;

  beforeEach(async () => {
    docker = await startRecordedDocker();
    api = new DockerApi({ socket: docker.socket });
  });

  afterEach(() => docker[Symbol.asyncDispose]());

  const says = (path: string, status: number, body: string): void => {
    docker.instead = (asked, response) => (asked === path ? answer(response, status, body) : undefined);
  };

  it('lists networks', async () => {
    const networks = (await api.networks()) ?? assert.fail('nobody answers');
    const { id, ...full } = networks.find(({ name }) => name === 'full') ?? assert.fail('no network full');
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.deepEqual(full, {
      ...{ name: 'full', driver: 'isthmus', scope: 'local' },
      ...{ internal: false, enableIPv4: true, enableIPv6: true, configOnly: false },
      options: { 'com.docker.network.driver.mtu': '1400' },
      labels: { a: 'b' },
      ...{ ipamDriver: 'default', ipamOptions: {} },
      pools: [
        {
          ...{ subnet: '10.61.0.0/16', range: '10.61.5.0/24', gateway: '10.61.0.254' },
          aux: { printer: '10.61.0.9' },
        },
        { subnet: 'fd61::/64', gateway: 'fd61::fe', aux: {} },
      ],
    });
    const inner = networks.find(({ name }) => name === 'inner');
    assert.deepEqual([inner?.internal, inner?.enableIPv6], [true, false]);
    const own = networks.find(({ name }) => name === 'own');
    assert.deepEqual([own?.ipamDriver, own?.ipamOptions], ['isthmus', { network: 'web' }]);
    // Docker's three predefined networks have no pool, or no options: `null`.
    assert.deepEqual(
      networks.filter(({ driver }) => driver === 'null').map(({ pools }) => pools),
      [[]],
    );
  });

  it('lists the endpoints of a network', async () => {
    const { Id, Containers } = recordedNetwork('full');
    const [endpoint] = Object.values(Containers);
    assert.deepEqual(await api.endpoints(Id), [
      { id: endpoint?.EndpointID, name: 'c2', addresses: ['10.61.5.0/16', 'fd61::1/64'] },
    ]);
    assert.deepEqual(await api.endpoints(recordedNetwork('inner').Id), []);
  });

  it('returns `unknown` for the endpoints of a missing network, or one without an endpoint list', async () => {
    assert.equal(await api.endpoints('f'.repeat(64)), 'unknown');
    const { Id, Containers: _, ...rest } = recordedNetwork('full');
    for (const body of [rest, { ...rest, Containers: null }, { ...rest, Containers: { c: { Name: 'c' } } }]) {
      says(`/networks/${Id}`, 200, JSON.stringify(body));
      assert.equal(await api.endpoints(Id), 'unknown', JSON.stringify(body));
    }
  });

  it('finds out whether dockerd has a network', async () => {
    assert.equal(await api.has(recordedNetwork('full').Id), true);
    assert.equal(await api.has('f'.repeat(64)), false);
  });

  it('finds the containers of endpoints by their own names', async () => {
    const names = await containerNames(api);
    const [id, endpoint] = Object.entries(recordedNetwork('full').Containers)[0] ?? assert.fail();
    assert.deepEqual(names.get(String(endpoint.EndpointID)), { id, name: 'c2', labels: {} });
    assert.deepEqual([...names.values()].map(({ name }) => name).sort(), ['c1', 'c1', 'c2', 'c3']);
    const linked = (recorded('containers') as object[]).map((one) => ({ ...one, Names: ['/other/alias', '/mine'] }));
    says('/containers/json', 200, JSON.stringify(linked));
    assert.deepEqual(new Set([...(await containerNames(api)).values()].map(({ name }) => name)), new Set(['mine']));
  });

  it('lists networks with their names, and no network where none can be asked', async () => {
    const networks = await networksNow(api);
    assert.equal(networks.find(({ id }) => id === recordedNetwork('plain').Id)?.name, 'plain');
    assert.equal(networks.length, (recorded('networks') as unknown[]).length);
    assert.deepEqual(await networksNow(new DockerApi({ socket: '/nonexistent' })), []);
  });

  it('finds a container that does not run by its name or the beginning of its id', async () => {
    const stopped = { Id: '5e'.repeat(32), Names: ['/old', '/web/old'], NetworkSettings: { Networks: {} } };
    says('/containers/json?all=1', 200, JSON.stringify([stopped]));
    for (const text of ['old', '5e5e', '5e'.repeat(32)]) assert.equal(await containerCalled(text, api), 'old');
    for (const text of ['ol', '5e', '']) assert.equal(await containerCalled(text, api), undefined);
  });

  it('puts an error into the words of users, and leaves ids that nobody knows', async () => {
    const { Id } = recordedNetwork('full');
    const [endpoint] = Object.values(recordedNetwork('full').Containers);
    const env = { ISTHMUS_DOCKER_HOST: `unix://${docker.socket}` };
    const holder = (id: unknown, network: string): string =>
      `Docker endpoint ${String(id).slice(0, 12)} of Docker network ${network.slice(0, 12)} has it`;
    const say = async (what: string) => (await inDockersWords(fault.conflict('ports', 'port 80', what), env)).message;
    assert.equal(await say(holder(endpoint?.EndpointID, Id)), 'ports port 80: container c2 of network full has it');
    const unknown = 'f'.repeat(12);
    assert.equal(
      await say(holder(unknown, `docker-${unknown}`).replace('Docker network', 'network')),
      `ports port 80: Docker endpoint ${unknown} of network docker-fffff has it`,
    );
    assert.equal(
      await say(`bridge b is that of network docker-${Id.slice(0, 12)}`),
      'ports port 80: bridge b is that of network full',
    );
    docker.asked.length = 0;
    assert.equal(await say('a process listens on it'), 'ports port 80: a process listens on it');
    assert.deepEqual(docker.asked, []);
  });

  it('uses the recorded API version, or the nearest one that the engine supports', async () => {
    const version = recorded('version') as object;
    for (const [told, spoken] of [
      [{}, 'v1.41'],
      [{ ApiVersion: '1.52', MinAPIVersion: '1.44' }, 'v1.44'],
      [{ ApiVersion: '1.52', MinAPIVersion: '1.24' }, 'v1.41'],
      [{ ApiVersion: '1.30', MinAPIVersion: '1.12' }, 'v1.30'],
      [{ ApiVersion: '2.3', MinAPIVersion: '2.1' }, 'v2.1'],
    ] as const) {
      docker.asked.length = 0;
      says('/version', 200, JSON.stringify({ ...version, ...told }));
      await new DockerApi({ socket: docker.socket }).networks();
      assert.deepEqual(docker.asked, ['/version', `/${spoken}/networks`]);
    }
  });

  it('asks for the version once, and again after a failure', async () => {
    await api.networks();
    await api.containers();
    says('/networks', 500, '{"message":"no"}');
    await assert.rejects(api.networks());
    docker.instead = () => undefined;
    await api.networks();
    const plain = docker.asked.map((path) => path.replace(/^\/v[\d.]+/, ''));
    assert.deepEqual(plain, ['/version', '/networks', '/containers/json', '/networks', '/version', '/networks']);
  });

  it('reports that dockerd is absent if there is no socket, or a dead one', async () => {
    const nowhere = new DockerApi({ socket: `${docker.socket}.none` });
    assert.equal(await nowhere.networks(), undefined);
    assert.deepEqual(await containerNames(nowhere), new Map());
    // The server deletes its socket path when it closes.
    const dead = `${docker.socket}.dead`;
    renameSync(docker.socket, dead);
    await docker.close();
    const left = new DockerApi({ socket: dead });
    assert.equal(await left.networks(), undefined);
    assert.equal(await left.endpoints('f'.repeat(64)), undefined);
    assert.equal(await left.has('f'.repeat(64)), undefined);
  });

  it('fails if dockerd reports an error, and quotes the request and the message', async () => {
    says('/networks', 500, '{"message":"the store is broken"}');
    await assert.rejects(
      api.networks(),
      refusedWith('io', /GET \/v1\.41\/networks: it answers 500: the store is broken/),
    );
    says('/networks', 503, 'not JSON');
    await assert.rejects(api.networks(), refusedWith('io', /it answers 503: not JSON/));
    says('/networks', 404, '{"message":"page not found"}');
    await assert.rejects(api.networks(), refusedWith('io', /it answers 404: page not found/));
    assert.deepEqual(await networksNow(api), []);
  });

  it('fails on a malformed answer', async () => {
    const cases: readonly (readonly [body: string, kind: 'io' | 'decode', text: RegExp])[] = [
      ['[{"Id":"a"', 'io', /JSON/],
      ['', 'io', /JSON/],
      ['{}', 'decode', /not a list/],
      ['[]', 'decode', /no network/],
      ['[{"Name":"a","Driver":"bridge"}]', 'decode', /no id/],
      ['[null]', 'decode', /no id/],
    ];
    for (const [body, kind, text] of cases) {
      says('/networks', 200, body);
      await assert.rejects(api.networks(), refusedWith(kind, text), body);
    }
    says('/version', 200, '{}');
    await assert.rejects(new DockerApi({ socket: docker.socket }).networks(), refusedWith('decode', /no version/));
  });

  it('rejects an answer of another program', async () => {
    says('/version', 200, '{"Version":"4.3.1","ApiVersion":"1.41","Components":[{"Name":"Podman Engine"}]}');
    await assert.rejects(api.networks(), refusedWith('decode', /not a Docker engine: Podman Engine/));
  });

  it('times out', async () => {
    const slow = new DockerApi({ socket: docker.socket, timeout: 100 });
    docker.instead = (path) => (path === '/networks' ? 'nothing is said' : undefined);
    await assert.rejects(slow.networks(), refusedWith('io', /no answer within 0\.1 s/));
    docker.instead = (path, response) => (path === '/networks' ? response.write('[') : undefined);
    await assert.rejects(slow.networks(), refusedWith('io', /no answer within 0\.1 s/));
  });

  it('stops waiting when the request is aborted', async () => {
    const taken = new AbortController();
    docker.instead = (path) => (path === '/networks' ? setImmediate(() => taken.abort()) : undefined);
    await assert.rejects(api.networks(taken.signal));
  });

  it('fails if the connection ends within an answer', async () => {
    docker.instead = (path, response) =>
      path === '/networks' ? response.write('[', () => response.destroy()) : undefined;
    await assert.rejects(api.networks(), refusedWith('io', /GET \/v1\.41\/networks/));
  });
});

describe('choice of the Docker socket', () => {
  it('uses ISTHMUS_DOCKER_HOST, else the default socket of the host', () => {
    assert.equal(dockerApiOf({})?.socket, '/run/docker.sock');
    assert.equal(dockerApiOf({ ISTHMUS_DOCKER_HOST: '' })?.socket, '/run/docker.sock');
    assert.equal(dockerApiOf({ ISTHMUS_DOCKER_HOST: 'unix:///run/other.sock' })?.socket, '/run/other.sock');
    assert.equal(dockerApiOf({ ISTHMUS_DOCKER_HOST: 'none' }), undefined);
  });

  for (const host of ['tcp://127.0.0.1:2375', 'unix://', 'unix://relative', '/run/docker.sock', 'None'])
    it(`rejects ${host}`, () => {
      const named = (): unknown => dockerApiOf({ ISTHMUS_DOCKER_HOST: host });
      assert.throws(named, refusedWith('bad-environment', /ISTHMUS_DOCKER_HOST=.*unix:\/\/\/run\/docker\.sock/));
    });

  it('does not start dockerd: asks only if its process is alive', async () => {
    using dir = makeTempDir();
    const process = (pid: string, comm: string): void => {
      mkdirSync(join(dir.path, pid));
      writeFileSync(join(dir.path, pid, 'comm'), `${comm}\n`);
    };
    process('7', 'containerd');
    process('sys', 'dockerd');
    // A process that ends during the look-up.
    mkdirSync(join(dir.path, '8'));
    assert.equal(await isProcessRunning('dockerd', dir.path), false);
    process('9', 'dockerd');
    assert.equal(await isProcessRunning('dockerd', dir.path), true);
    const unlikely = new DockerApi({ socket: '/nowhere', process: 'isth-none-such' });
    assert.equal(await unlikely.isRunning(), false);
    assert.equal(await new DockerApi({ socket: '/nowhere' }).isRunning(), true);
  });
});
