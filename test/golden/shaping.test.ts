import { parseBandwidth } from '../../src/shared/config/bandwidth.ts';
import { planShaping } from '../../src/shared/drivers/bandwidth/shaping.ts';
import { renderOp } from '../../src/shared/host/render.ts';
import type { Op, Plan } from '../../src/shared/model/op.ts';
import { assertGolden } from '../support/golden.ts';

const HOST_SIDE = { hostIf: 'veth0', ifb: 'ifb0', mtu: 1500 };
const STAYS = { hostIfGoes: false };

function text({ ops, undo }: Plan): string {
  const lines = (list: readonly Op[]): string => list.map((op) => `${renderOp(op, { sandbox: 'pod' })}\n`).join('');
  return `# ADD\n${lines(ops)}# DEL\n${lines(undo)}`;
}

describe('shaping plan', () => {
  const cases = {
    none: {},
    ingress: { ingressRate: 8e6, ingressBurst: 8e5 },
    egress: { egressRate: 16e6, egressBurst: 16e5 },
    both: { ingressRate: 8e6, ingressBurst: 8e5, egressRate: 16e6, egressBurst: 16e5 },
    // A rate below a byte a second, and a burst that holds no packet.
    least: { ingressRate: 1, ingressBurst: 1, egressRate: 9, egressBurst: 8 * 1517 },
    most: { ingressRate: 2 ** 60, ingressBurst: 2 ** 35 - 9, egressRate: 2 ** 53 - 1, egressBurst: 2 ** 35 - 9 },
  };
  for (const [name, config] of Object.entries(cases)) {
    it(name, () =>
      assertGolden(`shaping-${name}`, text(planShaping({ ...HOST_SIDE, ...parseBandwidth(config) }, STAYS))),
    );
  }

  it('has a shorter revert if the host side is deleted with it', () => {
    const rates = parseBandwidth(cases.both);
    assertGolden('shaping-host-side-goes', text(planShaping({ ...HOST_SIDE, ...rates }, { hostIfGoes: true })));
  });

  it('sets the alias on the ifb', () => {
    const rates = parseBandwidth({ egressRate: 8e6, egressBurst: 8e5 });
    assertGolden('shaping-alias', text(planShaping({ ...HOST_SIDE, mtu: 9000, ...rates, alias: "web's pod" }, STAYS)));
  });
});
