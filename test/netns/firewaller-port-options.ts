import { strict as assert } from 'node:assert';
import { ADDRESSES, HOST } from '../support/pod-site.ts';
import { assertTraffic, type Expectation } from '../support/traffic.ts';
import {
  FAMILIES,
  type Fixture,
  hairpin,
  LOOPBACK,
  PUBLISHED,
  port,
  published,
  service,
} from './firewaller-fixture.ts';

/** The options of a host port besides its target. */
export function describePortOptions(fixture: Fixture): void {
  for (const family of FAMILIES) {
    const { a2, outside, stranger } = ADDRESSES[family];
    const host = HOST[family];

    describe(`options of host ports, IPv${family}`, () => {
      it('without snat: keep sources of the own subnet and of loopback', async () => {
        const { firewaller, site } = fixture();
        const { agents, hostAgent } = site;
        await firewaller.add([hairpin(family), port(family, { snat: false })]);
        await firewaller.add([port(family, { hostPort: PUBLISHED + 1 })]);
        const local: Expectation[] =
          family === 4
            ? [
                [hostAgent, { address: LOOPBACK, port: PUBLISHED }, 'silent'],
                [hostAgent, { address: LOOPBACK, port: PUBLISHED + 1 }, `a1 saw ${host.a1}`],
              ]
            : [];
        await assertTraffic([
          [agents.outside, published(family, 'outside'), `a1 saw ${outside}`],
          // The answer goes past the host's routing, but with bridge frames filtered not past its translation.
          [agents.a2, published(family, 'outside'), `a1 saw ${a2}`],
          [agents.a2, published(family, 'outside', { port: PUBLISHED + 1 }), `a1 saw ${host.a1}`],
          ...local,
        ]);
        site.bridgeFilter(false);
        await assertTraffic([
          [agents.a2, published(family, 'outside'), 'blocked'],
          [agents.a2, published(family, 'outside', { port: PUBLISHED + 1 }), `a1 saw ${host.a1}`],
        ]);
      });

      it('with masqAll: show the pod an address of the host for every client', async () => {
        const { firewaller, site } = fixture();
        const { agents } = site;
        await firewaller.add([hairpin(family), port(family, { masqAll: true })]);
        await firewaller.add([port(family, { hostPort: PUBLISHED + 1 })]);
        await firewaller.add([port(family, { masqAll: true, protocol: 'udp', hostIp: host.outside })]);
        await assertTraffic([
          [agents.outside, published(family, 'outside'), `a1 saw ${host.a1}`],
          [agents.b1, published(family, 'outside'), `a1 saw ${host.a1}`],
          [agents.a2, published(family, 'outside'), `a1 saw ${host.a1}`],
          [agents.outside, published(family, 'outside', { protocol: 'udp' }), `a1 saw ${host.a1}`],
          [agents.outside, published(family, 'outside', { port: PUBLISHED + 1 }), `a1 saw ${outside}`],
          [agents.outside, service(family, 'a1'), `a1 saw ${outside}`],
        ]);
      });

      it('of UDP: clients move to the new holder once their connections are deleted, others do not', async () => {
        const { firewaller, site, apply } = fixture();
        const { outside: client, stranger: other } = site.agents;
        const entries = [PUBLISHED, PUBLISHED + 1].map((hostPort) => port(family, { protocol: 'udp', hostPort }));
        await firewaller.add(entries);
        const open = await Promise.all([
          client.open(host.outside, PUBLISHED, 'udp'),
          client.open(host.outside, PUBLISHED + 1, 'udp'),
          other.open(host.stranger, PUBLISHED, 'udp'),
        ]);
        const answers = (): Promise<string[]> => Promise.all(open.map((connection) => connection.exchange()));
        const [first, second, third] = [`a1 saw ${outside}`, `a1 saw ${outside}`, `a1 saw ${stranger}`];
        assert.deepEqual(await answers(), [first, second, third]);
        await firewaller.remove(entries);
        await firewaller.add(entries.map((entry) => ({ ...entry, address: a2 })));
        assert.deepEqual(await answers(), [first, second, third]);
        const flush = { op: 'conntrack.flush', ns: 'host', protocol: 'udp', family, port: PUBLISHED } as const;
        apply({ ...flush, address: host.outside });
        assert.deepEqual(await answers(), [`a2 saw ${outside}`, second, third]);
        apply(flush);
        assert.deepEqual(await answers(), [`a2 saw ${outside}`, second, `a2 saw ${stranger}`]);
      });

      it('with conditions: forward when all of them match, and other ports of the host ignore them', async () => {
        const { firewaller, site, tools } = fixture();
        const { agents } = site;
        const conditional = port(family, { conditions: [tools.from(outside)] });
        await firewaller.add([hairpin(family), conditional, port(family, { hostPort: PUBLISHED + 1, address: a2 })]);
        await assertTraffic([
          [agents.outside, published(family, 'outside'), `a1 saw ${outside}`],
          [agents.stranger, published(family, 'stranger'), 'refused'],
          [agents.b1, published(family, 'b1'), 'refused'],
          [agents.stranger, published(family, 'stranger', { port: PUBLISHED + 1 }), `a2 saw ${stranger}`],
        ]);
        await firewaller.add([port(family, { hostPort: 9000, address: a2, conditions: [tools.from(stranger)] })]);
        await assertTraffic([
          [agents.outside, published(family, 'outside'), `a1 saw ${outside}`],
          [agents.stranger, published(family, 'stranger'), 'refused'],
          [agents.stranger, published(family, 'stranger', { port: 9000 }), `a2 saw ${stranger}`],
          [agents.outside, published(family, 'outside', { port: 9000 }), 'refused'],
        ]);
        await firewaller.remove([conditional]);
        await assertTraffic([
          [agents.outside, published(family, 'outside'), 'refused'],
          [agents.stranger, published(family, 'stranger', { port: 9000 }), `a2 saw ${stranger}`],
        ]);
      });
    });
  }
}
