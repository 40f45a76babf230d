import { strict as assert } from 'node:assert';
import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import { type FilterTools, ruleset } from '../support/filter-tools.ts';
import { netnsMissing } from '../support/netns.ts';
import { makePodSite, type PodSite } from '../support/pod-site.ts';
import { skipIf } from '../support/skip.ts';
import { describeAdmission } from './firewaller-admission.ts';
import { describeDocker } from './firewaller-docker.ts';
import type { FirewallerFixture, Fixture, MakeFirewaller } from './firewaller-fixture.ts';
import { describeLoopback } from './firewaller-loopback.ts';
import { describeMasquerade } from './firewaller-masquerade.ts';
import { describePolicies } from './firewaller-policies.ts';
import { describePortOptions } from './firewaller-port-options.ts';
import { describePorts } from './firewaller-ports.ts';
import { describeRecovery } from './firewaller-recovery.ts';
import { describeSctp } from './firewaller-sctp.ts';
import { describeUnderlay } from './firewaller-underlay.ts';
import { describeUpkeep } from './firewaller-upkeep.ts';

/**
 * The tests of every firewaller, by the traffic that passes or not. One site serves all tests; each begins without our
 * rules. `more` adds tests of this firewaller alone.
 */
export function describeFirewaller(
  name: string,
  make: MakeFirewaller,
  tools: FilterTools,
  more?: (fixture: Fixture) => void,
): void {
  describe(`firewaller ${name}`, () => {
    let host: LinuxHost;
    let site: PodSite;
    let ns: LinuxNamespace;
    let firewaller: Firewaller;
    const fixture = (): FirewallerFixture => ({
      site,
      firewaller,
      tools,
      apply: (...ops) => host.apply(ops, { host: ns }),
    });

    before(async function () {
      skipIf(this, netnsMissing());
      this.timeout(60_000);
      site = await makePodSite();
      host = openLinuxHost();
      ns = host.open(site.host.path);
      firewaller = make(ns);
    });
    after(() => {
      for (const one of [firewaller, ns, host, site]) one?.[Symbol.dispose]();
    });
    afterEach(async () => {
      await firewaller.reset(() => ({ entries: [] }));
      site.bridgeFilter(true);
      // A connection that is remembered is led where it was led before.
      site.host.run('conntrack', '-F');
    });

    describeMasquerade(fixture);
    describePorts(fixture);
    describePortOptions(fixture);
    describeLoopback(fixture);
    describeSctp(fixture);
    describePolicies(fixture);
    describeAdmission(fixture);
    describeDocker(fixture);
    describeUnderlay(fixture);
    describeUpkeep(fixture);
    describeRecovery(fixture);
    more?.(fixture);

    it('leaves no rule on the host', async () => {
      await firewaller.reset(() => ({ entries: [] }));
      assert.equal(ruleset(site.host), '\niptables-legacy\n\nip6tables-legacy\n');
    });
  });
}
