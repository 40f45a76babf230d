import { strict as assert } from 'node:assert';
import { existsSync, readFileSync } from 'node:fs';
import { copyPath } from '../../src/shared/cluster/kept.ts';
import { addressHex } from '../../src/shared/cluster/keys.ts';
import { parseAddr } from '../../src/shared/model/addr.ts';
import { until } from '../support/daemon-site.ts';
import { allReady, assertGone, describeOverlay, type OverlayLab, reaches } from '../support/overlay-lab.ts';
import type { Member } from '../support/overlay-site.ts';
import { assertTables, contentKeys, keysOf } from '../support/overlay-tables.ts';
import { canPing, ping } from '../support/ping.ts';
import { startAgent } from '../support/traffic.ts';

const BOTH = { ranges: [[{ subnet: '10.100.0.0/24' }], [{ subnet: 'fd00:100::/64' }]] };

/** The addresses that hosts themselves have of all networks, as etcd's keys say, by the name of the host. */
function hostKeys({ overlay }: Pick<OverlayLab, 'overlay'>): Map<string, string[]> {
  const keys = keysOf(overlay);
  const found = new Map<string, string[]>();
  for (const [key, value] of keys) {
    const { endpoint, host } = key.startsWith('a/') ? JSON.parse(value) : { endpoint: '', host: '' };
    if (endpoint !== 'host') continue;
    const name: string = JSON.parse(keys.get(`host/${host}`) ?? '{}').name;
    found.set(name, [...(found.get(name) ?? []), key.split('/')[2] ?? '']);
  }
  return found;
}

/** What the host has on the bridge, IPv4 first, but the gateways and its link-local address. */
function onBridge({ site }: Member, bridge = 'br-web'): string[] {
  const [link] = JSON.parse(site.host.ns.ip('-j', 'addr', 'show', 'dev', bridge));
  const infos: { local: string; prefixlen: number }[] = link.addr_info;
  return infos
    .filter(({ prefixlen }) => prefixlen === 24)
    .concat(infos.filter(({ local, prefixlen }) => prefixlen === 64 && !local.startsWith('fe80:')))
    .map(({ local }) => local);
}

async function hostReaches({ name, site }: Member, address: string): Promise<void> {
  await until(() => canPing(site.host.ns, address), `host ${name} reaches ${address}`);
}

