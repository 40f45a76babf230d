import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import type { CampOrders, CampReport } from '../support/camp-clients.ts';
import { pluginCommand } from '../support/docker-plugin.ts';
import { BRIDGE, JOIN, makePods, type Pods, SHARED, SUBNET, webList } from '../support/docker-pods.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { confDir, useTestHost } from '../support/e2e.ts';
import type { TestHost } from '../support/test-host.ts';
import { assertTraffic } from '../support/traffic.ts';
import type { Via } from '../support/via.ts';

const WAYS: Readonly<Record<Via, string>> = {
  daemon: 'CNI calls by the launcher',
  alone: 'CNI calls without the daemon',
};
const CLIENTS = join(import.meta.dirname, '../support/camp-clients.ts');

describe('a network shared by dockerd and CNI', function () {
  this.timeout(180_000);
  describeNetwork(useTestHost());
});

/** The output of `isthmus network inspect` for a network. */
interface Inspected {
  readonly device: string;
  readonly holders: readonly string[];
  readonly docker: readonly { readonly name?: string }[];
  readonly subnets: readonly { readonly subnet: string; readonly leased: number }[];
  readonly endpoints: readonly {
    readonly camp: string;
    readonly id: string;
    readonly addresses: readonly string[];
    readonly container?: { readonly name: string };
  }[];
}

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeNetwork(running: () => TestHost): void {
  describe('containers and pods', () => {
    let host: TestHost;
    let site: DockerSite;
    let pods: Pods | undefined;

    // Before containers and networks are deleted and the host is checked for remains.
    afterEach('no pod', () => {
      pods?.[Symbol.dispose]();
      pods = undefined;
      running().run('sh', '-c', `rm -f ${confDir}/*`);
    });
    const made = useDockerSite(running);
    before(() => {
      site = made();
      ({ host } = site);
    });

    const use = (via: Via, list = webList()): Pods => {
      pods = makePods(host, via, list);
      return pods;
    };
    const isthmus = (...args: readonly string[]): string => host.run(...pluginCommand(), ...args);
    const inspect = (): Inspected => JSON.parse(isthmus('network', 'inspect', SHARED))[0];
    const bridges = (): string[] =>
      host
        .run('ip', '-br', 'link', 'show', 'type', 'bridge')
        .split('\n')
        .flatMap((line) => line.split(/[\s@]/, 1)[0] || [])
        .filter((name) => name !== 'docker0');
    /** The members of the network, with addresses. */
    const listed = (): string[] =>
      inspect()
        .endpoints.map(({ camp, id, container, addresses }) => {
          const bare = addresses.map((address) => address.split('/')[0]).join(' ');
          return `${camp} ${container?.name ?? id} ${bare}`;
        })
        .sort();

    for (const [via, how] of Object.entries(WAYS) as [Via, string][]) {
      it(`reach each other when pods came first (${how})`, async () => {
        const { add, del, assertPings, agentIn, check } = use(via);
        const [first = ''] = add('pod1');
        site.create('dweb', ...JOIN, '--subnet', SUBNET);
        site.run('box', '--network', 'dweb');
        const box = site.addressOf('box', 'dweb');
        const [second = ''] = add('pod2');
        assert.equal(new Set([first, second, box]).size, 3);
        assert.deepEqual(bridges(), [BRIDGE]);
        assertPings('pod1', box);
        site.assertPings('box', first);
        site.assertPings('box', second);
        check('pod1');
        assert.deepEqual(listed(), [`cni pod1 ${first}`, `cni pod2 ${second}`, `docker box ${box}`]);
        assert.deepEqual(
          inspect().docker.map(({ name }) => name),
          ['dweb'],
        );
        assert.equal(inspect().subnets[0]?.leased, 3);
        assert.match(isthmus('network', 'ls'), new RegExp(`^.*${SHARED} .*bridge.* ${BRIDGE} .*3 .*docker dweb`, 'm'));
        const { Containers, IPAM } = site.inspectNetwork('dweb');
        assert.deepEqual(
          Object.values(Containers).map(({ IPv4Address }) => IPv4Address),
          [`${box}/24`],
        );
        assert.equal(IPAM.Config[0]?.Subnet, SUBNET);
        const [boxAgent, podAgent] = [await site.agentIn('box', 80), await agentIn('pod1', 80)];
        const outside = { address: site.uplink.address[4], port: 80 };
        await assertTraffic([
          [podAgent, { address: box, port: 80 }, `box saw ${first}`],
          [boxAgent, { address: first, port: 80 }, `pod1 saw ${box}`],
          [boxAgent, outside, `outside saw ${site.uplink.host[4]}`],
          [podAgent, outside, `outside saw ${site.uplink.host[4]}`],
        ]);

        // Docker's side goes first, and leaves the pods what is theirs.
        site.docker('rm', '-f', 'box');
        site.docker('network', 'rm', 'dweb');
        assertPings('pod1', second);
        await assertTraffic([[podAgent, outside, `outside saw ${site.uplink.host[4]}`]]);
        check('pod1');
        assert.deepEqual(listed(), [`cni pod1 ${first}`, `cni pod2 ${second}`]);
        del('pod1');
        assert.deepEqual(bridges(), [BRIDGE]);
        del('pod2');
        assert.deepEqual(bridges(), []);
        site.assertClean('the last pod');
      });

      it(`reach each other when Docker came first, through the configuration file (${how})`, async () => {
        const { runtime, add, del, assertPings, check } = use(via);
        host.write(`${confDir}/10-web.conflist`, JSON.stringify(runtime.list));
        site.create('dweb', ...JOIN);
        assert.deepEqual(bridges(), [BRIDGE]);
        site.run('box', '--network', 'dweb');
        const box = site.addressOf('box', 'dweb');
        const [first = ''] = add('pod1');
        assertPings('pod1', box);
        site.assertPings('box', first);
        check('pod1');
        assert.deepEqual(listed(), [`cni pod1 ${first}`, `docker box ${box}`]);

        // The pods go first, and leave Docker what is its own.
        del('pod1');
        site.assertPings('box', site.uplink.address[4]);
        assert.deepEqual(listed(), [`docker box ${box}`]);
        site.docker('rm', '-f', 'box');
        assert.deepEqual(bridges(), [BRIDGE]);
        site.docker('network', 'rm', 'dweb');
        assert.deepEqual(bridges(), []);
        site.assertClean('the Docker network');
      });

      it(`allocate from one pool at once, and no two have the same address (${how})`, () => {
        // So few that they come round soon.
        const subnet = '10.88.0.0/27';
        const { runtime, plugin, assertPings } = use(via, webList({ ipam: { ranges: [[{ subnet }]] } }));
        host.write(`${confDir}/10-web.conflist`, JSON.stringify(runtime.list));
        site.create('dweb', ...JOIN);
        const names = (what: string): string[] => Array.from({ length: 8 }, (_, i) => `${what}${i}`);
        const [containers, spaces] = [names('box'), names('pod')];
        for (const name of containers) site.run(name, '--network', 'none');
        for (const name of containers) site.docker('network', 'disconnect', 'none', name);
        for (const name of spaces) host.run('ip', 'netns', 'add', name);
        const [element] = runtime.list.plugins;
        const config = { ...element, name: SHARED, cniVersion: '1.1.0' };
        const orders: CampOrders = {
          ...{ network: 'dweb', containers, pods: spaces, rounds: 4, plugin, config },
          docker: '/run/docker.sock',
        };
        try {
          const command = [process.execPath, '--no-warnings', CLIENTS, JSON.stringify(orders)];
          const { code, stdout, stderr } = host.attempt(command, { timeout: 90_000 });
          assert.equal(code, 0, stdout + stderr);
          const { collisions, kept, seen, given }: CampReport = JSON.parse(stdout);
          assert.deepEqual(collisions, []);
          assert.ok(given >= 16 * 5, `${given} were given`);
          assert.ok(seen > 16, `${seen} addresses were given`);
          assert.equal(new Set(Object.values(kept)).size, 16, JSON.stringify(kept));
          const owners = Object.entries(kept).map(([name, address]) => {
            return `${name.startsWith('pod') ? 'cni' : 'docker'} ${name} ${address}`;
          });
          assert.deepEqual(listed(), owners.sort());
          for (const name of containers) assert.equal(site.addressOf(name, 'dweb'), kept[name]);
          for (const i of [0, 7]) {
            assertPings(`pod${i}`, kept[`box${i}`] ?? '');
            site.assertPings(`box${i}`, kept[`pod${i}`] ?? '');
          }
        } finally {
          for (const name of spaces) {
            runtime.del({ id: name, netns: `/run/netns/${name}` });
            host.run('ip', 'netns', 'delete', name);
          }
        }
      });

      it(`are garbage-collected by their own side only (${how})`, async () => {
        const { runtime, add, assertPings, collectGarbage } = use(via);
        host.write(`${confDir}/10-web.conflist`, JSON.stringify(runtime.list));
        site.create('dweb', ...JOIN);
        site.run('box', '--network', 'dweb', '-p', '8080:80');
        const box = site.addressOf('box', 'dweb');
        const [first = ''] = add('pod1');
        add('pod2');
        await site.agentIn('box', 80);
        collectGarbage('pod2');
        assert.deepEqual(listed(), [`cni pod1 ${first}`, `docker box ${box}`]);
        assertPings('pod1', box);
        const published = { address: site.uplink.host[4], port: 8080 };
        await assertTraffic([[site.uplink.agent, published, `box saw ${site.uplink.address[4]}`]]);
        collectGarbage('pod1', 'pod2');
        assert.deepEqual(listed(), [`docker box ${box}`]);
        await assertTraffic([[site.uplink.agent, published, `box saw ${site.uplink.address[4]}`]]);
        site.assertPings('box', site.uplink.address[4]);
      });

      it(`cannot publish host ports that the other side holds (${how})`, async () => {
        const { add } = use(via);
        const offer = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] };
        add('pod1', offer);
        site.create('dweb', ...JOIN, '--subnet', SUBNET);
        const refused = site.tryDocker(
          'run',
          '-d',
          '--name',
          'box',
          '--network',
          'dweb',
          '-p',
          '8080:80',
          'localhost/isth-busybox:1',
        );
        assert.notEqual(refused.code, 0);
        assert.match(refused.stderr, /8080.*pod1/);
        site.docker('rm', '-f', 'box');
        site.run('box', '--network', 'dweb', '-p', '8081:80');
        assert.throws(
          () => add('pod2', { portMappings: [{ hostPort: 8081, containerPort: 80, protocol: 'tcp' }] }),
          /8081/,
        );
      });
    }
  });
}
