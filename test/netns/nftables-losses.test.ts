import { strict as assert } from 'node:assert';
import { networkEntries, portEntry } from '../support/firewall-entries.ts';
import { nftSite } from '../support/nft-site.ts';

const NETWORK = networkEntries('br-a', '10.81.0.0/16');

describe('the nftables table with one part missing', () => {
  const site = nftSite();
  const entries = [...NETWORK, portEntry({ conditions: ['ip saddr 192.0.2.0/24'] }), portEntry({ hostPort: 81 })];
  const losses: Readonly<Record<string, (read: string) => string[]>> = {
    'the table': () => ['delete', 'table', 'inet', 'isthmus'],
    'all rules': () => ['flush', 'table', 'inet', 'isthmus'],
    'the rules of one chain': () => ['flush', 'chain', 'inet', 'isthmus', 'ports'],
    'one rule': (read) => {
      const handle = /masquerade # handle (\d+)/.exec(read)?.[1] ?? '';
      return ['delete', 'rule', 'inet', 'isthmus', 'hide', 'handle', handle];
    },
    'one base chain': () => ['delete', 'chain', 'inet', 'isthmus', 'outgoing'],
    'one element of a set': () => ['delete', 'element', 'inet', 'isthmus', 'masquerade4', '{ 10.81.0.0/16 }'],
    'one element of a map': () => ['delete', 'element', 'inet', 'isthmus', 'port_any4', '{ tcp . 81 }'],
    'all elements of a map': () => ['flush', 'map', 'inet', 'isthmus', 'port_any4'],
  };
  for (const [name, loss] of Object.entries(losses)) {
    it(`reports that ${name} is missing, and restores it`, async () => {
      await site.firewaller.add(entries);
      const whole = site.table();
      site.nft(...loss(site.nft('-a', 'list', 'table', 'inet', 'isthmus')));
      assert.notEqual((await site.firewaller.missing(entries)).length, 0);
      await site.firewaller.add(entries);
      assert.deepEqual(await site.firewaller.missing(entries), []);
      assert.equal(byChain(site.table()), byChain(whole));
      assert.deepEqual(await site.firewaller.remove(entries), []);
      assert.equal(site.ruleset(), '');
    });
  }
  it('reports that the rule of a condition is missing, and restores it', async () => {
    await site.firewaller.add(entries);
    const whole = site.table();
    const chain = /chain (port-[0-9a-f]+)/.exec(whole)?.[1] ?? '';
    site.nft('flush', 'chain', 'inet', 'isthmus', chain);
    assert.deepEqual(await site.firewaller.missing(entries), [entries[3]]);
    await site.firewaller.add(entries);
    assert.equal(site.table(), whole);
  });
});

/** A chain that was made again stands last. */
function byChain(listing: string): string {
  return listing
    .replace(/\n\}\n$/, '')
    .split('\n\n')
    .sort()
    .join('\n\n');
}
