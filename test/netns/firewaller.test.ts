import { NftablesFirewaller } from '../../src/shared/firewall/nftables.ts';
import { openFirewaller } from '../../src/shared/firewall/open.ts';
import { filterLock } from '../support/filter-lock.ts';
import { iptablesTools, NFT_TOOLS } from '../support/filter-tools.ts';
import { netnsMissing } from '../support/netns.ts';
import { describeFirewaller } from './firewaller-behaviour.ts';
import type { MakeFirewaller } from './firewaller-fixture.ts';
import { describeMarks } from './firewaller-marks.ts';

/**
 * The nft command contains libnftables and gets the same text. By default the traffic tests run once for both;
 * ISTHMUS_FIREWALL=all runs them twice.
 */
describe('firewallers', () => {
  before(function () {
    const missing = netnsMissing();
    if (missing === undefined) return;
    console.log(`skipped: ${missing}`);
    this.skip();
  });

  for (const via of ['libnftables', 'nft'] as const) {
    const isWhole = via === 'libnftables' || process.env.ISTHMUS_FIREWALL === 'all';
    const make: MakeFirewaller = (ns) => new NftablesFirewaller(ns, via);
    describeFirewaller(`nftables by ${via}`, make, NFT_TOOLS, { isWhole });
  }
  for (const variant of ['nft', 'legacy'] as const) {
    describeFirewaller(
      `iptables-${variant}`,
      (ns) => openFirewaller('iptables', ns, { variant, lock: filterLock }),
      iptablesTools(variant),
      { more: (fixture) => describeMarks(fixture, variant) },
    );
  }
});
