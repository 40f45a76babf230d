import { strict as assert } from 'node:assert';
import { openFirewaller } from '../../src/shared/firewall/open.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { FirewallEntry } from '../../src/shared/model/firewall.ts';
import { filterLock } from '../support/filter-lock.ts';
import { ruleset } from '../support/filter-tools.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { assertTraffic, type Expectation } from '../support/traffic.ts';
import { ELSEWHERE, makeOverlaySite, type OverlaySite, POD, POOL, SERVED, VXLAN_PORT } from '../support/vxlan-site.ts';

/** What host A has for its part of a routed overlay network. */
function entriesOf({ underlay }: OverlaySite): FirewallEntry[] {
  return [
    { kind: 'admit', device: 'br0', through: ['vx0'] },
    { kind: 'policy', device: 'br0', policy: 'open' },
    { kind: 'masquerade', subnet: '10.100.1.0/24', except: [POOL] },
    { kind: 'underlay', family: underlay.a.includes(':') ? 6 : 4, port: VXLAN_PORT },
    { kind: 'peer', port: VXLAN_PORT, address: underlay.b },
  ];
}

/** Who of the site reaches whom under each policy: pods of both hosts, host A itself, and the stranger via host A. */
const POLICIES = {
  open: { own: true, host: true, stranger: true, out: true },
  'same-bridge': { own: true, host: true, stranger: true, out: true },
  isolated: { own: false, host: true, stranger: true, out: true },
  closed: { own: true, host: true, stranger: false, out: true },
  internal: { own: true, host: true, stranger: false, out: false },
} as const;

