import { strict as assert } from 'node:assert';
import { rmSync } from 'node:fs';
import { referenceDir } from '../support/cni.ts';
import { removeNetns } from '../support/netns.ts';
import { assertSame } from '../support/snapshot.ts';
import { bandwidthLab, LIMITS, LIST } from './bandwidth-lab.ts';

describe('bandwidth, chained', () => {
  const lab = bandwidthLab();
  const { chainOf, ours, tc, ifbs } = lab;

  it('limits a pod of any plugin that makes a veth pair, reports the ifb, and leaves nothing', () => {
    for (const chain of [
      chainOf('bridge', referenceDir, LIMITS),
      chainOf('bridge', lab.dir, LIMITS),
      ours(),
      ours({
        runtimeConfig: { bandwidth: { IngressRate: 8e6, IngressBurst: 8e5, EgressRate: 16e6, EgressBurst: 16e5 } },
      }),
    ]) {
      const result = chain.add({ pod: 0 });
      const [ifb = ''] = ifbs();
      const last = result.interfaces?.at(-1);
      assert.equal(last?.name, ifb);
      assert.equal(last?.mac, lab.host.ns.run('cat', `/sys/class/net/${ifb}/address`).trim());
      const veth = result.interfaces?.find(({ name }) => name.startsWith('veth'))?.name ?? '';
      assert.match(
        tc('qdisc', 'show', 'dev', veth, 'root'),
        /tbf.*rate 8Mbit burst (100000b|97.\S*Kb|100Kb).*lat 25ms/,
      );
      assert.match(tc('qdisc', 'show', 'dev', ifb, 'root'), /tbf.*rate 16Mbit burst .*lat 25ms/);
      assert.match(tc('filter', 'show', 'dev', veth, 'parent', 'ffff:'), new RegExp(`Redirect to device ${ifb}`));
      assert.equal(
        lab.host.ns.run('cat', `/sys/class/net/${ifb}/mtu`),
        lab.host.ns.run('cat', `/sys/class/net/${veth}/mtu`),
      );
      chain.check({ pod: 0 }, result);
      chain.del({ pod: 0 }, result);
      assert.deepEqual(ifbs(), []);
      // The reference's bridge and its directory of leases stay.
      lab.host.ns.run('sh', '-c', 'ip link delete isth0 2>/dev/null; true');
      rmSync(lab.host.dataDir, { recursive: true, force: true });
    }
    assertSame(lab.host.snapshot(), lab.untouched);
  });

  it('limits one direction, or passes prevResult on when there is no limit', () => {
    for (const [limits, count] of [
      [{ ingressRate: 8e6, ingressBurst: 8e5 }, 0],
      [{ egressRate: 8e6, egressBurst: 8e5 }, 1],
      [{ ingressRate: 0, egressBurst: 0 }, 0],
      [{}, 0],
    ] as const) {
      const chain = ours(limits);
      const result = chain.add({ pod: 0 });
      assert.equal(result.interfaces?.length, 3 + count);
      assert.equal(ifbs().length, count);
      assert.match(result.ips?.[0]?.address ?? '', /^10\.88\.0\.\d+\/24$/);
      chain.check({ pod: 0 }, result);
      chain.del({ pod: 0 }, result);
      assertSame(lab.host.snapshot(), lab.untouched);
    }
  });

  it('CHECK reports everything that was deleted or changed', () => {
    const chain = ours();
    const part = { pod: 0 };
    const result = chain.add(part);
    const veth = result.interfaces?.[1]?.name ?? '';
    const [ifb = ''] = ifbs();
    for (const [breaking, says] of [
      [`tc qdisc del dev ${veth} root`, veth],
      [`tc qdisc del dev ${ifb} root`, ifb],
      [`tc qdisc del dev ${veth} ingress`, veth],
      [`tc filter del dev ${veth} parent ffff: protocol all pref 1`, ifb],
      [`tc qdisc change dev ${veth} root handle 4953: tbf rate 9mbit burst 100000 latency 25ms`, '1000000'],
      [`tc qdisc change dev ${ifb} root handle 4953: tbf rate 16mbit burst 300000 latency 25ms`, ifb],
      [`ip link delete ${ifb}`, ifb],
    ] as const) {
      lab.host.ns.run('sh', '-c', breaking);
      const run = chain.run(1, 'CHECK', part, result);
      assert.deepEqual([run.code, run.json?.code], [1, 102], `${breaking}: ${run.stdout}`);
      assert.ok(run.json?.msg?.includes(says), `${breaking}: ${run.stdout}`);
      chain.del(part);
      assertSame(lab.host.snapshot(), lab.untouched, breaking);
      chain.check(part, chain.add(part));
    }
    chain.del(part);
  });

  it('DEL works twice, and without namespace, prevResult or valid configuration', () => {
    const wrecked = { ingressRate: 'much', egressBurst: -1, prevResult: 7 };
    for (const part of [{}, { netns: '' }, { netns: '/nowhere' }, { netns: '/proc/self/status' }]) {
      const chain = ours();
      chain.add({ pod: 0 });
      for (let round = 0; round < 2; round++) {
        assert.equal(chain.run(1, 'DEL', { pod: 0, ...part }).code, 0);
        assert.deepEqual(ifbs(), []);
      }
      assert.doesNotMatch(tc('qdisc', 'show'), /tbf|ingress/);
      chain.del({ pod: 0 });
      chain.add({ pod: 0 });
      ours(wrecked).del({ pod: 0, ...part });
      assertSame(lab.host.snapshot(), lab.untouched);
    }
  });

  it('DEL leaves no ifb when the namespace is gone', () => {
    const chain = ours();
    chain.add({ pod: 0 });
    removeNetns(lab.host.pod(0).name);
    assert.equal(ifbs().length, 1);
    for (let round = 0; round < 2; round++) chain.del({ pod: 0 });
    assert.deepEqual(ifbs(), []);
  });

  it('DEL leaves no ifb when the state is lost', () => {
    const chain = ours();
    chain.add({ pod: 0 });
    rmSync(lab.host.stateDir, { recursive: true });
    chain.del({ pod: 0 });
    assert.deepEqual(ifbs(), []);
  });

  it('ADD refuses an attachment that exists, and changes nothing', () => {
    const chain = ours();
    const result = chain.add({ pod: 0 });
    const asItWas = lab.host.snapshot();
    const again = chain.run(1, 'ADD', { pod: 0 }, result);
    assert.deepEqual([again.code, again.json?.code], [1, 100], again.stdout);
    assertSame(lab.host.snapshot(), asItWas);
    chain.check({ pod: 0 }, result);
  });

  it('ADD of a new sandbox of the same name replaces the old one', () => {
    const chain = ours();
    chain.add({ pod: 0 });
    removeNetns(lab.host.pod(0).name);
    const part = { pod: 1, containerId: 'pod0' };
    const result = chain.add(part);
    assert.equal(ifbs().length, 1);
    chain.check(part, result);
    chain.del(part);
    assert.deepEqual(ifbs(), []);
  });

  it('ADD does not change the traffic control of others', () => {
    for (const [foreign, kept] of [
      ['root tbf rate 1mbit burst 10kb latency 1ms', /tbf.*1Mbit/],
      ['clsact', /clsact/],
      ['ingress', /ingress/],
    ] as const) {
      const chain = ours();
      const made = chain.run(0, 'ADD', { pod: 0 }).json ?? {};
      const veth = made.interfaces?.[1]?.name ?? '';
      tc('qdisc', 'add', 'dev', veth, ...foreign.split(' '));
      if (foreign === 'ingress') {
        const filter = 'parent ffff: protocol all pref 9 u32 match u32 0 0 action mirred egress mirror dev lo';
        tc('filter', 'add', 'dev', veth, ...filter.split(' '));
      }
      const run = chain.run(1, 'ADD', { pod: 0 }, made);
      assert.deepEqual([run.code, run.json?.code], [1, 100], run.stdout);
      assert.ok(run.json?.msg?.includes(veth), run.stdout);
      assert.match(tc('qdisc', 'show', 'dev', veth), kept);
      assert.deepEqual(ifbs(), []);
      if (foreign === 'ingress')
        assert.match(tc('filter', 'show', 'dev', veth, 'parent', 'ffff:'), /Mirror to device lo/);
      chain.del({ pod: 0 });
      assertSame(lab.host.snapshot(), lab.untouched);
    }
  });

  it('ADD needs prevResult and a veth pair', () => {
    const chain = ours();
    const alone = chain.run(1, 'ADD', { pod: 0 });
    assert.deepEqual([alone.code, alone.json?.code], [1, 7], alone.stdout);
    assert.match(alone.json?.msg ?? '', /\.prevResult: .*chained/);
    lab.host.pod(0).ip('link', 'add', 'eth0', 'type', 'bridge');
    const asItWas = lab.host.snapshot();
    const prevResult = { cniVersion: '1.0.0', interfaces: [{ name: 'eth0', sandbox: lab.host.pod(0).path }] };
    for (const [ifName, code] of [
      ['eth0', 104],
      ['eth7', 4],
    ] as const) {
      const run = chain.run(1, 'ADD', { pod: 0, ifName }, prevResult);
      assert.deepEqual([run.code, run.json?.code], [1, code], run.stdout);
      assert.ok(run.json?.msg?.includes(ifName));
    }
    assertSame(lab.host.snapshot(), asItWas);
  });

  it('GC deletes the limits of unlisted attachments, called alone or through the list', () => {
    for (const index of [1, 0]) {
      const chain = ours();
      const kept = chain.add({ pod: 0 });
      chain.add({ pod: 1 });
      const attachments = [{ containerID: 'pod0', ifname: 'eth0' }];
      const config = { ...chain.config(index), cniVersion: '1.1.0', 'cni.dev/valid-attachments': attachments };
      lab.host.ok({ dir: lab.dir, name: index === 1 ? 'bandwidth' : 'isthmus', command: 'GC', config });
      assert.equal(ifbs().length, 1);
      chain.check({ pod: 0 }, kept);
      for (const pod of [0, 1]) chain.del({ pod });
      assertSame(lab.host.snapshot(), lab.untouched);
    }
  });

  it('STATUS and VERSION answer without an attachment', () => {
    const how = { dir: lab.dir, name: 'bandwidth' };
    const config = { ...LIST, cniVersion: '1.1.0', type: 'bandwidth', ...LIMITS };
    assert.equal(lab.host.run({ ...how, command: 'STATUS', config }).code, 0);
    const bad = lab.host.run({ ...how, command: 'STATUS', config: { ...config, egressBurst: 0 } });
    assert.deepEqual([bad.code, bad.json?.code], [1, 7]);
    assert.ok(lab.host.ok({ ...how, command: 'VERSION', config }).supportedVersions?.includes('1.1.0'));
    assertSame(lab.host.snapshot(), lab.untouched);
  });
});
