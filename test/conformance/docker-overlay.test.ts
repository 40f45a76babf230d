import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { type DaemonBin, daemonBin, makeSite, until } from '../support/daemon-site.ts';
import {
  type CalledEndpoint,
  type CalledNetwork,
  type Creation,
  DockerCaller,
  Refusal,
} from '../support/docker-caller.ts';
import { etcdMissing } from '../support/etcd.ts';
import { type Member, makeOverlay, type Overlay } from '../support/overlay-site.ts';
import { canPing } from '../support/ping.ts';
import { skipIf } from '../support/skip.ts';
import { startAgent } from '../support/traffic.ts';

const SUBNET = '10.100.0.0/16';
const SUBNET6 = 'fd00:100::/64';
const WEB: Creation = { subnet: SUBNET, o: { driver: 'overlay', network: 'web' }, ipamOpt: { network: 'web' } };
/** Containers and pods share the namespaces: container n is pod n. */
const [FIRST, SECOND] = [0, 1];

/** dockerd on one host, pods on another: the test is each dockerd. */
describe('Docker networks over several hosts', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let overlay: Overlay;
  let callers: DockerCaller[];

  before(function () {
    skipIf(this, etcdMissing());
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());
  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      for (const { name, site } of overlay?.members ?? [])
        console.log(`--- ${name}\n${site.daemon.log().slice(-4000)}`);
    for (const caller of callers.splice(0)) caller[Symbol.dispose]();
    await overlay?.[Symbol.asyncDispose]();
  });

  const start = async (hosts = 2): Promise<readonly Member[]> => {
    overlay = await makeOverlay(bin, { hosts });
    await Promise.all(overlay.members.map((member) => member.start()));
    callers = overlay.members.map(({ site }) => new DockerCaller(join(site.runDir, 'docker.sock')));
    return overlay.members;
  };
  const member = (index: number): Member => overlay.members[index] ?? assert.fail(`no host ${index}`);
  const docker = (index: number): DockerCaller => callers[index] ?? assert.fail(`no dockerd ${index}`);
  const run = (index: number, network: CalledNetwork, pod: number, more = {}): Promise<CalledEndpoint> =>
    docker(index).start(network, member(index).site.host.ns, member(index).site.host.pod(pod), more);
  const stop = (index: number, endpoint: CalledEndpoint, pod: number): Promise<void> =>
    docker(index).stop(endpoint, member(index).site.host.ns, member(index).site.host.pod(pod));
  const pings = (index: number, pod: number, address: string): boolean => {
    try {
      member(index).site.host.pod(pod).run('busybox', 'ping', '-c', '1', '-W', '1', address);
      return true;
    } catch {
      return false;
    }
  };
  const reaches = (index: number, pod: number, address: string): Promise<void> =>
    until(() => pings(index, pod, address), `pod ${pod} of host ${index} reaches ${address}`);
  const keys = (): string[] => keysOf(overlay);
  const isGone = (): boolean => keys().every((key) => !/^(a|r|u|net|name|vni)\//.test(key));

  it('shared: a container and a pod of another host reach each other, and nothing is left', async () => {
    await start();
    const pod = member(1).add(FIRST, overlay.network('web', { mode: 'shared' }))[0] ?? '';
    const network = await docker(0).createNetwork(WEB);
    const before = revision(overlay);
    const container = await run(0, network, FIRST);
    assert.equal(revision(overlay) - before, 2, 'transactions of a container');
    const address = bare(container);
    await reaches(0, FIRST, pod);
    await reaches(1, FIRST, address);
    const record = await entry(overlay, address);
    assert.match(String(record.endpoint), new RegExp(`^cnm/${container.id}/`));
    assert.equal(record.mac, container.mac);
    const local = member(0).add(SECOND, overlay.network('web', { mode: 'shared' }))[0] ?? '';
    await reaches(0, FIRST, local);
    await reaches(1, FIRST, local);

    await stop(0, container, FIRST);
    member(0).del(SECOND, overlay.network('web', { mode: 'shared' }));
    await until(() => keys().filter((key) => key.startsWith('a/')).length === 1, 'the address is free in the cluster');
    await docker(0).removeNetwork(network);
    await until(() => keys().filter((key) => key.startsWith('u/')).length === 1, 'host A uses it no more');
    assert.ok(
      keys().some((key) => key.startsWith('net/')),
      'the network stays for the other host',
    );
    member(1).del(FIRST, overlay.network('web', { mode: 'shared' }));
    await until(isGone, 'no key is left');
    for (const { site } of overlay.members) assert.doesNotMatch(site.host.ns.run('ip', '-o', 'link'), /vx-|br-web/);
  });

  it('two dockerds share a network of two families, and the last one deletes it', async () => {
    await start();
    const first = await docker(0).createNetwork({ ...WEB, subnet6: SUBNET6 });
    const second = await docker(1).createNetwork({ ...WEB, subnet6: SUBNET6 });
    const before = revision(overlay);
    const one = await run(0, first, FIRST);
    assert.equal(revision(overlay) - before, 2, 'transactions of a container');
    const two = await run(1, second, FIRST, { mac: '02:42:00:00:00:07' });
    for (const address of two.addresses) await reaches(0, FIRST, address.split('/')[0] ?? '');
    for (const address of one.addresses) await reaches(1, FIRST, address.split('/')[0] ?? '');
    await stop(0, one, FIRST);
    await docker(0).removeNetwork(first);
    await until(() => keys().filter((key) => key.startsWith('u/')).length === 1, 'host A uses it no more');
    await stop(1, two, FIRST);
    await docker(1).removeNetwork(second);
    await until(isGone, 'no key is left');
  });

  it('takes subnet and gateway from the cluster if the user gives none', async () => {
    await start();
    const o = { ...WEB.o, vni: '77', flood: 'on' };
    await docker(0).createNetwork({ ...WEB, subnet: '10.77.0.0/20', o });
    const [key = ''] = keys().filter((one) => one.startsWith('net/'));
    const record = JSON.parse(overlay.etcd.ctl('get', '--print-value-only', `/isthmus/test/v1/${key}`));
    assert.deepEqual([record.vni, record.options.flood], [77, true]);
    const { subnet: _, ...rest } = WEB;
    const joined = await docker(1).createNetwork(rest);
    assert.deepEqual(
      joined.pools.map(({ pool, gateway }) => [pool, gateway]),
      [['10.77.0.0/20', '10.77.0.1/20']],
    );
  });

  it('releases an address that no endpoint claims', async () => {
    await start(1);
    const network = await docker(0).createNetwork(WEB);
    const [address = ''] = await docker(0).requestAddresses(network);
    assert.equal(keys().filter((key) => key.startsWith('a/')).length, 1);
    const [pool] = network.pools;
    await docker(0).call('IpamDriver.ReleaseAddress', { PoolID: pool?.id, Address: address.split('/')[0] });
    await until(() => !keys().some((key) => key.startsWith('a/')), 'the address is free in the cluster');
  });

  it('refuses an address that a container of another host has, and names both', async () => {
    await start();
    const [first, second] = [await docker(0).createNetwork(WEB), await docker(1).createNetwork(WEB)];
    await run(0, first, FIRST, { ip: '10.100.3.3' });
    await until(() => keys().some((key) => key.startsWith('a/')));
    await assert.rejects(
      run(1, second, FIRST, { ip: '10.100.3.3' }),
      refusal(/10\.100\.3\.3.*host-a has it in network web/),
    );
  });

  it('refuses another subnet than the cluster has, and options that mean nothing', async () => {
    await start(1);
    const network = await docker(0).createNetwork(WEB);
    await docker(0).removeNetwork(network);
    await until(isGone, 'the network is away');
    member(0).add(FIRST, overlay.network('web', { mode: 'per-host' }));
    await assert.rejects(
      docker(0).createNetwork({ ...WEB, o: { ...WEB.o, mode: 'shared' } }),
      refusal(/network web: the cluster has it with mode per-host, not shared/),
    );
    for (const [o, wanted] of [
      [{ mode: 'routed' }, /-o mode=routed: it is not a mode/],
      [{ hostAddress: 'maybe' }, /-o hostAddress=maybe: it is neither true nor false/],
      [{ vni: '0' }, /-o vni=0: it is not a VNI/],
      [{ flood: 'maybe' }, /-o flood=maybe: it is neither true nor false/],
      [{ icc: 'false' }, /enable_icc=false/],
    ] as const)
      await assert.rejects(
        docker(0).createNetwork({ subnet: '10.101.0.0/16', o: { driver: 'overlay', ...o } }),
        refusal(wanted),
      );
    await assert.rejects(docker(0).createNetwork({ o: { vni: '7' } }), refusal(/-o vni=7: only driver overlay/));
    await assert.rejects(
      docker(0).createNetwork({ subnet: '10.101.0.0/16', ownIpam: true, o: { driver: 'overlay' } }),
      refusal(/--ipam-driver isthmus/),
    );
  });

  it('works on after the daemon was killed, and with etcd away refuses within 1.5 s', async () => {
    const [a] = await start();
    const network = await docker(0).createNetwork(WEB);
    const other = await docker(1).createNetwork(WEB);
    const container = await run(0, network, FIRST);
    const [pending = ''] = await docker(0).requestAddresses(network);
    await a?.site.daemon.end('SIGKILL');
    await a?.start();
    const next = await run(0, network, SECOND);
    const remote = await run(1, other, FIRST);
    await reaches(1, FIRST, bare(next));
    await reaches(1, FIRST, bare(container));
    assert.equal(new Set([bare(container), bare(next), bare(remote), pending.split('/')[0]]).size, 4);

    const etcd = overlay.etcd.members[0] ?? assert.fail('no etcd');
    await etcd.kill();
    const since = performance.now();
    await assert.rejects(run(0, network, 2), refusal(/network web/));
    assert.ok(performance.now() - since < 2_000, `${performance.now() - since} ms`);
    assert.ok(pings(1, FIRST, bare(container)), 'traffic goes on');
    await stop(0, container, FIRST);
    await etcd.start();
    await until(() => keys().filter((key) => key.startsWith('a/')).length === 3, 'the address is free', 20);
  });

  it('hostAddress: the host reaches containers of other hosts, and goes with the network', async () => {
    await start();
    const o = { ...WEB.o, hostAddress: 'on' };
    const first = await docker(0).createNetwork({ ...WEB, o });
    // Who joins need not say it again.
    const second = await docker(1).createNetwork(WEB);
    const container = await run(1, second, FIRST);
    const { ns } = member(0).site.host;
    const [link] = JSON.parse(ns.ip('-j', '-4', 'addr', 'show', 'dev', 'br-web'));
    const own = link.addr_info.find((one: { prefixlen: number }) => one.prefixlen === 16)?.local ?? '';
    await until(() => canPing(ns, bare(container)), 'the host reaches the container');
    await reaches(1, FIRST, own);
    assert.equal((await entry(overlay, own)).endpoint, 'host');
    await assert.rejects(run(1, second, SECOND, { ip: own }), refusal(new RegExp(`${own}.*host-a has it`)));
    await stop(1, container, FIRST);
    for (const [index, network] of [first, second].entries()) await docker(index).removeNetwork(network);
    await until(isGone, 'no key is left', 20);
  });

  it('two internal networks with one subnet on one host, others refused with both names', async () => {
    await start(1);
    const named = (name: string, more = {}): Creation => ({
      ...{ subnet: SUBNET, o: { driver: 'overlay', network: name }, ipamOpt: { network: name }, internal: true },
      ...more,
    });
    const [red, blue] = [await docker(0).createNetwork(named('red')), await docker(0).createNetwork(named('blue'))];
    await assert.rejects(
      docker(0).createNetwork(named('green', { internal: false })),
      refusal(/network green: its subnet 10\.100\.0\.0\/16 overlaps 10\.100\.0\.0\/16 of network (red|blue)/),
    );
    for (const network of [red, blue]) await docker(0).removeNetwork(network);
    await until(isGone, 'no key is left', 20);
  });

  it('a VNI of another namespace, and a UDP port of another socket: says so, and leaves nothing', async () => {
    await start(1);
    const { ns } = member(0).site.host;
    ns.ip('link', 'add', 'theirs', 'type', 'vxlan', 'id', '6000', 'dstport', '4789', 'local', '192.0.2.1');
    ns.ip('link', 'set', 'theirs', 'netns', member(0).site.host.pod(FIRST).name);
    const o = { ...WEB.o, vni: '6000' };
    await assert.rejects(
      docker(0).createNetwork({ ...WEB, o }),
      refusal(/network web: a VXLAN device that another namespace has holds VNI 6000 on UDP port 4789/),
    );
    assert.doesNotMatch(ns.ip('-o', 'link'), /vx-|br-web/);
    member(0).site.host.pod(FIRST).ip('link', 'del', 'theirs');
    {
      using holder = startAgent('holder', ns);
      await holder.serve('udp', 4789, '0.0.0.0');
      await assert.rejects(
        docker(0).createNetwork(WEB),
        refusal(/network web: another socket of this host has UDP port 4789/),
      );
      assert.doesNotMatch(ns.ip('-o', 'link'), /vx-|br-web/);
    }
    await until(isGone, 'no key is left', 20);
    await docker(0).removeNetwork(await docker(0).createNetwork({ ...WEB, o }));
    await until(isGone, 'no key is left', 20);
  });

  it('refuses driver overlay without a cluster, in one sentence', async () => {
    callers = [];
    using site = makeSite(bin, { pods: 1 });
    await site.start();
    using caller = new DockerCaller(join(site.runDir, 'docker.sock'));
    await assert.rejects(
      caller.createNetwork(WEB),
      refusal(/network web: .*needs the daemon of this host, as a member of a cluster/),
    );
    assert.equal((await caller.call('NetworkDriver.GetCapabilities', null)).ConnectivityScope, 'local');
  });
});

const bare = ({ addresses }: CalledEndpoint): string => addresses[0]?.split('/')[0] ?? '';

const refusal =
  (text: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof Refusal, String(error));
    assert.match(error.message, text);
    return true;
  };

/** What the cluster has of an address. */
async function entry({ etcd }: Overlay, address: string): Promise<Readonly<Record<string, unknown>>> {
  const hex = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  const found = etcd.ctl('get', '--prefix', '/isthmus/test/v1/a/').split('\n');
  const at = found.findIndex((line) => line.endsWith(hex.join('')));
  return JSON.parse(found[at + 1] ?? '{}');
}

/** Each transaction that puts or deletes makes one more. */
function revision({ etcd }: Overlay): number {
  return JSON.parse(etcd.ctl('get', '-w', 'json', 'none')).header.revision;
}

/** The keys of the cluster, without its directory. */
function keysOf({ etcd }: Overlay): string[] {
  const root = '/isthmus/test/v1/';
  const lines = etcd.ctl('get', '--prefix', '--keys-only', root).split('\n');
  return lines.filter((line) => line !== '').map((key) => key.slice(root.length));
}
