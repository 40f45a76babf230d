import { strict as assert } from 'node:assert';
import { tableDigest, tableRequests } from '../../src/shared/firewall/nft-messages.ts';
import { MADE_FROM } from '../../src/shared/firewall/nft-table.generated.ts';
import { ruleCounts, tableLines } from '../../src/shared/firewall/nft-table.ts';
import { NftablesFirewaller } from '../../src/shared/firewall/nftables.ts';
import { renderOp } from '../../src/shared/host/render.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { NFT_MSG_NEWRULE } from '../../src/shared/netlink/netfilter.ts';
import { nftType } from '../../src/shared/netlink/nfnetlink.ts';
import {
  EVERY_ENTRY,
  networkEntries,
  portEntry,
  SEALED_ENTRIES,
  UNDERLAY_ENTRIES,
} from '../support/firewall-entries.ts';
import { assertGolden } from '../support/golden.ts';
import { nftSite } from '../support/nft-site.ts';

const NETWORK = networkEntries('br-a', '10.81.0.0/16');

describe('nftables table as nft lists it', () => {
  const site = nftSite();
  const goldens: Readonly<Record<string, readonly FirewallEntry[]>> = {
    'every-entry': EVERY_ENTRY,
    'one-network-with-a-port': [...NETWORK, portEntry()],
  };
  for (const [name, entries] of Object.entries(goldens)) {
    for (const via of ['libnftables', 'nft'] as const) {
      it(`${name}, created by ${via}`, async () => {
        using made = new NftablesFirewaller(site.ns, via);
        await made.add(entries);
        assertGolden(`firewall/${name}`, site.table(), 'nft');
      });
    }
    it(`${name}, entry by entry`, async () => {
      for (const entry of entries) await site.firewaller.add([entry]);
      assertGolden(`firewall/${name}`, site.table(), 'nft');
    });
    it(`${name}, reset over something else`, async () => {
      await site.firewaller.add([...networkEntries('br-z', '10.99.0.0/16'), portEntry({ hostPort: 9 })]);
      await site.firewaller.reset(() => ({ entries: entries }));
      assertGolden(`firewall/${name}`, site.table(), 'nft');
    });
  }

  it('comes from messages that nft has written for the present rules', () => {
    const hint = 'run node test/support/capture-nftables.ts';
    assert.equal(MADE_FROM, tableDigest(), hint);
    assert.equal(tableRequests()?.filter(({ type }) => type === nftType(NFT_MSG_NEWRULE)).length, ruleCount());
  });

  it('equals what the printed commands create, and they delete it again', () => {
    const run = (op: 'firewall.add' | 'firewall.delete'): string =>
      site.netns.run(
        'sh',
        '-c',
        renderOp({ op, ns: 'host', backend: 'nftables', entries: EVERY_ENTRY }, { sandbox: '' }),
      );
    site.nft(tableLines().join('\n'));
    const empty = site.table();
    run('firewall.add');
    assertGolden('firewall/every-entry', site.table(), 'nft');
    run('firewall.delete');
    assert.equal(site.table(), empty);
  });

  it('has a second table for the underlay of overlays, and only that', async () => {
    await site.firewaller.add(UNDERLAY_ENTRIES);
    assertGolden('firewall/underlay', site.ruleset(), 'nft');
    site.nft('delete element inet isthmus-underlay peers4 { 192.0.2.11 . 4789 }');
    await site.firewaller.reset(() => ({ entries: UNDERLAY_ENTRIES }));
    assertGolden('firewall/underlay', site.ruleset(), 'nft');
  });

  it('has a third table for encrypted networks, which goes with them', async () => {
    await site.firewaller.add([...UNDERLAY_ENTRIES, ...SEALED_ENTRIES]);
    assertGolden('firewall/sealed', site.ruleset(), 'nft');
    site.nft('flush chain inet isthmus-sealed leaving');
    const sealed = SEALED_ENTRIES.filter(({ kind }) => kind === 'sealed');
    assert.deepEqual(await site.firewaller.missing([...UNDERLAY_ENTRIES, ...SEALED_ENTRIES]), sealed);
    await site.firewaller.reset(() => ({ entries: [...UNDERLAY_ENTRIES, ...SEALED_ENTRIES] }));
    assertGolden('firewall/sealed', site.ruleset(), 'nft');
    assert.deepEqual(await site.firewaller.remove(SEALED_ENTRIES), []);
    assertGolden('firewall/underlay', site.ruleset(), 'nft');
  });

  it('underlay: nft loads what it lists, and the printed commands fill it', async () => {
    await site.firewaller.add(UNDERLAY_ENTRIES);
    const listed = site.ruleset();
    const run = (op: 'firewall.add' | 'firewall.delete'): string => {
      const rendered = { op, ns: 'host', backend: 'nftables', entries: UNDERLAY_ENTRIES } as const;
      return site.netns.run('sh', '-c', renderOp(rendered, { sandbox: '' }));
    };
    run('firewall.delete');
    assert.notEqual(site.ruleset(), listed);
    run('firewall.add');
    assert.equal(site.ruleset(), listed);
    site.netns.run('sh', '-c', `nft list ruleset > /tmp/$$ && nft flush ruleset && nft -f /tmp/$$; rm /tmp/$$`);
    assert.equal(site.ruleset(), listed);
    assert.deepEqual(await site.firewaller.missing(UNDERLAY_ENTRIES), []);
  });

  it('is unchanged by the underlay of overlays', async () => {
    await site.firewaller.add([...NETWORK, ...UNDERLAY_ENTRIES, portEntry()]);
    assertGolden('firewall/one-network-with-a-port', site.table(), 'nft');
  });

  it('is unchanged by a mark, which is for iptables, and by an admission, which is in other tables', async () => {
    await site.firewaller.add([...NETWORK, { kind: 'admit', device: 'br-a' }, portEntry({ mark: { bit: 13 } })]);
    assertGolden('firewall/one-network-with-a-port', site.table(), 'nft');
  });
});

function ruleCount(): number {
  return [...ruleCounts().values()].reduce((sum, rules) => sum + rules, 0);
}
