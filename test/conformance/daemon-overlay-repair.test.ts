import { strict as assert } from 'node:assert';
import { until } from '../support/daemon-site.ts';
import { assertGone, describeOverlay, reachEachOther, reaches } from '../support/overlay-lab.ts';
import { assertTables, devicesOf, keysOf } from '../support/overlay-tables.ts';

describeOverlay('overlay networks that somebody else changes', { hosts: 3, pods: 2 }, (lab) => {
  const netOf = (mode: string) =>
    lab.overlay.network(`web-${mode}`, { mode }, { subnet: mode === 'shared' ? '10.100.0.0/16' : '10.101.0.0/16' });
  const nets = () => [netOf('shared'), netOf('per-host')];
  let found: string[][] = [];

  before(async () => {
    found = nets().map((net, pod) => lab.members.map((member) => member.add(pod, net)[0] ?? assert.fail('no address')));
    for (const [pod, addresses] of found.entries()) await reachEachOther(lab.members, pod, addresses);
  });

  /** Everything is as it was, within seconds. */
  async function assertRestored(): Promise<void> {
    await assertTables(lab.overlay);
    for (const [pod, addresses] of found.entries()) await reachEachOther(lab.members, pod, addresses);
  }

  it('restores VXLAN devices', async () => {
    const { ns } = lab.host(0).site.host;
    for (const { ifname } of devicesOf(ns)) ns.ip('link', 'del', String(ifname));
    await assertRestored();
  });

  it('restores bridges, with all that is on them', async () => {
    const { ns } = lab.host(0).site.host;
    for (const { ifname } of JSON.parse(ns.ip('-j', 'link', 'show', 'type', 'bridge'))) ns.ip('link', 'del', ifname);
    await assertRestored();
  });

  for (const half of ['self', 'master'])
    it(`restores the ${half} half of FDB entries`, async () => {
      const { ns } = lab.host(1).site.host;
      for (const { ifname } of devicesOf(ns))
        for (const { mac, dst, state } of JSON.parse(ns.run('bridge', '-j', 'fdb', 'show', 'dev', String(ifname))))
          if (half === 'self' ? dst !== undefined : dst === undefined && state === 'static')
            ns.run('bridge', 'fdb', 'del', mac, 'dev', String(ifname), half);
      await assertRestored();
    });

  it('restores neighbours and routes, and removes entries that nobody has', async () => {
    const { ns } = lab.host(2).site.host;
    const [device] = devicesOf(ns).filter(({ master }) => master === undefined);
    for (const { dst, dev } of JSON.parse(ns.ip('-j', 'neigh', 'show', 'nud', 'permanent')))
      ns.ip('neigh', 'del', dst, 'dev', dev);
    ns.ip('route', 'flush', 'dev', String(device?.ifname), 'proto', 'boot');
    ns.run('bridge', 'fdb', 'add', '02:00:00:00:00:09', 'dev', String(device?.ifname), 'dst', '192.0.2.77', 'self');
    await assertRestored();
  });

  for (const [what, kinds] of [
    ['record and the presence of a host', ['host/', 'up/']],
    ['address and the range of a host', ['a/', 'r/']],
  ] as const)
    it(`the ${what}, deleted in etcd, come back, and traffic with them`, async () => {
      const { overlay } = lab;
      const id =
        [...keysOf(overlay)]
          .find(([, value]) => value.includes('"name":"host-b"'))?.[0]
          .split('/')
          .at(-1) ?? '';
      const own = (): string[] =>
        [...keysOf(overlay)].flatMap(([key, value]) =>
          kinds.some((kind) => key.startsWith(kind)) && (key.endsWith(id) || value.includes(id)) ? key : [],
        );
      const before = own();
      assert.ok(before.length >= kinds.length, before.join(' '));
      for (const key of before) overlay.etcd.ctl('del', `/isthmus/test/v1/${key}`);
      await until(() => own().join(' ') === before.join(' '), 'the keys are back', 10);
      await assertRestored();
    });

  for (const [what, prefix] of [
    ['the records of the networks', 'net/'],
    ['all keys of the cluster', ''],
  ] as const)
    it(`${what}, deleted in etcd: the networks come back as they were`, async () => {
      const { overlay, host } = lab;
      const own = (): string =>
        [...keysOf(overlay).keys()].filter((key) => /^(?:a|r|u|net|name|vni)\//.test(key)).join(' ');
      const addresses = (): string[] => [...keysOf(overlay).keys()].filter((key) => key.startsWith('a/'));
      await until(() => addresses().length === 3, 'no released address is left');
      const before = own();
      overlay.etcd.ctl('del', '--prefix', `/isthmus/test/v1/${prefix}`);
      await until(() => own() === before, 'the keys are back', 20);
      await assertRestored();
      const added = host(1).site.run('ADD', { pod: 1, config: { ...netOf('shared') }, ifName: 'eth9' });
      assert.equal(added.code, 0, added.stdout);
      host(1).site.ok('DEL', { pod: 1, config: { ...netOf('shared') }, ifName: 'eth9' });
    });

  it('an address that moves to another host: traffic follows', async () => {
    const { host } = lab;
    const [a, b, c] = [host(0), host(1), host(2)];
    const net = netOf('shared');
    const [old = '', , other = ''] = found[0] ?? [];
    a.del(0, net);
    const asked = { ...net, capabilities: { ips: true }, runtimeConfig: { ips: [`${old}/16`] } };
    b.del(0, net);
    await until(() => b.site.run('ADD', { pod: 0, config: asked }).code === 0, 'B has the address');
    await reaches(c, 0, old);
    await reaches(b, 0, other);
    const [back = ''] = a.add(0, net);
    found[0] = [back, old, other];
    await assertRestored();
  });

  it('a host that is renumbered: traffic follows', async () => {
    const { ns } = lab.host(0).site.host;
    for (const address of ['192.0.2.50', '192.0.2.1']) {
      ns.ip('addr', 'flush', 'dev', 'up0', 'scope', 'global');
      ns.ip('addr', 'add', `${address}/24`, 'dev', 'up0');
      const told = (): boolean => [...keysOf(lab.overlay).values()].some((value) => value.includes(`"${address}"`));
      await until(told, 'the host says its address');
      await assertRestored();
    }
  });

  it('a host that is renumbered while its daemon is stopped: traffic follows once it starts', async () => {
    const { ns } = lab.host(2).site.host;
    await lab.host(2).site.daemon.end();
    ns.ip('addr', 'flush', 'dev', 'up0', 'scope', 'global');
    ns.ip('addr', 'add', '192.0.2.34/24', 'dev', 'up0');
    await lab.host(2).start();
    await assertRestored();
    assert.doesNotMatch(lab.host(2).site.daemon.log(), /reconcile\.failed/);
  });

  it('a host that was away while the others left: nothing is left anywhere', async () => {
    const { members, overlay, host } = lab;
    const away = host(2);
    await away.site.daemon.end();
    for (const member of members) for (const [pod, net] of nets().entries()) member.del(pod, net);
    await away.start();
    await assertGone(overlay);
  });
});
