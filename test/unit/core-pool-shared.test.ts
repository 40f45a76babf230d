import { strict as assert } from 'node:assert';
import { type NetworkSpec, parseSpec, type RangeText } from '../../src/shared/config/network-spec.ts';
import { expireRequests, usePools } from '../../src/shared/core/pools/pools.ts';
import { free } from '../../src/shared/ipam/free.ts';
import { release } from '../../src/shared/ipam/leases.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { prefixOf } from '../support/addresses.ts';
import { refusedWith, scopeOf } from '../support/core.ts';
import { range } from './ipam-support.ts';
import { type AskedPool, describePools, PoolLab, podOf } from './pools-support.ts';
import { dockerNetwork, network } from './store-behaviour.ts';

const WEB = scopeOf();

describePools('core: pools', (lab) => {
  describe('of a shared network', () => {
    const SUBNET = '10.88.0.0/24';
    const know = (ranges: readonly (readonly RangeText[])[], more: Partial<NetworkSpec> = {}): void => {
      const text = { options: { driver: 'null' as const }, ranges, routes: [], scope: WEB };
      const spec = { ...parseSpec(text), ...more };
      lab().store.networks.put(network('web', { spec }));
    };

    it('are its own, as is the gateway, with or without naming the subnet', () => {
      know([[{ subnet: SUBNET, gateway: '10.88.0.9' }], [{ subnet: 'fd00:88::/64' }]]);
      const four = lab().shared();
      assert.deepEqual([four.subnet, four.gateway, four.scope, four.network], [SUBNET, '10.88.0.9', WEB, 'web']);
      assert.match(four.id, /^10\.88\.0\.0\/24@web#/);
      const six = lab().shared({ v6: true, subnet: 'fd00:88::/64' });
      assert.deepEqual([six.subnet, six.gateway, six.scope], ['fd00:88::/64', 'fd00:88::1', WEB]);
      assert.equal(lab().ask(four, 'gateway'), '10.88.0.9/24');
      assert.equal(lab().ask(four, 'gateway', '10.88.0.9'), '10.88.0.9/24');
      const other = /gateway 10\.88\.0\.1: network web has gateway 10\.88\.0\.9/;
      assert.throws(() => lab().ask(four, 'gateway', '10.88.0.1'), refusedWith('conflict', other));
      const differs =
        /network web: it has 10\.88\.0\.0\/24, but --subnet 10\.0\.0\.0\/8 is requested.*--subnet 10\.88\.0\.0\/24 NAME/;
      assert.throws(() => lab().shared({ subnet: '10.0.0.0/8' }), refusedWith('conflict', differs));
    });

    it('are shared by pods and containers in turn, and neither side gets an address of the other', () => {
      const ranges = [[{ subnet: SUBNET, rangeStart: '10.88.0.10', rangeEnd: '10.88.0.14' }]];
      know(ranges);
      const sets = [[range(SUBNET, { start: '10.88.0.10', end: '10.88.0.14' })]];
      const own = lab().shared();
      lab().ask(own, 'auxiliary', '10.88.0.12');
      assert.equal(lab().pod('a', sets), '10.88.0.10/24');
      assert.equal(lab().ask(own), '10.88.0.11/24');
      lab().claim(own, '10.88.0.11', 'c1');
      assert.equal(lab().pod('b', sets), '10.88.0.13/24');
      assert.deepEqual(free(lab().store, WEB, sets), [{ total: 4n, leased: 3 }]);
      assert.equal(lab().ask(own), '10.88.0.14/24');
      assert.throws(() => lab().ask(own), refusedWith('exhausted', /of network web: 4 of 4/));
      assert.throws(() => lab().pod('c', sets), refusedWith('exhausted', /4 of 4/));
      assert.throws(() => lab().pod('c', sets, ['10.88.0.11']), refusedWith('conflict', /container c1/));
      assert.throws(() => lab().pod('c', sets, ['10.88.0.12']), refusedWith('conflict', /a network has reserved it/));
      assert.throws(
        () => lab().ask(own, 'endpoint', '10.88.0.10'),
        refusedWith('conflict', /container a interface eth0 of cni/),
      );
      assert.equal(lab().ask(own, 'endpoint', '10.88.0.99'), '10.88.0.99/24');
    });

    it('do not move the allocation cursor of the other family', () => {
      know([[{ subnet: SUBNET }], [{ subnet: 'fd00:88::/64' }]]);
      const sets = [[range(SUBNET)], [range('fd00:88::/64')]];
      assert.equal(lab().pod('a', sets), '10.88.0.2/24 fd00:88::2/64');
      assert.equal(lab().ask(lab().shared({ v6: true })), 'fd00:88::3/64');
      release(lab().store, WEB, podOf('a'));
      assert.equal(lab().pod('b', sets), '10.88.0.3/24 fd00:88::4/64');
      const part = lab().shared({ subnet: SUBNET, range: '10.88.0.64/30' });
      assert.deepEqual(
        [64, 65, 66, 67].map(() => lab().ask(part)),
        ['64', '65', '66', '67'].map((last) => `10.88.0.${last}/24`),
      );
      assert.throws(
        () => lab().ask(part),
        refusedWith('exhausted', /10\.88\.0\.64-10\.88\.0\.67\) of network web: 4 of 4/),
      );
    });

    it('may be requested by several callers before the network exists', () => {
      const [one, two] = [lab().shared(), lab().shared()];
      assert.deepEqual([one.subnet, one.gateway, one.scope], ['10.192.0.0/22', undefined, WEB]);
      assert.equal(two.subnet, one.subnet);
      assert.notEqual(two.id, one.id);
      assert.equal(lab().shared({ v6: true }).subnet, 'fd00:1::/64');
      assert.equal(lab().ask(one, 'gateway', '10.192.0.7'), '10.192.0.7/22');
      assert.equal(lab().ask(two, 'gateway'), '10.192.0.7/22', 'the one that is asked for already');
      assert.equal(lab().ask(two), '10.192.0.1/22');
      assert.equal(lab().ask(one), '10.192.0.2/22');
    });

    it('are returned as the zero prefix while the host has a route to them, except for IPv6', () => {
      know([[{ subnet: SUBNET }], [{ subnet: 'fd00:88::/64' }]]);
      const up = { links: [{ name: 'isth0', up: true }] };
      const addresses = ['10.88.0.1/24', 'fd00:88::1/64'].map((address) => ({ dev: 'isth0', address }));
      const there = new PoolLab({ ...lab().core, host: new FakeHost({ own: { ...up, addresses } }) });
      const row = there.shared();
      assert.deepEqual([row.subnet, row.anyPool, row.gateway], [SUBNET, true, '10.88.0.1']);
      assert.equal(there.ask(row), '10.88.0.2/24');
      assert.equal(there.shared({ subnet: SUBNET }).anyPool, undefined);
      assert.equal(there.shared({ v6: true }).anyPool, undefined);
    });

    const join = 'docker network create -d isthmus --ipam-driver isthmus --ipam-opt network=web -o network=web';
    const refusals: readonly [what: string, make: () => void, request: AskedPool, text: string][] = [
      [
        'by Docker',
        () => know([[{ subnet: SUBNET }]], { allocator: 'docker' }),
        {},
        "Docker's own IPAM hands out its addresses, to Docker. Make a network of its own: docker network create -d isthmus NAME",
      ],
      ['by a foreign plugin', () => know([], { allocator: 'dhcp' }), {}, 'dhcp hands out its addresses'],
      ['to nobody', () => know([]), {}, 'it has no IPv4 addresses to hand out. Make a network of its own'],
      [
        'of IPv6 only',
        () => know([[{ subnet: 'fd00:88::/64' }]]),
        {},
        `${join} --ipv4=false --ipv6 --subnet fd00:88::/64 NAME`,
      ],
      [
        'of IPv4 only',
        () => know([[{ subnet: SUBNET }]]),
        { v6: true },
        `Leave --ipv6 out: ${join} --subnet 10.88.0.0/24 NAME`,
      ],
      [
        'of two sets',
        () => know([[{ subnet: SUBNET }], [{ subnet: '10.89.0.0/24' }]]),
        {},
        'several range sets of IPv4',
      ],
      ['of two subnets', () => know([[{ subnet: SUBNET }, { subnet: '10.89.0.0/24' }]]), {}, 'of several subnets'],
    ];
    for (const [what, make, request, text] of refusals)
      it(`are rejected if they are handed out ${what}`, () => {
        make();
        assert.throws(
          () => lab().shared(request),
          (error) => refusedWith('conflict', /^ipam network web: /)(error) && String(error).includes(text),
        );
        assert.deepEqual(lab().store.pools.list(), []);
      });

    it("do not expire while a Docker network uses it, even if they are marked as another one's", () => {
      know([[{ subnet: SUBNET }]]);
      const [one, two] = [lab().shared(), lab().shared()];
      for (const id of ['n1', 'n2'])
        lab().store.transaction(() => {
          lab().store.dockerNetworks.put(dockerNetwork(id, { network: 'web' }));
          usePools(lab().store, id, [{ pool: prefixOf(SUBNET), network: 'web' }]);
        });
      lab().store.dockerNetworks.delete('n1');
      assert.equal(expireRequests(lab().core, 1_000), 0);
      assert.equal(lab().store.pools.list().length, 2);
      assert.ok(lab().ask(one) && lab().ask(two));
      lab().store.dockerNetworks.delete('n2');
      assert.equal(expireRequests(lab().core, 1_000), 4);
    });
  });
});
