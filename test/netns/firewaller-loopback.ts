import { strict as assert } from 'node:assert';
import { ADDRESSES, HOST } from '../support/pod-site.ts';
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
} from './firewaller-fixture.ts';

export function describeLoopback(fixture: Fixture): void {
  it('rejects [::1] at once instead of dropping it', async () => {
    const { firewaller, site } = fixture();
    await firewaller.add([...FAMILIES.map(hairpin), ...FAMILIES.map((family) => port(family))]);
    const start = performance.now();
    await assertTraffic([[site.hostAgent, { address: '::1', port: PUBLISHED }, 'refused']]);
    assert.ok(performance.now() - start < 1000);
  });

  describe('loopback guard', () => {
    const intruders = (): Agent[] => {
      const { outside, a1, a2, b1 } = fixture().site.agents;
      return [outside, a1, a2, b1];
    };

    for (const protocol of PROTOCOLS) {
      it(`blocks a ${protocol} port of 127.0.0.1, and one of every address, when asked by that address`, async () => {
        const { firewaller, site } = fixture();
        const target = { protocol, address: LOOPBACK, port: PUBLISHED };
        await firewaller.add([hairpin(4), port(4, { protocol, hostIp: LOOPBACK })]);
        await firewaller.add([port(4, { protocol, hostPort: 9000 })]);
        await assertTraffic([
          [site.hostAgent, target, `a1 saw ${HOST[4].a1}`],
          [site.hostAgent, published(4, 'outside', { protocol }), 'refused'],
          [site.agents.outside, published(4, 'outside', { protocol }), 'refused'],
          ...intruders().map((from): Expectation => [from, target, 'blocked']),
          ...intruders().map((from): Expectation => [from, { ...target, port: 9000 }, 'blocked']),
        ]);
      });
    }

    it('blocks pods from host services on 127.0.0.1 that route_localnet exposes', async () => {
      const { firewaller, site } = fixture();
      await site.hostAgent.serve('tcp', 9990, LOOPBACK);
      const target = { address: LOOPBACK, port: 9990 };
      await assertTraffic([[site.agents.a1, target, `host saw ${ADDRESSES[4].a1}`]]);
      await firewaller.add([hairpin(4)]);
      await assertTraffic([
        [site.hostAgent, target, `host saw ${LOOPBACK}`],
        [site.agents.a1, target, 'blocked'],
        [site.agents.a2, target, 'blocked'],
        [site.agents.outside, target, 'blocked'],
      ]);
    });
  });
}
