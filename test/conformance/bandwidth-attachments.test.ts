import { strict as assert } from 'node:assert';
import { rmSync } from 'node:fs';
import { type Chain, makeChain } from '../support/chain.ts';
import { referenceDir } from '../support/cni.ts';
import { bridgeConf } from '../support/netconf.ts';
import { removeNetns } from '../support/netns.ts';
import { assertSame } from '../support/snapshot.ts';
import { bandwidthLab, LIMITS, LIST } from './bandwidth-lab.ts';
import { unlikeReference } from './unlike-reference.ts';

describe('bandwidth', () => {
  const lab = bandwidthLab();
  const { chainOf, ours, tc, ifbs } = lab;

  describe('in a list whose single element does everything', () => {
    const whole = (): Chain =>
      makeChain(
        lab.host,
        [{ dir: lab.dir, conf: { ...bridgeConf('isthmus', lab.host), runtimeConfig: { bandwidth: LIMITS } } }],
        LIST,
      );

    it('applies limits at ADD and removes them at DEL, twice', () => {
      const chain = whole();
      const result = chain.add({ pod: 0 });
      assert.equal(tc('qdisc', 'show').match(/tbf/g)?.length, 2);
      chain.check({ pod: 0 }, result);
      for (let round = 0; round < 2; round++) chain.del({ pod: 0 });
      assertSame(lab.host.snapshot(), lab.untouched);
    });

    it('CHECK reports everything that was deleted', () => {
      const chain = whole();
      const result = chain.add({ pod: 0 });
      const veth = result.interfaces?.[1]?.name ?? '';
      const [ifb = ''] = ifbs();
      for (const breaking of [
        `tc qdisc del dev ${veth} root`,
        `tc qdisc del dev ${veth} ingress`,
        `ip link del ${ifb}`,
      ]) {
        lab.host.ns.run('sh', '-c', breaking);
        const run = chain.run(0, 'CHECK', { pod: 0 }, result);
        assert.deepEqual([run.code, run.json?.code], [1, 102], `${breaking}: ${run.stdout}`);
        chain.del({ pod: 0 });
        chain.add({ pod: 0 });
      }
    });

    it('leaves no ifb when the namespace, the state or both are gone', () => {
      for (const lost of ['namespace', 'state', 'both']) {
        const pod = lab.host.pods.length;
        lab.host.addPod();
        const part = { pod };
        whole().add(part);
        if (lost !== 'state') removeNetns(lab.host.pod(pod).name);
        if (lost !== 'namespace') rmSync(lab.host.stateDir, { recursive: true });
        whole().del(part);
        assert.deepEqual(ifbs(), [], lost);
      }
    });

    it('GC deletes an ifb without a record', () => {
      const chain = whole();
      chain.add({ pod: 0 });
      const [gone] = ifbs();
      chain.add({ pod: 1 });
      rmSync(lab.host.stateDir, { recursive: true });
      const attachments = [{ containerID: 'pod1', ifname: 'eth0' }];
      const config = { ...chain.config(0), cniVersion: '1.1.0', 'cni.dev/valid-attachments': attachments };
      lab.host.ok({ dir: lab.dir, name: 'isthmus', command: 'GC', config });
      assert.equal(ifbs().length, 1);
      assert.ok(ifbs()[0] !== gone);
      assert.equal(lab.host.ns.run('tc', 'qdisc', 'show').match(/tbf/g)?.length, 2);
    });
  });

  describe('of two interfaces of one container on one network', () => {
    const twice = (chain: Chain): void => {
      const kept = chain.add({ pod: 0, ifName: 'eth0' });
      const asItWas = lab.host.snapshot();
      const filters = tc('filter', 'show', 'dev', kept.interfaces?.[1]?.name ?? '', 'parent', 'ffff:');
      chain.add({ pod: 0, ifName: 'eth1' });
      assert.equal(ifbs().length, 2);
      chain.del({ pod: 0, ifName: 'eth1' });
      assertSame(lab.host.snapshot(), asItWas);
      assert.equal(tc('filter', 'show', 'dev', kept.interfaces?.[1]?.name ?? '', 'parent', 'ffff:'), filters);
      chain.check({ pod: 0, ifName: 'eth0' }, kept);
      chain.del({ pod: 0, ifName: 'eth0' });
      assertSame(lab.host.snapshot(), lab.untouched);
    };
    const limits = { egressRate: 8e6, egressBurst: 8e5 };

    unlikeReference('D16', 'bandwidth', {
      reference: () =>
        assert.throws(() => twice(chainOf('bridge', referenceDir, limits, referenceDir)), /ADD bandwidth: exit 1/),
      ours: {
        bridge: () => twice(chainOf('bridge', lab.dir, limits)),
        isthmus: () => twice(chainOf('isthmus', lab.dir, limits)),
      },
    });
    it('keeps identities apart that concatenate to the same text', () => {
      const result = ours(limits).add({ pod: 0, containerId: 'ab', ifName: 'eth0' });
      const other = { pod: 1, containerId: 'a', ifName: 'beth0' };
      ours(limits).add(other);
      ours(limits).del(other);
      ours(limits).check({ pod: 0, containerId: 'ab', ifName: 'eth0' }, result);
    });
  });
});
