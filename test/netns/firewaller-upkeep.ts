import { strict as assert } from 'node:assert';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { ruleset } from '../support/filter-tools.ts';
import { ADDRESSES, HOST, NODE_RANGE, SECOND, SERVICE } from '../support/pod-site.ts';
import { assertTraffic, type Expectation } from '../support/traffic.ts';
import {
  FAMILIES,
  type Fixture,
  hairpin,
  masquerade,
  PUBLISHED,
  policy,
  port,
  published,
  service,
  sleep,
} from './firewaller-fixture.ts';

/** What others have: a table of nftables, and rules of both kinds of iptables, that see no traffic of the tests. */
const FOREIGN_NFT = `table ip6 theirs {
  set busy { type ipv6_addr; flags interval; elements = { 2001:db8:77::/48 } }
  chain input { type filter hook input priority 5; policy accept; ip6 saddr @busy drop; }
}
table inet other {
  map ports { type inet_service : ipv4_addr; elements = { 7777 : 10.77.0.1 } }
  chain pre { type nat hook prerouting priority -110; policy accept; ip daddr 10.77.77.77 dnat ip to tcp dport map @ports; }
}`;

const FOREIGN_IPTABLES = [
  ['-t', 'nat', '-N', 'THEIRS'],
  ['-t', 'nat', '-A', 'THEIRS', '-d', 'ADDRESS', '-j', 'RETURN'],
  ['-t', 'nat', '-A', 'PREROUTING', '-d', 'ADDRESS', '-j', 'THEIRS'],
  ['-t', 'nat', '-A', 'POSTROUTING', '-d', 'ADDRESS', '-j', 'THEIRS'],
  ['-t', 'filter', '-A', 'FORWARD', '-s', 'ADDRESS', '-m', 'comment', '--comment', 'a foreign rule', '-j', 'DROP'],
];

