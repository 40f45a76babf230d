import { strict as assert } from 'node:assert';
import { ruleset } from '../support/filter-tools.ts';
import { ADDRESSES, HOST } from '../support/pod-site.ts';
import { assertTraffic, type Expectation } from '../support/traffic.ts';
import { FAMILIES, type Fixture, peer, sealed, underlay, VXLAN } from './firewaller-fixture.ts';

/** Others' ports: the tests' services of each family. */
const OTHER_VXLAN = 8472;

/** Datagrams from `outside`, which is a peer, and from others: what a VXLAN device would receive. */
export function describeUnderlay(fixture: Fixture): void {
  describe('the underlay of an overlay', () => {
    before(async () => {
      const { hostAgent, agents } = fixture().site;
      for (const port of [VXLAN, OTHER_VXLAN])
        for (const family of FAMILIES) {
          for (const towards of ['outside', 'stranger', 'a1'] as const)
            await hostAgent.serve('udp', port, HOST[family][towards]);
          for (const pod of ['a1', 'a2', 'outside'] as const)
            await agents[pod].serve('udp', port, ADDRESSES[family][pod]);
        }
    });

    for (const family of FAMILIES) {
      describe(`IPv${family}`, () => {
        const other = family === 4 ? 6 : 4;
        const at = (to: 'outside' | 'stranger' | 'a1', port = VXLAN, of = family) =>
          ({ protocol: 'udp', address: HOST[of][to], port }) as const;
        const open = (port: number, of = family): Expectation[] => {
          const { outside, stranger } = fixture().site.agents;
          return [
            [outside, at('outside', port, of), `host saw ${ADDRESSES[of].outside}`],
            [stranger, at('stranger', port, of), `host saw ${ADDRESSES[of].stranger}`],
          ];
        };

        it('accepts datagrams to its port from peers only, and no other port changes', async () => {
          const { firewaller, site } = fixture();
          const { outside, stranger, a1 } = site.agents;
          await assertTraffic([...open(VXLAN), ...open(OTHER_VXLAN)]);
          await firewaller.add([underlay(family)]);
          await assertTraffic([[outside, at('outside'), 'silent'], ...open(OTHER_VXLAN)]);
          await firewaller.add([peer(family)]);
          await assertTraffic([
            [outside, at('outside'), `host saw ${ADDRESSES[family].outside}`],
            [stranger, at('stranger'), 'silent'],
            [a1, at('a1'), 'silent'],
            ...open(OTHER_VXLAN),
          ]);
          assert.deepEqual(await firewaller.remove([peer(family)]), []);
          await assertTraffic([[outside, at('outside'), 'silent']]);
          assert.deepEqual(await firewaller.remove([underlay(family)]), []);
          await assertTraffic(open(VXLAN));
        });

        it('tells peers of one port from those of another, and families apart', async () => {
          const { firewaller, site } = fixture();
          const { outside, stranger } = site.agents;
          await firewaller.add([underlay(family), underlay(family, OTHER_VXLAN), peer(family, OTHER_VXLAN)]);
          await assertTraffic([
            [outside, at('outside'), 'silent'],
            [outside, at('outside', OTHER_VXLAN), `host saw ${ADDRESSES[family].outside}`],
            [stranger, at('stranger', OTHER_VXLAN), 'silent'],
          ]);
          await firewaller.reset(() => ({ entries: [underlay(other), peer(other)] }));
          await assertTraffic([...open(VXLAN), ...open(OTHER_VXLAN)]);
        });

        it('drops clear text of encrypted networks, both ways, and nothing else', async () => {
          const { firewaller, site } = fixture();
          const { outside, a1 } = site.agents;
          const out = (port: number) => ({ protocol: 'udp', address: ADDRESSES[family].outside, port }) as const;
          const sees = `outside saw ${HOST[family].outside}`;
          const entries = [VXLAN, OTHER_VXLAN].flatMap((port) => [underlay(family, port), peer(family, port)]);
          await firewaller.add(entries);
          await assertTraffic([
            [outside, at('outside'), `host saw ${ADDRESSES[family].outside}`],
            [site.hostAgent, out(VXLAN), sees],
          ]);
          await firewaller.add([sealed(family)]);
          assert.deepEqual(await firewaller.missing([sealed(family), ...entries]), []);
          assert.deepEqual(await firewaller.missing([sealed(other)]), [sealed(other)]);
          await assertTraffic([
            [outside, at('outside'), 'silent'],
            [outside, at('outside', OTHER_VXLAN), `host saw ${ADDRESSES[family].outside}`],
            // A pod has a VXLAN of its own.
            [a1, out(VXLAN), `outside saw ${ADDRESSES[family].a1}`],
          ]);
          const refused = await site.hostAgent.probe(out(VXLAN));
          assert.doesNotMatch(refused, /saw/);
          assert.deepEqual(await firewaller.remove([sealed(family)]), []);
          await assertTraffic([
            [outside, at('outside'), `host saw ${ADDRESSES[family].outside}`],
            [site.hostAgent, out(VXLAN), sees],
          ]);
        });

        it('leaves datagrams that the host forwards alone: pods have a VXLAN of their own', async () => {
          const { firewaller, site } = fixture();
          const { a1, outside } = site.agents;
          await firewaller.add([underlay(family), peer(family)]);
          const target = (address: string) => ({ protocol: 'udp', address, port: VXLAN }) as const;
          const pods = ADDRESSES[family];
          site.host.run('conntrack', '-F');
          await assertTraffic([
            [a1, target(pods.outside), `outside saw ${pods.a1}`],
            [a1, target(pods.a2), `a2 saw ${pods.a1}`],
            [outside, target(pods.a1), `a1 saw ${pods.outside}`],
          ]);
        });

        it('has no entry in conntrack for what peers exchange', async () => {
          const { firewaller, site } = fixture();
          const { outside } = site.agents;
          const count = (): number => {
            const listed = site.host.run('conntrack', '-L', '-f', `ipv${family}`, '-p', 'udp');
            // The first port is that of the datagram that began it; answers of the tests' services go to another.
            return listed.split('\n').filter((line) => /dport=(\d+)/.exec(line)?.[1] === String(VXLAN)).length;
          };
          // A rule that asks makes the kernel track.
          site.host.run(
            'nft',
            'add table inet asks { chain any { type filter hook input priority 0; ct state new; }; }',
          );
          try {
            await assertTraffic([[outside, at('outside'), `host saw ${ADDRESSES[family].outside}`]]);
            assert.ok(count() > 0);
            site.host.run('conntrack', '-F');
            await firewaller.add([underlay(family), peer(family)]);
            await assertTraffic([
              [outside, at('outside'), `host saw ${ADDRESSES[family].outside}`],
              [
                site.hostAgent,
                { ...at('outside'), address: ADDRESSES[family].outside },
                `outside saw ${HOST[family].outside}`,
              ],
            ]);
            assert.equal(count(), 0);
          } finally {
            site.host.run('nft', 'delete table inet asks');
          }
        });
      });
    }

    for (const variant of ['nft', 'legacy'] as const) {
      describe(`when INPUT of iptables-${variant} drops`, () => {
        const tool = (family: 4 | 6, ...words: readonly string[]): void => {
          const command = `${family === 4 ? 'iptables' : 'ip6tables'}-${variant}`;
          fixture().site.host.run(command, ...words);
        };

        beforeEach(() => {
          for (const family of FAMILIES) {
            tool(family, '-P', 'INPUT', 'DROP');
            // Neighbour discovery passes INPUT too.
            tool(family, '-A', 'INPUT', '-p', family === 4 ? 'icmp' : 'ipv6-icmp', '-j', 'ACCEPT');
          }
        });
        afterEach(() => {
          const { site } = fixture();
          for (const family of FAMILIES) {
            tool(family, '-P', 'INPUT', 'ACCEPT');
            tool(family, '-F', 'INPUT');
            if (variant === 'nft') site.host.run('nft', 'delete', 'table', family === 4 ? 'ip' : 'ip6', 'filter');
          }
        });

        it('accepts ESP for encrypted networks, as long as there are some', async () => {
          const { firewaller, site } = fixture();
          const rules = (family: 4 | 6): string =>
            site.host.run(`${family === 4 ? 'iptables' : 'ip6tables'}-${variant}`, '-S');
          const accept = /-A ISTHMUS-INPUT -p esp -m comment --comment "isthmus proto esp" -j ACCEPT/;
          await firewaller.add([underlay(4), sealed(4)]);
          assert.match(rules(4), accept);
          assert.doesNotMatch(rules(6), /esp/);
          assert.deepEqual(await firewaller.missing([sealed(4)]), []);
          assert.deepEqual(await firewaller.remove([sealed(4)]), []);
          assert.doesNotMatch(rules(4), /esp/);
          assert.deepEqual(await firewaller.remove([underlay(4)]), []);
          assert.doesNotMatch(rules(4), /ISTHMUS/);
        });

        it('accepts what peers send to the port, and nothing else', async () => {
          const { firewaller, site } = fixture();
          const { outside, stranger } = site.agents;
          const entries = FAMILIES.flatMap((family) => [underlay(family), peer(family)]);
          const probes = (outcome: 'yes' | 'silent'): Expectation[] =>
            FAMILIES.flatMap((family): Expectation[] => {
              const from = ADDRESSES[family].outside;
              const to = { protocol: 'udp', address: HOST[family].outside, port: VXLAN } as const;
              return [
                [outside, to, outcome === 'yes' ? `host saw ${from}` : outcome],
                [outside, { ...to, port: OTHER_VXLAN }, 'silent'],
                [stranger, { ...to, address: HOST[family].stranger }, 'silent'],
              ];
            });
          const before = ruleset(site.host);
          await assertTraffic(probes('silent'));
          await firewaller.add(entries);
          assert.deepEqual(await firewaller.missing(entries), []);
          await assertTraffic(probes('yes'));
          const whole = ruleset(site.host);
          await firewaller.add(entries);
          assert.equal(ruleset(site.host), whole);
          for (const family of FAMILIES) tool(family, '-F', 'ISTHMUS-INPUT');
          const ports = FAMILIES.map((family) => underlay(family));
          assert.deepEqual(await firewaller.missing(entries, true), ports);
          await firewaller.reset(() => ({ entries }));
          await assertTraffic(probes('yes'));
          for (const family of FAMILIES) tool(family, '-A', 'INPUT', '-j', 'DROP');
          assert.deepEqual(await firewaller.missing(entries, true), []);
          await firewaller.refresh();
          await assertTraffic(probes('yes'));
          for (const family of FAMILIES) tool(family, '-D', 'INPUT', '-j', 'DROP');
          assert.deepEqual(await firewaller.remove([underlay(4)]), []);
          assert.deepEqual(await firewaller.missing([underlay(6)]), []);
          assert.deepEqual(await firewaller.remove(entries), []);
          assert.equal(ruleset(site.host), before);
          await firewaller.add(entries);
          await firewaller.reset(() => ({ entries: [] }));
          assert.equal(ruleset(site.host), before);
        });
      });
    }

    it('removal in any order leaves nothing', async () => {
      const { firewaller, site } = fixture();
      const before = ruleset(site.host);
      const entries = FAMILIES.flatMap((family) => [underlay(family), peer(family), peer(family, OTHER_VXLAN)]);
      for (const order of [entries, entries.toReversed()]) {
        assert.deepEqual(await firewaller.missing(entries), entries);
        await firewaller.add(entries);
        assert.deepEqual(await firewaller.missing(entries), []);
        for (const entry of order) assert.deepEqual(await firewaller.remove([entry]), []);
        assert.equal(ruleset(site.host), before);
      }
    });
  });
}
