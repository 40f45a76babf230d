import { strict as assert } from 'node:assert';
import { networkEntries, portEntries, type Rules } from '../../src/shared/drivers/rules.ts';
import type { Family } from '../../src/shared/model/addr.ts';
import type { FirewallEntry, IngressPolicy } from '../../src/shared/model/firewall.ts';
import { given } from '../../src/shared/model/given.ts';
import { parsePrefix } from '../../src/shared/model/prefix.ts';
import { ruleset } from '../support/filter-tools.ts';
import { canPing } from '../support/ping.ts';
import { ADDRESSES, HOST, OTHER, type Peer, SERVICE } from '../support/pod-site.ts';
import { assertTraffic, type Expectation } from '../support/traffic.ts';
import { FAMILIES, type Fixture, LOOPBACK, PROTOCOLS, PUBLISHED, published, service } from './firewaller-fixture.ts';

/** A port of every address and one of 127.0.0.1, of TCP and of UDP. */
const PORTS: Rules['mappings'] = PROTOCOLS.flatMap((protocol): Rules['mappings'] => [
  { protocol, hostPort: PUBLISHED, containerPort: SERVICE },
  { protocol, hostPort: PUBLISHED + 1, containerPort: SERVICE, hostIp: LOOPBACK, family: 4 },
]);

/** Ports of the host itself. */
const HOST_SERVICE = 7000;

interface Wishes {
  readonly policy?: IngressPolicy;
  readonly masquerade?: readonly Family[];
  readonly routed?: readonly Family[];
  readonly unprotected?: readonly Family[];
  readonly trusted?: readonly string[];
  readonly mappings?: Rules['mappings'];
}

/** The entries of a network as Docker has them made, and of the ports of one container on it. */
function docker(device: 'br-a' | 'br-b', peer: Peer, wishes: Wishes = {}): FirewallEntry[] {
  const { policy = 'closed', masquerade = FAMILIES, routed, unprotected, trusted, mappings = [] } = wishes;
  const rules: Rules = {
    backend: 'nftables',
    admit: true,
    mappings,
    options: {
      backend: 'auto',
      policy,
      ...given({ unprotected, trusted }),
      ...(policy === 'internal' ? {} : { masquerade: { except: [], to: {}, families: masquerade } }),
      ports: {
        snat: true,
        masqAll: false,
        conditions: { 4: [], 6: [] },
        ...(routed === undefined ? {} : { routed }),
      },
    },
  };
  const addresses = [`${ADDRESSES[4][peer]}/24`, `${ADDRESSES[6][peer]}/64`].flatMap((text) => {
    const address = parsePrefix(text);
    return address === undefined ? [] : [{ address }];
  });
  const addressing = { addresses, routes: [] };
  return [...networkEntries(rules, device, addressing), ...portEntries(rules, addressing, device)];
}

/** FORWARD and DOCKER-USER as dockerd leaves them where it has turned forwarding on. */
const DOCKERD = [
  ['-N', 'DOCKER-USER'],
  ['-A', 'DOCKER-USER', '-j', 'RETURN'],
  ['-N', 'DOCKER-ISOLATION-STAGE-1'],
  ['-A', 'DOCKER-ISOLATION-STAGE-1', '-j', 'RETURN'],
  ['-A', 'FORWARD', '-j', 'DOCKER-USER'],
  ['-A', 'FORWARD', '-j', 'DOCKER-ISOLATION-STAGE-1'],
  ['-P', 'FORWARD', 'DROP'],
];

