import { strict as assert } from 'node:assert';
import { catchUp } from '../../src/shared/core/reconcile.ts';
import { digest, hostIfName } from '../../src/shared/model/attachment.ts';
import { dockerFactsOf, type Endpoint } from '../../src/shared/model/endpoint.ts';
import { formatPrefix } from '../../src/shared/model/prefix.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { makeFakeHost } from '../support/core.ts';
import {
  answer,
  PLUGIN_NETWORKS,
  type RecordedDocker,
  recordedNetwork,
  startRecordedDocker,
} from '../support/docker-api.ts';
import { makeReconciled, type Reconciled } from '../support/reconciled.ts';

const idOf = (name: string): string => recordedNetwork(name).Id;
const IDS = PLUGIN_NETWORKS.map(idOf);
const NOTHING = { networks: [], endpoints: [], restored: [], errors: [] };
/** Treats everything as old enough to be removed. */
const OLD = { grace: 0 };

describe('records and dockerd', () => {
  let docker: RecordedDocker;
  let host: FakeHost;
  let here: Reconciled;
  let empty: string;

  beforeEach(async () => {
    docker = await startRecordedDocker();
    host = makeFakeHost();
    here = makeReconciled(host, docker);
    empty = host.toString();
  });

  afterEach(() => docker[Symbol.asyncDispose]());

  const known = (): string[] => here.core.store.dockerNetworks.list().map(({ id }) => id);
  const endpoints = (): Endpoint[] => here.core.store.endpoints.list();
  const dockerFacts = () => endpoints().map(dockerFactsOf)[0];
  const state = (): object => ({
    host: host.toString(),
    networks: here.core.store.networks.list(),
    docker: here.core.store.dockerNetworks.list(),
    endpoints: endpoints(),
    pools: here.core.store.pools.list(),
  });

  /** Puts all networks on record, as CreateNetwork does. */
  const createAll = async (): Promise<void> => {
    const outcome = await here.reconciler().pass();
    assert.deepEqual(outcome?.errors, []);
    assert.deepEqual(known().sort(), IDS.toSorted());
  };

  /** The endpoint of the recorded network, or one with another id. */
  const createEndpoint = async (name: string, id?: string): Promise<string> => {
    const [recorded] = Object.values(recordedNetwork(name).Containers);
    const EndpointID = id ?? String(recorded?.EndpointID);
    const Address = id === undefined ? String(recorded?.IPv4Address) : '10.202.0.77/24';
    const Interface = { Address, AddressIPv6: '', MacAddress: '' };
    await here.call('NetworkDriver.CreateEndpoint', { NetworkID: idOf(name), EndpointID, Interface, Options: {} });
    return EndpointID;
  };

  const linkOf = ({ attachment }: Endpoint): string => hostIfName(attachment);
  const hasLink = (name: string): boolean => host.observe(host.own, { links: 'all' }).links.has(name);

  describe('after the records were lost', () => {
    it('recreates networks of the plugin, and no others', async () => {
      const outcome = await here.reconciler().pass();
      assert.deepEqual(outcome, { ...NOTHING, restored: outcome?.restored });
      assert.deepEqual([...(outcome?.restored ?? [])].sort(), IDS.toSorted());
      assert.deepEqual(known().sort(), IDS.toSorted());
      assert.deepEqual(
        here.core.store.networks
          .list()
          .map(({ name }) => name)
          .sort(),
        [...IDS.filter((id) => id !== idOf('own')).map((id) => `docker-${id.slice(0, 12)}`), 'web'].sort(),
      );
    });

    it('restores the gateways that Docker assigned', async () => {
      await createAll();
      const { store } = here.core;
      const gateways = (name: string): (string | undefined)[] => {
        const row = store.dockerNetworks.get(idOf(name));
        return [row?.gateway4, row?.gateway6];
      };
      assert.deepEqual(gateways('plain'), ['10.202.0.1', undefined]);
      assert.deepEqual(gateways('full'), ['10.61.0.254', 'fd61::fe']);
      // Docker's API does not report this; CreateNetwork contained it.
      assert.deepEqual(gateways('range'), ['10.62.5.0', undefined]);
      assert.deepEqual(gateways('own'), ['10.192.0.2', undefined]);
      assert.deepEqual(gateways('inner'), [undefined, undefined]);
      assert.match(host.toString(), /ip addr add 10\.63\.0\.1\/24 brd \+ dev br-/);
      assert.equal(store.dockerNetworks.get(idOf('inner'))?.internal, true);
      assert.match(store.dockerNetworks.get(idOf('full'))?.request ?? '', /"printer":"10\.61\.0\.9\/16"/);
      assert.match(host.toString(), new RegExp(`ip link add name br-${idOf('full').slice(0, 12)} .*mtu 1400`));
    });

    it('restores a gateway that the containers report', async () => {
      docker.instead = (path, response) => {
        if (path !== '/containers/json') return undefined;
        const on = { NetworkID: idOf('range'), EndpointID: 'e', Gateway: '10.62.9.9', IPv6Gateway: '' };
        return answer(response, 200, JSON.stringify([{ Id: 'c', NetworkSettings: { Networks: { range: on } } }]));
      };
      await createAll();
      assert.equal(here.core.store.dockerNetworks.get(idOf('range'))?.gateway4, '10.62.9.9');
      assert.equal(here.core.store.dockerNetworks.get(idOf('plain'))?.gateway4, '10.202.0.1');
    });

    it('restores the pool under the id that dockerd uses', async () => {
      await createAll();
      const [pool] = here.core.store.pools.list();
      assert.deepEqual([pool?.usedBy, pool?.gateway, pool?.subnet], [idOf('own'), '10.192.0.2', '10.192.0.0/22']);
      const PoolID = `${pool?.id.split('#')[0]}#before`;
      const given = await here.call('IpamDriver.RequestAddress', { PoolID, Address: '10.192.0.9', Options: null });
      assert.deepEqual(given, { Address: '10.192.0.9/22', Data: {} });
    });

    it('does nothing the second time', async () => {
      await createAll();
      const before = state();
      docker.asked.length = 0;
      assert.deepEqual(await here.reconciler().pass(), NOTHING);
      assert.deepEqual(state(), before);
      // Without endpoints on record, no request for endpoints is made.
      assert.deepEqual(docker.asked, ['/version', '/v1.41/networks']);
    });

    it('reports a network that it cannot create, reverts it, and creates the others', async () => {
      const elsewhere = { NetworkID: 'a'.repeat(64), Options: {}, IPv6Data: [] };
      const data = { AddressSpace: 'LocalDefault', Pool: '10.192.1.0/24', Gateway: '10.192.1.1/24' };
      await here.call('NetworkDriver.CreateNetwork', { ...elsewhere, IPv4Data: [data] });
      const outcome = await here.reconciler().pass();
      assert.deepEqual([...(outcome?.restored ?? [])].sort(), IDS.filter((id) => id !== idOf('own')).sort());
      assert.match(outcome?.errors[0]?.message ?? '', /10\.192\./);
      assert.deepEqual(here.core.store.pools.list(), []);
      assert.equal(here.core.taken.size, 0);
    });

    it('deletes a network that Docker deletes meanwhile', async () => {
      docker.instead = (path) => {
        // Between the second look and its end.
        if (path === '/containers/json') docker.forgotten.add(idOf('plain'));
        return undefined;
      };
      const outcome = await here.reconciler().pass();
      assert.equal(outcome?.restored.length, IDS.length - 1);
      assert.equal(here.core.store.dockerNetworks.get(idOf('plain')), undefined);
      assert.equal(hasLink(`br-${idOf('plain').slice(0, 12)}`), false);
    });

    it('assigns endpoints that the kernel reports to their networks again', async () => {
      await createAll();
      await createEndpoint('plain');
      const before = dockerFacts();
      here = makeReconciled(host, docker);
      catchUp(here.core);
      assert.equal(dockerFacts()?.dockerNetwork, undefined);
      const outcome = await here.reconciler(OLD).pass();
      assert.deepEqual([outcome?.endpoints, outcome?.errors], [[], []]);
      const after = dockerFacts();
      assert.deepEqual([after?.dockerNetwork, after?.addresses], [before?.dockerNetwork, before?.addresses]);
      assert.equal(typeof after?.createdAt, 'number');
    });
  });

  describe('after dockerd has forgotten', () => {
    beforeEach(createAll);

    it('a network: deletes it with its endpoints, pools and bridge', async () => {
      for (const name of ['plain', 'own']) await createEndpoint(name);
      const links = endpoints().map(linkOf);
      for (const name of ['plain', 'own']) docker.forgotten.add(idOf(name));
      const outcome = await here.reconciler(OLD).pass();
      assert.deepEqual([...(outcome?.networks ?? [])].sort(), [idOf('plain'), idOf('own')].sort());
      assert.deepEqual(outcome?.errors, []);
      assert.deepEqual(known().sort(), IDS.filter((id) => ![idOf('plain'), idOf('own')].includes(id)).sort());
      assert.deepEqual([endpoints(), here.core.store.pools.list()], [[], []]);
      for (const link of [...links, 'br-web', `br-${idOf('plain').slice(0, 12)}`])
        assert.equal(hasLink(link), false, link);
    });

    it('all networks: leaves nothing', async () => {
      for (const id of IDS) docker.forgotten.add(id);
      await here.reconciler(OLD).pass();
      assert.deepEqual([known(), here.core.store.networks.list(), host.toString()], [[], [], empty]);
    });

    it('an endpoint: deletes only that, with its address and interface', async () => {
      const kept = await createEndpoint('plain');
      const gone = await createEndpoint('own');
      docker.forgotten.add(gone);
      const outcome = await here.reconciler(OLD).pass();
      assert.deepEqual(outcome, { ...NOTHING, endpoints: [gone] });
      assert.deepEqual(
        endpoints().map(({ attachment }) => attachment.containerId),
        [kept],
      );
      assert.ok(hasLink(linkOf(endpoints()[0] ?? assert.fail())));
      const left = here.core.store.leases.list('/var/lib/cni/networks/web').map(({ owner }) => owner.containerId);
      assert.ok(!left.includes(gone), left.join());
      assert.equal(known().length, IDS.length);
    });

    it('a young object: keeps it until it is old enough', async () => {
      const id = await createEndpoint('plain', digest('new'));
      docker.forgotten.add(idOf('inner'));
      const before = state();
      const outcome = await here.reconciler().pass();
      const times = [here.core.store.dockerNetworks.get(idOf('inner'))?.createdAt, dockerFacts()?.createdAt];
      const again = Math.min(...times.map((time) => time ?? assert.fail())) + 60_000;
      assert.deepEqual([outcome, state()], [{ ...NOTHING, again }, before]);
      const later = await here.reconciler(OLD).pass();
      assert.deepEqual([later?.networks, later?.endpoints], [[idOf('inner')], [id]]);
    });

    it('a young endpoint whose interface is gone: deletes it at once', async () => {
      const id = await createEndpoint('plain', digest('new'));
      const ns = { host: host.own };
      host.apply([{ op: 'link.delete', ns: 'host', name: linkOf(endpoints()[0] ?? assert.fail()), kind: 'veth' }], ns);
      assert.deepEqual(await here.reconciler().pass(), { ...NOTHING, endpoints: [id] });
    });

    it('a young network: deletes its endpoints without an interface at once', async () => {
      const ids = [await createEndpoint('plain'), await createEndpoint('plain', digest('new'))];
      docker.forgotten.add(idOf('plain'));
      const ns = { host: host.own };
      const row = endpoints().find(({ attachment }) => attachment.containerId === ids[0]) ?? assert.fail();
      host.apply([{ op: 'link.delete', ns: 'host', name: linkOf(row), kind: 'veth' }], ns);
      assert.deepEqual((await here.reconciler().pass())?.endpoints, [ids[0]]);
      assert.deepEqual([known().length, endpoints().length], [IDS.length, 1]);
    });

    it('an object for a moment only: keeps it', async () => {
      const id = await createEndpoint('plain');
      for (const one of [id, idOf('inner')]) docker.forgotten.add(one);
      let looks = 0;
      docker.instead = (path) => {
        if (path === '/networks' && ++looks === 2) docker.forgotten.clear();
        return undefined;
      };
      const before = state();
      assert.deepEqual(await here.reconciler(OLD).pass(), NOTHING);
      assert.deepEqual([looks, state()], [2, before]);
    });

    it('an object at the second look only: keeps it for the next pass', async () => {
      docker.forgotten.add(idOf('inner'));
      let looks = 0;
      docker.instead = (path) => {
        if (path === '/networks' && ++looks === 2) docker.forgotten.add(idOf('plain'));
        return undefined;
      };
      assert.deepEqual(await here.reconciler(OLD).pass(), { ...NOTHING, networks: [idOf('inner')] });
      assert.deepEqual(await here.reconciler(OLD).pass(), { ...NOTHING, networks: [idOf('plain')] });
    });

    it('an object with a creation time in the future: keeps it until it was seen for long enough', async () => {
      const { dockerNetworks } = here.core.store;
      const row = dockerNetworks.get(idOf('inner')) ?? assert.fail();
      dockerNetworks.put({ ...row, createdAt: Date.now() + 86_400_000 });
      docker.forgotten.add(row.id);
      const reconciler = here.reconciler({ grace: 30 });
      const { again = 0, ...rest } = (await reconciler.pass()) ?? assert.fail();
      assert.deepEqual(rest, NOTHING);
      while (Date.now() < again) await new Promise((resolve) => setTimeout(resolve, 5));
      assert.deepEqual((await reconciler.pass())?.networks, [row.id]);
    });
  });

  describe('deletes nothing', () => {
    let before: object;

    beforeEach(async () => {
      await createAll();
      await createEndpoint('plain', digest('forgotten'));
      for (const id of IDS) docker.forgotten.add(id);
      before = state();
    });

    const inVain = async (): Promise<void> => {
      await assert.rejects(async () => assert.equal(await here.reconciler(OLD).pass(), 'an error'), {
        name: 'NetError',
      });
      assert.deepEqual(state(), before);
    };

    for (const [what, status, body] of [
      ['an error', 500, '{"message":"no"}'],
      ['a page', 404, 'page not found'],
      ['half a list', 200, '[{"Id":'],
      ['no network at all', 200, '[]'],
      ['an object', 200, '{}'],
    ] as const)
      it(`if dockerd answers ${what}`, async () => {
        docker.instead = (path, response) => (path === '/networks' ? answer(response, status, body) : undefined);
        await inVain();
      });

    it('if the second look fails', async () => {
      let looks = 0;
      docker.instead = (path, response) =>
        path === '/networks' && ++looks > 1 ? answer(response, 500, '{}') : undefined;
      await inVain();
    });

    it('if dockerd does not listen', async () => {
      await docker.close();
      assert.equal(await here.reconciler(OLD).pass(), undefined);
      assert.deepEqual(state(), before);
    });

    it('of a network whose endpoints dockerd does not list', async () => {
      docker.forgotten.clear();
      docker.instead = (path, response) =>
        path === `/networks/${idOf('plain')}` ? answer(response, 500, '{"message":"no"}') : undefined;
      assert.deepEqual(await here.reconciler(OLD).pass(), NOTHING);
      assert.deepEqual(state(), before);
    });

    it('of an endpoint that may be on any network, while one network is not listed', async () => {
      docker.forgotten.clear();
      const [row] = endpoints();
      assert.ok(row?.kind === 'docker');
      const { dockerNetwork: _, ...rebuilt } = row;
      here.core.store.endpoints.put(rebuilt);
      before = state();
      docker.instead = (path, response) =>
        path === `/networks/${idOf('inner')}` ? answer(response, 500, '{"message":"no"}') : undefined;
      assert.deepEqual(await here.reconciler(OLD).pass(), NOTHING);
      assert.deepEqual(state(), before);
      docker.instead = () => undefined;
      assert.deepEqual((await here.reconciler(OLD).pass())?.endpoints, [digest('forgotten')]);
    });
  });

  it('reserves the subnets of all Docker networks', async () => {
    const reconciler = here.reconciler();
    assert.deepEqual(reconciler.avoid, []);
    await reconciler.pass();
    const avoided = reconciler.avoid.map(({ subnet, holder }) => `${formatPrefix(subnet)} ${holder}`);
    assert.ok(avoided.includes('10.201.0.0/24 Docker network "bridge"'), avoided.join());
    assert.ok(avoided.includes('fd61::/64 Docker network "full"'), avoided.join());
    assert.ok(
      avoided.some((text) => text.endsWith('Docker network "builtin"')),
      avoided.join(),
    );
  });

  describe('passes', () => {
    const until = async (what: string, condition: () => boolean): Promise<void> => {
      const end = Date.now() + 10_000;
      while (!condition()) {
        assert.ok(Date.now() < end, what);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const looks = (): number => docker.asked.filter((path) => path.endsWith('/networks')).length;

    it('run at the start, again when dockerd comes up, and stop at the end', async () => {
      const reconciler = here.reconciler(OLD);
      reconciler.start();
      await until('restored', () => known().length === IDS.length);
      docker.forgotten.add(idOf('inner'));
      reconciler.activated();
      await until('removed', () => known().length === IDS.length - 1);
      await reconciler.stop();
      docker.forgotten.add(idOf('plain'));
      reconciler.activated();
      reconciler.changed();
      const asked = looks();
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.deepEqual([known().length, looks()], [IDS.length - 1, asked]);
    });

    it('run again after a failure, and log it', async () => {
      let fails = 2;
      docker.instead = (path, response) =>
        path === '/networks' && fails-- > 0 ? answer(response, 500, '{"message":"not yet"}') : undefined;
      const reconciler = here.reconciler({ retry: 1 });
      reconciler.start();
      await until('restored', () => known().length === IDS.length);
      await reconciler.stop();
      const said = here.core.logged.filter((line) => line.startsWith('docker.unanswered'));
      assert.equal(said.length, 2);
      assert.match(said[0] ?? '', /it answers 500: not yet/);
    });

    it('run again when an object is old enough', async () => {
      await createAll();
      docker.forgotten.add(idOf('inner'));
      const reconciler = here.reconciler({ grace: 300 });
      reconciler.start();
      await until('removed', () => known().length === IDS.length - 1);
      await reconciler.stop();
    });

    it('requested during a pass run after it', async () => {
      await createAll();
      const reconciler = here.reconciler(OLD);
      let first = true;
      docker.instead = (path) => {
        if (path !== '/networks' || !first) return undefined;
        first = false;
        reconciler.activated();
        // The network disappears after this answer was built.
        setTimeout(() => docker.forgotten.add(idOf('inner')), 0);
        return undefined;
      };
      reconciler.start();
      await until('removed', () => known().length === IDS.length - 1);
      await reconciler.stop();
    });

    it('send no requests while dockerd does not run, until it shows that it does', async () => {
      const reconciler = here.reconciler({ every: 5 }, 'isth-none-such');
      reconciler.start();
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.deepEqual(docker.asked, []);
      reconciler.activated();
      await until('restored', () => known().length === IDS.length);
      await reconciler.stop();
    });

    it('do not wait for a hanging dockerd when the daemon ends', async () => {
      let hangs = false;
      docker.instead = (path) => {
        if (path !== '/networks') return undefined;
        hangs = true;
        return 'nothing is said';
      };
      const reconciler = here.reconciler();
      reconciler.start();
      await until('asked', () => hangs);
      await reconciler.stop();
    });

    it('report new networks after each change', async () => {
      const reconciler = here.reconciler();
      reconciler.changed();
      reconciler.changed();
      await until('known', () => reconciler.avoid.length > 0);
      assert.equal(looks(), 1);
      await reconciler.stop();
    });
  });
});
