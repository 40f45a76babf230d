import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { until } from '../support/daemon-site.ts';
import {
  type CalledEndpoint,
  type CalledNetwork,
  type Creation,
  DockerCaller,
  Refusal,
} from '../support/docker-caller.ts';
import { assertGone, describeOverlay, reaches } from '../support/overlay-lab.ts';
import { keysOf } from '../support/overlay-tables.ts';
import { canPing, ping } from '../support/ping.ts';
import { startAgent } from '../support/traffic.ts';

const SUBNET = '10.100.0.0/16';
const SUBNET6 = 'fd00:100::/64';
const [FIRST, SECOND] = [0, 1];

/** Several dockerds and pods on networks in which each host has a range and a gateway of its own; the test is dockerd. */
describeOverlay('Docker networks of mode per-host', { hosts: 2, pods: 3 }, (lab) => {
  const callers = new Map<number, DockerCaller>();
  const docker = (index: number): DockerCaller => {
    const socket = join(lab.host(index).site.runDir, 'docker.sock');
    const caller = callers.get(index) ?? new DockerCaller(socket);
    callers.set(index, caller);
    return caller;
  };
  const web = (more: Partial<Creation> = {}, mode: object = { mode: 'per-host' }): Creation => ({
    subnet: SUBNET,
    ...more,
    o: { driver: 'overlay', network: 'web', ...mode, ...more.o },
    ipamOpt: { network: 'web', ...mode },
  });
  const conf = (more = {}, ipam = { subnet: SUBNET }): object =>
    lab.overlay.network('web', { mode: 'per-host', ...more }, ipam);
  const run = (index: number, network: CalledNetwork, pod: number, more = {}): Promise<CalledEndpoint> => {
    const { host } = lab.host(index).site;
    return docker(index).start(network, host.ns, host.pod(pod), more);
  };
  const stop = (index: number, endpoint: CalledEndpoint, pod: number): Promise<void> => {
    const { host } = lab.host(index).site;
    return docker(index).stop(endpoint, host.ns, host.pod(pod));
  };
  const ranges = (): string[] => [...keysOf(lab.overlay).keys()].filter((key) => key.startsWith('r/'));

  afterEach(async function () {
    for (const caller of callers.values()) caller[Symbol.dispose]();
    callers.clear();
    if (this.currentTest?.state === 'passed') await assertGone(lab.overlay);
  });

  it('containers of two dockerds and pods of both hosts reach each other', async () => {
    const { host } = lab;
    const first = await docker(0).createNetwork(web());
    assert.equal(ranges().length, 1);
    // The cluster has the network: nobody has to say more than its name.
    const { subnet: _, ...named } = web({}, {});
    const second = await docker(1).createNetwork(named);
    const [one = '', two = ''] = [first, second].map(({ pools }) => pools[0]?.pool ?? '');
    assert.match(one, /^10\.100\.\d+\.0\/24$/);
    assert.match(two, /^10\.100\.\d+\.0\/24$/);
    assert.notEqual(one, two);
    for (const { pools } of [first, second])
      assert.equal(pools[0]?.gateway, pools[0]?.pool.replace('.0/24', '.1/24'), 'its own gateway');

    const [a, b] = [await run(0, first, FIRST), await run(1, second, FIRST)];
    const [pa = '', pb = ''] = [0, 1].map((i) => host(i).add(SECOND, conf())[0]);
    const everything = [a, b].map(({ addresses }) => addresses[0]?.split('/')[0] ?? '').concat(pa, pb);
    assert.equal(new Set(everything).size, 4);
    const [boxes, pods] = [everything.slice(0, 2), everything.slice(2)];
    for (const index of [0, 1])
      for (const [pod, own] of [
        [FIRST, boxes[index]],
        [SECOND, pods[index]],
      ] as const)
        for (const address of everything) if (address !== own) await reaches(host(index), pod, address);
    for (const index of [0, 1]) for (const address of everything) ping(host(index).site.host.ns, address);

    await stop(0, a, FIRST);
    await stop(1, b, FIRST);
    for (const index of [0, 1]) host(index).del(SECOND, conf());
    await docker(0).removeNetwork(first);
    await until(() => ranges().length === 1, 'the range is free', 20);
    await docker(1).removeNetwork(second);
  });

  it('joins the network of pods of its host and of others, in both families', async () => {
    const { host } = lab;
    const dual = { ranges: [[{ subnet: SUBNET }], [{ subnet: SUBNET6 }]] } as never;
    const local = host(0).add(FIRST, conf({}, dual));
    const remote = host(1).add(FIRST, conf({}, dual));
    const network = await docker(0).createNetwork(web({ subnet6: SUBNET6 }, {}));
    const [four, six] = network.pools;
    assert.equal(four?.gateway.split('/')[0], `${local[0]?.split('.').slice(0, 3).join('.')}.1`);
    assert.match(six?.pool ?? '', /^fd00:100:.*\/80$/);
    const container = await run(0, network, SECOND);
    for (const address of [...local, ...remote]) await reaches(host(0), SECOND, address);
    for (const address of container.addresses) await reaches(host(1), FIRST, address.split('/')[0] ?? '');
    await stop(0, container, SECOND);
    host(0).del(FIRST, conf({}, dual));
    host(1).del(FIRST, conf({}, dual));
    await docker(0).removeNetwork(network);
  });

  it('publishes ports, masquerades what leaves, and keeps addresses within the network', async () => {
    const { overlay, host } = lab;
    const network = await docker(0).createNetwork(web());
    const container = await run(0, network, FIRST, { ports: [{ container: 7400, host: 8080 }] });
    const [pod = ''] = host(1).add(FIRST, conf({ ipMasq: true }));
    overlay.underlay.ip('addr', 'replace', '192.0.2.200/24', 'dev', 'sw0');
    using agents = new DisposableStack();
    const inside = agents.use(startAgent('box', host(0).site.host.pod(FIRST)));
    const other = agents.use(startAgent('pod', host(1).site.host.pod(FIRST)));
    const outside = agents.use(startAgent('outside', overlay.underlay));
    for (const agent of [inside, outside]) await agent.serve('tcp', 7400);
    const address = container.addresses[0]?.split('/')[0] ?? '';
    assert.equal(await other.probe({ protocol: 'tcp', address, port: 7400 }), `box saw ${pod}`);
    const published = { protocol: 'tcp', address: host(0).address, port: 8080 } as const;
    assert.equal(await outside.probe(published), 'box saw 192.0.2.200');
    const away = { protocol: 'tcp', address: '192.0.2.200', port: 7400 } as const;
    assert.equal(await inside.probe(away), `outside saw ${host(0).address}`);
    await stop(0, container, FIRST);
    host(1).del(FIRST, conf({ ipMasq: true }));
    await docker(0).removeNetwork(network);
  });

  it('an internal network: containers of all hosts reach each other, and nobody else', async () => {
    const { overlay, host } = lab;
    const [first, second] = [
      await docker(0).createNetwork(web({ internal: true })),
      await docker(1).createNetwork(web({ internal: true })),
    ];
    const [a, b] = [await run(0, first, FIRST), await run(1, second, FIRST)];
    const open = overlay.network('open', { mode: 'per-host' }, { subnet: '10.110.0.0/16' });
    const outer = [0, 1].map((i) => host(i).add(SECOND, open)[0] ?? '');
    const inner = [a, b].map(({ addresses }) => addresses[0]?.split('/')[0] ?? '');
    await reaches(host(0), FIRST, inner[1] ?? '');
    await reaches(host(1), FIRST, inner[0] ?? '');
    overlay.underlay.ip('addr', 'replace', '192.0.2.200/24', 'dev', 'sw0');
    for (const index of [0, 1]) {
      const { pod } = lab.host(index).site.host;
      for (const address of inner) assert.equal(canPing(pod(SECOND), address), false, `to ${address}`);
      for (const address of [...outer, '192.0.2.200']) assert.equal(canPing(pod(FIRST), address), false, address);
    }
    await stop(0, a, FIRST);
    await stop(1, b, FIRST);
    for (const index of [0, 1]) host(index).del(SECOND, open);
    await docker(0).removeNetwork(first);
    await docker(1).removeNetwork(second);
  });

  it('works on after the daemon was killed, and while etcd is away', async () => {
    const { overlay, host } = lab;
    const network = await docker(0).createNetwork(web());
    const [pod = ''] = host(1).add(FIRST, conf());
    const before = await run(0, network, FIRST);
    const etcd = overlay.etcd.members[0] ?? assert.fail('no etcd');
    await host(0).site.daemon.end('SIGKILL');
    await etcd.kill();
    await host(0).start();
    callers.get(0)?.[Symbol.dispose]();
    callers.delete(0);
    const later = await run(0, network, SECOND);
    await reaches(host(0), FIRST, pod);
    await reaches(host(0), SECOND, pod);
    await etcd.start();
    await until(() => keysOf(overlay).size > 0, 'etcd is back', 20);
    await stop(0, before, FIRST);
    await stop(0, later, SECOND);
    host(1).del(FIRST, conf());
    await docker(0).removeNetwork(network);
  });

  it('a range that another host has got between the requests: refused, and another one the next time', async () => {
    const { overlay } = lab;
    const creation = web();
    const id = 'f'.repeat(64);
    const pools = await docker(0).pools(creation);
    const [range = ''] = pools.map(({ pool }) => pool);
    // Host B takes it: dockerd tells our IPAM the range that it shall have.
    const other = await docker(1).createNetwork(creation);
    const [key = ''] = ranges();
    const [, network = ''] = key.split('/');
    const hex = range
      .split('/')[0]
      ?.split('.')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join('');
    overlay.etcd.ctl('put', `/isthmus/test/v1/r/${network}/${hex}-24`, keysOf(overlay).get(key) ?? '');
    await assert.rejects(
      docker(0).call('NetworkDriver.CreateNetwork', docker(0).networkBody(id, creation, pools)),
      refusal(new RegExp(`network web: host host-b has got ${range}, which was offered to this one`)),
    );
    await docker(0).releasePools({ id, pools });
    const mine = await docker(0).createNetwork(creation);
    assert.notEqual(mine.pools[0]?.pool, range);
    await docker(0).removeNetwork(mine);
    await docker(1).removeNetwork(other);
  });

  it('refuses what contradicts: the mode, the subnet, parts of it, and options of bridged networks', async () => {
    const { host } = lab;
    const cases: readonly (readonly [Creation, RegExp])[] = [
      [
        { ...web(), ipamOpt: { network: 'web' } },
        /-o mode=per-host comes after .* --ipam-opt mode=per-host .*--subnet 10\.100/,
      ],
      [
        { ...web(), o: { driver: 'overlay', network: 'web', mode: 'shared' } },
        /-o mode=shared comes after .* mode per-host/,
      ],
      [{ ...web(), ipamOpt: { mode: 'per-host' } }, /--ipam-opt mode=per-host: other hosts have to name the network/],
      [{ ...web(), ipamOpt: { network: 'web', mode: 'routed' } }, /--ipam-opt mode=routed: it is not a mode/],
      [web({ subnet: '' }), /network web: each host gets a range of its subnet, which is not given\. Give --subnet/],
      [web({ o: { flood: 'on' } }), /-o flood=on: a routed network .* has neither floods/],
      [web({ o: { hostAddress: 'on' } }), /-o hostAddress=on: a routed network/],
    ];
    for (const [creation, wanted] of cases) await assert.rejects(docker(0).createNetwork(creation), refusal(wanted));
    assert.deepEqual(ranges(), []);
    host(1).add(FIRST, conf());
    await until(() => ranges().length === 1);
    const joined: readonly (readonly [Creation, RegExp])[] = [
      [web({}, { mode: 'shared' }), /network web: it has mode per-host, and --ipam-opt mode=shared is requested/],
      [web({ subnet: '10.101.0.0/16' }, {}), /the cluster has it with pools 10\.100\.0\.0.* not 10\.101\.0\.0\/16/],
      [web({ o: { flood: 'on' } }, {}), /its mode is per-host, which has neither floods nor addresses of hosts/],
      [web({ subnet6: SUBNET6 }, {}), /the cluster has it without addresses of IPv6/],
    ];
    for (const [creation, wanted] of joined) await assert.rejects(docker(0).createNetwork(creation), refusal(wanted));
    assert.equal(ranges().length, 1, 'nothing is leased for what is refused');
    host(1).del(FIRST, conf());
  });
});

const refusal =
  (text: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof Refusal, String(error));
    assert.match(error.message, text);
    return true;
  };
