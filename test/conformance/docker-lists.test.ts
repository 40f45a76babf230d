import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { referenceDir } from '../support/cni.ts';
import { type DaemonBin, daemonBin } from '../support/daemon-site.ts';
import { type CalledEndpoint, type CalledNetwork, enter, leave } from '../support/docker-caller.ts';
import { type DockerLab, HOST, makeDockerLab, OUTSIDE } from '../support/docker-lab.ts';
import { createListed, hostLocal, listOf, scriptPlugin } from '../support/docker-lists.ts';
import { netnsMissing } from '../support/netns.ts';
import { ping } from '../support/ping.ts';
import { skipIf } from '../support/skip.ts';
import { makeTempDir } from '../support/temp.ts';
import { waitFor } from '../support/test-host.ts';
import { assertTraffic } from '../support/traffic.ts';
import { makeVerbs } from '../support/verbs.ts';

const bare = (address: string | undefined): string => address?.split('/')[0] ?? '';
const NETNS = '/run/netns';
const missing = existsSync(join(referenceDir, 'bridge')) ? undefined : "the reference's plugins are not installed";

describe('the daemon runs CNI lists as Docker networks', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let lab: DockerLab;
  let dir: ReturnType<typeof makeTempDir>;
  let leases: string;
  let others: readonly string[];

  before(function () {
    skipIf(this, netnsMissing() ?? missing);
    bin = daemonBin();
  });
  beforeEach(async () => {
    lab = await makeDockerLab(bin);
    dir = makeTempDir();
    leases = join(dir.path, 'leases');
    others = namespaces();
  });
  afterEach(() => {
    for (const name of held()) {
      spawnSync('umount', ['-l', join(NETNS, name)]);
      rmSync(join(NETNS, name), { force: true });
    }
    lab?.[Symbol.dispose]();
    dir?.[Symbol.dispose]();
  });
  after(() => bin?.[Symbol.dispose]());

  function namespaces(): string[] {
    return readdirSync(NETNS).filter((name) => /^isth-[0-9a-f]{12}$/.test(name));
  }

  /** The test's namespaces that hold an interface for dockerd. */
  function held(): string[] {
    return namespaces().filter((name) => !others.includes(name));
  }

  function leased(name: string): string[] {
    const path = join(leases, name);
    return existsSync(path) ? readdirSync(path).filter((file) => !/^(lock|last_reserved)/.test(file)) : [];
  }

  async function remove(network: CalledNetwork): Promise<void> {
    await lab.docker.call('NetworkDriver.DeleteNetwork', { NetworkID: network.id });
  }

  /** The process whose number is in the file has ended; PID 1 may not have waited for it. */
  async function assertEnded(file: string): Promise<void> {
    const status = `/proc/${readFileSync(file, 'utf8').trim()}/status`;
    const hasEnded = (): boolean => {
      try {
        return /^State:\tZ/m.test(readFileSync(status, 'utf8'));
      } catch {
        return true;
      }
    };
    await waitFor('the plugin has ended', hasEnded);
  }

  function ids({ id, network }: CalledEndpoint): { NetworkID: string; EndpointID: string } {
    return { NetworkID: network.id, EndpointID: id };
  }

  const bridge = (more = {}): Readonly<Record<string, unknown>> => ({
    ...{ type: 'bridge', bridge: 'cni7', isGateway: true, ipMasq: true },
    ipam: hostLocal(leases, ['10.70.0.0/24', 'fd70::/64']),
    ...more,
  });

  it('bridge: two families, the way out, published ports, and nothing is left', async () => {
    const { docker, host, outside } = lab;
    const list = listOf('cnibr', bridge({ hairpinMode: true }), {
      type: 'portmap',
      capabilities: { portMappings: true },
    });
    const network = await createListed(docker, { conf: list });
    const ports = [{ host: 8080, container: 80 }];
    const a = await docker.start(network, host, lab.container(0), { ports });
    const b = await docker.start(network, host, lab.container(1));
    assert.deepEqual(a.addresses, ['10.70.0.2/24', 'fd70::2/64']);
    assert.deepEqual([a.join.Gateway, a.join.GatewayIPv6, a.join.StaticRoutes], ['10.70.0.1', 'fd70::1', []]);
    for (const address of [...b.addresses.map(bare), '10.70.0.1', OUTSIDE]) ping(lab.container(0), address);
    const [inside, out, own] = [lab.agent('c0', lab.container(0)), lab.agent('out', outside), lab.agent('host', host)];
    await inside.serve('tcp', 80);
    await assertTraffic([
      [out, { address: HOST, port: 8080 }, 'c0'],
      [own, { address: '127.0.0.1', port: 8080 }, 'c0'],
      [inside, { address: HOST, port: 8080 }, 'c0'],
    ]);
    await docker.stop(a, host, lab.container(0));
    await docker.stop(b, host, lab.container(1));
    await remove(network);
    assert.deepEqual([held(), leased('cnibr')], [[], []]);
    assert.doesNotMatch(host.ip('link'), /veth|peer/);
    assert.doesNotMatch(host.run('nft', 'list', 'ruleset'), /cni7|8080/);
  });

  it('ptp: addresses are off the link, the gateway is on it, and containers reach each other', async () => {
    const { docker, host } = lab;
    const list = listOf('cniptp', { type: 'ptp', ipMasq: true, ipam: hostLocal(leases, ['10.71.0.0/24']) });
    const network = await createListed(docker, { conf: list });
    const a = await docker.start(network, host, lab.container(0));
    const b = await docker.start(network, host, lab.container(1));
    assert.deepEqual(a.addresses, ['10.71.0.2/32']);
    assert.equal(a.join.Gateway, '10.71.0.1');
    assert.deepEqual(a.join.StaticRoutes, [
      { Destination: '10.71.0.1/32', RouteType: 1 },
      { Destination: '10.71.0.0/24', RouteType: 0, NextHop: '10.71.0.1' },
    ]);
    ping(lab.container(0), bare(b.addresses[0]));
    ping(lab.container(0), OUTSIDE);
    await docker.stop(a, host, lab.container(0));
    await docker.stop(b, host, lab.container(1));
    await remove(network);
    assert.deepEqual([held(), leased('cniptp')], [[], []]);
  });

  it('macvlan: containers on the LAN of the host, and no ports', async () => {
    const { docker, host } = lab;
    const ipam = {
      type: 'static',
      addresses: [{ address: '192.0.2.40/24', gateway: OUTSIDE }],
      routes: [{ dst: '0.0.0.0/0' }],
    };
    const network = await createListed(docker, { conf: listOf('cnimv', { type: 'macvlan', master: 'up0', ipam }) });
    const a = await docker.start(network, host, lab.container(0));
    ping(lab.container(0), OUTSIDE);
    await assert.rejects(
      docker.program(a, [{ host: 8080, container: 80 }]),
      /the host is not on the way to its address/,
    );
    await docker.stop(a, host, lab.container(0));
    await remove(network);
    assert.deepEqual(held(), []);
  });

  it('host-device: the device comes back with its name', async () => {
    const { docker, host } = lab;
    host.ip('link', 'add', 'nic0', 'type', 'veth', 'peer', 'name', 'nic1');
    host.ip('link', 'set', 'nic1', 'up');
    host.ip('addr', 'add', '10.72.0.1/24', 'dev', 'nic1');
    const before = host.ip('-br', 'link', 'show', 'nic0');
    const ipam = { type: 'static', addresses: [{ address: '10.72.0.2/24' }] };
    const network = await createListed(docker, {
      conf: listOf('cnihd', { type: 'host-device', device: 'nic0', ipam }),
    });
    const a = await docker.start(network, host, lab.container(0));
    ping(lab.container(0), '10.72.0.1');
    await docker.stop(a, host, lab.container(0));
    assert.equal(host.ip('-br', 'link', 'show', 'nic0').split(' ')[0], before.split(' ')[0]);
    await remove(network);
    assert.deepEqual(held(), []);
  });

  it("takes addresses of Docker's IPAM, and refuses a list that keeps them off the link", async () => {
    const { docker, host } = lab;
    const subnet = '10.70.0.0/24';
    const network = await createListed(docker, { conf: listOf('cnibr', bridge()), subnet, gateway: '10.70.0.1/24' });
    const a = await docker.start(network, host, lab.container(0), { addresses: ['10.70.0.200/24'] });
    assert.deepEqual([a.join.Gateway, a.join.GatewayIPv6], ['10.70.0.1', undefined]);
    assert.deepEqual(a.join.StaticRoutes, [], 'the route to ::/0 is of no family of the container');
    ping(lab.container(0), '10.70.0.1');
    ping(lab.container(0), OUTSIDE);
    await docker.stop(a, host, lab.container(0));
    await remove(network);
    assert.deepEqual(leased('cnibr'), []);
    const ptp = listOf('cniptp', { type: 'ptp', ipam: hostLocal(leases, [subnet]) });
    await assert.rejects(createListed(docker, { conf: ptp, subnet }), /plugin ptp: does not put .* --ipam-driver null/);
  });

  it('takes addresses of our IPAM, of a pool that pods have too', async () => {
    const { docker, host } = lab;
    const o = { driver: 'cni', conf: JSON.stringify(listOf('cnibr', bridge())), cniPath: referenceDir };
    const network = await docker.createNetwork({ o, subnet: '10.76.0.0/24', ipamOpt: { network: 'web' } });
    const a = await docker.start(network, host, lab.container(0));
    const b = await docker.start(network, host, lab.container(1), { ip: '10.76.0.99' });
    assert.deepEqual([a.addresses, b.addresses], [['10.76.0.2/24'], ['10.76.0.99/24']]);
    assert.equal(a.join.Gateway, '10.76.0.1');
    ping(lab.container(0), '10.76.0.99');
    const one = { NetworkID: network.id, EndpointID: 'a'.repeat(64), Options: {} };
    const Interface = { Address: '10.76.0.99/24', AddressIPv6: '', MacAddress: '' };
    await assert.rejects(docker.call('NetworkDriver.CreateEndpoint', { ...one, Interface }), /10\.76\.0\.99/);
    for (const [i, endpoint] of [a, b].entries()) await docker.stop(endpoint, host, lab.container(i));
    await docker.removeNetwork(network);
    assert.deepEqual(held(), []);
    const again = await docker.createNetwork({ subnet: '10.76.0.0/24' });
    await docker.removeNetwork(again);
  });

  it('passes the address and the MAC that the user asks for', async () => {
    const { docker, host } = lab;
    const plugin = bridge({ capabilities: { mac: true } });
    const network = await createListed(docker, { conf: listOf('cnibr', plugin) });
    const one = { NetworkID: network.id, EndpointID: 'a'.repeat(64) };
    const Interface = { Address: '', AddressIPv6: '', MacAddress: '02:00:00:00:00:55' };
    const answer = await docker.call('NetworkDriver.CreateEndpoint', {
      ...one,
      Interface,
      Options: { ip: '10.70.0.78' },
    });
    assert.deepEqual(answer.Interface, { Address: '10.70.0.78/24', AddressIPv6: 'fd70::2/64' });
    await docker.call('NetworkDriver.Join', { ...one, SandboxKey: '', Options: {} });
    assert.match(host.ip('link', 'show', `peer${'a'.repeat(11)}`), /02:00:00:00:00:55/);
    await docker.call('NetworkDriver.DeleteEndpoint', one);
    const wrong = { ...one, Interface: {}, Options: { ip: 'x' } };
    await assert.rejects(docker.call('NetworkDriver.CreateEndpoint', wrong), /driver-opt ip=x: x is not an IP address/);
    await remove(network);
    assert.deepEqual([held(), leased('cnibr')], [[], []]);
  });

  it('runs Isthmus itself as a plugin of a list, beside the daemon', async () => {
    const { docker, host, site } = lab;
    const o = { cniPath: `${site.bin}:${referenceDir}` };
    const ipam = { ranges: [[{ subnet: '10.73.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] };
    const list = listOf('own', { type: 'isthmus', bridge: 'isth7', isGateway: true, ipMasq: true, ipam });
    const network = await createListed(docker, { conf: list, o });
    const a = await docker.start(network, host, lab.container(0), { ports: [{ host: 8080, container: 80 }] });
    ping(lab.container(0), OUTSIDE);
    const inside = lab.agent('c0', lab.container(0));
    await inside.serve('tcp', 80);
    await assertTraffic([[lab.agent('out', lab.outside), { address: HOST, port: 8080 }, 'c0']]);
    await docker.stop(a, host, lab.container(0));
    await remove(network);
    assert.deepEqual(held(), []);
    assert.doesNotMatch(host.ip('link'), /isth7|veth/);
  });

  it('uses the list as it was, after its file has changed or gone', async () => {
    const { docker, host } = lab;
    const file = join(dir.path, '10-x.conflist');
    writeFileSync(file, JSON.stringify(listOf('cnibr', bridge())));
    const network = await createListed(docker, { conf: file });
    writeFileSync(file, 'nonsense');
    const a = await docker.start(network, host, lab.container(0));
    await docker.stop(a, host, lab.container(0));
    await remove(network);
    assert.deepEqual([held(), leased('cnibr')], [[], []]);
  });

  it('refuses what cannot work, when the network is created', async () => {
    const { docker } = lab;
    const file = join(dir.path, 'x.conflist');
    writeFileSync(file, '{"name": ');
    mkdirSync(join(dir.path, 'bin'));
    scriptPlugin(join(dir.path, 'bin'), 'talker', 'echo nonsense');
    const o = { cniPath: `${join(dir.path, 'bin')}:${referenceDir}` };
    writeFileSync(join(dir.path, 'bin', 'mute'), '#!/bin/sh\necho nonsense\n', { mode: 0o755 });
    for (const [creation, error] of [
      [{ conf: 'nowhere' }, /-o conf=nowhere: no file in .* has a network of this name/],
      [{ conf: 'a/b' }, /-o conf=a\/b: it is a relative path/],
      [{ conf: '/nowhere/x' }, /-o conf=\/nowhere\/x: it cannot be read: ENOENT/],
      [{ conf: '/dev/zero' }, /it cannot be read: it is not a regular file/],
      [{ conf: file }, /CNI list: it is not JSON/],
      [{ conf: '' }, /-o conf: it is missing/],
      [{ conf: { cniVersion: '1.0.0', name: 'x', plugins: [] } }, /CNI list \.plugins: it is empty/],
      [{ conf: listOf('x', { type: '../bridge' }) }, /\.plugins\[0\]\.type="\.\.\/bridge": it is a path/],
      [{ conf: listOf('x y', bridge()) }, /\.name="x y"/],
      [{ conf: { ...listOf('x', bridge()), cniVersion: '7' } }, /\.cniVersion="7"/],
      [{ conf: listOf('x', bridge({ prevResult: {} })) }, /\.plugins\[0\]\.prevResult: only the runtime sets it/],
      [{ conf: listOf('x', { type: 'brigde' }) }, /plugin brigde: no executable of this name is in /],
      [{ conf: listOf('x', bridge({ ipam: { type: 'nope' } })) }, /plugin nope: no executable/],
      [{ conf: listOf('x', { type: 'mute' }), o }, /plugin mute: does not say that it knows CNI 1\.0\.0/],
      [{ conf: listOf('x', bridge(), { type: 'sbr' }) }, /plugin sbr: makes policy routing rules .* before 28/],
      [
        { conf: listOf('x', bridge(), { type: 'tuning', sysctl: { 'net.core.somaxconn': '5' } }) },
        /plugin tuning: makes sysctls/,
      ],
      [{ conf: listOf('x', bridge()), internal: true }, /--internal: the CNI list decides/],
      [{ conf: listOf('x', bridge()), o: { mtu: '1400' } }, /-o mtu=1400: the CNI list decides this/],
      [{ conf: listOf('x', bridge()), o: { cniPath: 'bin' } }, /-o cniPath=bin: bin is not an absolute path/],
      [{ conf: listOf('x', bridge()), o: { timeout: '90' } }, /-o timeout=90: it is not a time in seconds/],
      [{ conf: listOf('x', bridge()), o: { args: 'K8S' } }, /-o args=K8S: "K8S" is not a pair/],
      [{ conf: listOf('x', bridge()), o: { driver: 'bridge' } }, /-o conf=.*only driver cni has this option/],
    ] as const) {
      await assert.rejects(createListed(docker, creation), error, JSON.stringify(creation));
    }
    assert.deepEqual(held(), []);
  });

  /** A plugin that adds to its log what it is asked, and then does `body` at ADD. */
  function logging(body: string): { readonly o: Readonly<Record<string, string>>; log(): string[] } {
    const path = join(dir.path, 'bin');
    mkdirSync(path, { recursive: true });
    const log = join(dir.path, 'log');
    writeFileSync(log, '');
    const line = `echo "$CNI_COMMAND \${CNI_NETNS:+ns}" >> ${log}`;
    scriptPlugin(path, 'odd', `${line}\nif [ "$CNI_COMMAND" = ADD ]; then\n${body}\nfi`);
    return {
      o: { cniPath: `${path}:${referenceDir}`, timeout: '2' },
      log: () => readFileSync(log, 'utf8').trim().split('\n'),
    };
  }

  const answer = `echo '{"cniVersion":"1.0.0","interfaces":[{"name":"x0","sandbox":"y"}]}'`;
  for (const [what, body, error] of [
    ['prints nonsense', 'echo nonsense', /plugin odd: answered with something that is not JSON/],
    [
      'prints a wrong result',
      `echo '{"ips":[{"address":"x"}]}'`,
      /plugin odd: answered with a wrong result: .*ips\[0\]/,
    ],
    ['prints without end', 'yes', /plugin odd: wrote more than \d+ bytes to stdout/],
    ['fails', `echo '{"code":7,"msg":"no luck","details":"today"}'; exit 1`, /plugin odd: failed: no luck; today/],
    ['fails without a word', 'exit 3', /plugin odd: failed: .*exit code 3/],
    ['hangs', 'sleep 600', /plugin odd: has not answered within 2 s, and was killed \(pid \d+\)/],
    ['makes no interface', answer, /makes no interface eth0 in the container: it tells of x0/],
    [
      'makes two interfaces',
      `for i in 0 1; do nsenter --net="$CNI_NETNS" ip link add eth$i type veth peer name p$i; done; ${answer}`,
      /makes 4 interfaces in the container: .*eth1/,
    ],
  ] as const) {
    it(`a plugin that ${what}: one error, DEL runs, and nothing is left`, async () => {
      const { docker, host } = lab;
      const { o, log } = logging(body);
      const network = await createListed(docker, { conf: listOf('cnibr', bridge(), { type: 'odd' }), o });
      const one = { NetworkID: network.id, EndpointID: 'a'.repeat(64), Interface: {}, Options: {} };
      const conf = what.startsWith('makes') ? listOf('odd', { type: 'odd' }) : undefined;
      const other = conf && (await createListed(docker, { conf, o }));
      const failing = { ...one, NetworkID: (other ?? network).id };
      await assert.rejects(docker.call('NetworkDriver.CreateEndpoint', failing), error);
      assert.deepEqual(log(), ['ADD ns', 'DEL ns']);
      assert.deepEqual([held(), leased('cnibr')], [[], []]);
      assert.doesNotMatch(host.ip('link'), /veth|peer/);
      await docker.call('NetworkDriver.DeleteEndpoint', failing);
      if (other !== undefined) await remove(other);
      await remove(network);
    });
  }

  it('keeps the record of a DEL that failed, and the next one finishes it', async () => {
    const { docker, host } = lab;
    const path = join(dir.path, 'bin');
    mkdirSync(path);
    const block = join(dir.path, 'block');
    scriptPlugin(
      path,
      'odd',
      `if [ $CNI_COMMAND = ADD ]; then sed 's/.*"prevResult"://; s/}$//'; else [ ! -e ${block} ]; fi`,
    );
    const o = { cniPath: `${path}:${referenceDir}` };
    const network = await createListed(docker, { conf: listOf('cnibr', bridge(), { type: 'odd' }), o });
    const a = await docker.start(network, host, lab.container(0));
    writeFileSync(block, '');
    leave(host, lab.container(0), a);
    await assert.rejects(docker.call('NetworkDriver.DeleteEndpoint', ids(a)), /plugin odd: failed/);
    assert.equal(held().length, 1);
    await assert.rejects(docker.call('NetworkDriver.DeleteNetwork', { NetworkID: network.id }), /plugin odd: failed/);
    rmSync(block);
    await remove(network);
    assert.deepEqual([held(), leased('cnibr')], [[], []]);
  });

  it('a plugin that is gone for good: the verb endpoint rm --force forgets what it made', async () => {
    const { docker, host } = lab;
    const path = join(dir.path, 'bin');
    mkdirSync(path);
    scriptPlugin(path, 'odd', `[ $CNI_COMMAND != ADD ] || sed 's/.*"prevResult"://; s/}$//'`);
    const o = { cniPath: `${path}:${referenceDir}` };
    const network = await createListed(docker, { conf: listOf('cnibr', bridge(), { type: 'odd' }), o });
    const a = await docker.start(network, host, lab.container(0));
    const verbs = makeVerbs({ stateDir: lab.site.host.stateDir, netns: host.path });
    const rm = (...more: string[]) => verbs.run('endpoint', 'rm', ...more, a.id);
    assert.match((await rm('--force')).stderr, /Docker keeps it/);
    rmSync(path, { recursive: true });
    leave(host, lab.container(0), a);
    await assert.rejects(docker.call('NetworkDriver.DeleteEndpoint', ids(a)), /plugin odd: no executable/);
    await assert.rejects(remove(network), /plugin odd: no executable/);
    assert.match((await rm()).stderr, /plugin odd: no executable .*isthmus endpoint rm --force/s);
    const { code, stdout, stderr } = await rm('--force');
    assert.deepEqual([code, stdout.trim()], [0, a.id], stderr);
    assert.match(stderr, /forgotten: .*plugin odd: no executable/);
    // The other plugins of the list are there, and had their DEL.
    assert.deepEqual([held(), leased('cnibr')], [[], []]);
    assert.doesNotMatch(host.ip('link'), /veth|peer/);
    await remove(network);
  });

  it('the daemon is killed at each step: nothing is lost, and nothing is left', async () => {
    const { docker, host, site } = lab;
    const network = await createListed(docker, { conf: listOf('cnibr', bridge()) });
    const again = async (): Promise<void> => {
      await site.daemon.end('SIGKILL');
      await site.start();
    };
    await again();
    const a = await docker.connect(network);
    await again();
    enter(host, lab.container(0), a);
    ping(lab.container(0), '10.70.0.1');
    await again();
    await docker.program(a);
    await again();
    leave(host, lab.container(0), a);
    await again();
    await docker.call('NetworkDriver.DeleteEndpoint', ids(a));
    // Between CreateEndpoint and Join.
    const one = { NetworkID: network.id, EndpointID: 'b'.repeat(64) };
    await docker.call('NetworkDriver.CreateEndpoint', { ...one, Interface: {}, Options: {} });
    await again();
    await docker.call('NetworkDriver.Join', { ...one, SandboxKey: '', Options: {} });
    assert.match(host.ip('link'), new RegExp(`peer${'b'.repeat(11)}`));
    await docker.call('NetworkDriver.DeleteEndpoint', one);
    await remove(network);
    assert.deepEqual([held(), leased('cnibr')], [[], []]);
  });

  it('the daemon is killed while a plugin runs: the next one ends it and runs DEL', async () => {
    const { docker, host, site } = lab;
    const path = join(dir.path, 'bin');
    mkdirSync(path);
    const [begun, log] = [join(dir.path, 'begun'), join(dir.path, 'log')];
    scriptPlugin(
      path,
      'slow',
      `echo $CNI_COMMAND >> ${log}; [ $CNI_COMMAND = DEL ] || { echo $$ > ${begun}; sleep 600; }`,
    );
    const o = { cniPath: `${path}:${referenceDir}` };
    const network = await createListed(docker, { conf: listOf('cnibr', bridge(), { type: 'slow' }), o });
    const one = { NetworkID: network.id, EndpointID: 'c'.repeat(64), Interface: {}, Options: {} };
    const call = docker.call('NetworkDriver.CreateEndpoint', one).then(
      () => 'answered',
      () => 'ended',
    );
    await waitFor('the plugin runs', () => existsSync(begun) && readFileSync(begun, 'utf8').endsWith('\n'));
    await site.daemon.end('SIGKILL');
    assert.equal(await call, 'ended');
    await site.start();
    await waitFor('nothing is left', () => held().length === 0 && leased('cnibr').length === 0);
    assert.deepEqual(readFileSync(log, 'utf8').trim().split('\n'), ['ADD', 'DEL']);
    await assertEnded(begun);
    assert.doesNotMatch(host.ip('link'), /veth/);
    await remove(network);
  });

  it('the daemon is killed while a plugin runs DEL: the next one ends it and runs DEL again', async () => {
    const { docker, host, site } = lab;
    const path = join(dir.path, 'bin');
    mkdirSync(path);
    const begun = join(dir.path, 'begun');
    const pass = `sed 's/.*"prevResult"://; s/}$//'`;
    const wait = `[ -e ${begun} ] || { echo $$ > ${begun}; sleep 600; }`;
    scriptPlugin(path, 'slow', `if [ $CNI_COMMAND = ADD ]; then ${pass}; else ${wait}; fi`);
    const o = { cniPath: `${path}:${referenceDir}` };
    const network = await createListed(docker, { conf: listOf('cnibr', bridge(), { type: 'slow' }), o });
    const a = await docker.start(network, host, lab.container(0));
    leave(host, lab.container(0), a);
    const call = docker.call('NetworkDriver.DeleteEndpoint', ids(a)).then(
      () => 'answered',
      () => 'ended',
    );
    await waitFor('the plugin runs', () => existsSync(begun) && readFileSync(begun, 'utf8').endsWith('\n'));
    await site.daemon.end('SIGKILL');
    assert.equal(await call, 'ended');
    await site.start();
    await waitFor('nothing is left', () => held().length === 0 && leased('cnibr').length === 0);
    await assertEnded(begun);
    assert.doesNotMatch(host.ip('link'), /veth|peer/);
    await remove(network);
  });

  it('two containers at once, and an endpoint that is asked for twice', async () => {
    const { docker } = lab;
    const network = await createListed(docker, { conf: listOf('cnibr', bridge()) });
    const all = await Promise.all(
      ['d', 'e', 'f'].map((digit) =>
        docker.call('NetworkDriver.CreateEndpoint', {
          ...{ NetworkID: network.id, EndpointID: digit.repeat(64), Interface: {}, Options: {} },
        }),
      ),
    );
    const addresses = all.map(({ Interface }) => String((Interface as { Address: string }).Address));
    assert.equal(new Set(addresses).size, 3);
    const again = { NetworkID: network.id, EndpointID: 'd'.repeat(64), Interface: {}, Options: {} };
    assert.deepEqual(await docker.call('NetworkDriver.CreateEndpoint', again), all[0]);
    const other = { ...again, Interface: { MacAddress: '02:00:00:00:00:01' } };
    await assert.rejects(docker.call('NetworkDriver.CreateEndpoint', other), /already, with other addresses/);
    await remove(network);
    assert.deepEqual([held(), leased('cnibr')], [[], []]);
  });
});