describe('packet filter of a routed overlay network', () => {
  for (const family of [4, 6] as const) {
    describe(`over IPv${family}`, () => {
      let site: OverlaySite;

      before(async function () {
        skipIf(this, netnsMissing());
        this.timeout(60_000);
        site = await makeOverlaySite(family);
      });
      after(() => site?.[Symbol.dispose]());

      const pods = (outcome: 'yes' | 'blocked'): Expectation[] => {
        const { podA, podB, a } = site.agents;
        const of = (server: 'podA' | 'podB', client: string): string =>
          outcome === 'yes' ? `${server} saw ${client}` : outcome;
        return [
          [podA, { address: POD.b, port: SERVED }, of('podB', POD.a)],
          [podB, { address: POD.a, port: SERVED }, of('podA', POD.b)],
          // Its own packets pass OUTPUT.
          [a, { address: POD.b, port: SERVED }, 'podB saw 10.100.1.0'],
        ];
      };
      /** Datagrams of VXLAN that conntrack has an entry for. */
      const tracked = (): number => {
        const listed = site.a.run('conntrack', '-L', '-f', `ipv${family}`, '-p', 'udp');
        return listed.split('\n').filter((line) => line.includes(`dport=${VXLAN_PORT}`)).length;
      };
      const injected = (): number => {
        const before = site.received();
        site.inject();
        return site.received() - before;
      };

      for (const [name, backend, variant] of [
        ['nftables', 'nftables', 'nft'],
        ['iptables-nft', 'iptables', 'nft'],
        ['iptables-legacy', 'iptables', 'legacy'],
      ] as const) {
        it(`${name}: peers pass where FORWARD and INPUT drop, strangers do not, and nothing is left`, async function () {
          this.timeout(60_000);
          using host = openLinuxHost();
          using ns = host.open(site.a.path);
          using firewaller = openFirewaller(backend, ns, { variant, lock: filterLock });
          const filter = `iptables-${variant}`;
          const elsewhere = { address: ELSEWHERE, port: SERVED };
          try {
            await assertTraffic([...pods('yes'), [site.agents.podB, elsewhere, `stranger saw ${POD.b}`]]);
            const inputs = family === 4 ? filter : `ip6tables-${variant}`;
            site.a.run(inputs, '-A', 'INPUT', '-m', 'conntrack', '--ctstate', 'ESTABLISHED', '-j', 'ACCEPT');
            site.a.run(inputs, '-A', 'INPUT', '-p', family === 4 ? 'icmp' : 'ipv6-icmp', '-j', 'ACCEPT');
            site.a.run(filter, '-P', 'FORWARD', 'DROP');
            site.a.run(inputs, '-P', 'INPUT', 'DROP');
            // Another's rule that makes the kernel track.
            site.a.run(filter, '-A', 'FORWARD', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP');
            site.a.run(
              'nft',
              'add table inet asks { chain any { type filter hook input priority 5; ct state new; }; }',
            );
            await assertTraffic(pods('blocked').slice(0, 2));
            site.a.run(inputs, '-P', 'INPUT', 'ACCEPT');
            assert.ok(injected() > 0);
            assert.ok(tracked() > 0);
            site.a.run(inputs, '-P', 'INPUT', 'DROP');
            const before = ruleset(site.a);
            const entries = entriesOf(site);
            await firewaller.add(entries);
            assert.deepEqual(await firewaller.missing(entries), []);
            site.a.run('conntrack', '-F');
            await assertTraffic([
              ...pods('yes'),
              [site.agents.podA, elsewhere, 'stranger saw 192.0.2.1'],
              // Nothing else goes through the device.
              [site.agents.podB, elsewhere, 'blocked'],
            ]);
            assert.equal(injected(), 0);
            assert.equal(tracked(), 0);
            assert.deepEqual(await firewaller.remove(entries), []);
            assert.equal(ruleset(site.a), before);
          } finally {
            site.a.run('nft', 'flush', 'ruleset');
            for (const legacy of ['iptables-legacy', 'ip6tables-legacy']) {
              for (const chain of ['FORWARD', 'INPUT']) site.a.run(legacy, '-P', chain, 'ACCEPT');
              site.a.run(legacy, '-F');
            }
            site.a.run('conntrack', '-F');
          }
        });
      }

      if (family === 4)
        for (const [backend, variant] of [
          ['nftables', 'nft'],
          ['iptables', 'nft'],
          ['iptables', 'legacy'],
        ] as const)
          for (const policy of Object.keys(POLICIES) as (keyof typeof POLICIES)[])
            it(`${backend} (${variant}): ${policy} decides about pods of other hosts too`, async function () {
              this.timeout(60_000);
              using host = openLinuxHost();
              using ns = host.open(site.a.path);
              using firewaller = openFirewaller(backend, ns, { variant, lock: filterLock });
              const before = ruleset(site.a);
              const entries: FirewallEntry[] = [
                { kind: 'policy', device: 'br0', policy, vxlan: 'vx0' },
                // Another network of the same policy, whose bridge leads to the stranger.
                ...(policy === 'same-bridge' || policy === 'isolated'
                  ? [{ kind: 'policy', device: 'up0', policy } as const]
                  : []),
              ];
              const { own, host: byHost, stranger, out } = POLICIES[policy];
              const isApart = entries.length > 1;
              const { podA, podB, a } = site.agents;
              const met = (yes: boolean, text: string): string => (yes ? text : 'blocked');
              const elsewhere = { address: ELSEWHERE, port: SERVED };
              site.stranger.ip('route', 'replace', POD.a, 'via', '192.0.2.1');
              try {
                await firewaller.add(entries);
                assert.deepEqual(await firewaller.missing(entries), []);
                await assertTraffic([
                  [podA, { address: POD.b, port: SERVED }, met(own, `podB saw ${POD.a}`)],
                  [podB, { address: POD.a, port: SERVED }, met(own, `podA saw ${POD.b}`)],
                  [a, { address: POD.b, port: SERVED }, met(byHost, 'podB saw 10.100.1.0')],
                  // To the pod on host A, and by host A to the pod on host B.
                  [
                    site.agents.stranger,
                    { address: POD.a, port: SERVED },
                    met(stranger && !isApart, 'podA saw 192.0.2.3'),
                  ],
                  [
                    site.agents.stranger,
                    { address: POD.b, port: SERVED },
                    met(stranger && !isApart, 'podB saw 192.0.2.3'),
                  ],
                  [podB, elsewhere, met(out && !isApart, `stranger saw ${POD.b}`)],
                ]);
                assert.deepEqual(await firewaller.remove(entries), []);
                assert.equal(ruleset(site.a), before);
              } finally {
                site.stranger.ip('route', 'del', POD.a);
                site.a.run('nft', 'flush', 'ruleset');
                for (const legacy of ['iptables-legacy', 'ip6tables-legacy']) {
                  for (const table of ['raw', 'mangle', 'nat', 'filter']) {
                    site.a.run(legacy, '-t', table, '-F');
                    site.a.run(legacy, '-t', table, '-X');
                  }
                }
                site.a.run('conntrack', '-F');
              }
            });
    });
  }
});
