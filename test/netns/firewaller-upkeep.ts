import { strict as assert } from 'node:assert';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { ruleset } from '../support/filter-tools.ts';
import { ADDRESSES, HOST, NODE_POD, NODE_RANGE, SECOND, SERVICE } from '../support/pod-site.ts';
import { assertTraffic, type Expectation } from '../support/traffic.ts';
import { oneOfEach, whatPasses } from './firewaller-entries.ts';
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
} from './firewaller-fixture.ts';

export function describeUpkeep(fixture: Fixture): void {
  const everything = (): FirewallEntry[] => oneOfEach(fixture());
  const reached = (): Expectation[] => whatPasses(fixture());

  describe('adding and removing entries', () => {
    it('adding twice equals adding once', async () => {
      const { firewaller, site } = fixture();
      const entries = everything();
      await firewaller.add(entries);
      const once = ruleset(site.host);
      await firewaller.add(entries);
      for (const entry of entries) await firewaller.add([entry]);
      assert.equal(ruleset(site.host), once);
      await assertTraffic(reached());
    });

    it('adding one by one equals adding together', async () => {
      const { firewaller } = fixture();
      const entries = everything();
      for (const entry of entries) await firewaller.add([entry]);
      assert.deepEqual(await firewaller.missing(entries), []);
      await assertTraffic(reached());
    });

    it('leaves nothing after the last removal, in any order, and accepts a second removal', async () => {
      const { firewaller, site } = fixture();
      const before = ruleset(site.host);
      const entries = everything();
      assert.deepEqual(await firewaller.remove(entries), []);
      assert.equal(ruleset(site.host), before);
      await firewaller.add(entries);
      assert.notEqual(ruleset(site.host), before);
      for (const entry of entries.toReversed()) assert.deepEqual(await firewaller.remove([entry]), []);
      assert.equal(ruleset(site.host), before);
      await firewaller.add(entries);
      assert.deepEqual(await firewaller.remove(entries), []);
      assert.equal(ruleset(site.host), before);
      assert.deepEqual(await firewaller.remove(entries), []);
      assert.equal(ruleset(site.host), before);
    });

    it('removes the given entries and keeps the rest', async () => {
      const { firewaller } = fixture();
      const entries = everything();
      for (const entry of entries) {
        await firewaller.reset(() => ({ entries: entries }));
        await firewaller.remove([entry]);
        assert.deepEqual(await firewaller.missing(entries), [entry], `without ${JSON.stringify(entry)}`);
      }
    });

    it('removing one of two networks keeps the other', async () => {
      const { firewaller, site } = fixture();
      const other: FirewallEntry = { kind: 'masquerade', subnet: '10.82.0.0/24', except: [] };
      await firewaller.add([masquerade(4), policy('br-a', 'closed')]);
      await firewaller.add([other, policy('br-b', 'closed')]);
      await firewaller.remove([masquerade(4), policy('br-a', 'closed')]);
      await assertTraffic([
        [site.agents.a1, service(4, 'outside'), `outside saw ${ADDRESSES[4].a1}`],
        [site.agents.b1, service(4, 'outside'), `outside saw ${HOST[4].outside}`],
        [site.agents.outside, service(4, 'a1'), `a1 saw ${ADDRESSES[4].outside}`],
        [site.agents.outside, service(4, 'b1'), 'blocked'],
      ]);
    });

    it('replaces policy, source and exceptions of a network', async () => {
      const { firewaller, site } = fixture();
      const before = ruleset(site.host);
      const { a1, outside } = site.agents;
      const nodePod = { address: NODE_POD[4], port: SERVICE };
      const changed = [masquerade(4, { except: [NODE_RANGE[4]], to: SECOND[4] }), policy('br-a', 'closed')];
      await firewaller.add([masquerade(4), policy('br-a', 'internal')]);
      await assertTraffic([[a1, service(4, 'outside'), 'blocked']]);
      await firewaller.add(changed);
      assert.deepEqual(await firewaller.missing(changed), []);
      await assertTraffic([
        [a1, service(4, 'outside'), `outside saw ${SECOND[4]}`],
        [a1, nodePod, `node saw ${ADDRESSES[4].a1}`],
        [outside, service(4, 'a1'), 'blocked'],
      ]);
      await firewaller.add([masquerade(4)]);
      await assertTraffic([
        [a1, service(4, 'outside'), `outside saw ${HOST[4].outside}`],
        [a1, nodePod, `node saw ${HOST[4].node}`],
      ]);
      await firewaller.remove([masquerade(4), policy('br-a', 'closed')]);
      assert.equal(ruleset(site.host), before);
    });

    for (const family of FAMILIES) {
      it(`refuses an IPv${family} port that leads elsewhere, and every entry of that call`, async () => {
        const { firewaller, site } = fixture();
        const { a2, outside } = ADDRESSES[family];
        await firewaller.add([hairpin(family), port(family)]);
        const before = ruleset(site.host);
        const change = [
          port(family, { hostPort: 9000, address: a2 }),
          masquerade(family),
          port(family, { address: a2 }),
          port(family, { hostPort: 9001, address: a2 }),
        ];
        await assert.rejects(
          () => firewaller.add(change),
          (error) => {
            assert.ok(error instanceof NetError);
            assert.equal(error.kind, 'conflict');
            assert.match(error.message, new RegExp(`\\b${PUBLISHED}\\b`));
            return true;
          },
        );
        assert.equal(ruleset(site.host), before);
        await firewaller.add([port(family, { hostIp: HOST[family].outside, address: a2 })]);
        await firewaller.add([port(family, { protocol: 'udp', address: a2 })]);
        await assertTraffic([
          [site.agents.outside, published(family, 'stranger'), `a1 saw ${outside}`],
          [site.agents.outside, published(family, 'outside', { port: 9000 }), 'refused'],
        ]);
      });
    }

    it('refuses unsupported conditions, and every entry of that call', async () => {
      const { firewaller, site, tools } = fixture();
      await firewaller.add([masquerade(6)]);
      const before = ruleset(site.host);
      for (const condition of [
        tools.foreign,
        'nonsense',
        '-j ACCEPT; drop',
        `${tools.from('192.0.2.9')}\nflush ruleset`,
      ]) {
        const bad = port(4, { conditions: [condition] });
        await assert.rejects(
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

    it('does not remove a port of another endpoint', async () => {
      const { firewaller } = fixture();
      await firewaller.add([port(4)]);
      await firewaller.remove([port(4, { address: ADDRESSES[4].a2 })]);
      assert.deepEqual(await firewaller.missing([port(4)]), []);
      const elsewhere = port(4, { address: ADDRESSES[4].a2 });
      assert.deepEqual(await firewaller.missing([elsewhere]), [elsewhere]);
    });

    it('deletes the ports of an address, those with conditions too, and no others', async () => {
      const { firewaller } = fixture();
      const entries = everything();
      await firewaller.add(entries);
      const [lost, kept] = [ADDRESSES[4].a1, ADDRESSES[6].a1];
      assert.deepEqual(await firewaller.removeStray({ addresses: [lost] }), []);
      const gone = (entry: FirewallEntry): boolean => 'address' in entry && entry.address === lost;
      assert.deepEqual(await firewaller.missing(entries), entries.filter(gone));
      assert.deepEqual(await firewaller.removeStray({ addresses: [lost, kept] }), []);
      const both = (entry: FirewallEntry): boolean =>
        'address' in entry && (entry.address === lost || entry.address === kept);
      assert.deepEqual(await firewaller.missing(entries), entries.filter(both));
      await firewaller.remove(entries.filter((entry) => !both(entry)));
    });

    it('deleting nothing succeeds', async () => {
      const { firewaller, site } = fixture();
      const before = ruleset(site.host);
      assert.deepEqual(await firewaller.removeStray({ addresses: [ADDRESSES[4].a1, ADDRESSES[6].a1] }), []);
      assert.equal(ruleset(site.host), before);
    });
  });
}
