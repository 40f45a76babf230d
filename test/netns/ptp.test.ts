import { strict as assert } from 'node:assert';
import { parsePlugin } from '../../src/shared/config/plugin-config.ts';
import { deleteChained } from '../../src/shared/core/endpoints/chained.ts';
import { checkEndpoint } from '../../src/shared/core/endpoints/check-endpoint.ts';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import { deleteEndpoint } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import { reconcile } from '../../src/shared/core/reconcile.ts';
import type { EndpointReport } from '../../src/shared/core/requests.ts';
import { hostIfName } from '../../src/shared/model/attachment.ts';
import type { ChainedCall } from '../../src/shared/runtime/cni/chain.ts';
import { portmap } from '../../src/shared/runtime/cni/portmap.ts';
import { attachmentOf, delRequest, refusedWith, type Which } from '../support/core.ts';
import { netnsMissing, type TestNetns } from '../support/netns.ts';
import { makeOfferLab, type OfferLab, UPLINK } from '../support/offer-lab.ts';
import { ping } from '../support/ping.ts';
import { expectationOf, fixedAt, type PtpParts, ptpRequest, ptpRules, WEB } from '../support/ptp.ts';
import { skipIf } from '../support/skip.ts';
import { assertSame } from '../support/snapshot.ts';
import { type Agent, assertTraffic, startAgent } from '../support/traffic.ts';

const PUBLISHED = ptpRules({ mappings: [WEB] });

/** A call of portmap, as in a list after ptp. */
function portmapCall(netns: string): ChainedCall<'portmap'> {
  const json = {
    ...{ cniVersion: '1.0.0', name: 'web', type: 'portmap', backend: 'nftables' },
    runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
  };
  const reading = { plugin: 'portmap', command: 'ADD', args: '', ifName: 'eth0', version: '1.0.0' } as const;
  const config = parsePlugin({ json, text: '' }, { ...reading, isOwn: () => false });
  assert.ok(config.kind === 'portmap');
  return {
    ...{ plugin: 'portmap', env: {}, stderr: () => {}, text: '', version: '1.0.0', config },
    variables: {
      ...{ command: 'ADD', containerId: 'c2', netns, ifName: 'eth0', args: '', path: [] },
      ownNamespace: false,
    },
  };
}