export function describeUpkeep(fixture: Fixture): void {
  /** One of each kind, for both families. */
  const everything = (): FirewallEntry[] => {
    const { tools } = fixture();
    const perFamily = FAMILIES.flatMap((family): FirewallEntry[] => {
      const { a2, outside } = ADDRESSES[family];
      return [
        masquerade(family, { except: [NODE_RANGE[family]], to: SECOND[family] }),
        hairpin(family),
        port(family),
        port(family, { protocol: 'udp' }),
        port(family, { protocol: 'sctp' }),
        port(family, { hostIp: HOST[family].outside, address: a2 }),
        port(family, { hostPort: 9001, snat: false }),
        port(family, { hostPort: 9002, masqAll: true }),
        port(family, { hostPort: 9003, hostIp: HOST[family].outside, masqAll: true, snat: false }),
        port(family, { hostPort: 9004, conditions: [tools.from(outside)] }),
      ];
    });
    return [...perFamily, policy('br-a', 'closed'), policy('br-b', 'isolated')];
  };

  const reached = (): Expectation[] =>
    FAMILIES.flatMap((family): Expectation[] => {
      const { agents } = fixture().site;
      const { outside, stranger } = ADDRESSES[family];
      return [
        [agents.outside, published(family, 'outside'), `a2 saw ${outside}`],
        [agents.stranger, published(family, 'stranger'), `a1 saw ${stranger}`],
        [agents.outside, published(family, 'outside', { protocol: 'udp' }), `a1 saw ${outside}`],
        [agents.outside, published(family, 'outside', { port: 9004 }), `a1 saw ${outside}`],
        [agents.a2, published(family, 'stranger'), `a1 saw ${HOST[family].a1}`],
        [agents.a1, published(family, 'stranger'), `a1 saw ${HOST[family].a1}`],
        [agents.a1, service(family, 'outside'), `outside saw ${SECOND[family]}`],
        [agents.outside, service(family, 'a1'), 'blocked'],
        [agents.outside, service(family, 'b1'), `b1 saw ${outside}`],
      ];
    });

  describe('upkeep', () => {
    it('adds twice what is there once', async () => {
      const { firewaller, site } = fixture();
      const entries = everything();
      firewaller.add(entries);
      const once = ruleset(site.host);
      firewaller.add(entries);
      for (const entry of entries) firewaller.add([entry]);
      assert.equal(ruleset(site.host), once);
      await assertTraffic(reached());
    });

    it('adds one by one what it adds together', async () => {
      const { firewaller } = fixture();
      const entries = everything();
      for (const entry of entries) firewaller.add([entry]);
      assert.deepEqual(firewaller.missing(entries), []);
      await assertTraffic(reached());
    });

    it('leaves nothing after the last removal, whatever the order, and removes twice', () => {
      const { firewaller, site } = fixture();
      const before = ruleset(site.host);
      const entries = everything();
      assert.deepEqual(firewaller.remove(entries), []);
      assert.equal(ruleset(site.host), before);
      firewaller.add(entries);
      assert.notEqual(ruleset(site.host), before);
      for (const entry of entries.toReversed()) assert.deepEqual(firewaller.remove([entry]), []);
      assert.equal(ruleset(site.host), before);
      firewaller.add(entries);
      assert.deepEqual(firewaller.remove(entries), []);
      assert.equal(ruleset(site.host), before);
      assert.deepEqual(firewaller.remove(entries), []);
      assert.equal(ruleset(site.host), before);
    });

    it('takes away what it is told and leaves the rest', () => {
      const { firewaller } = fixture();
      const entries = everything();
      for (const [i, entry] of entries.entries()) {
        firewaller.reset(entries);
        firewaller.remove([entry]);
        const rest = entries.filter((_, j) => j !== i);
        assert.deepEqual(firewaller.missing(rest), [], `without ${JSON.stringify(entry)}`);
        assert.deepEqual(firewaller.missing([entry]), [entry]);
      }
    });

    it('keeps, of two networks, the one that stays', async () => {
      const { firewaller, site } = fixture();
      const other: FirewallEntry = { kind: 'masquerade', subnet: '10.82.0.0/24', except: [] };
      firewaller.add([masquerade(4), policy('br-a', 'closed')]);
      firewaller.add([other, policy('br-b', 'closed')]);
      firewaller.remove([masquerade(4), policy('br-a', 'closed')]);
      await assertTraffic([
        [site.agents.a1, service(4, 'outside'), `outside saw ${ADDRESSES[4].a1}`],
        [site.agents.b1, service(4, 'outside'), `outside saw ${HOST[4].outside}`],
        [site.agents.outside, service(4, 'a1'), `a1 saw ${ADDRESSES[4].outside}`],
        [site.agents.outside, service(4, 'b1'), 'blocked'],
      ]);
    });

    for (const family of FAMILIES) {
      it(`refuses an IPv${family} port that leads elsewhere already, and all that came with it`, async () => {
        const { firewaller, site } = fixture();
        const { a2, outside } = ADDRESSES[family];
        firewaller.add([hairpin(family), port(family)]);
        const before = ruleset(site.host);
        const change = [
          port(family, { hostPort: 9000, address: a2 }),
          masquerade(family),
          port(family, { address: a2 }),
          port(family, { hostPort: 9001, address: a2 }),
        ];
        assert.throws(
          () => firewaller.add(change),
          (error) => {
            assert.ok(error instanceof NetError);
            assert.equal(error.kind, 'conflict');
            assert.match(error.message, new RegExp(`\\b${PUBLISHED}\\b`));
            return true;
          },
        );
        assert.equal(ruleset(site.host), before);
        firewaller.add([port(family, { hostIp: HOST[family].outside, address: a2 })]);
        firewaller.add([port(family, { protocol: 'udp', address: a2 })]);
        await assertTraffic([
          [site.agents.outside, published(family, 'stranger'), `a1 saw ${outside}`],
          [site.agents.outside, published(family, 'outside', { port: 9000 }), 'refused'],
        ]);
      });
    }

    it('refuses conditions that are none of its own, and all that came with them', () => {
      const { firewaller, site, tools } = fixture();
      firewaller.add([masquerade(6)]);
      const before = ruleset(site.host);
      for (const condition of [
        tools.foreign,
        'nonsense',
        '-j ACCEPT; drop',
        `${tools.from('192.0.2.9')}\nflush ruleset`,
      ]) {
        const bad = port(4, { conditions: [condition] });
        assert.throws(
          () => firewaller.add([masquerade(4), port(4, { hostPort: 9000 }), bad]),
          (error) => {
            assert.ok(error instanceof NetError, String(error));
            assert.equal(error.kind, 'invalid-config');
            const said = [condition, ...condition.split(/\s/)].some((text) =>
              error.message.includes(JSON.stringify(text)),
            );
            assert.ok(said, error.message);
            return true;
          },
        );
        assert.equal(ruleset(site.host), before);
      }
    });

    it("does not take away a port that is another endpoint's", () => {
      const { firewaller } = fixture();
      firewaller.add([port(4)]);
      firewaller.remove([port(4, { address: ADDRESSES[4].a2 })]);
      assert.deepEqual(firewaller.missing([port(4)]), []);
      const elsewhere = port(4, { address: ADDRESSES[4].a2 });
      assert.deepEqual(firewaller.missing([elsewhere]), [elsewhere]);
    });

    it('forgets the ports of an address, those with conditions too, and no others', () => {
      const { firewaller } = fixture();
      const entries = everything();
      firewaller.add(entries);
      const [lost, kept] = [ADDRESSES[4].a1, ADDRESSES[6].a1];
      assert.deepEqual(firewaller.forget([lost]), []);
      const gone = (entry: FirewallEntry): boolean => entry.kind === 'port' && entry.address === lost;
      assert.deepEqual(firewaller.missing(entries), entries.filter(gone));
      assert.deepEqual(firewaller.forget([lost, kept]), []);
      const both = (entry: FirewallEntry): boolean =>
        entry.kind === 'port' && (entry.address === lost || entry.address === kept);
      assert.deepEqual(firewaller.missing(entries), entries.filter(both));
      firewaller.remove(entries.filter((entry) => !both(entry)));
    });

    it('forgets where nothing is', () => {
      const { firewaller, site } = fixture();
      const before = ruleset(site.host);
      assert.deepEqual(firewaller.forget([ADDRESSES[4].a1, ADDRESSES[6].a1]), []);
      assert.equal(ruleset(site.host), before);
    });

    it('misses every entry before it is added, none after, all after they are gone', () => {
      const { firewaller } = fixture();
      const entries = everything();
      assert.deepEqual(firewaller.missing(entries), entries);
      firewaller.add(entries);
      assert.deepEqual(firewaller.missing(entries), []);
      firewaller.remove(entries);
      assert.deepEqual(firewaller.missing(entries), entries);
    });

    it('misses any single rule or element that somebody has taken away, and add puts it back', function () {
      this.timeout(60_000);
      const { firewaller, site, tools } = fixture();
      const entries = everything();
      firewaller.reset(entries);
      const whole = ruleset(site.host).split('\n').sort();
      const cuts = tools.cuts(site.host);
      assert.ok(cuts.length > 20, `${cuts.length} rules and elements`);
      const unnoticed: string[] = [];
      for (const { title, run } of cuts) {
        run();
        if (firewaller.missing(entries).length === 0) unnoticed.push(title);
        firewaller.add(entries);
        assert.deepEqual(firewaller.missing(entries), [], title);
      }
      assert.deepEqual(unnoticed, []);
      assert.deepEqual(ruleset(site.host).split('\n').sort(), whole);
    });

    it('is back by reset after a flush, connections included', async () => {
      const { firewaller, site, tools } = fixture();
      for (const { title, run } of tools.flushes) {
        const entries = everything();
        firewaller.reset(entries);
        const held = await Promise.all(
          FAMILIES.flatMap((family) => [
            site.agents.stranger.open(HOST[family].stranger, PUBLISHED),
            site.agents.a1.open(ADDRESSES[family].outside, SERVICE),
          ]),
        );
        run(site.host);
        assert.deepEqual(firewaller.missing(entries), entries, title);
        await assertTraffic([[site.agents.stranger, published(4, 'stranger'), 'blocked']]);
        firewaller.reset(entries);
        assert.deepEqual(firewaller.missing(entries), [], title);
        await assertTraffic(reached());
        for (const connection of held) assert.equal(await connection.exchange(), connection.greeting, title);
      }
    });

    it('is back by add after a flush', async () => {
      const { firewaller, site, tools } = fixture();
      for (const { run } of tools.flushes) {
        const entries = everything();
        firewaller.add(entries);
        run(site.host);
        firewaller.add(entries);
        await assertTraffic(reached());
      }
    });

    it('resets under traffic without anybody noticing', async () => {
      const { firewaller, site } = fixture();
      const { outside, stranger, a1 } = site.agents;
      const entries = everything();
      firewaller.add(entries);
      const storms = Promise.all(
        FAMILIES.flatMap((family) => [
          outside.storm(published(family, 'outside'), 600),
          stranger.storm(published(family, 'stranger', { protocol: 'udp' }), 600),
          a1.storm(service(family, 'outside'), 600),
        ]),
      );
      for (let i = 0; i < 8; i++) {
        await sleep(50);
        firewaller.reset(entries);
      }
      const expected = FAMILIES.flatMap((family) => [
        [`a2 saw ${ADDRESSES[family].outside}`],
        [`a1 saw ${ADDRESSES[family].stranger}`],
        [`outside saw ${SECOND[family]}`],
      ]);
      assert.deepEqual(
        (await storms).map((seen) => Object.keys(seen)),
        expected,
      );
    });

    it('resets to exactly what it is told, to nothing too', async () => {
      const { firewaller, site } = fixture();
      const before = ruleset(site.host);
      firewaller.add(everything());
      const one = port(4, { hostPort: 9100 });
      firewaller.reset([one]);
      assert.deepEqual(firewaller.missing([one]), []);
      assert.deepEqual(firewaller.missing(everything()), everything());
      await assertTraffic([
        [site.agents.outside, published(4, 'outside', { port: 9100 }), `a1 saw ${ADDRESSES[4].outside}`],
        [site.agents.outside, published(4, 'outside'), 'refused'],
        [site.agents.outside, service(4, 'a1'), `a1 saw ${ADDRESSES[4].outside}`],
      ]);
      firewaller.reset([]);
      assert.equal(ruleset(site.host), before);
      firewaller.reset([]);
      assert.equal(ruleset(site.host), before);
    });

    describe('beside the rules of others', () => {
      before(() => {
        const { host } = fixture().site;
        host.run('sh', '-c', `nft -f - <<'END'\n${FOREIGN_NFT}\nEND`);
        for (const [command, address] of [
          ['iptables-nft', '10.77.0.0/16'],
          ['iptables-legacy', '10.78.0.0/16'],
          ['ip6tables-nft', 'fd77::/64'],
          ['ip6tables-legacy', 'fd78::/64'],
        ] as const) {
          for (const rule of FOREIGN_IPTABLES) {
            host.run(command, ...rule.map((word) => (word === 'ADDRESS' ? address : word)));
          }
        }
      });
      after(() => {
        const { host } = fixture().site;
        host.run('nft', 'flush', 'ruleset');
        for (const command of ['iptables-legacy', 'ip6tables-legacy']) {
          for (const table of ['nat', 'filter']) {
            host.run(command, '-t', table, '-F');
            host.run(command, '-t', table, '-X');
          }
        }
      });

      it('leaves them as they were, byte for byte, at every step', async () => {
        const { firewaller, site } = fixture();
        const before = ruleset(site.host);
        const assertTheirs = (): void => assert.equal(strip(ruleset(site.host)), strip(before));
        const entries = everything();
        firewaller.add(entries);
        assertTheirs();
        await assertTraffic(reached());
        firewaller.reset(entries);
        assertTheirs();
        firewaller.remove(entries);
        assert.equal(ruleset(site.host), before);
        firewaller.reset(entries);
        firewaller.reset([]);
        assert.equal(ruleset(site.host), before);
      });
    });
  });
}

/**
 * Without what is ours: the table, lines and chains of iptables that have our name, and what iptables makes to put
 * them into, which is without a rule then.
 */
function strip(rules: string): string {
  return rules
    .replace(/^table inet isthmus \{\n.*?^\}\n/ms, '')
    .replace(/^\tchain ISTHMUS\S* \{\n.*?^\t\}\n/gms, '')
    .replace(/^.*isthmus.*\n/gim, '')
    .replace(/^\tchain \w+ \{\n\t\ttype [^\n]*policy accept;\n\t\}\n/gm, '')
    .replace(/^\n/gm, '')
    .replace(/^table \w+ \w+ \{\n\}\n/gm, '')
    .replace(/^\*\w+\n(:\w+ ACCEPT\n)*COMMIT\n/gm, '');
}
