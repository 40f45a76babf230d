import { strict as assert } from 'node:assert';
import { describeOverlay, type OverlayLab, reachEachOther } from '../support/overlay-lab.ts';
import { assertTransfer } from '../support/transfer.ts';

/** The pools of a network; `n` makes them its own. */
const POOLS = {
  IPv6: (n: number) => ({ subnet: `fd00:${n}::/64` }),
  'both families': (n: number) => ({
    ranges: [[{ subnet: `10.${n + 1}.0.0/16` }], [{ subnet: `fd00:${n + 1}::/64` }]],
  }),
};

for (const family of [4, 6] as const)
  describeOverlay(
    `an overlay over an underlay of IPv${family} with an MTU of 1400`,
    { family, mtu: 1400, hosts: 2 },
    (lab) => {
      for (const mode of ['per-host', 'shared'] as const)
        for (const [title, poolsOf] of Object.entries(POOLS))
          it(`${mode}, ${title}: 300 kB arrive both ways`, async () => {
            const { members, overlay } = lab;
            const net = overlay.network(
              `${mode}-${title.slice(0, 4)}`,
              { mode },
              poolsOf(mode === 'shared' ? 100 : 110),
            );
            const found = members.map((member) => member.add(0, net));
            const count = title === 'both families' ? 2 : 1;
            for (let i = 0; i < count; i++) {
              const addresses = found.map((each) => each[i] ?? assert.fail(`no address ${i}`));
              await reachEachOther(members, 0, addresses);
              await assertBothWays(lab, addresses);
            }
            for (const member of members) member.del(0, net);
          });
    },
  );

async function assertBothWays({ members }: OverlayLab, addresses: readonly string[]): Promise<void> {
  const pods = members.map(({ site }) => site.host.pod(0));
  const [a, b] = pods;
  const [toA, toB] = addresses;
  assert.ok(a && b && toA !== undefined && toB !== undefined);
  await assertTransfer(a, b, toB);
  await assertTransfer(b, a, toA);
}
