import { ADDRESSES, HOST } from '../support/pod-site.ts';
import { assertTraffic } from '../support/traffic.ts';
import { FAMILIES, type Fixture, hairpin, PUBLISHED, port, published } from './firewaller-fixture.ts';

/** Kubernetes' own chain and bit, as kube-proxy makes them. */
const CHAIN = 'KUBE-MARK-MASQ';
const BIT = 14;

/** Only iptables: packets to masquerade are marked, and masqueraded because of the mark. */
export function describeMarks(fixture: Fixture, variant: 'nft' | 'legacy'): void {
  describe('marks', () => {
    const commands = [`iptables-${variant}`, `ip6tables-${variant}`];
    const ours = (...args: string[]): void => {
      for (const command of commands) fixture().site.host.run(command, '-t', 'nat', ...args);
    };

    for (const family of FAMILIES) {
      const { a2, outside } = ADDRESSES[family];
      const host = HOST[family];

      it(`masquerade by one bit, IPv${family}`, async () => {
        const { firewaller, site } = fixture();
        await firewaller.add([hairpin(family), port(family, { mark: { bit: BIT } })]);
        await firewaller.add([port(family, { hostPort: 9000, mark: { bit: BIT }, masqAll: true })]);
        await assertTraffic([
          [site.agents.a2, published(family, 'outside'), `a1 saw ${host.a1}`],
          [site.agents.a1, published(family, 'outside'), `a1 saw ${host.a1}`],
          [site.agents.outside, published(family, 'outside'), `a1 saw ${outside}`],
          [site.agents.outside, published(family, 'outside', { port: 9000 }), `a1 saw ${host.a1}`],
        ]);
      });

      it(`are left to the chain of another program, IPv${family}`, async () => {
        const { firewaller, site } = fixture();
        ours('-N', CHAIN);
        try {
          await firewaller.add([hairpin(family), port(family, { mark: { chain: CHAIN } })]);
          // The chain marks nothing yet: with bridge frames filtered, the answer still arrives.
          await assertTraffic([
            [site.agents.a2, published(family, 'outside'), `a1 saw ${a2}`],
            [site.agents.outside, published(family, 'outside'), `a1 saw ${outside}`],
          ]);
          ours('-A', CHAIN, '-j', 'MARK', '--or-mark', `0x${(1 << BIT).toString(16)}`);
          ours('-A', 'POSTROUTING', '-m', 'mark', '--mark', `0x${(1 << BIT).toString(16)}/0x4000`, '-j', 'MASQUERADE');
          await assertTraffic([
            [site.agents.a2, published(family, 'outside'), `a1 saw ${host.a1}`],
            [site.agents.outside, published(family, 'outside'), `a1 saw ${outside}`],
            [site.agents.outside, published(family, 'outside', { port: PUBLISHED + 1 }), 'refused'],
          ]);
        } finally {
          await firewaller.reset(() => ({ entries: [] }));
          if (variant === 'nft') site.host.run('nft', 'flush', 'ruleset');
          else for (const flag of ['-F', '-X']) ours(flag);
        }
      });
    }
  });
}
