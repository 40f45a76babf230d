import { strict as assert } from 'node:assert';
import type { Family } from '../../src/shared/model/addr.ts';
import type { IngressPolicy } from '../../src/shared/model/firewall.ts';
import { ADDRESSES, HOST, type Peer } from '../support/pod-site.ts';
import { assertTraffic, type Expectation } from '../support/traffic.ts';
import {
  FAMILIES,
  type Fixture,
  hairpin,
  masquerade,
  PROTOCOLS,
  policy,
  port,
  published,
  service,
} from './firewaller-fixture.ts';
import { describeIsolation } from './firewaller-isolation.ts';

/** `a1 → b1 blocked`: client, server and outcome; `yes` means that the true source is seen. */
type Row = readonly [from: Peer | 'host', to: Peer, outcome: 'yes' | 'blocked'];

interface Case {
  readonly a: IngressPolicy;
  readonly b?: IngressPolicy;
  readonly rows: readonly Row[];
}

const OUTWARDS: readonly Row[] = [
  ['a1', 'outside', 'yes'],
  ['a1', 'node', 'yes'],
];

const INWARDS: readonly Row[] = [
  ['outside', 'a1', 'yes'],
  ['node', 'a1', 'yes'],
  ['host', 'a1', 'yes'],
];

/** Connections of a bridge of others. */
const OF_OTHERS: readonly Row[] = [
  ['b1', 'outside', 'yes'],
  ['outside', 'b1', 'yes'],
  ['host', 'b1', 'yes'],
];

const CASES: readonly Case[] = [
  {
    a: 'open',
    b: 'open',
    rows: [...OUTWARDS, ...INWARDS, ['a1', 'a2', 'yes'], ['a1', 'b1', 'yes'], ['b1', 'a1', 'yes']],
  },
  // Without a policy, br-b is a bridge of others.
  {
    a: 'open',
    rows: [...OUTWARDS, ...INWARDS, ['a1', 'b1', 'yes'], ['b1', 'a1', 'yes'], ...OF_OTHERS],
  },
  {
    a: 'same-bridge',
    b: 'same-bridge',
    rows: [...OUTWARDS, ...INWARDS, ['a1', 'a2', 'yes'], ['a1', 'b1', 'blocked'], ['b1', 'a1', 'blocked']],
  },
  {
    a: 'same-bridge',
    b: 'isolated',
    rows: [...OUTWARDS, ...INWARDS, ['a1', 'a2', 'yes'], ['a1', 'b1', 'blocked'], ['b1', 'a1', 'blocked']],
  },
  {
    a: 'same-bridge',
    b: 'open',
    rows: [...OUTWARDS, ...INWARDS, ['a1', 'a2', 'yes'], ['a1', 'b1', 'yes'], ['b1', 'a1', 'yes']],
  },
  {
    a: 'same-bridge',
    rows: [...OUTWARDS, ...INWARDS, ['a1', 'b1', 'yes'], ['b1', 'a1', 'yes'], ...OF_OTHERS],
  },
  {
    a: 'same-bridge',
    b: 'closed',
    rows: [...OUTWARDS, ['a1', 'b1', 'blocked'], ['outside', 'b1', 'blocked'], ['a1', 'a2', 'yes']],
  },
  {
    a: 'isolated',
    b: 'open',
    rows: [...OUTWARDS, ...INWARDS, ['a1', 'a2', 'blocked'], ['a1', 'b1', 'yes'], ['b1', 'a1', 'yes']],
  },
  {
    a: 'isolated',
    b: 'same-bridge',
    rows: [...OUTWARDS, ...INWARDS, ['a2', 'a1', 'blocked'], ['a1', 'b1', 'blocked'], ['b1', 'a1', 'blocked']],
  },
  {
    a: 'closed',
    rows: [...OUTWARDS, ['a1', 'b1', 'yes'], ['b1', 'a1', 'blocked'], ...OF_OTHERS],
  },
  {
    a: 'closed',
    b: 'open',
    rows: [
      ...OUTWARDS,
      ['a1', 'a2', 'yes'],
      ['a1', 'b1', 'yes'],
      ['b1', 'a1', 'blocked'],
      ['outside', 'a1', 'blocked'],
      ['node', 'a1', 'blocked'],
      ['host', 'a1', 'yes'],
      ['outside', 'b1', 'yes'],
    ],
  },
  {
    a: 'closed',
    b: 'closed',
    rows: [
      ...OUTWARDS,
      ['a1', 'a2', 'yes'],
      ['a1', 'b1', 'blocked'],
      ['b1', 'a1', 'blocked'],
      ['b1', 'outside', 'yes'],
    ],
  },
  {
    a: 'internal',
    rows: [
      ['a1', 'a2', 'yes'],
      ['a1', 'b1', 'blocked'],
      ['a1', 'outside', 'blocked'],
      ['a1', 'node', 'blocked'],
      ['b1', 'a1', 'blocked'],
      ['outside', 'a1', 'blocked'],
      ['node', 'a1', 'blocked'],
      ['b1', 'outside', 'yes'],
      ['outside', 'b1', 'yes'],
    ],
  },
  {
    a: 'internal',
    b: 'closed',
    rows: [
      ['a1', 'a2', 'yes'],
      ['a1', 'b1', 'blocked'],
      ['b1', 'a1', 'blocked'],
      ['b1', 'outside', 'yes'],
    ],
  },
];

