import { strict as assert } from 'node:assert';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { ruleset } from '../support/filter-tools.ts';
import { ADDRESSES, HOST, SECOND, SERVICE } from '../support/pod-site.ts';
import { assertTraffic, type Expectation } from '../support/traffic.ts';
import { oneOfEach, whatPasses } from './firewaller-entries.ts';
import { FAMILIES, type Fixture, PUBLISHED, port, published, service, sleep } from './firewaller-fixture.ts';

/** Rules of others: a table of nftables, and rules of both variants of iptables, outside the tests' traffic. */
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

export function describeRecovery(fixture: Fixture): void {
  const everything = (): FirewallEntry[] => oneOfEach(fixture());
  const reached = (): Expectation[] => whatPasses(fixture());

  describe('recovery', () => {
    it('reports every entry missing before add, none after it, all after removal', async () => {
      const { firewaller } = fixture();
      const entries = everything();
      assert.deepEqual(await firewaller.missing(entries), entries);
      await firewaller.add(entries);
      assert.deepEqual(await firewaller.missing(entries), []);
      await firewaller.remove(entries);
      assert.deepEqual(await firewaller.missing(entries), entries);
    });

    it('reports any single rule or element that was deleted, and add restores it', async function () {
      this.timeout(60_000);
      const { firewaller, site, tools } = fixture();
      const entries = everything();
      await firewaller.reset(() => ({ entries }));
      // A chain that has lost every jump of ours no longer counts as made for them.
      const rules = (): string[] =>
        ruleset(site.host)
          .replaceAll(/(isthmus \w+\.\d) made"/g, '$1"')
          .split('\n')
          .sort();
      const whole = rules();
      const cuts = tools.cuts(site.host);
      assert.ok(cuts.length > 20, `${cuts.length} rules and elements`);
      const unnoticed: string[] = [];
      for (const { title, run } of cuts) {
        run();
        if ((await firewaller.missing(entries)).length === 0) unnoticed.push(title);
        await firewaller.add(entries);
        assert.deepEqual(await firewaller.missing(entries), [], title);
      }
      assert.deepEqual(unnoticed, []);
      assert.deepEqual(rules(), whole);
    });

    it('reset restores everything after a flush, connections included', async () => {
      const { firewaller, site, tools } = fixture();
      for (const { title, run } of tools.flushes) {
        const entries = everything();
        await firewaller.reset(() => ({ entries: entries }));
        const held = await Promise.all(
          FAMILIES.flatMap((family) => [
            site.agents.stranger.open(HOST[family].stranger, PUBLISHED),
            site.agents.a1.open(ADDRESSES[family].outside, SERVICE),
          ]),
        );
        run(site.host);
        assert.deepEqual(await firewaller.missing(entries), entries, title);
        await assertTraffic([[site.agents.stranger, published(4, 'stranger'), 'blocked']]);
        await firewaller.reset(() => ({ entries: entries }));
        assert.deepEqual(await firewaller.missing(entries), [], title);
        await assertTraffic(reached());
        for (const connection of held) assert.equal(await connection.exchange(), connection.greeting, title);
      }
    });

    it('add restores everything after a flush', async () => {
      const { firewaller, site, tools } = fixture();
      for (const { run } of tools.flushes) {
        const entries = everything();
        await firewaller.add(entries);
        run(site.host);
        await firewaller.add(entries);
        await assertTraffic(reached());
      }
    });

    it('reset does not interrupt traffic', async () => {
      const { firewaller, site } = fixture();
      const { outside, stranger, a1 } = site.agents;
      const entries = everything();
      await firewaller.add(entries);
      const storms = Promise.all(
        FAMILIES.flatMap((family) => [
          outside.storm(published(family, 'outside'), 600),
          stranger.storm(published(family, 'stranger', { protocol: 'udp' }), 600),
          a1.storm(service(family, 'outside'), 600),
        ]),
      );
      for (let i = 0; i < 8; i++) {
        await sleep(50);
        await firewaller.reset(() => ({ entries: entries }));
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

    it('reset makes exactly the given entries, or none', async () => {
      const { firewaller, site } = fixture();
      const before = ruleset(site.host);
      await firewaller.add(everything());
      const one = port(4, { hostPort: 9100 });
      await firewaller.reset(() => ({ entries: [one] }));
      assert.deepEqual(await firewaller.missing([one]), []);
      assert.deepEqual(await firewaller.missing(everything()), everything());
      await assertTraffic([
        [site.agents.outside, published(4, 'outside', { port: 9100 }), `a1 saw ${ADDRESSES[4].outside}`],
        [site.agents.outside, published(4, 'outside'), 'refused'],
        [site.agents.outside, service(4, 'a1'), `a1 saw ${ADDRESSES[4].outside}`],
      ]);
      await firewaller.reset(() => ({ entries: [] }));
      assert.equal(ruleset(site.host), before);
      await firewaller.reset(() => ({ entries: [] }));
      assert.equal(ruleset(site.host), before);
    });

    describe('with the rules of others', () => {
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

      it('keeps them, byte for byte, at every step', async () => {
        const { firewaller, site } = fixture();
        const before = ruleset(site.host);
        const assertTheirs = (): void => assert.equal(strip(ruleset(site.host)), strip(before));
        const entries = everything();
        await firewaller.add(entries);
        assertTheirs();
        await assertTraffic(reached());
        await firewaller.reset(() => ({ entries: entries }));
        assertTheirs();
        await firewaller.remove(entries);
        assert.equal(ruleset(site.host), before);
        await firewaller.reset(() => ({ entries: entries }));
        await firewaller.reset(() => ({ entries: [] }));
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
    .replace(/^table inet isthmus(?:-underlay)? \{\n.*?^\}\n/gms, '')
    .replace(/^\tchain ISTHMUS\S* \{\n.*?^\t\}\n/gms, '')
    .replace(/^.*isthmus.*\n/gim, '')
    .replace(/^\tchain \w+ \{\n\t\ttype [^\n]*policy accept;\n\t\}\n/gm, '')
    .replace(/^\n/gm, '')
    .replace(/^table \w+ \w+ \{\n\}\n/gm, '')
    .replace(/^\*\w+\n(:\w+ ACCEPT\n)*COMMIT\n/gm, '');
}
