import { strict as assert } from 'node:assert';
import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import { tableLines } from '../../src/shared/firewall/nft-table.ts';
import { detectBackend, openFirewaller } from '../../src/shared/firewall/open.ts';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import { renderOp } from '../../src/shared/host/render.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { EVERY_ENTRY, networkEntries, portEntry } from '../support/firewall-entries.ts';
import { assertGolden } from '../support/golden.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';

const NETWORK = networkEntries('br-a', '10.81.0.0/16');

describe('the table of nftables', () => {
  let host: LinuxHost;
  let netns: TestNetns;
  let ns: LinuxNamespace;
  let firewaller: Firewaller;

  before(function () {
    const missing = netnsMissing();
    if (missing !== undefined) {
      console.log(`skipped: ${missing}`);
      this.skip();
    }
    host = openLinuxHost({});
  });
  beforeEach(() => {
    netns = makeNetns('nft-');
    ns = host.open(netns.path);
    firewaller = openFirewaller('nftables', ns);
  });
  afterEach(() => {
    firewaller?.[Symbol.dispose]();
    ns?.[Symbol.dispose]();
    netns?.[Symbol.dispose]();
  });
  after(() => host?.[Symbol.dispose]());

  const listing = (...what: string[]): string => netns.run('nft', ...what);
  const table = (): string => listing('list', 'table', 'inet', 'isthmus');
  const ruleset = (): string => listing('list', 'ruleset');
  const rules = (): number => ruleset().match(/^\t\t(?!type |flags |elements |\t)./gm)?.length ?? 0;
  const manyPorts = (count: number): FirewallEntry[] =>
    Array.from({ length: count }, (_, i) =>
      portEntry({ hostPort: 2000 + i, address: `10.81.${i >> 8}.${i & 255}`, protocol: i % 2 ? 'udp' : 'tcp' }),
    );

  describe('as nft lists it', () => {
    const goldens: Readonly<Record<string, readonly FirewallEntry[]>> = {
      'every-entry': EVERY_ENTRY,
      'one-network-with-a-port': [...NETWORK, portEntry()],
    };
    for (const [name, entries] of Object.entries(goldens)) {
      for (const via of ['libnftables', 'nft'] as const) {
        it(`${name}, made by ${via}`, () => {
          using made = openFirewaller('nftables', ns, { via });
          made.add(entries);
          assertGolden(`firewall/${name}`, table(), 'nft');
        });
      }
      it(`${name}, entry by entry`, () => {
        for (const entry of entries) firewaller.add([entry]);
        assertGolden(`firewall/${name}`, table(), 'nft');
      });
      it(`${name}, reset over something else`, () => {
        firewaller.add([...networkEntries('br-z', '10.99.0.0/16'), portEntry({ hostPort: 9 })]);
        firewaller.reset(entries);
        assertGolden(`firewall/${name}`, table(), 'nft');
      });
    }

    it('is what the printed commands make and unmake of an empty table', () => {
      const run = (op: 'firewall.add' | 'firewall.delete'): string =>
        netns.run('sh', '-c', renderOp({ op, ns: 'host', backend: 'nftables', entries: EVERY_ENTRY }, { sandbox: '' }));
      listing(tableLines().join('\n'));
      const empty = table();
      run('firewall.add');
      assertGolden('firewall/every-entry', table(), 'nft');
      run('firewall.delete');
      assert.equal(table(), empty);
    });

    it('is the same for a mark, which is for iptables, and for an admission, which is in the tables of others', () => {
      firewaller.add([...NETWORK, { kind: 'admit', device: 'br-a' }, portEntry({ mark: { bit: 13 } })]);
      assertGolden('firewall/one-network-with-a-port', table(), 'nft');
    });
  });

  it('has as many rules for 1,000 endpoints as for one', () => {
    firewaller.add([...NETWORK, portEntry()]);
    const one = rules();
    assert.ok(one > 30, String(one));
    firewaller.add(manyPorts(1000));
    assert.equal(rules(), one);
    assert.deepEqual(firewaller.missing(manyPorts(1000)), []);
  });

  it('holds 5,000 ports of one endpoint, in one transaction each way', () => {
    const ports = Array.from({ length: 5000 }, (_, i) => portEntry({ hostPort: 2000 + i, address: 'fd81::2' }));
    firewaller.add(ports);
    assert.deepEqual(firewaller.missing(ports), []);
    assert.throws(() => firewaller.add([...ports, portEntry({ hostPort: 6999, address: 'fd81::3' })]), {
      kind: 'conflict',
    });
    const moved = ports.map((entry) => ({ ...entry, address: 'fd81::9' }));
    firewaller.reset(moved);
    assert.deepEqual(firewaller.missing(moved), []);
    assert.deepEqual(firewaller.missing(ports), ports);
    assert.deepEqual(firewaller.remove(moved), []);
    assert.equal(ruleset(), '');
  });

  it('is made and goes in each of several namespaces by itself', () => {
    using otherNetns = makeNetns('nft-');
    using otherNs = host.open(otherNetns.path);
    using other = openFirewaller('nftables', otherNs);
    firewaller.add(NETWORK);
    other.add([portEntry()]);
    assert.deepEqual(firewaller.missing([portEntry()]), [portEntry()]);
    assert.deepEqual(other.missing(NETWORK), NETWORK);
    assert.deepEqual(firewaller.remove(NETWORK), []);
    assert.equal(ruleset(), '');
    assert.match(otherNetns.run('nft', 'list', 'ruleset'), /port_any4/);
  });

  describe('all or nothing', () => {
    const stateWith = (entries: readonly FirewallEntry[]): string => {
      if (entries.length > 0) firewaller.add(entries);
      return ruleset();
    };
    const taken = portEntry({ hostPort: 2005, protocol: 'udp', address: '10.81.9.9' });
    it('an element that clashes in the midst of many', () => {
      const state = stateWith([...NETWORK, taken]);
      assert.throws(() => firewaller.add(manyPorts(20)), {
        kind: 'conflict',
        subject: 'host port udp 2005',
        what: /leads to 10\.81\.9\.9:80 already/,
      });
      assert.equal(ruleset(), state);
    });
    it('a condition that nft does not take, without a table before', () => {
      const bad = portEntry({ conditions: ['meta nonsense 3'] });
      assert.throws(() => firewaller.add([...NETWORK, bad, portEntry({ hostPort: 81 })]), {
        kind: 'invalid-config',
        subject: 'conditions',
        what: /meta nonsense 3/,
      });
      assert.equal(ruleset(), '');
    });
    it('a condition that the kernel does not take, beside others', () => {
      const state = stateWith(NETWORK);
      // Sets of others are unknown in this table.
      const bad = portEntry({ conditions: ['ip saddr @elsewhere'] });
      assert.throws(() => firewaller.add([portEntry({ hostPort: 81 }), bad]), { kind: 'invalid-config' });
      assert.equal(ruleset(), state);
    });
    it('a subnet that overlaps another network', () => {
      const state = stateWith(NETWORK);
      for (const subnet of ['10.81.3.0/24', '10.80.0.0/12'])
        assert.throws(() => firewaller.add(networkEntries('br-b', subnet)), {
          kind: 'conflict',
          subject: `subnet ${subnet}`,
        });
      assert.equal(ruleset(), state);
    });
  });

  it('takes networks side by side', () => {
    const all = ['10.81.0.0/16', '10.82.0.0/16', '10.83.0.0/16', '10.80.0.0/16', '255.255.0.0/16', '0.0.0.0/8'].flatMap(
      (subnet, i) => networkEntries(`br-${i}`, subnet),
    );
    for (const entry of all) firewaller.add([entry]);
    assert.deepEqual(firewaller.missing(all), []);
    for (const [i, entry] of all.entries()) {
      assert.deepEqual(firewaller.remove([entry]), []);
      assert.deepEqual(firewaller.missing(all), all.slice(0, i + 1));
    }
    assert.equal(ruleset(), '');
  });

  it('is not made again by a reset that needs no new chain', () => {
    const handles = (): string[] => listing('-a', 'list', 'table', 'inet', 'isthmus').match(/ # handle \d+$/gm) ?? [];
    const chains = EVERY_ENTRY.filter((entry) => entry.kind === 'port' && entry.conditions.length > 0);
    firewaller.add(EVERY_ENTRY);
    const before = handles();
    const others: FirewallEntry[] = [
      { kind: 'masquerade', subnet: '10.82.0.0/24', except: ['192.0.2.0/24'], to: '192.0.2.8' },
      { kind: 'masquerade', subnet: '10.80.0.0/23', except: [] },
      { kind: 'policy', device: 'br-a', policy: 'internal' },
      portEntry({ address: '10.81.0.9' }),
    ];
    for (const entries of [[...others, ...chains], [...EVERY_ENTRY]]) {
      firewaller.reset(entries);
      assert.deepEqual(firewaller.missing(entries), []);
      assert.deepEqual(handles(), before);
    }
    assertGolden('firewall/every-entry', table(), 'nft');
  });

  it('leaves a port to its holder when one who did not get it lets it go', () => {
    firewaller.add([...NETWORK, portEntry()]);
    const other = portEntry({ address: '10.81.0.9' });
    assert.throws(() => firewaller.add([other]), { kind: 'conflict' });
    assert.deepEqual(firewaller.remove([other]), []);
    assert.deepEqual(firewaller.missing([portEntry()]), []);
  });

  it('gives a device its new policy in place of the old one', () => {
    firewaller.add([{ kind: 'policy', device: 'br-a', policy: 'internal' }]);
    const closed = [{ kind: 'policy', device: 'br-a', policy: 'closed' }] as const;
    firewaller.add(closed);
    assert.deepEqual(firewaller.missing(closed), []);
    assert.match(table(), /"br-a" : goto published/);
  });

  describe('with something of it gone', () => {
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
      it(`sees that ${name} is missing, and puts it back`, () => {
        firewaller.add(entries);
        const whole = table();
        listing(...loss(listing('-a', 'list', 'table', 'inet', 'isthmus')));
        assert.notEqual(firewaller.missing(entries).length, 0);
        firewaller.add(entries);
        assert.deepEqual(firewaller.missing(entries), []);
        assert.equal(byChain(table()), byChain(whole));
        assert.deepEqual(firewaller.remove(entries), []);
        assert.equal(ruleset(), '');
      });
    }
    it('sees that the rule of a condition is missing, and puts it back', () => {
      firewaller.add(entries);
      const whole = table();
      const chain = /chain (port-[0-9a-f]+)/.exec(whole)?.[1] ?? '';
      listing('flush', 'chain', 'inet', 'isthmus', chain);
      assert.deepEqual(firewaller.missing(entries), [entries[3]]);
      firewaller.add(entries);
      assert.equal(table(), whole);
    });
  });

  it('forgets what leads to an address, and nothing else', () => {
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
    firewaller.add(kept);
    const before = table();
    firewaller.add(lost);
    assert.deepEqual(firewaller.forget(['10.81.0.2', 'fd81::2']), []);
    assert.equal(table(), before);
    assert.deepEqual(firewaller.forget(['10.81.0.2']), []);
    firewaller.reset([]);
    assert.deepEqual(firewaller.forget(['10.81.0.2']), []);
    assert.equal(ruleset(), '');
  });

  it('never touches the tables of others', () => {
    listing('add', 'table', 'inet', 'other');
    listing('add', 'chain', 'inet', 'other', 'ports', '{ type nat hook prerouting priority -100; }');
    listing('add', 'rule', 'inet', 'other', 'ports', 'tcp dport 8080 dnat ip to 192.0.2.1');
    const theirs = ruleset();
    firewaller.add(EVERY_ENTRY);
    firewaller.reset(EVERY_ENTRY);
    assert.deepEqual(firewaller.remove(EVERY_ENTRY), []);
    assert.equal(ruleset(), theirs);
  });

  it('is what a host uses whose kernel has nf_tables', () => assert.equal(detectBackend(), 'nftables'));
});

/** A chain that was made again stands last. */
function byChain(listing: string): string {
  return listing
    .replace(/\n\}\n$/, '')
    .split('\n\n')
    .sort()
    .join('\n\n');
}