export function describePolicies(fixture: Fixture): void {
  const probes = (rows: readonly Row[], family: Family): Expectation[] =>
    rows.flatMap(([from, to, outcome]) =>
      PROTOCOLS.map((protocol): Expectation => {
        const { agents, hostAgent } = fixture().site;
        if (from === 'host') return [hostAgent, service(family, to, protocol), to];
        const expected = outcome === 'yes' ? `${to} saw ${ADDRESSES[family][from]}` : outcome;
        return [agents[from], service(family, to, protocol), expected];
      }),
    );
  const both = (rows: readonly Row[]): Expectation[] => FAMILIES.flatMap((family) => probes(rows, family));

  describe('policies', () => {
    for (const { a, b, rows } of CASES) {
      it(`${a}${b === undefined ? '' : ` beside ${b}`}`, async () => {
        const { firewaller } = fixture();
        const entries = [policy('br-a', a), ...(b === undefined ? [] : [policy('br-b', b)])];
        await firewaller.add(entries);
        await assertTraffic(both(rows));
        assert.deepEqual(await firewaller.remove(entries), []);
        await assertTraffic(both(rows.map(([from, to]): Row => [from, to, 'yes'])));
      });
    }

    describe('beside a network of Docker, known by its name or by its rule', () => {
      const DOCKER = 'br-0123456789ab';
      const rename = (from: string, to: string): string =>
        fixture().site.host.run('ip', 'link', 'set', from, 'name', to);
      afterEach(() => {
        const { host } = fixture().site;
        if (host.run('ip', '-br', 'link').includes(DOCKER)) rename(DOCKER, 'br-b');
        host.run('sh', '-c', 'iptables-nft -D FORWARD -o br-b -j DOCKER && iptables-nft -X DOCKER || true');
        host.run('sh', '-c', 'nft delete table ip filter || true');
      });
      const CLOSED: readonly (readonly [IngressPolicy, readonly Row[]])[] = [
        ['open', [...OUTWARDS, ...INWARDS, ['a1', 'b1', 'blocked'], ['b1', 'a1', 'blocked'], ...OF_OTHERS]],
        ['reachable', [...OUTWARDS, ...INWARDS, ['a1', 'b1', 'blocked'], ['b1', 'a1', 'yes'], ...OF_OTHERS]],
        ['same-bridge', [...OUTWARDS, ...INWARDS, ['a1', 'b1', 'blocked'], ['b1', 'a1', 'blocked'], ...OF_OTHERS]],
        ['closed', [...OUTWARDS, ['a1', 'b1', 'blocked'], ['b1', 'a1', 'blocked'], ...OF_OTHERS]],
      ];
      for (const [rule, rows] of CLOSED) {
        for (const known of ['name', 'rule']) {
          it(`${rule} is closed to it, and it to ${rule}, unless that is reachable: by its ${known}`, async () => {
            const { firewaller, site } = fixture();
            if (known === 'name') rename('br-b', DOCKER);
            else site.host.run('sh', '-c', 'iptables-nft -N DOCKER; iptables-nft -A FORWARD -o br-b -j DOCKER');
            await firewaller.add([policy('br-a', rule)]);
            await assertTraffic(both(rows));
            assert.deepEqual(await firewaller.missing([policy('br-a', rule)]), []);
            await firewaller.reset(() => ({ entries: [policy('br-a', rule)] }));
            await assertTraffic(both(rows));
            assert.deepEqual(await firewaller.remove([policy('br-a', rule)]), []);
            await assertTraffic(
              both([
                ['a1', 'b1', 'yes'],
                ['b1', 'a1', 'yes'],
              ]),
            );
          });
        }
      }
    });

    for (const rule of ['same-bridge', 'closed', 'internal'] as const) {
      it(`${rule} applies between networks when bridge frames are not filtered`, async () => {
        const { firewaller, site } = fixture();
        site.bridgeFilter(false);
        await firewaller.add([policy('br-a', rule), policy('br-b', rule)]);
        await assertTraffic(
          both([
            ['a1', 'a2', 'yes'],
            ['a1', 'b1', 'blocked'],
            ['b1', 'a1', 'blocked'],
          ]),
        );
      });
    }

    for (const rule of ['closed', 'open', 'internal'] as const) {
      it(`separate ports of a bridge that is ${rule} do not reach each other by routing, but published ports`, async () => {
        const { firewaller, site } = fixture();
        const { a1 } = site.peers;
        // What `ip route add NEIGHBOUR via GATEWAY` does in a container; without redirects the host keeps routing.
        site.bridgeFilter(false);
        site.host.run('sysctl', '-qw', 'net.ipv4.conf.all.send_redirects=0', 'net.ipv4.conf.br-a.send_redirects=0');
        a1.run('sh', '-c', 'for key in /proc/sys/net/ipv6/conf/*/accept_redirects; do echo 0 > $key; done');
        const routes = FAMILIES.map((family) => [`-${family}`, ADDRESSES[family].a2, HOST[family].a1] as const);
        for (const [family, to, via] of routes) a1.ip(family, 'route', 'add', to, 'via', via);
        try {
          await firewaller.add([policy('br-a', rule)]);
          await assertTraffic(both([['a1', 'a2', 'yes']]));
          await firewaller.add([{ kind: 'separate', device: 'br-a' }]);
          await assertTraffic(both([['a1', 'a2', 'blocked']]));
          assert.deepEqual(await firewaller.missing([{ kind: 'separate', device: 'br-a' }]), []);
          await firewaller.add(FAMILIES.flatMap((family) => [hairpin(family), port(family)]));
          for (const family of FAMILIES) {
            const { a2 } = site.agents;
            await assertTraffic([[a2, published(family, 'a2'), `a1 saw ${HOST[family].a1}`]]);
          }
          assert.deepEqual(await firewaller.remove([{ kind: 'separate', device: 'br-a' }]), []);
          await assertTraffic(both([['a1', 'a2', 'yes']]));
        } finally {
          for (const [family, to, via] of routes) a1.ip(family, 'route', 'del', to, 'via', via);
        }
      });
    }

    describeIsolation(fixture);

    it('closed accepts published ports, from everywhere, and nothing else', async () => {
      const { firewaller, site } = fixture();
      const { agents } = site;
      await firewaller.add([policy('br-a', 'closed'), policy('br-b', 'closed')]);
      await firewaller.add(
        FAMILIES.flatMap((family) => [hairpin(family), port(family), port(family, { protocol: 'udp' })]),
      );
      for (const family of FAMILIES) {
        const { outside, stranger, b1 } = ADDRESSES[family];
        await assertTraffic([
          ...PROTOCOLS.flatMap((protocol): Expectation[] => [
            [agents.outside, published(family, 'outside', { protocol }), `a1 saw ${outside}`],
            [agents.stranger, published(family, 'stranger', { protocol }), `a1 saw ${stranger}`],
            [agents.b1, published(family, 'outside', { protocol }), `a1 saw ${b1}`],
            [agents.a1, published(family, 'outside', { protocol }), 'a1'],
            [agents.a2, published(family, 'outside', { protocol }), 'a1'],
            [agents.outside, service(family, 'a1', protocol), 'blocked'],
            [agents.b1, service(family, 'a1', protocol), 'blocked'],
          ]),
          [site.hostAgent, published(family, 'outside'), 'a1'],
        ]);
      }
      await assertTraffic([[site.hostAgent, published(4, 'outside', { address: '127.0.0.1' }), 'a1']]);
    });

    it('closed and masqueraded reaches the outside and receives its answers', async () => {
      const { firewaller, site } = fixture();
      await firewaller.add([policy('br-a', 'closed'), ...FAMILIES.map((family) => masquerade(family))]);
      await assertTraffic(
        FAMILIES.flatMap((family): Expectation[] => [
          [site.agents.a1, service(family, 'stranger'), 'stranger'],
          [site.agents.a1, service(family, 'stranger', 'udp'), 'stranger'],
          [site.agents.outside, service(family, 'a1'), 'blocked'],
        ]),
      );
    });

    it('internal accepts nothing from outside, not even by a published port', async () => {
      const { firewaller, site } = fixture();
      const { agents } = site;
      await firewaller.add([policy('br-a', 'internal')]);
      await firewaller.add(FAMILIES.flatMap((family) => [hairpin(family), masquerade(family), port(family)]));
      await assertTraffic(
        FAMILIES.flatMap((family): Expectation[] => [
          [agents.outside, published(family, 'outside'), 'blocked'],
          [agents.b1, published(family, 'b1'), 'blocked'],
          [agents.a1, service(family, 'outside'), 'blocked'],
          [agents.a1, service(family, 'a2'), `a2 saw ${ADDRESSES[family].a1}`],
        ]),
      );
    });

    it('applying closed later keeps the open connections of pods', async () => {
      const { firewaller, site } = fixture();
      // So that connections are followed already when it is opened.
      await firewaller.add(FAMILIES.map((family) => masquerade(family)));
      const open = await Promise.all(
        FAMILIES.map((family) => site.agents.a1.open(ADDRESSES[family].outside, service(family, 'outside').port)),
      );
      await firewaller.add([policy('br-a', 'closed')]);
      for (const connection of open) assert.equal(await connection.exchange(), connection.greeting);
    });

    it('a new policy of a device replaces the old one', async () => {
      const { firewaller } = fixture();
      await firewaller.add([policy('br-a', 'internal')]);
      await firewaller.remove([policy('br-a', 'internal')]);
      await firewaller.add([policy('br-a', 'closed')]);
      await assertTraffic(
        both([
          ['a1', 'outside', 'yes'],
          ['outside', 'a1', 'blocked'],
        ]),
      );
    });
  });
}
