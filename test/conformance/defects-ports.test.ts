import { strict as assert } from 'node:assert';
import { assertTraffic } from '../support/traffic.ts';
import { BACKENDS, CHAIN, filterDefect } from './filter-defect.ts';
import { type Backend, type Lab, OTHER_OUTSIDE, OTHER_UPLINK, OUTSIDE, UPLINK } from './firewall-lab.ts';

const PORT = { hostPort: 8080 };

filterDefect('D11', 'DEL of one network', {
  pods: 2,
  reference: {
    '1.1.1': async (lab, dir) => {
      for (const backend of BACKENDS) await leaveOneNetwork(lab, dir, backend, 'pod');
    },
    '1.9.1': async (lab, dir) => {
      await leaveOneNetwork(lab, dir, 'iptables', 'pod');
      await leaveOneNetwork(lab, dir, 'nftables', 'refused');
    },
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

filterDefect('D12', 'two networks with conditions', {
  pods: 2,
  reference: {
    '1.1.1': async (lab, dir) => {
      for (const pod of [0, 1]) await lab.serve(pod);
      const portmap = { conditionsV4: [`ip saddr ${OUTSIDE}`], backend: 'nftables' };
      const chain = lab.chain(CHAIN, { dir, ports: [PORT], portmap });
      assert.throws(() => chain.add({ pod: 0 }), /ADD portmap: exit 1/);
      chain.del({ pod: 0 });
      await useConditions(lab, dir, 'iptables', ['pod0', 'blocked']);
    },
    '1.9.1': async (lab, dir) => {
      for (const pod of [0, 1]) await lab.serve(pod);
      await useConditions(lab, dir, 'iptables', ['pod0', 'blocked']);
      await useConditions(lab, dir, 'nftables', ['blocked', 'pod0']);
    },
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

filterDefect('D13', 'two containers', {
  pods: 2,
  reference: async (lab, dir) => {
    for (const pod of [0, 1]) await lab.serve(pod);
    for (const backend of BACKENDS) {
      const chain = lab.chain(CHAIN, { dir, ports: [PORT], portmap: { backend } });
      for (const pod of [0, 1]) chain.add({ pod });
      const answers = new Set<string>();
      for (let i = 0; i < 5; i++) answers.add(await lab.outsideAgent.probe({ address: UPLINK, port: 8080 }));
      assert.equal(answers.size, 1, backend);
      assert.match([...answers][0] ?? '', /^pod[01] saw /);
      for (const pod of [0, 1]) chain.del({ pod });
    }
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

filterDefect('D16', 'host ports', {
  pods: 2,
  reference: async (lab, dir) => {
    for (const [pod, backend] of BACKENDS.entries()) {
      await lab.serve(pod);
      const [one, other] = [8080, 8081].map((hostPort) =>
        lab.chain(CHAIN, { dir, ports: [{ hostPort }], portmap: { backend } }),
      );
      one?.add({ pod, ifName: 'eth0' });
      const target = { address: UPLINK, port: 8080 };
      await assertTraffic([[lab.outsideAgent, target, `pod${pod}`]]);
      other?.run(1, 'DEL', { pod, ifName: 'eth1' });
      await assertTraffic([[lab.outsideAgent, target, 'refused']]);
      one?.del({ pod, ifName: 'eth0' });
    }
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

/** A container has a host port of each of two networks, and leaves one: what the other's port leads to then. */
async function leaveOneNetwork(lab: Lab, dir: string, backend: Backend, outcome: 'pod' | 'refused'): Promise<void> {
  const pod = BACKENDS.indexOf(backend);
  const web = lab.chain(CHAIN, { dir, ports: [PORT], portmap: { backend } });
  const more = { network: 'db', defaultRoute: false } as const;
  const db = lab.chain(CHAIN, { dir, ...more, ports: [{ hostPort: 8081 }], portmap: { backend } });
  web.add({ pod });
  db.add({ pod, ifName: 'eth1' });
  await lab.serve(pod);
  const target = { address: UPLINK, port: 8080 };
  await assertTraffic([[lab.outsideAgent, target, `pod${pod}`]]);
  db.del({ pod, ifName: 'eth1' });
  await assertTraffic([[lab.outsideAgent, target, outcome === 'pod' ? `pod${pod}` : outcome]]);
  web.del({ pod });
}

/**
 * Network `web` has a condition that clients of UPLINK fulfil, then `db` one that clients of OTHER_UPLINK fulfil: what
 * the port of `web` leads each of them to.
 */
async function useConditions(
  lab: Lab,
  dir: string,
  backend: Backend,
  [own, others]: readonly [own: string, others: string],
): Promise<void> {
  const words = backend === 'iptables' ? ['-s'] : ['ip', 'saddr'];
  const portmap = (address: string) => ({ backend, conditionsV4: [...words, address] });
  const web = lab.chain(CHAIN, { dir, ports: [PORT], portmap: portmap(OUTSIDE) });
  const more = { network: 'db', ports: [{ hostPort: 8081 }] } as const;
  const db = lab.chain(CHAIN, { dir, ...more, portmap: portmap(OTHER_OUTSIDE) });
  web.add({ pod: 0 });
  await assertTraffic([[lab.outsideAgent, { address: UPLINK, port: 8080 }, 'pod0']]);
  db.add({ pod: 1 });
  await assertTraffic([
    [lab.outsideAgent, { address: UPLINK, port: 8080 }, own],
    [lab.outsideAgent, { address: OTHER_UPLINK, port: 8080 }, others],
  ]);
  db.del({ pod: 1 });
  web.del({ pod: 0 });
}
