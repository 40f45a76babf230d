import { strict as assert } from 'node:assert';
import { type PluginDir, pluginDir, referenceDir } from '../support/cni.ts';
import { removeNetns } from '../support/netns.ts';
import { assertTraffic } from '../support/traffic.ts';
import { FORMS, type Form, type Lab, makeLab, OTHER_UPLINK, OUTSIDE, UPLINK } from './firewall-lab.ts';

interface Defect {
  readonly pods?: number;
  /** The behaviour of Debian's plugins: 1.1.1 of Debian 12 and 13, or 1.9.1. */
  readonly reference: (lab: Lab, dir: string) => void | Promise<void>;
  /** The correct behaviour, under the reference's names and as one element. */
  readonly ours: (lab: Lab, form: Form, dir: string) => void | Promise<void>;
}

const CHAIN: Form = 'bridge, portmap, firewall';
const PORT = { hostPort: 8080 };

function defect(title: string, { pods = 1, reference, ours }: Defect): void {
  describe(`a defect of the reference: ${title}`, function () {
    this.timeout(60_000);
    let bin: PluginDir;
    before(() => {
      bin = pluginDir();
    });
    after(() => bin?.[Symbol.dispose]());
    it('the reference', async () => {
      using lab = await makeLab(pods);
      await reference(lab, referenceDir);
    });
    for (const form of FORMS) {
      it(form, async () => {
        using lab = await makeLab(pods);
        const before = lab.rules();
        await ours(lab, form, bin.path);
        assert.equal(lab.rules(), before, 'nothing is left of ours');
      });
    }
  });
}

const nat = ({ host }: Lab): string => host.ns.run('iptables', '-t', 'nat', '-S');

defect('D1: DEL with the namespace gone leaves masquerading rules', {
  reference: (lab, dir) => {
    const chain = lab.chain(CHAIN, { dir, ports: [PORT] });
    chain.add({ pod: 0 });
    removeNetns(lab.host.pod(0).name);
    chain.del({ pod: 0 });
    assert.match(nat(lab), /-s 10\.88\.0\.2\/32 .*-j CNI-/);
    assert.match(nat(lab), /-j MASQUERADE/);
  },
  ours: (lab, form, dir) => {
    const chain = lab.chain(form, { dir, ports: [PORT] });
    for (const netns of [lab.host.pod(0).path, '']) {
      chain.add({ pod: 0 });
      if (netns !== '') chain.del({ pod: 0, netns: '' });
      else {
        removeNetns(lab.host.pod(0).name);
        chain.del({ pod: 0 });
      }
    }
  },
});

defect('D4: CHECK passes once the rules are flushed', {
  reference: (lab, dir) => {
    const chain = lab.chain(CHAIN, { dir, bridge: { macspoofchk: true } });
    const result = chain.add({ pod: 0 });
    lab.host.ns.run('nft', 'flush', 'ruleset');
    assert.doesNotMatch(nat(lab), /MASQUERADE/);
    assert.equal(chain.run(0, 'CHECK', { pod: 0 }, result).code, 0);
  },
  ours: (lab, form, dir) => {
    const chain = lab.chain(form, { dir, ports: [PORT], bridge: { macspoofchk: true } });
    const result = chain.add({ pod: 0 });
    chain.check({ pod: 0 }, result);
    lab.host.ns.run('nft', 'flush', 'ruleset');
    const { code, json } = chain.run(0, 'CHECK', { pod: 0 }, result);
    assert.deepEqual([code, json?.code], [1, 102]);
    lab.reload(dir);
    chain.check({ pod: 0 }, result);
    lab.host.ns.run('nft', 'delete', 'table', 'bridge', 'isthmus');
    assert.equal(chain.run(0, 'CHECK', { pod: 0 }, result).json?.code, 102);
    chain.del({ pod: 0 });
  },
});

defect('D11: a container on two networks, and DEL of one', {
  reference: (lab, dir) => {
    const chain = lab.chain(CHAIN, { dir, ports: [PORT], portmap: { backend: 'nftables' } });
    chain.add({ pod: 0 });
    if (!/cni_hostport/.test(lab.host.ns.run('nft', 'list', 'tables'))) {
      // 1.1.1 has no nft backend and does not say so. What it has the other way round is D16's kind, below.
      assert.match(nat(lab), /CNI-HOSTPORT-DNAT/);
      return;
    }
    const ports = [{ hostPort: 8081 }];
    const more = { network: 'db', defaultRoute: false } as const;
    const other = lab.chain(CHAIN, { dir, ...more, ports, portmap: { backend: 'nftables' } });
    other.add({ pod: 0, ifName: 'eth1' });
    assert.match(lab.host.ns.run('nft', 'list', 'ruleset'), /dport 8080 dnat/);
    other.del({ pod: 0, ifName: 'eth1' });
    assert.doesNotMatch(lab.host.ns.run('nft', 'list', 'ruleset'), /dport 8080 dnat/, 'the ports of both are gone');
  },
  ours: async (lab, form, dir) => {
    const one = lab.chain(form, { dir, ports: [PORT], portmap: { backend: 'nftables' } });
    const ports = [{ hostPort: 8081 }];
    const more = { network: 'db', defaultRoute: false } as const;
    const other = lab.chain(form, { dir, ...more, ports, portmap: { backend: 'nftables' } });
    const kept = one.add({ pod: 0 });
    await other.add({ pod: 0, ifName: 'eth1' });
    await lab.serve(0);
    const reached = `pod0 saw ${OUTSIDE}`;
    await assertTraffic([[lab.outsideAgent, { address: UPLINK, port: 8080 }, reached]]);
    other.del({ pod: 0, ifName: 'eth1' });
    one.check({ pod: 0 }, kept);
    await assertTraffic([
      [lab.outsideAgent, { address: UPLINK, port: 8080 }, reached],
      [lab.outsideAgent, { address: UPLINK, port: 8081 }, 'refused'],
    ]);
    one.del({ pod: 0 });
  },
});

