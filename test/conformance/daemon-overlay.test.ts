import { strict as assert } from 'node:assert';
import { assertGone, describeOverlay, reachEachOther } from '../support/overlay-lab.ts';

/** Pods of several hosts on one network: daemons, a real etcd, VXLAN over an underlay of namespaces. */
describeOverlay('overlay networks over three hosts', {}, (lab) => {
  for (const mode of ['per-host', 'shared'] as const)
    it(`${mode}: pods of all hosts reach each other, and nothing is left`, async () => {
      const { members, overlay } = lab;
      const web = overlay.network('web', { mode });
      const found = members.map((member) => member.add(0, web)[0] ?? assert.fail('no address'));
      assert.equal(new Set(found).size, 3, found.join());
      await reachEachOther(members, 0, found);
      for (const member of members) member.del(0, web);
      await assertGone(overlay);
      for (const { site } of members) assert.doesNotMatch(site.host.ns.run('ip', '-o', 'link'), /vx-|br-web/);
    });
});
