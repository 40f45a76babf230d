import { strict as assert } from 'node:assert';
import { NftablesFirewaller } from '../../src/shared/firewall/nftables.ts';
import { detectBackend } from '../../src/shared/firewall/open.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { EVERY_ENTRY, networkEntries, portEntry } from '../support/firewall-entries.ts';
import { assertGolden } from '../support/golden.ts';
import { makeNetns } from '../support/netns.ts';
import { nftSite } from '../support/nft-site.ts';

const NETWORK = networkEntries('br-a', '10.81.0.0/16');

describe('the nftables table', () => {
  const site = nftSite();
  const rules = (): number => site.ruleset().match(/^\t\t(?!type |flags |elements |\t)./gm)?.length ?? 0;
  const manyPorts = (count: number): FirewallEntry[] =>
    Array.from({ length: count }, (_, i) =>
      portEntry({ hostPort: 2000 + i, address: `10.81.${i >> 8}.${i & 255}`, protocol: i % 2 ? 'udp' : 'tcp' }),
    );

  it('has as many rules for 1,000 endpoints as for one', async () => {
    await site.firewaller.add([...NETWORK, portEntry()]);
    const one = rules();
    assert.ok(one > 30, String(one));
    await site.firewaller.add(manyPorts(1000));
    assert.equal(rules(), one);
    assert.deepEqual(await site.firewaller.missing(manyPorts(1000)), []);
  });

  it('holds 5,000 ports of one endpoint, in one transaction each way', async () => {
    const ports = Array.from({ length: 5000 }, (_, i) => portEntry({ hostPort: 2000 + i, address: 'fd81::2' }));
    await site.firewaller.add(ports);
    assert.deepEqual(await site.firewaller.missing(ports), []);
    await assert.rejects(() => site.firewaller.add([...ports, portEntry({ hostPort: 6999, address: 'fd81::3' })]), {
      kind: 'conflict',
    });
    const moved = ports.map((entry) => ({ ...entry, address: 'fd81::9' }));
    await site.firewaller.reset(() => ({ entries: moved }));
    assert.deepEqual(await site.firewaller.missing(moved), []);
    assert.deepEqual(await site.firewaller.missing(ports), ports);
    assert.deepEqual(await site.firewaller.remove(moved), []);
    assert.equal(site.ruleset(), '');
  });

  it('is created and deleted in each namespace independently', async () => {
    using otherNetns = makeNetns('nft-');
    using otherNs = site.host.open(otherNetns.path);
    using other = new NftablesFirewaller(otherNs);
    await site.firewaller.add(NETWORK);
    await other.add([portEntry()]);
    assert.deepEqual(await site.firewaller.missing([portEntry()]), [portEntry()]);
    assert.deepEqual(await other.missing(NETWORK), NETWORK);
    assert.deepEqual(await site.firewaller.remove(NETWORK), []);
    assert.equal(site.ruleset(), '');
    assert.match(otherNetns.run('nft', 'list', 'ruleset'), /port_any4/);
  });

  describe('all or nothing', () => {
    const stateWith = async (entries: readonly FirewallEntry[]): Promise<string> => {
      if (entries.length > 0) await site.firewaller.add(entries);
      return site.ruleset();
    };
    const taken = portEntry({ hostPort: 2005, protocol: 'udp', address: '10.81.9.9' });
    it('rejects all when one of many elements clashes', async () => {
      const state = await stateWith([...NETWORK, taken]);
      await assert.rejects(() => site.firewaller.add(manyPorts(20)), {
        kind: 'conflict',
        subject: 'host port udp 2005',
        what: /leads to 10\.81\.9\.9:80 already/,
      });
      assert.equal(site.ruleset(), state);
    });
    it('rejects all for a condition that nft refuses, without a table before', async () => {
      const bad = portEntry({ conditions: ['meta nonsense 3'] });
      await assert.rejects(() => site.firewaller.add([...NETWORK, bad, portEntry({ hostPort: 81 })]), {
        kind: 'invalid-config',
        subject: 'conditions',
        what: /meta nonsense 3/,
      });
      assert.equal(site.ruleset(), '');
    });
    it('rejects all for contradicting conditions', async () => {
      const bad = portEntry({ conditions: ['ip saddr 192.0.2.1', 'ip6 saddr 2001:db8::1'] });
      await assert.rejects(() => site.firewaller.add([bad]), { kind: 'invalid-config', subject: 'conditions' });
      assert.equal(site.ruleset(), '');
    });
    it('rejects all for a condition that the kernel refuses, among others', async () => {
      const state = await stateWith(NETWORK);
      // Sets of others are unknown in this table.
      const bad = portEntry({ conditions: ['ip saddr @elsewhere'] });
      await assert.rejects(() => site.firewaller.add([portEntry({ hostPort: 81 }), bad]), { kind: 'invalid-config' });
      assert.equal(site.ruleset(), state);
    });
    it('rejects all for a subnet that overlaps another network', async () => {
      const state = await stateWith(NETWORK);
      for (const subnet of ['10.81.3.0/24', '10.80.0.0/12'])
        await assert.rejects(() => site.firewaller.add(networkEntries('br-b', subnet)), {
          kind: 'conflict',
          subject: `subnet ${subnet}`,
        });
      assert.equal(site.ruleset(), state);
    });
  });

  it('accepts adjacent networks', async () => {
    const all = ['10.81.0.0/16', '10.82.0.0/16', '10.83.0.0/16', '10.80.0.0/16', '255.255.0.0/16', '0.0.0.0/8'].flatMap(
      (subnet, i) => networkEntries(`br-${i}`, subnet),
    );
    for (const entry of all) await site.firewaller.add([entry]);
    assert.deepEqual(await site.firewaller.missing(all), []);
    for (const [i, entry] of all.entries()) {
      assert.deepEqual(await site.firewaller.remove([entry]), []);
      assert.deepEqual(await site.firewaller.missing(all), all.slice(0, i + 1));
    }
    assert.equal(site.ruleset(), '');
  });

  it('is not created again by a reset that needs no new chain', async () => {
    const handles = (): string[] => site.nft('-a', 'list', 'table', 'inet', 'isthmus').match(/ # handle \d+$/gm) ?? [];
    const chains = EVERY_ENTRY.filter((entry) => entry.kind === 'port' && entry.conditions.length > 0);
    await site.firewaller.add(EVERY_ENTRY);
    const before = handles();
    const others: FirewallEntry[] = [
      { kind: 'masquerade', subnet: '10.82.0.0/24', except: ['192.0.2.0/24'], to: '192.0.2.8' },
      { kind: 'masquerade', subnet: '10.80.0.0/23', except: [] },
      { kind: 'policy', device: 'br-a', policy: 'internal' },
      portEntry({ address: '10.81.0.9' }),
    ];
    for (const entries of [[...others, ...chains], [...EVERY_ENTRY]]) {
      await site.firewaller.reset(() => ({ entries: entries }));
      assert.deepEqual(await site.firewaller.missing(entries), []);
      assert.deepEqual(handles(), before);
    }
    assertGolden('firewall/every-entry', site.table(), 'nft');
  });

  it('keeps a port with its holder when another endpoint removes it', async () => {
    await site.firewaller.add([...NETWORK, portEntry()]);
    const other = portEntry({ address: '10.81.0.9' });
    await assert.rejects(() => site.firewaller.add([other]), { kind: 'conflict' });
    assert.deepEqual(await site.firewaller.remove([other]), []);
    assert.deepEqual(await site.firewaller.missing([portEntry()]), []);
  });

  it('replaces source and exceptions of a subnet', async () => {
    const before = { kind: 'masquerade', subnet: '10.81.0.0/16', except: ['10.0.0.0/8'], to: '192.0.2.7' } as const;
    const after = [{ ...before, except: ['10.5.0.0/16', '10.6.0.0/16'], to: '192.0.2.8' }];
    await site.firewaller.add([before, ...networkEntries('br-b', '10.82.0.0/16')]);
    await site.firewaller.add(after);
    assert.deepEqual(await site.firewaller.missing(after), []);
    assert.match(site.table(), /10\.81\.0\.0\/16 : 192\.0\.2\.8/);
    assert.doesNotMatch(site.table(), /10\.0\.0\.0\/8/);
    const conditional = portEntry({ conditions: ['ip saddr 192.0.2.0/24'] });
    await site.firewaller.add([before, conditional]);
    assert.deepEqual(await site.firewaller.missing([before, conditional]), []);
    await assert.rejects(() => site.firewaller.add([{ ...before, subnet: '10.81.2.0/24' }]), { kind: 'conflict' });
  });

  it('replaces the policy of a device', async () => {
    await site.firewaller.add([{ kind: 'policy', device: 'br-a', policy: 'internal' }]);
    const closed = [{ kind: 'policy', device: 'br-a', policy: 'closed' }] as const;
    await site.firewaller.add(closed);
    assert.deepEqual(await site.firewaller.missing(closed), []);
    assert.match(site.table(), /"br-a" : goto closed/);
  });

  it('deletes what leads to an address, and nothing else', async () => {
    const lost = [
      portEntry(),
      portEntry({ hostPort: 81, hostIp: '192.0.2.1', snat: false }),
      portEntry({ hostPort: 82, conditions: ['ip saddr 10.81.0.3'], masqAll: true }),
      portEntry({ hostPort: 83, address: 'fd81::2', protocol: 'sctp' }),
      portEntry({ hostPort: 84, address: 'fd81::2', conditions: ['meta mark 7'] }),
    ];
    const kept = [
      ...NETWORK,
      portEntry({ hostPort: 91, address: '10.81.0.22' }),
      portEntry({ hostPort: 92, address: '10.81.0.3', conditions: ['ip saddr 10.81.0.2'] }),
      portEntry({ hostPort: 93, address: 'fd81::22', snat: false }),
    ];
    await site.firewaller.add(kept);
    const before = site.table();
    await site.firewaller.add(lost);
    assert.deepEqual(await site.firewaller.removeStray({ addresses: ['10.81.0.2', 'fd81::2'] }), []);
    assert.equal(site.table(), before);
    assert.deepEqual(await site.firewaller.removeStray({ addresses: ['10.81.0.2'] }), []);
    await site.firewaller.reset(() => ({ entries: [] }));
    assert.deepEqual(await site.firewaller.removeStray({ addresses: ['10.81.0.2'] }), []);
    assert.equal(site.ruleset(), '');
  });

  it('never changes the tables of others', async () => {
    site.nft('add', 'table', 'inet', 'other');
    site.nft('add', 'chain', 'inet', 'other', 'ports', '{ type nat hook prerouting priority -100; }');
    site.nft('add', 'rule', 'inet', 'other', 'ports', 'tcp dport 8080 dnat ip to 192.0.2.1');
    const theirs = site.ruleset();
    await site.firewaller.add(EVERY_ENTRY);
    await site.firewaller.reset(() => ({ entries: EVERY_ENTRY }));
    assert.deepEqual(await site.firewaller.remove(EVERY_ENTRY), []);
    assert.equal(site.ruleset(), theirs);
  });

  it('is the backend of a host whose kernel has nf_tables', () => assert.equal(detectBackend(), 'nftables'));
});
