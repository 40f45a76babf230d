import { strict as assert } from 'node:assert';
import { BRIDGE, JOIN, makePods, type Pods, SHARED, SUBNET, webList } from '../support/docker-pods.ts';
import { type DockerSite, useDockerSite } from '../support/docker-site.ts';
import { confDir, referencePath, useTestHost } from '../support/e2e.ts';
import type { NetworkList } from '../support/runtime.ts';
import type { TestHost } from '../support/test-host.ts';
import { assertTraffic } from '../support/traffic.ts';
import type { Via } from '../support/via.ts';

describe('dockerd joins a network of CNI', function () {
  this.timeout(180_000);
  describeWays(useTestHost());
});

/** In a separate block: its objects must be deleted before the test host is checked. */
function describeWays(running: () => TestHost): void {
  describe('docker network create', () => {
    let host: TestHost;
    let site: DockerSite;
    let pods: Pods | undefined;

    // Before containers and networks are deleted and the host is checked for remains.
    afterEach('no pod', () => {
      pods?.[Symbol.dispose]();
      pods = undefined;
      running().run('sh', '-c', `rm -rf ${confDir}/* /var/lib/cni/networks`);
    });
    const made = useDockerSite(running);
    before(() => {
      site = made();
      ({ host } = site);
    });

    const use = (list = webList(), via: Via = 'daemon', more: readonly string[] = []): Pods => {
      pods = makePods(host, via, list, more);
      return pods;
    };
    const configure = ({ runtime }: Pods): void =>
      host.write(`${confDir}/10-web.conflist`, JSON.stringify(runtime.list));
    /** A container on Docker's network and a pod reach each other. */
    const assertMeet = (network: string, { assertPings }: Pods, pod: string, address: string): void => {
      site.run('box', '--network', network, '--stop-timeout', '0');
      assertPings(pod, site.addressOf('box', network));
      site.assertPings('box', address);
    };
    /** The command that an answer of docker names, with a name in place of NAME. */
    const commandOf = (text: string, name: string): string[] => {
      const [, command] = /docker (network create .*?)NAME/.exec(text) ?? [];
      assert.ok(command, `${text}\nnames no command`);
      return [...command.trim().split(' '), name];
    };

    it('needs no subnet while the bridge exists', async () => {
      const web = use();
      const [first = ''] = web.add('pod1');
      site.create('dweb', ...JOIN);
      assertMeet('dweb', web, 'pod1', first);
      assert.match(site.addressOf('box', 'dweb'), /^10\.88\.0\./);
      assert.equal(site.endpoint('box', 'dweb').IPPrefixLen, 24);
      assert.equal(site.endpoint('box', 'dweb').Gateway, '10.88.0.1');
      // dockerd compares all other pools with the routes of the host.
      assert.equal(site.inspectNetwork('dweb').IPAM.Config[0]?.Subnet, '0.0.0.0/0');
      site.docker('restart', '-t', '0', 'box');
      site.assertPings('box', first);
      // Nor is any other network in the way of that, be it Docker's own or ours.
      for (const driver of ['bridge', 'isthmus']) {
        site.docker('network', 'create', '-d', driver, `on-${driver}`);
        site.run(`box-${driver}`, '--network', `on-${driver}`);
        site.assertPings(`box-${driver}`, site.uplink.address[4]);
        site.docker('rm', '-f', `box-${driver}`);
      }
      site.docker('update', '--restart', 'always', 'box');
      await site.daemons.killDocker();
      await site.daemons.startDocker();
      web.assertPings('pod1', site.addressOf('box', 'dweb'));
      site.run('late', '--network', 'dweb');
      site.assertPings('late', 'box');
    });

    it('accepts --ip and --ip-range of the pool, and an address of each family', () => {
      const six = 'fd00:88::/64';
      const ipam = {
        ranges: [[{ subnet: SUBNET }], [{ subnet: six }]],
        routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
      };
      const web = use(webList({ ipam }));
      const [four = '', other = ''] = web.add('pod1');
      const range = '10.88.0.128/25';
      site.create('dweb', ...JOIN, '--subnet', SUBNET, '--ip-range', range, '--ipv6', '--subnet', six);
      site.run('box', '--network', 'dweb');
      site.run('fixed', '--network', 'dweb', '--ip', '10.88.0.77', '--ip6', 'fd00:88::77');
      const last = Number(site.addressOf('box', 'dweb').split('.')[3]);
      assert.ok(last >= 128, `${last} is in ${range}`);
      for (const target of ['10.88.0.77', 'fd00:88::77', site.address6Of('box', 'dweb')])
        web.assertPings('pod1', target);
      for (const target of [four, other]) site.assertPings('fixed', target);
      assert.match(site.exec('fixed', 'ip', '-6', 'route'), /^default via fd00:88::1 /m);
      const taken = ['--network', 'dweb', '--ip', four, 'localhost/isth-busybox:1'];
      assert.match(site.tryDocker('run', '-d', '--name', 'late', ...taken).stderr, /pod1/);
      site.docker('rm', '-f', 'late');
    });

    it('creates the network that pods join, when no configuration exists', () => {
      // Neither side names the bridge.
      const web = use(webList({ bridge: undefined }));
      site.create('dweb', ...JOIN, '--subnet', SUBNET);
      const [first = ''] = web.add('pod1');
      assertMeet('dweb', web, 'pod1', first);
      site.docker('rm', '-f', 'box');
      site.docker('network', 'rm', 'dweb');
      web.check('pod1');
      site.create('again', ...JOIN, '--subnet', SUBNET);
      assertMeet('again', web, 'pod1', first);
    });

    for (const order of ['is in use', 'is configured'])
      it(`joins a list of plugins with the reference's names when the network ${order}`, async () => {
        const list: NetworkList = {
          ...webList(),
          cniVersion: '1.0.0',
          plugins: [
            {
              ...{ type: 'bridge', bridge: BRIDGE, isGateway: true, ipMasq: true, hairpinMode: true },
              ipam: { type: 'host-local', ranges: [[{ subnet: SUBNET }]], routes: [{ dst: '0.0.0.0/0' }] },
            },
            { type: 'portmap', capabilities: { portMappings: true } },
            { type: 'firewall' },
          ],
        };
        const web = use(list, 'alone');
        configure(web);
        const offers = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] };
        const [first = ''] = order === 'is in use' ? web.add('pod1', offers) : [];
        site.create('dweb', ...JOIN, '--subnet', SUBNET);
        const address = first || (web.add('pod1', offers)[0] ?? '');
        assertMeet('dweb', web, 'pod1', address);
        site.run('more', '--network', 'dweb', '-p', '8081:80');
        await Promise.all([web.agentIn('pod1', 80), site.agentIn('more', 80)]);
        const { agent, host: own } = site.uplink;
        const both = (pod: string, container: string) =>
          assertTraffic([
            [agent, { address: own[4], port: 8080 }, pod],
            [agent, { address: own[4], port: 8081 }, container],
          ]);
        await both('pod1', 'more');
        web.check('pod1');
        site.docker('rm', '-f', 'box', 'more');
        site.docker('network', 'rm', 'dweb');
        await both('pod1', 'blocked');
        web.check('pod1');
      });

    it('works twice: each network has its own endpoints, on the same bridge', () => {
      const web = use();
      const [first = ''] = web.add('pod1');
      for (const name of ['one', 'two']) {
        site.create(name, ...JOIN, '--subnet', SUBNET);
        site.run(`on-${name}`, '--network', name);
        site.assertPings(`on-${name}`, first);
      }
      const addresses = [first, site.addressOf('on-one', 'one'), site.addressOf('on-two', 'two')];
      assert.equal(new Set(addresses).size, 3, addresses.join(' '));
      site.assertPings('on-one', addresses[2] ?? '');
      site.docker('rm', '-f', 'on-one');
      site.docker('network', 'rm', 'one');
      site.assertPings('on-two', first);
      assert.equal(host.run('ip', '-br', 'link', 'show', 'dev', BRIDGE).split(' ')[0], BRIDGE);
    });

    for (const [what, options] of Object.entries({
      "Docker's own IPAM": ['-o', `network=${SHARED}`],
      'a pool of another network': ['--ipam-driver', 'isthmus', '-o', `network=${SHARED}`],
    })) {
      for (const order of ['is in use', 'is configured'])
        it(`refuses ${what} when the network ${order}, and names the command that works`, () => {
          const web = use();
          configure(web);
          const [first = ''] = order === 'is in use' ? web.add('pod1') : [];
          const refused = site.refused(...options);
          assert.match(refused, new RegExp(`network ${SHARED}`));
          site.docker(...commandOf(refused, 'dweb'));
          assertMeet('dweb', web, 'pod1', first || (web.add('pod1')[0] ?? ''));
        });
    }

    it('refuses a subnet or gateway that differs, and names the command that works', () => {
      const web = use();
      const [first = ''] = web.add('pod1');
      const other = site.refused(...JOIN, '--subnet', '10.89.0.0/24');
      assert.match(other, /10\.88\.0\.0\/24.*10\.89\.0\.0\/24/);
      assert.match(site.refused(...JOIN, '--subnet', SUBNET, '--gateway', '10.88.0.9'), /10\.88\.0\.1/);
      site.docker(...commandOf(other, 'dweb'));
      assertMeet('dweb', web, 'pod1', first);
    });

    it('refuses a network whose addresses another plugin allocates, and names the command that works', () => {
      const ipam = { type: 'host-local', ranges: [[{ subnet: SUBNET }]] };
      // The version that Debian's plugins know.
      const foreign: NetworkList = { ...webList({ ipam }), cniVersion: '1.0.0' };
      const web = use(foreign, 'daemon', [referencePath]);
      web.add('pod1');
      for (const options of [JOIN, [...JOIN, '--subnet', SUBNET], ['-o', `network=${SHARED}`]]) {
        const refused = site.refused(...options);
        assert.match(refused, /host-local/);
        const name = `own-${options.length}`;
        site.docker(...commandOf(refused, name));
        site.run(`on-${name}`, '--network', name);
        site.assertPings(`on-${name}`, site.uplink.address[4]);
      }
    });

    it('refuses a network configured with addresses of another plugin, and names the command that works', () => {
      configure(use(webList({ ipam: { type: 'dhcp' } })));
      for (const options of [JOIN, [...JOIN, '--subnet', SUBNET], ['-o', `network=${SHARED}`]]) {
        const refused = site.refused(...options);
        assert.match(refused, /dhcp/);
        site.docker(...commandOf(refused, `own-${options.length}`));
      }
    });

    it('pods with another subnet, bridge or IPAM than that of Docker are refused', () => {
      const web = use();
      site.create('dweb', ...JOIN, '--subnet', SUBNET, '-o', `com.docker.network.bridge.name=${BRIDGE}`);
      const [first = ''] = web.add('pod1');
      const ranges = [[{ subnet: '10.89.0.0/24' }]];
      for (const [list, said] of [
        [webList({ ipam: { ranges } }), /10\.88\.0\.0\/24.*10\.89\.0\.0\/24.*Docker network/],
        [webList({ bridge: 'isth-two' }), /isth-web.*isth-two/],
      ] as const) {
        using others = makePods(host, 'daemon', list);
        assert.throws(() => others.add('pod2'), said);
      }
      assertMeet('dweb', web, 'pod1', first);
    });
  });
}
