import { strict as assert } from 'node:assert';
import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import { openIptables } from '../../src/shared/firewall/iptables.ts';
import type { Variant } from '../../src/shared/firewall/iptables-tools.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { FirewallEntry, PortEntry } from '../../src/shared/model/firewall.ts';
import { filterLock } from '../support/filter-lock.ts';
import { SEALED_ENTRIES, UNDERLAY_ENTRIES } from '../support/firewall-entries.ts';
import { assertGolden } from '../support/golden.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

const WEB: PortEntry = {
  ...{ kind: 'port', protocol: 'tcp', hostPort: 8080, address: '10.88.0.2', port: 80 },
  ...{ snat: true, masqAll: false, conditions: [] },
};
const WEB6: PortEntry = { ...WEB, address: 'fd00:88::2' };
const NETWORK: FirewallEntry[] = [
  { kind: 'masquerade', subnet: '10.88.0.0/16', except: ['10.0.0.0/8'] },
  { kind: 'masquerade', subnet: 'fd00:88::/64', except: [] },
  { kind: 'hairpin', device: 'isth0', subnet: '10.88.0.0/16' },
  { kind: 'hairpin', device: 'isth0', subnet: 'fd00:88::/64' },
];

const CASES: Readonly<Record<string, readonly FirewallEntry[]>> = {
  masquerade: NETWORK.slice(0, 2),
  'masquerade-fixed': [{ kind: 'masquerade', subnet: '10.88.0.0/16', except: [], to: '192.0.2.1' }],
  ports: [
    ...NETWORK,
    WEB,
    WEB6,
    { ...WEB, protocol: 'udp', hostPort: 53, port: 53 },
    { ...WEB, hostIp: '192.0.2.1', port: 81 },
    { ...WEB6, hostIp: '2001:db8::1', port: 81 },
    { ...WEB, hostIp: '0.0.0.0', hostPort: 8081 },
  ],
  'ports-answers': [
    ...NETWORK,
    { ...WEB, snat: false },
    { ...WEB, hostPort: 8081, masqAll: true },
    { ...WEB6, hostPort: 8081, hostIp: '2001:db8::1', masqAll: true },
  ],
  'ports-conditions': [
    ...NETWORK,
    { ...WEB, conditions: ['!', '-s', '192.0.2.0/24', '-m', 'comment', '--comment', 'a "word" of theirs'] },
  ],
  'ports-mark-bit': [
    ...NETWORK,
    { ...WEB, mark: { bit: 13 } },
    { ...WEB, hostIp: '192.0.2.1', hostPort: 8081, mark: { bit: 31 } },
    { ...WEB, hostPort: 8082, masqAll: true, mark: { bit: 0 } },
    { ...WEB6, mark: { bit: 13 } },
  ],
  underlay: UNDERLAY_ENTRIES,
  sealed: SEALED_ENTRIES,
  policies: (['open', 'same-bridge', 'isolated', 'closed', 'internal'] as const).map((policy, i) => {
    return { kind: 'policy', device: `isth${i}`, policy };
  }),
  'policies-routed': (['open', 'same-bridge', 'isolated', 'closed', 'internal'] as const).map((policy, i) => {
    return { kind: 'policy', device: `isth${i}`, policy, vxlan: `vx${i}` };
  }),
  closed: [
    { kind: 'policy', device: 'isth0', policy: 'closed' },
    { kind: 'direct', device: 'isth0', protocol: 'tcp', address: '10.88.0.2', port: 80 },
    { kind: 'direct', device: 'isth0', protocol: 'sctp', address: '10.88.0.2', port: 3868 },
    { kind: 'direct', device: 'isth0', protocol: 'udp', address: 'fd00:88::2', port: 53 },
    { kind: 'exposure', device: 'isth0', family: 4, what: 'icmp' },
    { kind: 'exposure', device: 'isth0', family: 6, what: 'icmp' },
    { kind: 'exposure', device: 'isth1', family: 6, what: 'all' },
  ],
};

describe('iptables rules', () => {
  before(function () {
    skipIf(this, netnsMissing());
  });

  for (const variant of ['nft', 'legacy'] as const) {
    for (const [name, entries] of Object.entries(CASES)) {
      it(`${name}, iptables-${variant}`, () =>
        withIptables(variant, async (firewaller, ns) => {
          const clean = ruleset(ns, variant);
          assert.deepEqual(await firewaller.missing(entries), entries);
          await firewaller.add(entries);
          const text = ruleset(ns, variant);
          assertGolden(`firewall/${name}`, text, 'iptables');
          assert.deepEqual(await firewaller.missing(entries), []);
          await firewaller.add(entries);
          assert.equal(ruleset(ns, variant), text, 'added again');
          await firewaller.reset(() => ({ entries: entries }));
          assert.equal(ruleset(ns, variant), text, 'reset');
          assert.deepEqual(await firewaller.missing(entries), []);
          for (const entry of entries) assert.deepEqual(await firewaller.remove([entry]), []);
          assert.equal(ruleset(ns, variant), clean, 'one by one removed');
          if (variant === 'nft') assert.equal(ns.run('nft', 'list', 'ruleset'), '');
        }));
    }
  }
});

async function withIptables(
  variant: Variant,
  work: (firewaller: Firewaller, ns: TestNetns) => Promise<void>,
): Promise<void> {
  using ns = makeNetns('ipt');
  using host = openLinuxHost({ ISTHMUS_HOST_ID: 'test' });
  using inside = host.open(ns.path);
  using firewaller = openIptables(inside, { variant, lock: filterLock });
  await work(firewaller, ns);
}

/** The rules of both families, without dates, counters and empty tables. */
function ruleset(ns: TestNetns, variant: string): string {
  return ['iptables', 'ip6tables']
    .map((tool) => {
      const tables = ns
        .run(`${tool}-${variant}-save`)
        .replace(/^#.*\n/gm, '')
        .replace(/^:(\S+) (\S+) .*$/gm, ':$1 $2')
        // iptables-legacy has all chains of a table from the start: we create none.
        .replace(/ made"/g, '"')
        .split(/(?<=^COMMIT\n)/m)
        .filter((table) => /^(-A|:ISTHMUS)/m.test(table));
      return `# ${tool}\n${tables.sort().join('')}`;
    })
    .join('\n');
}
