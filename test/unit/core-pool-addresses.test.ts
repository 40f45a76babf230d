import { strict as assert } from 'node:assert';
import {
  expireRequests,
  poolGateway,
  releaseAddress,
  releasePool,
  usePools,
} from '../../src/shared/core/pools/pools.ts';
import { release } from '../../src/shared/ipam/leases.ts';
import { formatPrefix } from '../../src/shared/model/prefix.ts';
import { addrOf, prefixOf } from '../support/addresses.ts';
import { refusedWith } from '../support/core.ts';
import { describePools, dockerEndpoint } from './pools-support.ts';
import { dockerNetwork } from './store-behaviour.ts';

describePools('core: addresses of pools', (lab) => {
  describe('core: gateways and auxiliary addresses', () => {
    it('default to the first address, and may be requested again', () => {
      const own = lab().pool();
      assert.equal(lab().ask(own, 'gateway'), '10.9.1.1/24');
      assert.equal(lab().ask(own, 'gateway', '10.9.1.1'), '10.9.1.1/24');
      assert.equal(lab().ask(own, 'gateway'), '10.9.1.1/24');
      assert.equal(lab().ask(own, 'auxiliary', '10.9.1.2'), '10.9.1.2/24');
      assert.equal(lab().ask(own, 'auxiliary', '10.9.1.2'), '10.9.1.2/24');
      assert.equal(lab().ask(own, 'auxiliary', '10.9.1.1'), '10.9.1.1/24');
      assert.deepEqual([lab().row(own).reserved, lab().row(own).gateway], [['10.9.1.1', '10.9.1.2'], '10.9.1.1']);
      assert.equal(lab().ask(lab().pool(), 'gateway'), '10.9.1.1/24');
      const found = poolGateway(lab().row(own));
      assert.equal(found && formatPrefix(found), '10.9.1.1/24');
      assert.throws(
        () => lab().ask(own, 'gateway', '10.9.1.9'),
        refusedWith('conflict', /10\.9\.1\.9: pool 10\.9\.1\.0\/24 has gateway 10\.9\.1\.1/),
      );
    });

    it('are auxiliary only if they are named; other requests are for endpoints', () => {
      const own = lab().pool();
      lab().ask(own, 'gateway');
      assert.equal(lab().ask(own, 'auxiliary'), '10.9.1.2/24');
      assert.deepEqual([lab().row(own).reserved, lab().leased(own)], [['10.9.1.1'], ['10.9.1.2 requested']]);
    });

    it('may be any address of the subnet, also outside --ip-range', () => {
      const own = lab().pool({ range: '10.9.1.128/25' });
      assert.equal(lab().ask(own, 'gateway'), '10.9.1.1/24');
      assert.equal(lab().ask(own, 'auxiliary', '10.9.1.7'), '10.9.1.7/24');
      assert.equal(lab().ask(own), '10.9.1.128/24');
      assert.equal(lab().ask(own, 'endpoint', '10.9.1.9'), '10.9.1.9/24');
    });

    it('are not leased to endpoints, whichever pool reserved them, until they are released', () => {
      const [own, other] = [lab().pool({ subnet: '10.9.1.0/29' }), lab().pool({ subnet: '10.9.1.0/29' })];
      lab().ask(own, 'gateway', '10.9.1.4');
      lab().ask(other, 'auxiliary', '10.9.1.2');
      assert.deepEqual([lab().ask(own), lab().ask(own), lab().ask(own)], ['10.9.1.1/29', '10.9.1.3/29', '10.9.1.5/29']);
      const refusal = /10\.9\.1\.2: a network has reserved it, as gateway/;
      assert.throws(() => lab().ask(own, 'endpoint', '10.9.1.2'), refusedWith('conflict', refusal));
      assert.throws(() => lab().claim(own, '10.9.1.4', 'c1'), refusedWith('conflict', /10\.9\.1\.4/));
      for (const text of ['10.9.1.2', '10.9.1.4']) releaseAddress(lab().core, own.id, addrOf(text));
      assert.deepEqual([lab().row(own).reserved, lab().row(own).gateway], [[], undefined]);
      assert.deepEqual(lab().row(other).reserved, ['10.9.1.2'], 'it is the other one’s to release');
      assert.deepEqual([lab().ask(own), lab().ask(own)], ['10.9.1.6/29', '10.9.1.4/29']);
      assert.throws(() => lab().ask(own), refusedWith('exhausted', /10\.9\.1\.0\/29: 5 of 5 addresses are leased/));
    });

    it("cannot be an endpoint's address, unless that endpoint never came", () => {
      const own = lab().pool();
      lab().ask(own, 'endpoint', '10.9.1.5');
      lab().ask(own, 'endpoint', '10.9.1.6');
      lab().claim(own, '10.9.1.5', 'c1');
      assert.throws(
        () => lab().ask(own, 'auxiliary', '10.9.1.5'),
        refusedWith('conflict', /10\.9\.1\.5: address already in use: container c1/),
      );
      assert.equal(lab().ask(own, 'auxiliary', '10.9.1.6'), '10.9.1.6/24');
      assert.deepEqual(lab().leased(own), ['10.9.1.5 c1']);
      lab().ask(own, 'endpoint', '10.9.1.1');
      lab().claim(own, '10.9.1.1', 'c2');
      assert.equal(lab().ask(own, 'gateway'), '10.9.1.2/24', 'the first one that no endpoint has');
    });
  });

  describe('core: addresses of endpoints', () => {
    it("go round with the subnet's prefix length, and skip recently released ones", () => {
      const own = lab().pool({ subnet: '10.9.1.0/29' });
      lab().ask(own, 'gateway');
      assert.deepEqual([lab().ask(own), lab().ask(own), lab().ask(own)], ['10.9.1.2/29', '10.9.1.3/29', '10.9.1.4/29']);
      releaseAddress(lab().core, own.id, addrOf('10.9.1.2'));
      assert.deepEqual([lab().ask(own), lab().ask(own), lab().ask(own)], ['10.9.1.5/29', '10.9.1.6/29', '10.9.1.2/29']);
      assert.throws(() => lab().ask(own), refusedWith('exhausted', /5 of 5.*larger --subnet or --ip-range/));
    });

    it('include IPv6, however large the subnet', () => {
      const own = lab().pool({ subnet: 'fd00:9::/64', v6: true });
      assert.equal(lab().ask(own, 'gateway'), 'fd00:9::1/64');
      assert.deepEqual([lab().ask(own), lab().ask(own)], ['fd00:9::2/64', 'fd00:9::3/64']);
      assert.equal(lab().ask(own, 'endpoint', 'fd00:9:0:0:ffff::'), 'fd00:9:0:0:ffff::/64');
    });

    it('never repeat across two references to one subnet', () => {
      const [one, two] = [lab().pool(), lab().pool({ range: '10.9.1.0/29' })];
      assert.deepEqual(
        [lab().ask(one), lab().ask(two), lab().ask(one), lab().ask(two)],
        ['10.9.1.1', '10.9.1.2', '10.9.1.3', '10.9.1.4'].map((text) => `${text}/24`),
      );
    });

    it('may be requested again until they are claimed; afterwards the error names the holder', () => {
      const own = lab().pool();
      assert.equal(lab().ask(own, 'endpoint', '10.9.1.50'), '10.9.1.50/24');
      assert.equal(lab().ask(own, 'endpoint', '10.9.1.50', 9), '10.9.1.50/24');
      assert.equal(expireRequests(lab().core, 9), 0, 'the later request counts');
      lab().claim(own, '10.9.1.50', 'c1');
      lab().claim(own, '10.9.1.50', 'c1');
      assert.deepEqual(lab().leased(own), ['10.9.1.50 c1']);
      const refusal =
        /address 10\.9\.1\.50: address already in use: container c1 interface peer of cnm network docker-1 has it/;
      assert.throws(() => lab().ask(own, 'endpoint', '10.9.1.50'), refusedWith('conflict', refusal));
      assert.throws(() => lab().claim(own, '10.9.1.50', 'c2'), refusedWith('conflict', refusal));
      lab().claim(own, '10.9.1.51', 'c2');
      assert.deepEqual(lab().leased(own), ['10.9.1.50 c1', '10.9.1.51 c2']);
    });

    it('stay with their endpoint when dockerd releases them or the pool, and are released with it', () => {
      const own = lab().pool();
      for (const id of ['c1', 'c2']) lab().claim(own, lab().ask(own).replace('/24', ''), id);
      lab().ask(own);
      releaseAddress(lab().core, own.id, addrOf('10.9.1.1'));
      releaseAddress(lab().core, 'unknown', addrOf('10.9.1.2'));
      assert.deepEqual(lab().leased(own), ['10.9.1.1 c1', '10.9.1.2 c2', '10.9.1.3 requested']);
      releasePool(lab().core, own.id);
      assert.deepEqual(lab().leased(own), ['10.9.1.1 c1', '10.9.1.2 c2']);
      release(lab().store, own.scope, dockerEndpoint('c1'));
      assert.deepEqual(lab().leased(own), ['10.9.1.2 c2']);
    });

    const refusals: readonly [address: string, text: RegExp][] = [
      ['10.9.2.1', /address 10\.9\.2\.1: it is outside 10\.9\.1\.0\/24/],
      ['fd00::1', /outside 10\.9\.1\.0\/24/],
      ['10.9.1.0', /10\.9\.1\.0: it is the network or broadcast address of 10\.9\.1\.0\/24/],
      ['10.9.1.255', /network or broadcast/],
    ];
    for (const [address, text] of refusals)
      it(`cannot be ${address}; nothing is leased or reserved`, () => {
        const own = lab().pool();
        for (const use of ['gateway', 'endpoint', 'auxiliary'] as const)
          assert.throws(() => lab().ask(own, use, address), refusedWith('invalid-config', text));
        assert.deepEqual([lab().leased(own), lab().row(own)], [[], own]);
      });

    it('require a known pool, or an id that the state has lost', () => {
      const lost = lab().pool();
      releasePool(lab().core, lost.id);
      assert.throws(() => lab().ask(lost), refusedWith('invalid-config', /pool 10\.9\.1\.0\/24@-#.*unknown pool/));
      const found = lab().pool();
      assert.equal(lab().ask(lost, 'gateway'), '10.9.1.1/24');
      assert.equal(lab().row(found).gateway, '10.9.1.1');
      assert.equal(lab().ask(lost), '10.9.1.2/24');
      releaseAddress(lab().core, lost.id, addrOf('10.9.1.2'));
      assert.deepEqual(lab().leased(found), []);
      for (const id of ['', 'x', '10.9.1.0/24@web#1', '10.9.2.0/24@-#1'])
        assert.throws(() => lab().ask({ ...lost, id }), refusedWith('invalid-config', /unknown pool/));
    });
  });

  describe('core: unused requests', () => {
    it('expire: pools without a Docker network and addresses without an endpoint, and nothing else', () => {
      const [unused, used] = [lab().pool(), lab().pool({ subnet: '10.9.2.0/24' })];
      lab().store.transaction(() => {
        lab().store.dockerNetworks.put(dockerNetwork('n1'));
        usePools(lab().store, 'n1', [{ pool: prefixOf('10.9.2.0/24') }]);
      });
      lab().ask(unused, 'gateway', undefined, 5);
      lab().ask(used, 'gateway', undefined, 5);
      for (const now of [6, 7, 8]) lab().ask(used, 'endpoint', undefined, now);
      lab().claim(used, '10.9.2.2', 'c1');
      assert.equal(expireRequests(lab().core, 5), 0);
      assert.equal(expireRequests(lab().core, 8), 2);
      assert.deepEqual(lab().leased(used), ['10.9.2.2 c1', '10.9.2.4 requested']);
      assert.deepEqual(lab().store.pools.list(), [lab().row(used)]);
      assert.deepEqual(lab().row(used).reserved, ['10.9.2.1']);
      assert.equal(expireRequests(lab().core, 1_000), 1);
      assert.equal(expireRequests(lab().core, 1_000), 0);
      assert.deepEqual(lab().leased(used), ['10.9.2.2 c1']);
      lab().store.dockerNetworks.delete('n1');
      assert.equal(expireRequests(lab().core, 1_000), 1);
      assert.deepEqual([lab().store.pools.list(), lab().leased(used)], [[], ['10.9.2.2 c1']]);
    });

    it('do not expire while somebody repeats them', () => {
      const own = lab().pool();
      lab().ask(own, 'auxiliary', '10.9.1.9', 50);
      assert.equal(expireRequests(lab().core, 50), 0);
      lab().ask(own, 'endpoint', undefined, 60);
      assert.equal(expireRequests(lab().core, 60), 0);
      assert.equal(expireRequests(lab().core, 61), 2);
      assert.deepEqual([lab().store.pools.list(), lab().leased(own)], [[], []]);
    });
  });
});
