import { NftablesFirewaller } from '../../src/shared/firewall/nftables.ts';
import { openFirewaller } from '../../src/shared/firewall/open.ts';
import { filterLock } from '../support/filter-lock.ts';
import { iptablesTools, NFT_TOOLS } from '../support/filter-tools.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { describeFirewaller } from './firewaller-behaviour.ts';
import { describeMarks } from './firewaller-marks.ts';

describe('firewallers', () => {
  before(function () {
    skipIf(this, netnsMissing());
  });

  for (const via of ['libnftables', 'nft'] as const) {
    describeFirewaller(`nftables by ${via}`, (ns) => new NftablesFirewaller(ns, via), NFT_TOOLS);
  }
  for (const variant of ['nft', 'legacy'] as const) {
    describeFirewaller(
      `iptables-${variant}`,
      (ns) => openFirewaller('iptables', ns, { variant, lock: filterLock }),
      iptablesTools(variant),
      (fixture) => describeMarks(fixture, variant),
    );
  }
});
