import { strict as assert } from 'node:assert';
import { BridgeFirewaller } from '../../src/shared/firewall/bridge.ts';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { LinuxNamespace } from '../../src/shared/host/linux-namespace.ts';
import type { FirewallEntry, IngressPolicy } from '../../src/shared/model/firewall.ts';
import { ADDRESSES, HOST } from '../support/pod-site.ts';
import { assertTraffic, type Expectation } from '../support/traffic.ts';
import { FAMILIES, type Fixture, hairpin, PROTOCOLS, PUBLISHED, policy, port, service } from './firewaller-fixture.ts';

const SEPARATE: FirewallEntry = { kind: 'separate', device: 'br-a' };
/** The ports of a1 and a2. */
const ISOLATED: readonly FirewallEntry[] = ['veth-a1', 'veth-a2'].map((name) => ({ kind: 'isolated', port: name }));

/** A bridge without connections between its containers: Docker's `enable_icc=false`, our `icc` and `portIsolation`. */
export function describeIsolation(fixture: Fixture): void {
  describe('a bridge with isolated ports', () => {
    let host: LinuxHost;
    let ns: LinuxNamespace;
    let bridge: BridgeFirewaller;
    before(() => {
      host = openLinuxHost();
      ns = host.open(fixture().site.host.path);
      bridge = new BridgeFirewaller(ns);
    });
    after(() => {
      for (const one of [bridge, ns, host]) one?.[Symbol.dispose]();
    });
    afterEach(async () => {
      assert.deepEqual(await bridge.remove(ISOLATED), []);
    });

    const isolate = async (rule: IngressPolicy): Promise<void> => {
      const { firewaller } = fixture();
      await bridge.add(ISOLATED);
      await firewaller.add([policy('br-a', rule), SEPARATE]);
      for (const protocol of PROTOCOLS)
        await firewaller.add(FAMILIES.flatMap((family) => [hairpin(family), port(family, { protocol })]));
    };

    /** Published ports by every address of the host, from the neighbour and from the container itself. */
    const published = (): Expectation[] => {
      const { agents } = fixture().site;
      return FAMILIES.flatMap((family) =>
        PROTOCOLS.flatMap((protocol) =>
          [HOST[family].a1, HOST[family].outside].flatMap((address): Expectation[] => [
            [agents.a2, { protocol, address, port: PUBLISHED }, `a1 saw ${HOST[family].a1}`],
            [agents.a1, { protocol, address, port: PUBLISHED }, `a1 saw ${HOST[family].a1}`],
          ]),
        ),
      );
    };

    const closed = (): Expectation[] => {
      const { a1, a2, b1 } = fixture().site.agents;
      return FAMILIES.flatMap((family) =>
        PROTOCOLS.flatMap((protocol): Expectation[] => [
          [a2, service(family, 'a1', protocol), 'blocked'],
          [a1, service(family, 'a2', protocol), 'blocked'],
          // Others reach it as before: isolation is between the ports of the bridge.
          [a1, service(family, 'outside', protocol), `outside saw ${ADDRESSES[family].a1}`],
          [a1, service(family, 'b1', protocol), `b1 saw ${ADDRESSES[family].a1}`],
          [b1, { protocol, address: HOST[family].b1, port: PUBLISHED }, 'a1'],
        ]),
      );
    };

    for (const rule of ['open', 'closed'] as const) {
      it(`${rule}: only published ports connect them, with br_netfilter and without, and when it changes`, async () => {
        const { site } = fixture();
        await isolate(rule);
        for (const on of [true, false, true]) {
          site.bridgeFilter(on);
          site.host.run('ip', 'neigh', 'flush', 'dev', 'br-a');
          await assertTraffic([...published(), ...closed()]);
        }
        assert.deepEqual(await bridge.missing(ISOLATED), []);
      });
    }

    for (const on of [true, false]) {
      it(`connects an isolated port with one that is not, br_netfilter ${on ? 'on' : 'off'}`, async () => {
        const { site } = fixture();
        site.bridgeFilter(on);
        await bridge.add(ISOLATED.slice(0, 1));
        const { a1, a2 } = site.agents;
        await assertTraffic(
          FAMILIES.flatMap((family): Expectation[] => [
            [a1, service(family, 'a2'), `a2 saw ${ADDRESSES[family].a1}`],
            [a2, service(family, 'a1'), `a1 saw ${ADDRESSES[family].a2}`],
          ]),
        );
      });
    }

    for (const [name, on] of [
      ['with br_netfilter', true],
      ['without br_netfilter', false],
    ] as const) {
      it(`${name}: no neighbour is reached by way of the bridge's own MAC`, async () => {
        const { site } = fixture();
        const { a1, a2 } = site.peers;
        site.bridgeFilter(on);
        site.host.run('sysctl', '-qw', 'net.ipv4.conf.all.send_redirects=0', 'net.ipv4.conf.br-a.send_redirects=0');
        const mac = site.host.run('cat', '/sys/class/net/br-a/address').trim();
        // A frame to the bridge's MAC with a neighbour's address; and the neighbour answers in the same way.
        const pairs = FAMILIES.flatMap((family) => [
          [a1, ADDRESSES[family].a2] as const,
          [a2, ADDRESSES[family].a1] as const,
        ]);
        for (const [peer, to] of pairs)
          peer.ip('neigh', 'replace', to, 'lladdr', mac, 'dev', 'eth0', 'nud', 'permanent');
        try {
          await assertTraffic(FAMILIES.map((family): Expectation => [site.agents.a1, service(family, 'a2'), 'a2']));
          await isolate('open');
          site.host.run('conntrack', '-F');
          await assertTraffic([...closed(), ...published()]);
        } finally {
          for (const [peer, to] of pairs) peer.ip('neigh', 'del', to, 'dev', 'eth0');
        }
      });

      it(`${name}: frames to a neighbour's own MAC do not arrive`, async () => {
        const { site } = fixture();
        const { a1, a2 } = site.peers;
        site.bridgeFilter(on);
        await isolate('open');
        const macs = { a1, a2 };
        const macOf = (peer: keyof typeof macs): string => macs[peer].run('cat', '/sys/class/net/eth0/address').trim();
        for (const family of FAMILIES) {
          a1.ip('neigh', 'replace', ADDRESSES[family].a2, 'lladdr', macOf('a2'), 'dev', 'eth0', 'nud', 'permanent');
          a2.ip('neigh', 'replace', ADDRESSES[family].a1, 'lladdr', macOf('a1'), 'dev', 'eth0', 'nud', 'permanent');
        }
        try {
          await assertTraffic(closed());
        } finally {
          for (const family of FAMILIES) {
            a1.ip('neigh', 'del', ADDRESSES[family].a2, 'dev', 'eth0');
            a2.ip('neigh', 'del', ADDRESSES[family].a1, 'dev', 'eth0');
          }
        }
      });
    }
  });
}
