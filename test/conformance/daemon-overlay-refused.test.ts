import { strict as assert } from 'node:assert';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CniAnswer } from '../support/cni.ts';
import { until } from '../support/daemon-site.ts';
import { allReady, assertGone, describeOverlay } from '../support/overlay-lab.ts';
import type { Member } from '../support/overlay-site.ts';
import { devicesOf } from '../support/overlay-tables.ts';
import { startAgent } from '../support/traffic.ts';

/** The error of an ADD that must fail and leave nothing in the pod. */
function refused(member: Member, config: Record<string, unknown>, pod = 0): CniAnswer {
  const { code, json, stdout } = member.site.run('ADD', { pod, config });
  assert.equal(code, 1, stdout);
  assert.doesNotMatch(member.site.host.pod(pod).ip('-o', 'link'), /eth0/);
  return json ?? assert.fail(stdout);
}

describeOverlay('what an overlay network refuses', { hosts: 2, pods: 2 }, (lab) => {
  afterEach(async () => await assertGone(lab.overlay));

  it('a network of the same name with another mode or pool: names both values', () => {
    const { overlay, host } = lab;
    const web = overlay.network('web', { mode: 'shared' });
    host(0).add(0, web);
    const mode = refused(host(1), overlay.network('web', { mode: 'per-host' }));
    assert.match(mode.msg ?? '', /network web: the cluster has it with mode shared, not per-host/);
    const pools = refused(host(1), overlay.network('web', { mode: 'shared' }, { subnet: '10.200.0.0/16' }));
    assert.match(pools.msg ?? '', /network web: the cluster has it with pools 10\.100\..* not 10\.200\./);
    host(0).del(0, web);
  });

  it('a VNI given twice, and pools that overlap: name the other network', () => {
    const { overlay, host } = lab;
    const web = overlay.network('web', { mode: 'shared', vni: 5000 });
    host(0).add(0, web);
    const vni = refused(host(1), overlay.network('db', { mode: 'shared', vni: 5000 }, { subnet: '10.200.0.0/16' }));
    assert.match(vni.msg ?? '', /network db: network web has VNI 5000/);
    const pool = refused(host(1), overlay.network('db', { mode: 'shared' }, { subnet: '10.100.7.0/24' }));
    assert.match(pool.msg ?? '', /10\.100\.7\.0\/24 overlaps 10\.100\.0\.0\/16 of network web/);
    host(0).del(0, web);
  });

  it('a UDP port that another socket holds: says so, and works once it is free', async () => {
    const { overlay, host } = lab;
    const web = overlay.network('web', { mode: 'shared' });
    const { ns } = host(0).site.host;
    {
      using holder = startAgent('holder', ns);
      await holder.serve('udp', 4789, '0.0.0.0');
      const { msg } = refused(host(0), web);
      assert.match(msg ?? '', /network web: another socket of this host has UDP port 4789/);
      assert.deepEqual(devicesOf(ns), []);
    }
    host(0).add(0, web);
    host(0).del(0, web);
  });

  it('a VNI that a device of another namespace has: says so, leaves nothing, and works once it is free', () => {
    const { overlay, host } = lab;
    const web = overlay.network('web', { mode: 'shared', vni: 6000 });
    const { ns } = host(0).site.host;
    const hidden = host(0).site.host.pod(1);
    const device = ['type', 'vxlan', 'id', '6000', 'dstport', '4789', 'local', '192.0.2.1'];
    ns.ip('link', 'add', 'theirs', ...device);
    for (const [where, who] of [
      [ns, /network web: link theirs holds VNI 6000 on UDP port 4789 of this host/],
      [hidden, /network web: a VXLAN device that another namespace has holds VNI 6000/],
    ] as const) {
      if (where === hidden) ns.ip('link', 'set', 'theirs', 'netns', hidden.name);
      const { msg } = refused(host(0), web);
      assert.match(msg ?? '', who);
      assert.doesNotMatch(ns.ip('-o', 'link'), /vx-|br-web/);
    }
    hidden.ip('link', 'del', 'theirs');
    host(0).add(0, web);
    host(0).del(0, web);
  });

  it('a VNI or a UDP port that is taken when devices are restored: the daemon says so, and restores them later', async () => {
    const { overlay, host } = lab;
    const web = overlay.network('web', { mode: 'shared', vni: 6001 });
    host(0).add(0, web);
    const { ns } = host(0).site.host;
    const [{ ifname = '' } = {}] = devicesOf(ns) as readonly { ifname?: string }[];
    const log = () => host(0).site.daemon.log();
    await host(0).site.daemon.end();
    ns.ip('link', 'del', ifname);
    ns.ip('link', 'add', 'theirs', 'type', 'vxlan', 'id', '6001', 'dstport', '4789', 'local', '192.0.2.1');
    await host(0).start();
    await until(() => /vxlan .* was not created; .*VNI 6001 may be in another namespace/.test(log()), 'it says so');
    ns.ip('link', 'del', 'theirs');
    host(0).add(1, web);
    assert.equal(devicesOf(ns).length, 1);
    for (const pod of [0, 1]) host(0).del(pod, web);
  });

  it('a stand-alone call: code 50 for ADD, success for DEL', async () => {
    const { overlay, host } = lab;
    const member = host(1);
    await member.site.daemon.end();
    const web = overlay.network('web', { mode: 'shared' });
    const { code, msg } = refused(member, web);
    assert.equal(code, 50, String(msg));
    member.del(0, web);
    await member.start();
    await allReady(overlay, 40);
  });

  it('a host with a smaller MTU: names both numbers', async () => {
    const { overlay, host } = lab;
    const web = overlay.network('web', { mode: 'shared' });
    host(0).add(0, web);
    const { ns } = host(1).site.host;
    ns.ip('link', 'set', 'up0', 'mtu', '1300');
    let answer: CniAnswer | undefined;
    await until(() => {
      const run = host(1).site.run('ADD', { pod: 0, config: web });
      if (run.code === 0) host(1).del(0, web);
      else answer = run.json;
      return answer !== undefined;
    }, 'the ADD is refused');
    assert.match(answer?.msg ?? '', /its MTU is 1450, and the underlay of host host-b leaves 1250/);
    ns.ip('link', 'set', 'up0', 'mtu', '1500');
    host(0).del(0, web);
  });

  it('a host id that another host has: names both hosts, and joins with its own again', async () => {
    const { overlay, host } = lab;
    const [a, b] = [host(0), host(1)];
    await b.site.daemon.end();
    const [theirs, own] = [a, b].map(({ site }) => join(site.host.stateDir, 'host-id'));
    assert.ok(theirs !== undefined && own !== undefined);
    const kept = `${own}.kept`;
    copyFileSync(own, kept);
    copyFileSync(theirs, own);
    await b.start();
    await until(() => /host host-a is in the cluster with the same id/.test(b.site.daemon.log()), 'it is refused');
    const { code } = refused(b, overlay.network('web', { mode: 'shared' }));
    assert.equal(code, 50);
    await b.site.daemon.end();
    copyFileSync(kept, own);
    await b.start();
    await allReady(overlay, 40);
  });
});
