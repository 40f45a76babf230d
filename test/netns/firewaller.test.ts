import { openFirewaller } from '../../src/shared/firewall/open.ts';
import { iptablesTools, NFT_TOOLS } from '../support/filter-tools.ts';
import { netnsMissing } from '../support/netns.ts';
import { describeFirewaller } from './firewaller-behaviour.ts';
import { describeMarks } from './firewaller-marks.ts';

describe('firewallers', () => {
  before(function () {
    const missing = netnsMissing();
    if (missing === undefined) return;
    console.log(`skipped: ${missing}`);
    this.skip();
  });

  for (const via of ['libnftables', 'nft'] as const) {
    describeFirewaller(`nftables by ${via}`, (ns) => openFirewaller('nftables', ns, { via }), NFT_TOOLS);
  }
  for (const variant of ['nft', 'legacy'] as const) {
    describeFirewaller(
      `iptables-${variant}`,
      (ns) => openFirewaller('iptables', ns, { variant }),
      iptablesTools(variant),
      (fixture) => describeMarks(fixture, variant),
    );
  }
});