describeOverlay('addresses of hosts on an overlay network', { hosts: 3, pods: 3 }, (lab) => {
  const web = (more = {}) => lab.overlay.network('web', { mode: 'shared', hostAddress: true, ...more }, BOTH);

  afterEach(async function () {
    if (this.currentTest?.state === 'passed') await assertGone(lab.overlay);
  });

  it('hosts and pods of all hosts reach each other by them, in both families', async () => {
    const { members, host } = lab;
    const pods = members.map((member) => member.add(0, web()));
    const hosts = members.map((member) => onBridge(member));
    assert.deepEqual(
      hosts.map(({ length }) => length),
      [2, 2, 2],
      JSON.stringify(hosts),
    );
    const all = [...pods.flat(), ...hosts.flat()];
    assert.equal(new Set(all).size, all.length, all.join());
    for (const [i, member] of members.entries())
      for (const [j] of members.entries()) {
        for (const address of pods[j] ?? []) await hostReaches(member, address);
        for (const address of hosts[j] ?? []) await reaches(member, 0, address);
        if (i !== j) for (const address of hosts[j] ?? []) await hostReaches(member, address);
      }
    // Pods see the host by its own address, whichever family and host.
    using agents = new DisposableStack();
    const server = agents.use(startAgent('pod', host(1).site.host.pod(0)));
    const client = agents.use(startAgent('host', host(0).site.host.ns));
    await server.serve('tcp', 7400);
    for (const [family, address] of (pods[1] ?? []).entries())
      assert.equal(await client.probe({ protocol: 'tcp', address, port: 7400 }), `pod saw ${hosts[0]?.[family]}`);
    for (const member of members) member.del(0, web());
  });

  it('no other endpoint gets one, and it is given back with the last endpoint of the host', async () => {
    const { host } = lab;
    const net = { ...web(), capabilities: { ips: true } };
    host(0).add(0, web());
    const [own = ''] = onBridge(host(0));
    const asked = { ...net, runtimeConfig: { ips: [`${own}/24`] } };
    for (const member of [host(0), host(1)]) {
      const { code, stdout } = member.site.run('ADD', { pod: 1, config: asked });
      assert.equal(code, 1, stdout);
      assert.match(stdout, new RegExp(`${own}.* host-a has it|${own}.*host on host-a has it`));
    }
    host(1).add(0, web());
    assert.deepEqual([...hostKeys(lab).keys()].sort(), ['host-a', 'host-b']);
    host(0).add(1, web());
    host(0).del(0, web());
    assert.deepEqual(onBridge(host(0))[0], own);
    host(0).del(1, web());
    await until(() => [...hostKeys(lab).keys()].join() === 'host-b', 'the key goes', 20);
    host(1).del(0, web());
  });

  it('restores an address that somebody deletes, and the devices', async () => {
    const { host } = lab;
    host(0).add(0, web());
    const pod = host(1).add(0, web());
    const before = onBridge(host(0));
    const { ns } = host(0).site.host;
    for (const [i, address] of before.entries()) {
      ns.ip('addr', 'del', `${address}/${i === 0 ? 24 : 64}`, 'dev', 'br-web');
      await until(() => onBridge(host(0)).join() === before.join(), 'it is back', 15);
      await hostReaches(host(0), pod[i] ?? '');
    }
    ns.ip('link', 'del', 'br-web');
    await until(() => {
      try {
        return onBridge(host(0)).join() === before.join();
      } catch {
        return false;
      }
    }, 'the bridge is back');
    for (const address of pod) await hostReaches(host(0), address);
    for (const address of before) await reaches(host(1), 0, address);
    for (const member of [host(0), host(1)]) member.del(0, web());
  });

  it('a daemon that is killed, and starts without etcd and devices: the same addresses', async () => {
    const { overlay, host } = lab;
    host(0).add(0, web());
    const pod = host(1).add(0, web());
    await assertTables(overlay);
    const before = onBridge(host(0));
    // It is saved every five seconds.
    const hex = addressHex(parseAddr(pod[0] ?? '') ?? assert.fail('no address'));
    const key = [...keysOf(overlay).keys()].find((one) => one.startsWith('a/') && one.endsWith(`/${hex}`));
    const copy = copyPath(host(0).site.host.stateDir);
    await until(
      () => existsSync(copy) && readFileSync(copy, 'utf8').includes(key ?? '?'),
      'the copy on disk has the pod',
    );
    await host(0).site.daemon.end('SIGKILL');
    await overlay.etcd.members[0]?.kill();
    host(0).site.host.ns.ip('link', 'del', 'br-web');
    await host(0).start();
    await until(() => {
      try {
        return onBridge(host(0)).join() === before.join();
      } catch {
        return false;
      }
    }, 'they are back');
    for (const address of pod) await hostReaches(host(0), address);
    await overlay.etcd.members[0]?.start();
    await allReady(overlay, 40);
    assert.deepEqual(onBridge(host(0)), before);
    for (const address of before) await reaches(host(1), 0, address);
    for (const member of [host(0), host(1)]) member.del(0, web());
  });

  it('many ADDs at once on each host: one address a host and family', async () => {
    const { members } = lab;
    const runs = await Promise.all(
      members.flatMap(({ site }) => [0, 1, 2].map((pod) => site.begin('ADD', { pod, config: web() }).done)),
    );
    for (const { code, stdout } of runs) assert.equal(code, 0, stdout);
    assert.deepEqual(
      [...hostKeys(lab).values()].map(({ length }) => length),
      [2, 2, 2],
    );
    await Promise.all(
      members.flatMap(({ site }) => [0, 1, 2].map((pod) => site.begin('DEL', { pod, config: web() }).done)),
    );
  });

  it('an internal network: its pods and the hosts reach each other, and nothing else', async () => {
    const { overlay, host } = lab;
    const shut = web({ internal: true });
    const other = overlay.network('other', { mode: 'shared' }, { subnet: '10.110.0.0/24' });
    host(0).add(0, shut);
    const [pod = ''] = host(1).add(0, shut);
    const [stranger = ''] = host(1).add(1, other);
    host(0).add(1, other);
    const [own = ''] = onBridge(host(0));
    overlay.underlay.ip('addr', 'replace', '192.0.2.200/24', 'dev', 'sw0');
    await hostReaches(host(0), pod);
    await reaches(host(1), 0, own);
    // By the address, nothing leads through the host.
    const inside = host(1).site.host.pod(0);
    inside.ip('route', 'replace', 'default', 'via', own);
    for (const address of ['192.0.2.200', stranger]) assert.equal(canPing(inside, address), false, address);
    for (const member of [host(0), host(1)]) {
      assert.equal(canPing(member.site.host.pod(1), pod), false, `${member.name} by the gateway`);
      const outside = member.site.host.pod(1);
      ping(outside, '10.110.0.1');
    }
    overlay.underlay.ip('route', 'replace', '10.100.0.0/24', 'via', '192.0.2.1');
    assert.equal(canPing(overlay.underlay, pod), false, 'from outside');
    overlay.underlay.ip('route', 'del', '10.100.0.0/24');
    for (const member of [host(0), host(1)]) {
      member.del(0, shut);
      member.del(1, other);
    }
  });

  it('two internal networks with one subnet: refused with addresses of hosts, and with both names', async () => {
    const { overlay, host } = lab;
    const one = overlay.network('one', { mode: 'shared', internal: true }, { subnet: '10.120.0.0/24' });
    const two = overlay.network(
      'two',
      { mode: 'shared', internal: true, hostAddress: true },
      { subnet: '10.120.0.0/24' },
    );
    host(0).add(0, one);
    const { code, stdout } = host(1).site.run('ADD', { pod: 0, config: two });
    assert.equal(code, 1, stdout);
    assert.match(stdout, /network two: its subnet 10\.120\.0\.0\/24 overlaps 10\.120\.0\.0\/24 of network one/);
    assert.match(stdout, /without hostAddress/);
    host(0).del(0, one);
    await until(() => contentKeys(overlay).length === 0, 'no key is left', 20);
  });
});