/** Docker's promises for its networks, on this host alone and with a dockerd that drops unknown traffic. */
export function describeDocker(fixture: Fixture): void {
  describe('networks of Docker', () => {
    before(() => fixture().site.hostAgent.serve('tcp', HOST_SERVICE));

    describe('alone', () => describePromises(fixture));

    for (const variant of ['nft', 'legacy'] as const) {
      describe(`with a dockerd of iptables-${variant} that drops forwarded traffic`, () => {
        let before = '';
        beforeEach(() => {
          const { host } = fixture().site;
          for (const tool of [`iptables-${variant}`, `ip6tables-${variant}`])
            for (const rule of DOCKERD) host.run(tool, ...rule);
          before = ruleset(host);
        });
        afterEach(async () => {
          const { firewaller, site } = fixture();
          await firewaller.reset(() => ({ entries: [] }));
          assert.equal(ruleset(site.host), before);
          for (const tool of [`iptables-${variant}`, `ip6tables-${variant}`]) {
            for (const rule of [['-P', 'FORWARD', 'ACCEPT'], ['-F'], ['-X']]) site.host.run(tool, ...rule);
          }
          if (variant === 'nft')
            for (const family of ['ip', 'ip6']) site.host.run('nft', 'delete', 'table', family, 'filter');
        });

        describePromises(fixture);
      });
    }
  });
}

