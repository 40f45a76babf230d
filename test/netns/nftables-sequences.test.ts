import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { NftablesFirewaller } from '../../src/shared/firewall/nftables.ts';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { EVERY_ENTRY, networkEntries, portEntry } from '../support/firewall-entries.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

/** Every kind of entry, neighbouring subnets, several subnets of one device; no two hold the same place. */
const UNIVERSE: readonly FirewallEntry[] = [
  ...EVERY_ENTRY,
  ...networkEntries('br-f', '10.83.0.0/24'),
  ...networkEntries('br-g', '10.80.0.0/24'),
  { kind: 'hairpin', device: 'br-a', subnet: '10.84.0.0/24' },
  portEntry({ hostPort: 9090, address: '10.81.0.3', masqAll: true }),
];

type Step =
  | { readonly step: 'add' | 'remove' | 'reset'; readonly entries: readonly FirewallEntry[] }
  | { readonly step: 'flush' };

const subset = fc.subarray([...UNIVERSE], { minLength: 1 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ step: fc.constant('add' as const), entries: subset }) },
    { weight: 5, arbitrary: fc.record({ step: fc.constant('remove' as const), entries: subset }) },
    { weight: 2, arbitrary: fc.record({ step: fc.constant('reset' as const), entries: subset }) },
    { weight: 1, arbitrary: fc.constant({ step: 'flush' } as const) },
  ),
  { minLength: 1, maxLength: 8 },
);

describe('the nftables table after any sequence of changes', () => {
  let host: LinuxHost;
  let netns: TestNetns;

  before(function () {
    skipIf(this, netnsMissing());
    host = openLinuxHost({});
    netns = makeNetns('nft-');
  });
  after(() => {
    netns?.[Symbol.dispose]();
    host?.[Symbol.dispose]();
  });

  it('contains what was added and not removed, and is deleted with the last entry', async () => {
    using ns = host.open(netns.path);
    using firewaller = new NftablesFirewaller(ns);
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        netns.run('nft', 'flush', 'ruleset');
        let inForce = new Set<FirewallEntry>();
        for (const one of all) {
          if (one.step === 'flush') {
            netns.run('nft', 'flush', 'ruleset');
            inForce = new Set();
            continue;
          }
          if (one.step === 'reset') {
            await firewaller.reset(() => ({ entries: one.entries }));
            inForce = new Set(one.entries);
          } else if (one.step === 'add') {
            await firewaller.add(one.entries);
            for (const entry of one.entries) inForce.add(entry);
          } else {
            assert.deepEqual(await firewaller.remove(one.entries), []);
            for (const entry of one.entries) inForce.delete(entry);
          }
          assert.deepEqual(
            await firewaller.missing(UNIVERSE),
            UNIVERSE.filter((entry) => !inForce.has(entry)),
          );
        }
        assert.deepEqual(await firewaller.remove([...inForce]), []);
        assert.equal(netns.run('nft', 'list', 'ruleset'), '');
      }),
      { numRuns: 30 },
    );
  }).timeout(60_000);
});
