import { strict as assert } from 'node:assert';
import type { Family } from '../../src/shared/model/addr.ts';
import { ADDRESSES, HOST, OTHER, type Peer, SERVICE } from '../support/pod-site.ts';
import { type Agent, assertTraffic, type Expectation } from '../support/traffic.ts';
import {
  FAMILIES,
  type Fixture,
  hairpin,
  LOOPBACK,
  PROTOCOLS,
  PUBLISHED,
  port,
  published,
  service,
} from './firewaller-fixture.ts';

/** Everywhere that a port published on every address can be asked from. */
function everywhere(fixture: Fixture, family: Family): (readonly [Agent, string])[] {
  const { agents, hostAgent } = fixture().site;
  const host = HOST[family];
  const local: (readonly [Agent, string])[] = family === 4 ? [[hostAgent, LOOPBACK]] : [];
  return [
    [agents.outside, host.outside],
    [agents.stranger, host.stranger],
    [agents.outside, host.a1],
    [hostAgent, host.outside],
    [hostAgent, host.a1],
    [agents.a1, host.outside],
    [agents.a1, host.a1],
    [agents.a2, host.outside],
    [agents.a2, host.a1],
    [agents.b1, host.outside],
    [agents.b1, host.b1],
    ...local,
  ];
}

export function describePorts(fixture: Fixture): void {
  for (const family of FAMILIES) {
    const { a1, a2, b1, outside, stranger } = ADDRESSES[family];
    const host = HOST[family];

    describe(`host ports, IPv${family}`, () => {
      it('of every address are not those of a service of IPVS, before and after it comes', async () => {
        const { firewaller, site } = fixture();
        const addresses = { 4: ['198.51.100.20', '198.51.100.21'], 6: ['2001:db8:20::20', '2001:db8:20::21'] } as const;
        const [early, late] = addresses[family];
        const tool = family === 4 ? 'iptables' : 'ip6tables';
        const add = (address: string): void => {
          site.host.ip('addr', 'add', `${address}/${family === 4 ? 32 : 128}`, 'dev', 'kube-ipvs0');
          // What KUBE-SERVICES does with the addresses of its set.
          for (const variant of ['nft', 'legacy'])
            for (const chain of ['PREROUTING', 'OUTPUT'])
              site.host.run(`${tool}-${variant}`, '-t', 'nat', '-I', chain, '-d', address, '-j', 'ACCEPT');
        };
        const refused = (address: string): Expectation[] => [
          [site.agents.a2, { address, port: PUBLISHED }, 'refused'],
          [site.hostAgent, { address, port: PUBLISHED }, 'refused'],
        ];
        site.host.ip('link', 'add', 'kube-ipvs0', 'type', 'bridge');
        try {
          add(early);
          const entries = [hairpin(family), port(family)];
          await firewaller.add(entries);
          await assertTraffic([
            ...refused(early),
            [site.agents.outside, published(family, 'outside'), `a1 saw ${outside}`],
          ]);
          add(late);
          await firewaller.refresh();
          await assertTraffic([...refused(early), ...refused(late)]);
          await firewaller.reset(() => ({ entries }));
          await assertTraffic([...refused(early), ...refused(late)]);
          assert.deepEqual(await firewaller.missing(entries), []);
          assert.deepEqual(await firewaller.remove(entries), []);
        } finally {
          site.host.ip('link', 'delete', 'kube-ipvs0');
          for (const variant of ['nft', 'legacy'])
            for (const chain of ['PREROUTING', 'OUTPUT'])
              for (const address of [early, late])
                site.host.run('sh', '-c', `${tool}-${variant} -t nat -D ${chain} -d ${address} -j ACCEPT || true`);
          site.host.run('sh', '-c', `nft delete table ${family === 4 ? 'ip' : 'ip6'} nat || true`);
        }
      });

      for (const protocol of PROTOCOLS) {
        for (const filtered of [true, false]) {
          it(`${protocol} reach the pod from everywhere, bridge frames ${filtered ? '' : 'not '}filtered`, async () => {
            const { firewaller, site } = fixture();
            site.bridgeFilter(filtered);
            const entries = [hairpin(family), port(family, { protocol })];
            const probes = (expected: string): Expectation[] =>
              everywhere(fixture, family).map(([from, address]) => [
                from,
                { protocol, address, port: PUBLISHED },
                expected,
              ]);
            await assertTraffic(probes('refused'));
            await firewaller.add(entries);
            await assertTraffic(probes('a1'));
            await firewaller.remove(entries);
            await assertTraffic(probes('refused'));
          });
        }

        it(`${protocol} show the pod the true source, except for pods that would answer past the host`, async () => {
          const { firewaller, site } = fixture();
          const { agents, hostAgent } = site;
          await firewaller.add([hairpin(family), port(family, { protocol })]);
          const local: Expectation[] =
            family === 4 ? [[hostAgent, { protocol, address: LOOPBACK, port: PUBLISHED }, `a1 saw ${host.a1}`]] : [];
          await assertTraffic([
            [agents.outside, published(family, 'outside', { protocol }), `a1 saw ${outside}`],
            [agents.stranger, published(family, 'stranger', { protocol }), `a1 saw ${stranger}`],
            [agents.b1, published(family, 'outside', { protocol }), `a1 saw ${b1}`],
            [agents.a2, published(family, 'outside', { protocol }), `a1 saw ${host.a1}`],
            [agents.a1, published(family, 'outside', { protocol }), `a1 saw ${host.a1}`],
            ...local,
          ]);
        });

        for (const [how, hostPort] of [
          ['the same ports', SERVICE],
          ['other ports', PUBLISHED],
        ] as const)
          it(`${protocol}: a span of ports leads to ${how}, as a whole`, async () => {
            const { firewaller, site } = fixture();
            const { agents, hostAgent } = site;
            const span = { count: 20, hostPort: hostPort - 10, port: SERVICE - 10 };
            const everyAddress = port(family, { protocol, ...span });
            const probes = (expected: string): Expectation[] => [
              [agents.outside, published(family, 'outside', { protocol, port: hostPort }), expected],
              [hostAgent, published(family, 'outside', { protocol, port: hostPort }), expected],
              [agents.a2, published(family, 'outside', { protocol, port: hostPort }), expected],
              [agents.outside, published(family, 'outside', { protocol, port: hostPort + 10 }), 'refused'],
            ];
            for (const entry of [everyAddress, { ...everyAddress, hostIp: HOST[family].outside }]) {
              const entries = [hairpin(family), entry];
              await firewaller.add(entries);
              await firewaller.add(entries);
              assert.deepEqual(await firewaller.missing(entries), []);
              await assertTraffic(probes('a1'));
              await firewaller.reset(() => ({ entries: entries }));
              await assertTraffic(probes('a1'));
              assert.deepEqual(await firewaller.remove(entries), []);
              assert.deepEqual(await firewaller.missing(entries), entries);
              await assertTraffic(probes('refused'));
            }
            await firewaller.add([hairpin(family), everyAddress]);
            assert.deepEqual(await firewaller.removeStray({ addresses: [everyAddress.address] }), []);
            assert.deepEqual(await firewaller.missing([everyAddress]), [everyAddress]);
          });

        it(`${protocol}: other protocols, ports and addresses are not forwarded`, async () => {
          const { firewaller, site } = fixture();
          const { agents, hostAgent } = site;
          const other = protocol === 'tcp' ? 'udp' : 'tcp';
          await firewaller.add([hairpin(family), port(family, { protocol })]);
          await assertTraffic([
            [agents.outside, published(family, 'outside', { protocol: other }), 'refused'],
            [agents.outside, published(family, 'outside', { protocol, port: PUBLISHED + 1 }), 'refused'],
            [agents.outside, published(family, 'outside', { protocol, port: SERVICE }), 'refused'],
            [hostAgent, published(family, 'outside', { protocol, port: PUBLISHED + 1 }), 'refused'],
          ]);
        });
      }

      it('do not change forwarded traffic to the same port of another host', async () => {
        const { firewaller, site } = fixture();
        const { agents, hostAgent } = site;
        const transit = (peer: Peer, protocol: 'tcp' | 'udp' = 'tcp') => service(family, peer, protocol);
        await firewaller.add([hairpin(family), port(family, { hostPort: SERVICE, address: a2 })]);
        await firewaller.add([port(family, { hostPort: SERVICE, address: a2, protocol: 'udp' })]);
        await assertTraffic([
          [agents.outside, transit('stranger'), `stranger saw ${outside}`],
          [agents.outside, transit('stranger', 'udp'), `stranger saw ${outside}`],
          [agents.outside, transit('a1'), `a1 saw ${outside}`],
          [agents.a1, transit('outside'), `outside saw ${a1}`],
          [agents.a1, transit('b1'), `b1 saw ${a1}`],
          [agents.a2, transit('a1'), `a1 saw ${a2}`],
          [hostAgent, transit('outside'), 'outside'],
          [hostAgent, transit('a1'), 'a1'],
          [agents.outside, published(family, 'outside', { port: SERVICE }), `a2 saw ${outside}`],
        ]);
      });

      it('of one address take precedence over those of every address, and ignore other addresses', async () => {
        const { firewaller, site } = fixture();
        const { agents, hostAgent } = site;
        const hostIp = host.outside;
        const one = port(family, { hostIp, address: a2 });
        await firewaller.add([hairpin(family), one]);
        await assertTraffic([
          [agents.outside, published(family, 'outside'), `a2 saw ${outside}`],
          [agents.stranger, published(family, 'outside'), 'blocked'],
          [agents.stranger, published(family, 'stranger'), 'refused'],
          [hostAgent, published(family, 'outside'), 'a2'],
          [hostAgent, published(family, 'stranger'), 'refused'],
          [agents.b1, published(family, 'outside'), 'a2'],
          [agents.b1, published(family, 'b1'), 'refused'],
        ]);
        await firewaller.add([port(family)]);
        await assertTraffic([
          [agents.outside, published(family, 'outside'), `a2 saw ${outside}`],
          [agents.stranger, published(family, 'stranger'), `a1 saw ${stranger}`],
          [hostAgent, published(family, 'outside'), 'a2'],
          [hostAgent, published(family, 'stranger'), 'a1'],
        ]);
        await firewaller.remove([one]);
        await assertTraffic([
          [agents.outside, published(family, 'outside'), `a1 saw ${outside}`],
          [agents.stranger, published(family, 'stranger'), `a1 saw ${stranger}`],
        ]);
      });

      it('of one address and of every address both match, in either order of creation', async () => {
        const { firewaller, site } = fixture();
        await firewaller.add([port(family)]);
        await firewaller.add([port(family, { hostIp: host.outside, address: a2 })]);
        await assertTraffic([
          [site.agents.outside, published(family, 'outside'), `a2 saw ${outside}`],
          [site.agents.stranger, published(family, 'stranger'), `a1 saw ${stranger}`],
        ]);
      });

      it('hundreds can be published, and two can lead to one port of the pod', async () => {
        const { firewaller, site } = fixture();
        const many = Array.from({ length: 100 }, (_, i) => port(family, { hostPort: 9000 + i }));
        await firewaller.add([...many, port(family, { hostPort: 9100, port: OTHER, address: a2 })]);
        await assertTraffic([
          [site.agents.outside, published(family, 'outside', { port: 9000 }), `a1 saw ${outside}`],
          [site.agents.outside, published(family, 'outside', { port: 9057 }), `a1 saw ${outside}`],
          [site.agents.outside, published(family, 'outside', { port: 9099 }), `a1 saw ${outside}`],
          [site.agents.outside, published(family, 'outside', { port: 9100 }), `a2 saw ${outside}`],
          [site.agents.outside, published(family, 'outside', { port: 9101 }), 'refused'],
        ]);
      });
    });
  }
}
