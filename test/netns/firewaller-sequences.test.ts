import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { openFirewaller } from '../../src/shared/firewall/open.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { entryKey, type FirewallEntry } from '../../src/shared/model/firewall.ts';
import { filterLock } from '../support/filter-lock.ts';
import { ruleset } from '../support/filter-tools.ts';
import { makeNetns, netnsMissing } from '../support/netns.ts';
import { ADDRESSES, HOST, NODE_RANGE, SECOND, SUBNET_B } from '../support/pod-site.ts';
import { skipIf } from '../support/skip.ts';
import { direct, FAMILIES, hairpin, masquerade, peer, policy, port, underlay } from './firewaller-fixture.ts';

/** Entries of two networks that can be there together; some share what they are made of. */
const POOL: readonly FirewallEntry[] = [
  ...FAMILIES.flatMap((family): FirewallEntry[] => [
    masquerade(family),
    masquerade(family, { subnet: SUBNET_B[family], except: [NODE_RANGE[family]], to: SECOND[family] }),
    hairpin(family),
    { kind: 'hairpin', device: 'br-b', subnet: SUBNET_B[family] },
    port(family),
    port(family, { hostIp: HOST[family].outside, address: ADDRESSES[family].a2 }),
    port(family, { protocol: 'sctp', snat: false, address: ADDRESSES[family].b1 }),
    port(family, { protocol: 'udp', masqAll: true }),
    direct(family),
    direct(family, { address: ADDRESSES[family].b1, device: 'br-b', protocol: 'udp' }),
    { kind: 'exposure', device: 'br-a', family, what: 'icmp' },
    underlay(family),
    underlay(family, 8472),
    peer(family),
    peer(family, 8472),
  ]),
  policy('br-a', 'closed'),
  policy('br-b', 'isolated'),
];

type Step =
  | { readonly does: 'add' | 'remove' | 'reset'; readonly entries: readonly FirewallEntry[] }
  | { readonly does: 'removeStray'; readonly addresses: readonly string[] }
  | { readonly does: 'flush' };

const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: some('add') },
    { weight: 8, arbitrary: some('remove') },
    { weight: 2, arbitrary: some('reset') },
    {
      weight: 2,
      arbitrary: fc
        .subarray(FAMILIES.flatMap((family) => [ADDRESSES[family].a1, ADDRESSES[family].b1]))
        .map((addresses): Step => ({ does: 'removeStray', addresses })),
    },
    { weight: 1, arbitrary: fc.constant<Step>({ does: 'flush' }) },
  ),
  { minLength: 3, maxLength: 9 },
);

function some(does: 'add' | 'remove' | 'reset'): fc.Arbitrary<Step> {
  return fc.shuffledSubarray([...POOL]).map((entries): Step => ({ does, entries }));
}

/** The entries that must apply after the step. */
function after(before: readonly FirewallEntry[], step: Step): readonly FirewallEntry[] {
  switch (step.does) {
    case 'add':
      return [...new Set([...before, ...step.entries])];
    case 'remove':
      return before.filter((entry) => !step.entries.includes(entry));
    case 'reset':
      return step.entries;
    case 'removeStray':
      return before.filter((entry) => !('address' in entry) || !step.addresses.includes(entry.address));
    case 'flush':
      return [];
  }
}

describe('firewallers after any sequence of calls', () => {
  before(function () {
    skipIf(this, netnsMissing());
  });

  for (const [name, backend, options, numRuns] of [
    ['nftables', 'nftables', {}, 25],
    ['iptables-nft', 'iptables', { variant: 'nft' }, 4],
    ['iptables-legacy', 'iptables', { variant: 'legacy' }, 4],
  ] as const) {
    it(`${name}: exactly the last added entries apply, with the rules of a fresh start`, async function () {
      this.timeout(120_000);
      using ns = makeNetns('any-');
      using host = openLinuxHost();
      using opened = host.open(ns.path);
      using firewaller = openFirewaller(backend, opened, { ...options, lock: filterLock });
      const flush = (): void => {
        ns.run('nft', 'flush', 'ruleset');
        if (name !== 'iptables-legacy') return;
        for (const command of ['iptables-legacy', 'ip6tables-legacy']) {
          for (const table of ['filter', 'nat', 'mangle', 'raw']) ns.run(command, '-t', table, '-F');
        }
      };
      const empty = ruleset(ns);
      await fc.assert(
        fc.asyncProperty(steps, async (sequence) => {
          await firewaller.reset(() => ({ entries: [] }));
          assert.equal(ruleset(ns), empty);
          let wanted: readonly FirewallEntry[] = [];
          for (const step of sequence) {
            wanted = after(wanted, step);
            if (step.does === 'flush') flush();
            else if (step.does === 'removeStray') assert.deepEqual(await firewaller.removeStray(step), []);
            else if (step.does === 'remove') assert.deepEqual(await firewaller.remove(step.entries), []);
            else if (step.does === 'reset') await firewaller.reset(() => step);
            else await firewaller.add(step.entries);
            const missing = await firewaller.missing(POOL);
            const there = POOL.filter((entry) => !missing.includes(entry));
            assert.deepEqual(keys(there), keys(wanted), step.does);
          }
          const grown = ruleset(ns);
          await firewaller.reset(() => ({ entries: [] }));
          await firewaller.add(wanted);
          if (backend === 'nftables') assert.deepEqual(sorted(grown), sorted(ruleset(ns)));
          assert.deepEqual(await firewaller.remove(wanted), []);
          assert.equal(ruleset(ns), empty);
        }),
        { numRuns },
      );
    });
  }
});

function keys(entries: readonly FirewallEntry[]): string[] {
  return entries.map(entryKey).sort();
}

/** Elements of a set come in any order. */
function sorted(rules: string): string[] {
  return rules
    .split(/[\n,]/)
    .map((line) => line.replace(/elements = \{|\}/g, '').trim())
    .sort();
}