defect('D12: conditions of one network become those of all', {
  pods: 2,
  reference: (lab, dir) => {
    // This version hands them to iptables, whatever they are written for.
    const portmap = { conditionsV4: [`ip saddr ${OUTSIDE}`] };
    const chain = lab.chain(CHAIN, { dir, ports: [PORT], portmap });
    assert.throws(() => chain.add({ pod: 0 }), /ADD portmap: exit 1/);
  },
  ours: async (lab, form, dir) => {
    const conditionsV4 = (address: string) => ({ conditionsV4: [`ip saddr ${address}`] });
    const web = lab.chain(form, { dir, ports: [PORT], portmap: conditionsV4(OUTSIDE) });
    const ports = [{ hostPort: 8081 }];
    const db = lab.chain(form, { dir, network: 'db', ports, portmap: conditionsV4('192.0.2.10') });
    const kept = web.add({ pod: 0 });
    db.add({ pod: 1 });
    for (const pod of [0, 1]) await lab.serve(pod);
    await assertTraffic([
      [lab.outsideAgent, { address: UPLINK, port: 8080 }, 'pod0'],
      [lab.outsideAgent, { address: OTHER_UPLINK, port: 8080 }, 'blocked'],
      [lab.outsideAgent, { address: UPLINK, port: 8081 }, 'blocked'],
      [lab.outsideAgent, { address: OTHER_UPLINK, port: 8081 }, 'pod1'],
    ]);
    db.del({ pod: 1 });
    web.check({ pod: 0 }, kept);
    await assertTraffic([[lab.outsideAgent, { address: UPLINK, port: 8080 }, 'pod0']]);
    web.del({ pod: 0 });
  },
});

defect('D13: two containers and one host port', {
  pods: 2,
  reference: (lab, dir) => {
    const chain = lab.chain(CHAIN, { dir, ports: [PORT] });
    for (const pod of [0, 1]) chain.add({ pod });
    assert.equal(nat(lab).match(/--to-destination 10\.88\.0\.\d+:80/g)?.length, 2);
  },
  ours: async (lab, form, dir) => {
    const chain = lab.chain(form, { dir, ports: [PORT] });
    const kept = chain.add({ pod: 0 });
    await lab.serve(0);
    const asItWas = lab.rules();
    assert.throws(() => chain.add({ pod: 1 }), /"code": 101.*\n.*8080\/tcp.*pod0/);
    chain.del({ pod: 1 });
    assert.equal(lab.rules(), asItWas);
    chain.check({ pod: 0 }, kept);
    await assertTraffic([[lab.outsideAgent, { address: UPLINK, port: 8080 }, 'pod0']]);
    chain.del({ pod: 0 });
    chain.add({ pod: 1 });
    chain.del({ pod: 1 });
  },
});

defect('D16: ports of two interfaces of one container on one network', {
  reference: (lab, dir) => {
    const [one, other] = [8080, 8081].map((hostPort) => lab.chain(CHAIN, { dir, ports: [{ hostPort }] }));
    one?.add({ pod: 0, ifName: 'eth0' });
    assert.match(nat(lab), /--dport 8080 /);
    other?.run(1, 'DEL', { pod: 0, ifName: 'eth1' });
    assert.doesNotMatch(nat(lab), /--dport 8080 /, "DEL of eth1 takes eth0's port");
  },
  ours: async (lab, form, dir) => {
    const one = lab.chain(form, { dir, ports: [{ hostPort: 8080 }] });
    const other = lab.chain(form, { dir, ports: [{ hostPort: 8081 }], defaultRoute: false });
    // Each interface answers for its own address only, although they are on one link.
    const apart = ['net.ipv4.conf.all.arp_ignore=1', 'net.ipv4.conf.all.rp_filter=0'];
    lab.host.pod(0).run('sysctl', '-qw', ...apart, 'net.ipv4.conf.default.rp_filter=0');
    const kept = one.add({ pod: 0, ifName: 'eth0' });
    await other.add({ pod: 0, ifName: 'eth1' });
    await lab.serve(0);
    const expect = (hostPort: number, outcome: string) =>
      assertTraffic([[lab.outsideAgent, { address: UPLINK, port: hostPort }, outcome]]);
    await expect(8080, 'pod0');
    await expect(8081, 'pod0');
    other.del({ pod: 0, ifName: 'eth1' });
    one.check({ pod: 0, ifName: 'eth0' }, kept);
    await expect(8080, 'pod0');
    await expect(8081, 'refused');
    one.del({ pod: 0, ifName: 'eth0' });
  },
});
