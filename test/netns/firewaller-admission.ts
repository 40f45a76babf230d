import { strict as assert } from 'node:assert';
import { ruleset } from '../support/filter-tools.ts';
import { ADDRESSES, type Peer } from '../support/pod-site.ts';
import { assertTraffic, type Expectation } from '../support/traffic.ts';
import { FAMILIES, type Fixture, hairpin, port, published, service } from './firewaller-fixture.ts';

const ADMIT = { kind: 'admit', device: 'br-a' } as const;

export function describeAdmission(fixture: Fixture): void {
  const probes = (from: Peer, to: Peer, outcome: 'yes' | 'blocked'): Expectation[] =>
    FAMILIES.map((family): Expectation => {
      const expected = outcome === 'yes' ? `${to} saw ${ADDRESSES[family][from]}` : outcome;
      return [fixture().site.agents[from], service(family, to), expected];
    });

  for (const variant of ['nft', 'legacy'] as const) {
    describe(`admission when iptables-${variant} drops forwarded traffic`, () => {
      const drops = (target: 'DROP' | 'ACCEPT'): void => {
        const { host } = fixture().site;
        for (const command of [`iptables-${variant}`, `ip6tables-${variant}`])
          host.run(command, '-P', 'FORWARD', target);
      };

      afterEach(() => {
        const { site } = fixture();
        drops('ACCEPT');
        // Empty base chains of iptables-nft can go, and were not there.
        if (variant === 'nft') {
          for (const family of ['ip', 'ip6']) site.host.run('nft', 'delete', 'table', family, 'filter');
        }
      });

      it('accepts what the device sends, replies and published ports, and nothing else', async () => {
        const { firewaller, site } = fixture();
        drops('DROP');
        const before = ruleset(site.host);
        await assertTraffic([...probes('a1', 'outside', 'blocked'), ...probes('a1', 'a2', 'blocked')]);
        assert.deepEqual(await firewaller.missing([ADMIT]), [ADMIT]);
        await firewaller.add([ADMIT, ...FAMILIES.flatMap((family) => [hairpin(family), port(family)])]);
        assert.deepEqual(await firewaller.missing([ADMIT]), []);
        await assertTraffic([
          ...probes('a1', 'outside', 'yes'),
          ...probes('outside', 'a1', 'blocked'),
          ...probes('a1', 'a2', 'yes'),
          ...probes('b1', 'outside', 'blocked'),
          ...FAMILIES.map((family): Expectation => {
            const { outside } = ADDRESSES[family];
            return [site.agents.outside, published(family, 'outside'), `a1 saw ${outside}`];
          }),
        ]);
        await firewaller.remove([ADMIT, ...FAMILIES.flatMap((family) => [hairpin(family), port(family)])]);
        assert.equal(ruleset(site.host), before);
        await assertTraffic(probes('a1', 'outside', 'blocked'));
      });

      it('accepts connections from other nodes, and from everywhere where the policy is explicit', async () => {
        const { firewaller } = fixture();
        drops('DROP');
        const from = FAMILIES.map((family) => `${ADDRESSES[family].node}/${family === 4 ? 32 : 128}`);
        await firewaller.add([{ ...ADMIT, from }]);
        await assertTraffic([...probes('node', 'a1', 'yes'), ...probes('outside', 'a1', 'blocked')]);
        await firewaller.add([{ ...ADMIT, reachable: true }]);
        await assertTraffic([...probes('node', 'a1', 'yes'), ...probes('outside', 'a1', 'yes')]);
        await firewaller.remove([{ ...ADMIT, reachable: true }]);
      });

      it('accepts connections that arrive by an interface of the host, to this device alone', async () => {
        const { firewaller } = fixture();
        drops('DROP');
        const entry = { ...ADMIT, through: ['up0', 'up9'] };
        await firewaller.add([entry, { kind: 'admit', device: 'br-b' }]);
        assert.deepEqual(await firewaller.missing([entry]), []);
        await assertTraffic([
          ...probes('outside', 'a1', 'yes'),
          ...probes('outside', 'b1', 'blocked'),
          ...probes('node', 'a1', 'blocked'),
          ...probes('outside', 'node', 'blocked'),
        ]);
        await firewaller.remove([entry]);
        await assertTraffic(probes('outside', 'a1', 'blocked'));
        await firewaller.remove([{ kind: 'admit', device: 'br-b' }]);
      });

      it('reset and add restore it after FORWARD was flushed', async () => {
        const { firewaller, site } = fixture();
        drops('DROP');
        for (const again of ['reset', 'add'] as const) {
          await firewaller.add([ADMIT]);
          for (const command of [`iptables-${variant}`, `ip6tables-${variant}`])
            site.host.run(command, '-F', 'FORWARD');
          assert.deepEqual(await firewaller.missing([ADMIT]), [ADMIT]);
          await (again === 'add' ? firewaller.add([ADMIT]) : firewaller.reset(() => ({ entries: [ADMIT] })));
          assert.deepEqual(await firewaller.missing([ADMIT]), []);
          await assertTraffic(probes('a1', 'outside', 'yes'));
          await firewaller.reset(() => ({ entries: [] }));
          await assertTraffic(probes('a1', 'outside', 'blocked'));
        }
      });
    });
  }
}
