import { renderOp } from '../../src/shared/host/render.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { EVERY_ENTRY, portEntry } from '../support/firewall-entries.ts';
import { assertGolden } from '../support/golden.ts';

const ADMIT: FirewallEntry = { kind: 'admit', device: 'br-a' };
const OTHERS: readonly FirewallEntry[] = [portEntry({ mark: { bit: 13 } }), ADMIT];
const at = { ns: 'host', op: 'firewall.add' } as const;
const flush = { ns: 'host', op: 'conntrack.flush', protocol: 'udp', port: 53 } as const;

const OPS: Readonly<Record<string, readonly Op[]>> = {
  'firewall-add': [
    { ...at, backend: 'nftables', entries: [...EVERY_ENTRY, ADMIT] },
    { ...at, backend: 'iptables', entries: OTHERS },
  ],
  'firewall-delete': [
    { ...at, op: 'firewall.delete', backend: 'nftables', entries: [...EVERY_ENTRY, ADMIT] },
    { ...at, op: 'firewall.delete', backend: 'iptables', entries: OTHERS },
  ],
  'conntrack-flush': [
    { ...flush, family: 4 },
    { ...flush, family: 6, address: 'fd00::1' },
  ],
};

describe('commands of packet filter Ops', () => {
  for (const [name, ops] of Object.entries(OPS)) {
    it(name, () =>
      assertGolden(
        `ops-${name}`,
        ops.map((op) => `${renderOp(op, { sandbox: 'pod' }).replaceAll(' && ', ' &&\n')}\n`).join(''),
      ),
    );
  }
});