function describePromises(fixture: Fixture): void {
  const everywhere = (probes: (family: Family, protocol: (typeof PROTOCOLS)[number]) => Expectation[]): Expectation[] =>
    FAMILIES.flatMap((family) => PROTOCOLS.flatMap((protocol) => probes(family, protocol)));

  it('are reachable by published ports only', async () => {
    const { firewaller, site } = fixture();
    const { agents, hostAgent } = site;
    await firewaller.add([...docker('br-a', 'a1', { mappings: PORTS }), ...docker('br-b', 'b1')]);
    await assertTraffic(
      everywhere((family, protocol) => {
        const { a1, b1, outside, stranger } = ADDRESSES[family];
        const host = HOST[family];
        return [
          [agents.outside, published(family, 'outside', { protocol }), `a1 saw ${outside}`],
          [agents.stranger, published(family, 'stranger', { protocol }), `a1 saw ${stranger}`],
          // From another of Docker's networks, from the container itself and from the host.
          [agents.b1, published(family, 'outside', { protocol }), `a1 saw ${b1}`],
          [agents.b1, published(family, 'b1', { protocol }), `a1 saw ${b1}`],
          [agents.a1, published(family, 'outside', { protocol }), `a1 saw ${host.a1}`],
          [agents.a2, published(family, 'a1', { protocol }), `a1 saw ${host.a1}`],
          [hostAgent, published(family, 'outside', { protocol }), 'a1'],
          [agents.outside, service(family, 'a1', protocol), 'blocked'],
          [agents.outside, service(family, 'a2', protocol), 'blocked'],
          [agents.node, service(family, 'a1', protocol), 'blocked'],
          [agents.b1, service(family, 'a1', protocol), 'blocked'],
          [agents.a1, service(family, 'b1', protocol), 'blocked'],
          [hostAgent, service(family, 'a1', protocol), 'a1'],
          [agents.a1, service(family, 'a2', protocol), `a2 saw ${a1}`],
          [agents.a1, service(family, 'outside', protocol), `outside saw ${host.outside}`],
          [agents.b1, service(family, 'stranger', protocol), `stranger saw ${host.stranger}`],
        ];
      }),
    );
  });

  it('publish ports of 127.0.0.1 to the host only', async () => {
    const { firewaller, site } = fixture();
    const { agents, hostAgent } = site;
    await firewaller.add([...docker('br-a', 'a1', { mappings: PORTS }), ...docker('br-b', 'b1')]);
    await assertTraffic(
      PROTOCOLS.flatMap((protocol): Expectation[] => {
        const bound = { protocol, port: PUBLISHED + 1 };
        const target = { ...bound, address: LOOPBACK };
        return [
          [hostAgent, target, `a1 saw ${HOST[4].a1}`],
          [agents.outside, target, 'blocked'],
          [agents.a2, target, 'blocked'],
          [agents.b1, target, 'blocked'],
          [agents.outside, published(4, 'outside', bound), 'refused'],
          [agents.b1, published(4, 'b1', bound), 'refused'],
        ];
      }),
    );
  });

  it('that trust an interface of the host are reached by it at their own addresses, by published ports only', async () => {
    const { firewaller, site } = fixture();
    const { agents } = site;
    const entries = [
      ...docker('br-a', 'a1', { mappings: PORTS, trusted: ['up0'] }),
      ...docker('br-b', 'b1', { mappings: PORTS.map((one) => ({ ...one, hostPort: one.hostPort + 10 })) }),
    ];
    await firewaller.add(entries);
    assert.deepEqual(await firewaller.missing(entries), []);
    await assertTraffic(
      everywhere((family, protocol) => {
        const { outside } = ADDRESSES[family];
        const other = (peer: Peer, port: number) => ({ ...service(family, peer, protocol), port });
        return [
          [agents.outside, service(family, 'a1', protocol), `a1 saw ${outside}`],
          [agents.outside, published(family, 'outside', { protocol }), `a1 saw ${outside}`],
          ...(protocol === 'tcp' ? [[agents.outside, other('a1', OTHER), 'blocked'] satisfies Expectation] : []),
          // Neither the neighbour on its network, nor another network, nor by another interface.
          [agents.outside, service(family, 'a2', protocol), 'blocked'],
          [agents.outside, service(family, 'b1', protocol), 'blocked'],
          [agents.node, service(family, 'a1', protocol), 'blocked'],
          [agents.b1, service(family, 'a1', protocol), 'blocked'],
          [agents.a1, service(family, 'outside', protocol), `outside saw ${HOST[family].outside}`],
        ];
      }),
    );
    for (const family of FAMILIES)
      assert.equal(canPing(site.peers.outside, ADDRESSES[family].a1), false, `IPv${family}`);
    assert.deepEqual(await firewaller.removeStray({ addresses: FAMILIES.map((family) => ADDRESSES[family].a1) }), []);
    await assertTraffic(
      everywhere((family, protocol) => [[agents.outside, service(family, 'a1', protocol), 'blocked']]),
    );
  });

  it('that are internal trust no interface, and those of other gateway modes are as without one', async () => {
    const { firewaller, site } = fixture();
    const { agents } = site;
    await firewaller.add([
      ...docker('br-a', 'a1', { policy: 'internal', trusted: ['up0'] }),
      ...docker('br-b', 'b1', { mappings: PORTS, routed: FAMILIES, masquerade: [], trusted: ['up1'] }),
    ]);
    await assertTraffic(
      everywhere((family, protocol) => [
        [agents.outside, service(family, 'a1', protocol), 'blocked'],
        [agents.outside, service(family, 'b1', protocol), `b1 saw ${ADDRESSES[family].outside}`],
      ]),
    );
  });

  it('are unreachable from an open network, but can reach it', async () => {
    const { firewaller, site } = fixture();
    await firewaller.add([
      ...docker('br-a', 'a1', { mappings: PORTS }),
      ...docker('br-b', 'b1', { policy: 'reachable' }),
    ]);
    await assertTraffic(
      everywhere((family, protocol) => [
        [site.agents.b1, service(family, 'a1', protocol), 'blocked'],
        [site.agents.b1, published(family, 'b1', { protocol }), 'a1'],
        [site.agents.a1, service(family, 'b1', protocol), 'b1'],
        [site.agents.outside, service(family, 'b1', protocol), `b1 saw ${ADDRESSES[family].outside}`],
      ]),
    );
  });

  it('that are internal reach only themselves and the host', async () => {
    const { firewaller, site } = fixture();
    const { agents, hostAgent } = site;
    await firewaller.add([
      ...docker('br-a', 'a1', { policy: 'internal' }),
      ...docker('br-b', 'b1', { mappings: PORTS }),
    ]);
    await assertTraffic([
      ...everywhere((family, protocol) => [
        [agents.a1, service(family, 'a2', protocol), `a2 saw ${ADDRESSES[family].a1}`],
        [hostAgent, service(family, 'a1', protocol), 'a1'],
        [agents.a1, service(family, 'outside', protocol), 'blocked'],
        [agents.a1, service(family, 'b1', protocol), 'blocked'],
        [agents.a1, published(family, 'a1', { protocol }), 'blocked'],
        [agents.outside, service(family, 'a1', protocol), 'blocked'],
        [agents.b1, service(family, 'a1', protocol), 'blocked'],
        [agents.outside, published(family, 'outside', { protocol }), 'b1'],
      ]),
      ...FAMILIES.map((family): Expectation => {
        const target = { address: HOST[family].a1, port: HOST_SERVICE };
        return [agents.a1, target, `host saw ${ADDRESSES[family].a1}`];
      }),
    ]);
  });

  it('that are translated in IPv4 and routed in IPv6 publish ports by the rule of each family', async () => {
    const { firewaller, site } = fixture();
    const { agents, peers } = site;
    const wishes = { masquerade: [4], routed: [6], mappings: PORTS } as const;
    const entries = [...docker('br-a', 'a1', wishes), ...docker('br-b', 'b1')];
    await firewaller.add(entries);
    assert.deepEqual(await firewaller.missing(entries), []);
    await assertTraffic(
      PROTOCOLS.flatMap((protocol): Expectation[] => [
        [agents.outside, published(4, 'outside', { protocol }), `a1 saw ${ADDRESSES[4].outside}`],
        [agents.outside, service(4, 'a1', protocol), 'blocked'],
        [agents.a1, service(4, 'outside', protocol), `outside saw ${HOST[4].outside}`],
        [agents.outside, published(6, 'outside', { protocol }), 'refused'],
        [agents.outside, service(6, 'a1', protocol), `a1 saw ${ADDRESSES[6].outside}`],
        [agents.b1, service(6, 'a1', protocol), `a1 saw ${ADDRESSES[6].b1}`],
        [agents.outside, service(6, 'a2', protocol), 'blocked'],
        [agents.a1, service(6, 'outside', protocol), `outside saw ${ADDRESSES[6].a1}`],
        [agents.a1, service(6, 'b1', protocol), 'blocked'],
      ]),
    );
    await assertTraffic([[agents.outside, { address: ADDRESSES[6].a1, port: OTHER }, 'blocked']]);
    assert.deepEqual(
      FAMILIES.map((family) => canPing(peers.outside, ADDRESSES[family].a1)),
      [false, true],
    );
    await firewaller.remove(docker('br-a', 'a1', wishes).filter(({ kind }) => kind === 'direct'));
    await assertTraffic([[agents.outside, service(6, 'a1'), 'blocked']]);
  });

  it('that are internal cannot reach the ports of a routed network', async () => {
    const { firewaller, site } = fixture();
    await firewaller.add(docker('br-b', 'b1', { policy: 'internal' }));
    await firewaller.add(docker('br-a', 'a1', { masquerade: [], routed: FAMILIES, mappings: PORTS }));
    await assertTraffic(
      everywhere((family, protocol) => [
        [site.agents.b1, service(family, 'a1', protocol), 'blocked'],
        [site.agents.node, service(family, 'a1', protocol), `a1 saw ${ADDRESSES[family].node}`],
      ]),
    );
  });

  it('that are unprotected in one family are open in that family only', async () => {
    const { firewaller, site } = fixture();
    const { agents } = site;
    await firewaller.add([...docker('br-a', 'a1', { unprotected: [6] }), ...docker('br-b', 'b1')]);
    await assertTraffic(
      PROTOCOLS.flatMap((protocol): Expectation[] => [
        [agents.outside, service(4, 'a1', protocol), 'blocked'],
        [agents.outside, service(6, 'a1', protocol), `a1 saw ${ADDRESSES[6].outside}`],
        [agents.b1, service(4, 'a2', protocol), 'blocked'],
        [agents.b1, service(6, 'a2', protocol), `a2 saw ${ADDRESSES[6].b1}`],
        [agents.a1, service(6, 'b1', protocol), 'blocked'],
        [agents.a1, service(6, 'outside', protocol), `outside saw ${HOST[6].outside}`],
      ]),
    );
  });
}
