import { strict as assert } from 'node:assert';
import { until } from '../support/daemon-site.ts';
import { allReady, assertGone, describeOverlay, reachEachOther } from '../support/overlay-lab.ts';

/** Pods of two hosts on one network, with ZooKeeper as what the hosts share. */
describeOverlay('overlay networks on ZooKeeper', { hosts: 2, zooKeeper: {} }, (lab) => {
  const zooKeeper = () => lab.overlay.zooKeeper?.members[0] ?? assert.fail('no ZooKeeper');

  for (const mode of ['per-host', 'shared'] as const)
    it(`${mode}: pods of both hosts reach each other, and nothing is left`, async () => {
      const { members, overlay } = lab;
      const web = overlay.network('web', { mode });
      const found = members.map((member) => member.add(0, web)[0] ?? assert.fail('no address'));
      assert.equal(new Set(found).size, 2, found.join());
      await reachEachOther(members, 0, found);
      for (const member of members) member.del(0, web);
      await assertGone(overlay);
    });

  it('the cluster status names both hosts', async () => {
    const { stdout } = await lab.host(0).verbs.run('cluster', 'status');
    assert.match(stdout, /^test +host-a +member +3\/3 +0$/m);
    assert.match(stdout, /^host-b +present /m);
  });

  it('ZooKeeper killed: pods reach each other, DEL works, ADD answers 50 in time; back: both go on', async () => {
    const { members, overlay } = lab;
    const web = overlay.network('web', { mode: 'shared' });
    const found = members.map((member) => member.add(0, web)[0] ?? assert.fail('no address'));
    await reachEachOther(members, 0, found);
    lab.host(0).add(1, web);
    await zooKeeper().kill();
    const config = web as Record<string, unknown>;
    const since = performance.now();
    assert.match(lab.host(0).site.run('ADD', { pod: 2, config }).stdout, /"code": ?50/);
    assert.ok(performance.now() - since < 5_000);
    await reachEachOther(members, 0, found);
    lab.host(0).del(1, web);
    await zooKeeper().start();
    await until(() => lab.host(0).site.run('ADD', { pod: 2, config }).code === 0, 'ADD works again', 30);
    lab.host(0).del(2, web);
    for (const member of members) member.del(0, web);
    await assertGone(overlay);
  });

  it('ZooKeeper lost its data: both hosts put theirs again, and their pods notice nothing', async () => {
    const { members, overlay } = lab;
    const web = overlay.network('web', { mode: 'shared' });
    const found = members.map((member) => member.add(0, web)[0] ?? assert.fail('no address'));
    await reachEachOther(members, 0, found);
    await zooKeeper().wipe();
    await allReady(overlay, 40);
    await reachEachOther(members, 0, found);
    for (const member of members) member.del(0, web);
    await assertGone(overlay);
  });
});
