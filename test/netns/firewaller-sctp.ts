import { existsSync } from 'node:fs';
import { ADDRESSES, HOST, SERVICE } from '../support/pod-site.ts';
import { assertTraffic, type Expectation } from '../support/traffic.ts';
import {
  direct,
  FAMILIES,
  type Fixture,
  hairpin,
  masquerade,
  policy,
  port,
  published,
  service,
} from './firewaller-fixture.ts';

export function describeSctp(fixture: Fixture): void {
  describe('SCTP', () => {
    const protocol = 'sctp';

    before(async function () {
      // The kernel would abort associations that it does not know, before the test's own answer.
      if (existsSync('/proc/net/sctp')) {
        console.log('skipped: this kernel has SCTP itself, which answers before the raw sockets of the test');
        this.skip();
      }
      const { a1, a2, outside, stranger } = fixture().site.agents;
      await Promise.all([a1, a2, outside, stranger].map((agent) => agent.serve(protocol, SERVICE)));
    });

    for (const family of FAMILIES) {
      const { a1, b1, outside, stranger } = ADDRESSES[family];
      const host = HOST[family];

      it(`is forwarded by host ports over IPv${family}, from everywhere, for SCTP ports only`, async () => {
        const { firewaller, site } = fixture();
        const { agents, hostAgent } = site;
        const target = published(family, 'outside', { protocol });
        await firewaller.add([hairpin(family), port(family), port(family, { protocol: 'udp' })]);
        await assertTraffic([
          [agents.outside, target, 'silent'],
          [agents.a2, target, 'silent'],
        ]);
        await firewaller.add([port(family, { protocol })]);
        const local: Expectation[] =
          family === 4 ? [[hostAgent, { ...target, address: '127.0.0.1' }, `a1 saw ${host.a1}`]] : [];
        await assertTraffic([
          [agents.outside, target, `a1 saw ${outside}`],
          [agents.stranger, published(family, 'stranger', { protocol }), `a1 saw ${stranger}`],
          [agents.b1, target, `a1 saw ${b1}`],
          [agents.a2, target, `a1 saw ${host.a1}`],
          [agents.a1, target, `a1 saw ${host.a1}`],
          [hostAgent, target, 'a1'],
          ...local,
          [agents.outside, service(family, 'stranger', protocol), `stranger saw ${outside}`],
        ]);
        await firewaller.remove([port(family, { protocol })]);
        await assertTraffic([
          [agents.outside, target, 'silent'],
          [agents.outside, published(family, 'outside'), `a1 saw ${outside}`],
        ]);
      });

      it(`is masqueraded over IPv${family}, and closed networks accept only its answers`, async () => {
        const { firewaller, site } = fixture();
        const { agents } = site;
        await assertTraffic([
          [agents.a1, service(family, 'outside', protocol), `outside saw ${a1}`],
          [agents.outside, service(family, 'a1', protocol), `a1 saw ${outside}`],
        ]);
        await firewaller.add([masquerade(family), policy('br-a', 'closed')]);
        await assertTraffic([
          [agents.a1, service(family, 'outside', protocol), `outside saw ${host.outside}`],
          [agents.a1, service(family, 'a2', protocol), `a2 saw ${a1}`],
          [agents.outside, service(family, 'a1', protocol), 'silent'],
        ]);
        await firewaller.add([direct(family, { protocol })]);
        await assertTraffic([
          [agents.outside, service(family, 'a1', protocol), `a1 saw ${outside}`],
          [agents.outside, service(family, 'a2', protocol), 'silent'],
          [agents.outside, service(family, 'a1'), 'blocked'],
        ]);
      });
    }
  });
}
