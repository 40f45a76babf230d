import { strict as assert } from 'node:assert';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultCandidates } from '../../src/shared/core/pools/candidates.ts';
import {
  type Avoided,
  poolAnswer,
  releasePool,
  requestAddress,
  requestPool,
  unusePools,
  usePools,
} from '../../src/shared/core/pools/pools.ts';
import { seenOn } from '../../src/shared/core/pools/taken.ts';
import { formatPrefix } from '../../src/shared/model/prefix.ts';
import type { PoolRow } from '../../src/shared/store/store.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import type { FakeSeed } from '../../src/shared/testing/fake-netns.ts';
import { prefixOf } from '../support/addresses.ts';
import { makeCore, refusedWith, type TestCore } from '../support/core.ts';
import { makeTempDir } from '../support/temp.ts';
import { type AskedPool, candidate, poolsOn } from './pools-support.ts';
import { dockerNetwork, network } from './store-behaviour.ts';

describe('core: pools', () => {
  let core: TestCore;
  beforeEach(() => {
    core = makeCore(new FakeHost());
  });
  const pools = (): ReturnType<typeof poolsOn> => poolsOn(core);
  const onHost = (own: FakeSeed): void => {
    core = makeCore(new FakeHost({ own }));
  };
  const bridge = (subnet: string, name = 'web'): void =>
    core.store.networks.put(
      network(name, { spec: { options: { driver: 'null' }, ranges: [[{ subnet: prefixOf(subnet) }]], routes: [] } }),
    );

  describe('chosen by the core', () => {
    const small = ['base=10.1.0.0/22,size=24'];
    const choose = (request: AskedPool = {}, avoid: readonly Avoided[] = []): string =>
      pools().ask(request, { candidates: small.map(candidate), avoid }).subnet;

    it('are handed out in order, each with a descriptive id', () => {
      const rows = [pools().ask(), pools().ask(), pools().ask({ v6: true })];
      assert.deepEqual(
        rows.map(({ subnet }) => subnet),
        ['10.192.0.0/22', '10.192.4.0/22', 'fd00:1::/64'],
      );
      for (const row of rows) assert.match(row.id, new RegExp(`^${row.subnet}@-#[0-9a-f]{16}$`));
      assert.deepEqual(
        core.store.pools.list(),
        rows.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
      );
      releasePool(core, rows[0]?.id ?? '');
      assert.equal(pools().ask().subnet, '10.192.0.0/22');
    });

    const dummy = { links: [{ name: 'd0', up: true }] };
    const hosts: readonly [what: string, seed: FakeSeed][] = [
      ['an address', { ...dummy, addresses: [{ dev: 'd0', address: '10.1.0.7/25' }] }],
      ['a host address', { ...dummy, addresses: [{ dev: 'd0', address: '10.1.0.255/32' }] }],
      ['a route', { ...dummy, routes: [{ dst: '10.1.0.128/25', dev: 'd0' }] }],
      ['a route by a gateway', { ...dummy, routes: [{ dst: '10.1.0.0/30', gateway: '192.0.2.1', dev: 'd0' }] }],
      [
        'a route of another table',
        {
          ...dummy,
          routes: [
            { dst: '10.0.0.0/16', dev: 'd0' },
            { dst: '10.1.0.0/24', dev: 'd0', table: 100 },
          ],
        },
      ],
    ];
    for (const [what, seed] of hosts)
      it(`avoid ${what} of the host`, () => {
        onHost(seed);
        assert.equal(choose(), '10.1.1.0/24');
      });

    it('ignore default routes, also those that a VPN writes as two halves', () => {
      const routes = ['0.0.0.0/0', '0.0.0.0/1', '128.0.0.0/1'].map((dst) => ({ dst, dev: 'd0' }));
      onHost({ ...dummy, routes: routes.slice(0, 1) });
      const { subnet, anyPool } = pools().ask();
      assert.deepEqual([subnet, anyPool], ['10.192.0.0/22', undefined]);
      onHost({ ...dummy, routes });
      assert.equal(choose(), '10.1.0.0/24');
    });

    it('are returned as the zero prefix if dockerd would reject them', () => {
      onHost({ ...dummy, routes: [{ dst: '0.0.0.0/1', dev: 'd0' }] });
      const row = pools().ask();
      assert.deepEqual([row.subnet, row.anyPool, poolAnswer(row)], ['10.192.0.0/22', true, '0.0.0.0/0']);
      const named = pools().ask({ subnet: '10.192.0.0/22' });
      assert.deepEqual([named.anyPool, poolAnswer(named)], [undefined, '10.192.0.0/22']);
      assert.equal(pools().ask({ v6: true }).anyPool, undefined);
    });

    it('avoid subnets of Docker, other networks and other pools', () => {
      bridge('10.1.1.0/24');
      pools().ask({ subnet: '10.1.2.128/25' });
      const avoid = [{ subnet: prefixOf('10.1.0.0/24'), holder: 'Docker network "a"' }];
      assert.equal(choose({}, avoid), '10.1.3.0/24');
    });

    it('avoid nameservers', () => {
      using directory = makeTempDir();
      const files = ['a', 'b', 'missing'].map((name) => join(directory.path, name));
      writeFileSync(
        files[0] ?? '',
        'search example\n nameserver 10.1.0.53\nnameserver fe80::1%eth0\n#nameserver 10.1.1.1\n',
      );
      writeFileSync(files[1] ?? '', 'nameserver 127.0.0.53\nnameserver x\nnameserver fd00::53');
      const found = seenOn(core.host, files).filter(({ holder }) => holder.startsWith('nameserver'));
      assert.deepEqual(
        found.map(({ subnet, holder }) => `${formatPrefix(subnet)} ${holder}`),
        [
          '10.1.0.53/32 nameserver 10.1.0.53',
          'fe80::1/128 nameserver fe80::1',
          '127.0.0.53/32 nameserver 127.0.0.53',
          'fd00::53/128 nameserver fd00::53',
        ],
      );
    });

    it('name some of the holders when exhausted, and how to add candidates', () => {
      onHost({ ...dummy, addresses: [{ dev: 'd0', address: '10.1.0.7/24' }] });
      bridge('10.1.1.0/24');
      const used = pools().ask({ subnet: '10.1.2.0/24' });
      core.store.pools.put({ ...used, usedBy: 'abcdef0123456789' });
      pools().ask({ subnet: '10.1.3.0/24' });
      const named =
        /IPv4 \(10\.1\.0\.0\/22 in \/24\): all of them are held: network web, Docker network abcdef012345, a pool that dockerd has just requested, address 10\.1\.0\.7\/24 of d0\. /;
      assert.throws(() => choose(), refusedWith('exhausted', named));
      const avoid = [1, 2, 3, 4, 5, 6, 7].map((i) => ({ subnet: prefixOf(`10.1.0.${i}/32`), holder: `n${i}` }));
      const cut = /held: network web, .*, n1 and 6 more\. .*isthmus serve --address-pool base=10\.99\.0\.0\/16,size=24/;
      assert.throws(() => choose({}, avoid), refusedWith('exhausted', cut));
    });

    it('are not available without candidates of the family', () => {
      const wanted = /IPv6 \(none\): there are none.*--address-pool base=fd00:99::\/48,size=64/;
      assert.throws(() => choose({ v6: true }), refusedWith('exhausted', wanted));
      assert.equal(core.store.pools.list().length, 0);
    });

    it('name the widest holder first, and pools that nothing holds', () => {
      const routes = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '10.1.0.0/24'].map((dst) => ({
        dst,
        dev: 'd0',
      }));
      const all = (error: RegExp) => refusedWith('exhausted', error);
      onHost({ ...dummy, routes: [...routes].reverse() });
      assert.throws(() => choose(), all(/held: route 10\.0\.0\.0\/8 dev d0, route 10\.1\.0\.0\/24 dev d0\. /));
      assert.throws(() => choose(), all(/--address-pool base=100\.99\.0\.0\/16,size=24$/));
      const candidates = defaultCandidates('root', 'm1');
      const ask = () => pools().ask({}, { candidates }).subnet;
      assert.throws(ask, all(/held: route 10\.0\.0\.0\/8 dev d0, route 172\.16\.0\.0\/12 dev d0, route 192/));
      onHost({ ...dummy, routes: routes.slice(0, 1) });
      assert.equal(ask(), '172.16.0.0/22');
      onHost({ ...dummy, routes: routes.slice(0, 2) });
      assert.equal(ask(), '192.168.0.0/22');
    });

    it('come by default from 10.192.0.0/12 and a stable prefix of the host', () => {
      const [four, ...others] = defaultCandidates('root', 'm1');
      const six = others.at(-1);
      const texts = [four, six].map((one) => one && `${formatPrefix(one.base)} ${one.size}`);
      assert.equal(texts[0], '10.192.0.0/12 22');
      assert.match(texts[1] ?? '', /^fd[0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}::\/48 64$/);
      assert.deepEqual(defaultCandidates('root', 'm1'), [four, ...others]);
      assert.notDeepEqual(defaultCandidates('root', 'm2').at(-1), six);
      assert.notDeepEqual(defaultCandidates('nested', 'm1').at(-1), six);
      assert.deepEqual(defaultCandidates('root'), defaultCandidates('root'));
    });
  });

  describe('requested by the caller', () => {
    it('may be requested again, each time with an id of its own; host bits are ignored', () => {
      const subnets = ['10.9.1.0/24', '10.9.1.0/24', '10.9.1.77/24'];
      const rows = subnets.map((subnet) => pools().ask({ subnet, range: '10.9.1.130/25' }));
      assert.deepEqual(
        rows.map(({ subnet, range }) => [subnet, range]),
        rows.map(() => ['10.9.1.0/24', '10.9.1.128/25']),
      );
      assert.equal(new Set(rows.map(({ id }) => id)).size, 3);
    });

    for (const [subnet, gateway, endpoint] of [
      ['10.9.1.0/31', '10.9.1.0/31', '10.9.1.1/31'],
      ['10.9.1.4/32', '10.9.1.4/32', undefined],
      ['10.9.1.4/30', '10.9.1.5/30', '10.9.1.6/30'],
      ['fd00:9::/127', 'fd00:9::1/127', undefined],
    ] as const)
      it(`may be as small as ${subnet}`, () => {
        const pool = pools().ask({ subnet, v6: subnet.includes(':') });
        const ask = (use: 'gateway' | 'endpoint'): string =>
          formatPrefix(requestAddress(core, { pool: pool.id, use, now: 1 }));
        assert.equal(ask('gateway'), gateway);
        if (endpoint === undefined) assert.throws(() => ask('endpoint'), refusedWith('exhausted', /0 of 0|1 of 1/));
        else assert.equal(ask('endpoint'), endpoint);
        assert.throws(() => ask('endpoint'), refusedWith('exhausted', /leased/));
      });

    const refusals: readonly [request: AskedPool, text: RegExp][] = [
      [{ subnet: 'fd00::/64' }, /--subnet fd00::\/64: it is IPv6, but the request is for IPv4/],
      [{ subnet: '10.9.1.0/24', v6: true }, /it is IPv4, but the request is for IPv6/],
      [{ subnet: 'fd00::1/128', v6: true }, /its only address is the anycast address.*length of 126 or less/],
      [{ subnet: '0.0.0.0/0' }, /every address/],
      [{ range: '10.9.1.0/25' }, /--ip-range 10\.9\.1\.0\/25: it is part of no subnet/],
      [{ subnet: '10.9.1.0/24', range: '10.9.2.0/25' }, /not inside --subnet 10\.9\.1\.0\/24/],
      [{ subnet: '10.9.1.0/24', range: '10.9.0.0/16' }, /not inside/],
      [{ network: '../x' }, /network=\.\.\/x: it is not a name/],
    ];
    for (const [request, text] of refusals)
      it(`are rejected: ${JSON.stringify(request)}`, () => {
        assert.throws(() => pools().ask(request), refusedWith('invalid-config', text));
        assert.deepEqual(core.store.pools.list(), []);
      });
  });

  describe('of a Docker network', () => {
    const use = (id: string, ...subnets: string[]): PoolRow[] =>
      core.store.transaction(() => {
        core.store.dockerNetworks.put(dockerNetwork(id));
        return usePools(
          core.store,
          id,
          subnets.map((pool) => ({ pool: prefixOf(pool) })),
        );
      });

    it('are the ones requested last, stay its own, and are not given to others', () => {
      const [old, late, six] = [
        pools().ask({ subnet: '10.9.1.0/24' }, { now: 5 }),
        pools().ask({ subnet: '10.9.1.0/24' }, { now: 6 }),
        pools().ask({ subnet: 'fd00:9::/64', v6: true }),
      ];
      const used = use('n1', '10.9.1.0/24', 'fd00:9::/64');
      assert.deepEqual(used, [
        { ...late, usedBy: 'n1' },
        { ...six, usedBy: 'n1' },
      ]);
      assert.deepEqual(use('n1', '10.9.1.0/24', 'fd00:9::/64'), used);
      assert.deepEqual(use('n2', '10.9.1.0/24')[0], { ...old, usedBy: 'n2' });
      assert.throws(
        () => use('n3', '10.9.1.0/24'),
        refusedWith('conflict', /subnet 10\.9\.1\.0\/24: no unused pool has this subnet/),
      );
      assert.equal(core.store.dockerNetworks.get('n3'), undefined);
      core.store.dockerNetworks.delete('n2');
      assert.equal(use('n4', '10.9.1.0/24')[0]?.id, old.id);
    });

    it('are identified by their gateways if the answer was the zero prefix', () => {
      const routes = [{ dst: '0.0.0.0/1', dev: 'd0' }];
      onHost({ links: [{ name: 'd0', up: true }], routes });
      const [a, b] = [pools().ask(), pools().ask()];
      pools().ask({ subnet: '10.9.1.0/24' });
      const any = { pool: prefixOf('0.0.0.0/0') };
      const useAny = (id: string, gateway?: string): string | undefined => {
        core.store.dockerNetworks.put(dockerNetwork(id));
        return usePools(core.store, id, [gateway === undefined ? any : { ...any, gateway: prefixOf(gateway) }])[0]?.id;
      };
      assert.equal(useAny('n1', '10.192.0.1/22'), a.id);
      assert.equal(useAny('n2'), b.id);
      assert.equal(useAny('n1', '10.192.0.1/22'), a.id);
      assert.throws(() => useAny('n3', '10.9.1.1/24'), refusedWith('conflict', /subnet 0\.0\.0\.0\/0: no unused pool/));
      assert.throws(() => useAny('n3'), refusedWith('conflict', /no unused pool/));
    });

    it('are deleted with it, or move to another Docker network of the same network', () => {
      const web = { subnet: '10.9.1.0/24', network: 'web' };
      const [one, two] = [pools().ask(web, { now: 1 }), pools().ask(web, { now: 2 })];
      for (const id of ['n1', 'n2'])
        core.store.transaction(() => {
          core.store.dockerNetworks.put(dockerNetwork(id, { network: 'web' }));
          usePools(core.store, id, [{ pool: prefixOf('10.9.1.0/24'), network: 'web' }]);
        });
      assert.equal(core.store.pools.get(two.id)?.usedBy, 'n1', 'the last one is taken first, though it is n2’s');
      releasePool(core, one.id);
      core.store.dockerNetworks.delete('n1');
      unusePools(core.store, 'n1');
      assert.equal(core.store.pools.get(two.id)?.usedBy, 'n2');
      unusePools(core.store, 'n2');
      assert.deepEqual(core.store.pools.list(), []);
    });

    it('are rejected as a whole if one of them is missing', () => {
      pools().ask({ subnet: '10.9.1.0/24' });
      assert.throws(() => use('n1', '10.9.1.0/24', '10.9.2.0/24'), refusedWith('conflict', /10\.9\.2\.0\/24/));
      assert.equal(core.store.pools.list()[0]?.usedBy, undefined);
    });
  });

  it('are deleted with their reservations on release; a missing pool is not an error', () => {
    const [a, b] = [pools().ask({ subnet: '10.9.1.0/24' }), pools().ask({ subnet: '10.9.1.0/24' })];
    for (const { id: pool } of [a, b]) requestAddress(core, { pool, use: 'gateway', now: 1 });
    requestAddress(core, { pool: a.id, use: 'endpoint', now: 1 });
    releasePool(core, a.id);
    releasePool(core, a.id);
    releasePool(core, 'unknown');
    assert.deepEqual(
      core.store.pools.list().map(({ id }) => id),
      [b.id],
    );
    assert.equal(core.store.leases.list('docker').length, 1, 'the other reference may have asked for it');
    releasePool(core, b.id);
    assert.equal(core.store.leases.list('docker').length, 0);
    assert.deepEqual(core.store.pools.list(), []);
  });

  it('are not on record if the request fails', () => {
    const context = { candidates: [], avoid: [], now: 1 };
    assert.throws(() => requestPool(core, { v6: false }, context), refusedWith('exhausted', /none to choose/));
    assert.deepEqual(core.store.pools.list(), []);
  });
});
