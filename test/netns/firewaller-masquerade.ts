import { ADDRESSES, HOST, NODE_POD, NODE_RANGE, SECOND, SERVICE } from '../support/pod-site.ts';
import { assertTraffic } from '../support/traffic.ts';
import {
  FAMILIES,
  type Fixture,
  hairpin,
  masquerade,
  PROTOCOLS,
  PUBLISHED,
  port,
  published,
  service,
} from './firewaller-fixture.ts';

const GROUP = { 4: '239.81.1.1', 6: 'ff15::81:1' } as const;

export function describeMasquerade(fixture: Fixture): void {
  for (const family of FAMILIES) {
    const pods = ADDRESSES[family];
    const nodePod = { address: NODE_POD[family], port: SERVICE };

    describe(`masquerade, IPv${family}`, () => {
      for (const protocol of PROTOCOLS) {
        it(`translates ${protocol} that leaves the host, as long as the entry exists`, async () => {
          const { firewaller, site } = fixture();
          const { a1, b1, outside } = site.agents;
          await assertTraffic([
            [a1, service(family, 'outside', protocol), `outside saw ${pods.a1}`],
            [a1, service(family, 'stranger', protocol), 'silent'],
          ]);
          await firewaller.add([masquerade(family)]);
          await assertTraffic([
            [a1, service(family, 'outside', protocol), `outside saw ${HOST[family].outside}`],
            [a1, service(family, 'stranger', protocol), `stranger saw ${HOST[family].stranger}`],
            [b1, service(family, 'outside', protocol), `outside saw ${pods.b1}`],
            [outside, service(family, 'stranger', protocol), `stranger saw ${pods.outside}`],
            [outside, service(family, 'a1', protocol), `a1 saw ${pods.outside}`],
          ]);
          await firewaller.remove([masquerade(family)]);
          await assertTraffic([
            [a1, service(family, 'outside', protocol), `outside saw ${pods.a1}`],
            [a1, service(family, 'stranger', protocol), 'silent'],
          ]);
        });
      }

      for (const filtered of [true, false]) {
        it(`translates nothing inside the network, bridge frames ${filtered ? '' : 'not '}filtered`, async () => {
          const { firewaller, site } = fixture();
          const { a1, a2 } = site.agents;
          site.bridgeFilter(filtered);
          await firewaller.add([masquerade(family)]);
          const groupPort = 5000 + (filtered ? 10 : 0) + family;
          await a2.join(groupPort, GROUP[family], family === 4 ? pods.a2 : '::%eth0');
          const device = family === 4 ? pods.a1 : '::%eth0';
          const group = { protocol: 'udp', address: GROUP[family], port: groupPort, interface: device } as const;
          await site.hostAgent.serve('tcp', groupPort);
          await assertTraffic([
            [a1, service(family, 'a2'), `a2 saw ${pods.a1}`],
            [a1, service(family, 'a2', 'udp'), `a2 saw ${pods.a1}`],
            [a1, { address: HOST[family].a1, port: groupPort }, `host saw ${pods.a1}`],
            [a1, { address: HOST[family].outside, port: groupPort }, `host saw ${pods.a1}`],
            [a1, group, `a2 saw ${pods.a1}`],
          ]);
        });
      }

      for (const entries of [[port(family)], [port(family, { masqAll: true })]])
        it(`keeps the source of what another program translates, as kube-proxy does a Service, beside ${entries[0]?.masqAll ? 'masqAll' : 'a published port'}`, async () => {
          const { firewaller, site } = fixture();
          const SERVICE_ADDRESS = { 4: '198.51.100.10', 6: '2001:db8:10::10' }[family];
          const target = family === 4 ? `${pods.a1}:${SERVICE}` : `[${pods.a1}]:${SERVICE}`;
          const nft = (rule: string): string => site.host.run('nft', rule);
          nft('add table inet service');
          try {
            nft('add chain inet service translate { type nat hook prerouting priority -101; }');
            // The host port's own number, so that only the address tells the two apart.
            const destination = `${family === 4 ? 'ip' : 'ip6'} daddr ${SERVICE_ADDRESS} tcp dport ${PUBLISHED}`;
            nft(`add rule inet service translate ${destination} dnat ${family === 4 ? 'ip' : 'ip6'} to ${target}`);
            const behind = { address: SERVICE_ADDRESS, port: PUBLISHED } as const;
            await assertTraffic([[site.agents.a2, behind, `a1 saw ${pods.a2}`]]);
            await firewaller.add([hairpin(family), masquerade(family), ...entries]);
            await assertTraffic([
              [site.agents.a2, behind, `a1 saw ${pods.a2}`],
              [site.agents.b1, behind, `a1 saw ${pods.b1}`],
              [site.agents.a2, published(family, 'outside'), `a1 saw ${HOST[family].a1}`],
            ]);
          } finally {
            nft('delete table inet service');
          }
        });

      it('shows the true source to excepted destinations', async () => {
        const { firewaller, site } = fixture();
        await firewaller.add([masquerade(family, { except: [NODE_RANGE[family]] })]);
        await assertTraffic([
          [site.agents.a1, nodePod, `node saw ${pods.a1}`],
          [site.agents.a1, service(family, 'node'), `node saw ${HOST[family].node}`],
        ]);
      });

      it('hides the pod from another node when nothing is excepted', async () => {
        const { firewaller, site } = fixture();
        await firewaller.add([masquerade(family)]);
        await assertTraffic([[site.agents.a1, nodePod, `node saw ${HOST[family].node}`]]);
      });

      it('uses the fixed source, if there is one', async () => {
        const { firewaller, site } = fixture();
        const entry = masquerade(family, { to: SECOND[family], except: [NODE_RANGE[family]] });
        await firewaller.add([entry]);
        await assertTraffic([
          [site.agents.a1, service(family, 'outside'), `outside saw ${SECOND[family]}`],
          [site.agents.a1, service(family, 'outside', 'udp'), `outside saw ${SECOND[family]}`],
          [site.agents.a1, service(family, 'a2'), `a2 saw ${pods.a1}`],
          [site.agents.a1, nodePod, `node saw ${pods.a1}`],
        ]);
        await firewaller.remove([entry]);
        await assertTraffic([[site.agents.a1, service(family, 'outside'), `outside saw ${pods.a1}`]]);
      });
    });
  }

  it('masquerades one family only', async () => {
    const { firewaller, site } = fixture();
    await firewaller.add([masquerade(4)]);
    await assertTraffic([
      [site.agents.a1, service(4, 'outside'), `outside saw ${HOST[4].outside}`],
      [site.agents.a1, service(6, 'outside'), `outside saw ${ADDRESSES[6].a1}`],
    ]);
  });
}