describe('driver ptp on the kernel', function () {
  this.timeout(120_000);
  let lab: OfferLab;
  let clean: string;
  let agents: Agent[] = [];

  const which = (n: number): Which => ({ id: `c${n}`, netns: lab.container(n).path });
  const request = (n: number, parts: PtpParts = {}) => ptpRequest(which(n), lab.core.host.identity, parts);
  const add = (n: number, parts: PtpParts = { rules: ptpRules() }): Promise<EndpointReport> =>
    createEndpoint(lab.core, request(n, parts));
  const del = async (n: number, netns = lab.container(n).path): Promise<void> => {
    assert.deepEqual(await deleteEndpoint(lab.core, { ...delRequest(which(n), lab.core.host.identity), netns }), []);
  };
  const hostIf = (n: number): string => hostIfName(attachmentOf(which(n)));
  const agent = (name: string, ns: TestNetns): Agent => {
    const started = startAgent(name, ns);
    agents.push(started);
    return started;
  };

  before(function () {
    skipIf(this, netnsMissing());
  });
  beforeEach(async () => {
    lab = makeOfferLab(2);
    // The state and what forwarding leaves are there before the first snapshot.
    await add(2);
    await del(2);
    clean = lab.snapshot();
  });
  afterEach(() => {
    for (const one of agents) one[Symbol.dispose]();
    agents = [];
    lab?.[Symbol.dispose]();
  });

  it('reaches its gateway, the other pod, the host and the outside at once, in both families', async () => {
    await add(2);
    assert.equal(lab.host.ip('-6', 'addr', 'show', 'tentative'), '');
    assert.equal(lab.container(2).ip('-6', 'addr', 'show', 'tentative'), '');
    await add(3);
    const [first, second] = [lab.container(2), lab.container(3)];
    for (const address of ['fd07::1', '10.7.0.1', '10.7.0.3', 'fd07::3', ...UPLINK[4], ...UPLINK[6]])
      ping(first, address);
    for (const address of ['10.7.0.2', 'fd07::2']) {
      ping(second, address);
      ping(lab.host, address);
    }
    await del(2);
    ping(second, '10.7.0.1');
    ping(second, 'fd07::1');
    await del(3);
    assertSame(lab.snapshot(), clean);
  });

  it('has the routes that the reference makes, on both sides', async () => {
    await add(2);
    const pod = lab.container(2);
    const lines = (text: string): string[] => text.trim().split(/ *\n/);
    assert.deepEqual(lines(pod.ip('route', 'show')).toSorted(), [
      '10.7.0.0/24 via 10.7.0.1 dev eth0 src 10.7.0.2',
      '10.7.0.1 dev eth0 scope link src 10.7.0.2',
      'default via 10.7.0.1 dev eth0',
    ]);
    assert.deepEqual(
      lines(pod.ip('-6', 'route', 'show'))
        .map((line) => line.replace(/ pref .*/, ''))
        .toSorted(),
      [
        'default via fd07::1 dev eth0 metric 1024',
        'fd07::/64 via fd07::1 dev eth0 src fd07::2 metric 1024',
        'fd07::1 dev eth0 src fd07::2 metric 1024',
        'fe80::/64 dev eth0 proto kernel metric 256',
      ],
    );
    assert.match(lab.host.ip('route', 'show'), new RegExp(`^10\\.7\\.0\\.2 dev ${hostIf(2)} scope host *$`, 'm'));
    assert.match(lab.host.ip('-6', 'route', 'show'), new RegExp(`^fd07::2 dev ${hostIf(2)} `, 'm'));
    assert.match(lab.host.ip('-o', 'addr', 'show', 'dev', hostIf(2)), /inet 10\.7\.0\.1\/32 .*inet6 fd07::1\/128/s);
  });

  it('serves a published port to the outside, the host, the other pod and itself, in both families', async () => {
    await add(2, { rules: PUBLISHED });
    await add(3);
    const [own, other] = [agent('own', lab.container(2)), agent('other', lab.container(3))];
    const [outside, host] = [agent('outside', lab.outside), agent('host', lab.host)];
    await own.serve('tcp', 80);
    const at = (address: string) => ({ address, port: 8080 });
    await assertTraffic([
      [outside, at(UPLINK[4][0]), `own saw ${UPLINK[4][1]}`],
      [outside, at(UPLINK[6][0]), `own saw ${UPLINK[6][1]}`],
      ...[host, other, own].flatMap((from) => [
        [from, at(UPLINK[4][0]), 'own'] as const,
        [from, at(UPLINK[6][0]), 'own'] as const,
      ]),
      [host, at('127.0.0.1'), 'own'],
    ]);
    await del(2);
    await del(3);
    assertSame(lab.snapshot(), clean);
  });

  it('serves the ports of a later portmap, whose rules go with its part', async () => {
    const { interfaces, ...report } = await add(2, {});
    const { path } = lab.container(2);
    const previous = {
      interfaces: interfaces.map(({ name, inSandbox }) => ({ name, ...(inSandbox ? { sandbox: path } : {}) })),
      ips: report.addresses.map((one) => ({ ...one, interface: 1 })),
      routes: report.routes,
      dns: {},
    };
    const before = lab.snapshot();
    await portmap.add(portmapCall(path), lab.core, previous);
    assert.deepEqual(lab.core.store.networks.get('web')?.owned, []);
    await portmap.check(portmapCall(path), lab.core, previous);
    const [own, outside, host] = [agent('own', lab.container(2)), agent('out', lab.outside), agent('host', lab.host)];
    await own.serve('tcp', 80);
    await assertTraffic([
      [outside, { address: UPLINK[4][0], port: 8080 }, `own saw ${UPLINK[4][1]}`],
      [outside, { address: UPLINK[6][0], port: 8080 }, `own saw ${UPLINK[6][1]}`],
      [own, { address: UPLINK[4][0], port: 8080 }, 'own'],
      [host, { address: '127.0.0.1', port: 8080 }, 'own'],
    ]);
    assert.deepEqual(await deleteChained(lab.core, { attachment: attachmentOf(which(2)), role: 'portmap' }, path), []);
    assertSame(lab.snapshot(), before);
    await del(2);
    assertSame(lab.snapshot(), clean);
  });

  it('masquerades what leaves the host, and nothing else', async () => {
    await add(2);
    await add(3);
    const [one, two, outside] = [
      agent('one', lab.container(2)),
      agent('two', lab.container(3)),
      agent('out', lab.outside),
    ];
    await Promise.all([two.serve('tcp', 80), outside.serve('tcp', 80)]);
    await assertTraffic([
      [one, { address: '10.7.0.3', port: 80 }, 'two saw 10.7.0.2'],
      [one, { address: 'fd07::3', port: 80 }, 'two saw fd07::2'],
      [one, { address: UPLINK[4][1], port: 80 }, `out saw ${UPLINK[4][0]}`],
      [one, { address: UPLINK[6][1], port: 80 }, `out saw ${UPLINK[6][0]}`],
    ]);
  });

  it('attaches single addresses with a gateway outside of them', async () => {
    const routes = [{ dst: '0.0.0.0/0' }, { dst: '::/0' }];
    const rules = ptpRules();
    await add(2, { source: fixedAt(['10.8.0.2/32 169.254.1.1', 'fd08::2/128 fe80::1'], routes), rules });
    const bySource = [{ dst: '0.0.0.0/0', gateway: '169.254.1.1' }];
    await add(3, { source: fixedAt(['10.8.0.3/32'], bySource), rules });
    ping(lab.container(2), '10.8.0.3');
    ping(lab.container(3), UPLINK[4][1]);
    ping(lab.container(2), UPLINK[6][1]);
    await del(2);
    await del(3);
    assertSame(lab.snapshot(), clean);
  });

  it('attaches without a gateway, and without addresses', async () => {
    await add(2, { source: fixedAt(['10.8.0.2/24', 'fd08::2/64']) });
    await add(3, { source: null });
    assert.match(lab.container(3).ip('-br', 'link', 'show', 'dev', 'eth0'), /UP/);
    assert.match(lab.container(2).ip('route', 'show'), /10\.8\.0\.0\/24 dev eth0 proto kernel/);
    await del(2);
    await del(3, '');
    assertSame(lab.snapshot(), clean);
  });

  it('refuses an address that is taken, and leaves nothing of that ADD', async () => {
    const source = fixedAt(['10.8.0.2/24 10.8.0.1']);
    await add(2, { source });
    await assert.rejects(add(3, { source }), refusedWith('exists', /10\.8\.0\.2\/32/));
    ping(lab.container(2), '10.8.0.1');
    await del(2);
    assertSame(lab.snapshot(), clean);
  });

  it('is found damaged by CHECK, and repaired by the daemon', async () => {
    const report = await add(2, { rules: PUBLISHED });
    const check = () => checkEndpoint(lab.core, request(2, { rules: PUBLISHED }), expectationOf(report));
    await check();
    const whole = lab.snapshot();
    lab.host.ip('route', 'del', '10.7.0.2/32');
    await assert.rejects(check(), refusedWith('drift', /ip route add 10\.7\.0\.2\/32/));
    lab.host.ip('link', 'set', hostIf(2), 'down');
    const { errors } = await reconcile(lab.core, { tryLock: () => ({ [Symbol.dispose]: () => {} }) });
    assert.deepEqual(errors, []);
    await check();
    assertSame(lab.snapshot(), whole);
    ping(lab.container(2), 'fd07::1');
    lab.host.run('nft', 'flush', 'set', 'inet', 'isthmus', 'masquerade4');
    await assert.rejects(check(), refusedWith('drift', /masquerade/));
  });
});
