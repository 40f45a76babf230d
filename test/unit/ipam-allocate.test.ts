import { strict as assert } from 'node:assert';
import { type Allocation, allocate } from '../../src/shared/ipam/allocate.ts';
import { free } from '../../src/shared/ipam/free.ts';
import { held, release, retain } from '../../src/shared/ipam/leases.ts';
import type { RangeSet } from '../../src/shared/ipam/ranges.ts';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { formatPrefix } from '../../src/shared/model/prefix.ts';
import { MemoryStore } from '../../src/shared/testing/memory-store.ts';
import { range } from './ipam-support.ts';
import { addr, attachment, FIRST_BOOT, ofKind } from './store-behaviour.ts';

const SCOPE = '/var/lib/cni/networks/web';

describe('ipam: allocate', () => {
  let store: MemoryStore;
  let sets: RangeSet[];
  beforeEach(() => {
    store = new MemoryStore(FIRST_BOOT);
    sets = [[range('10.88.0.0/29')]];
  });

  const add = (id: string, ...requested: string[]): string[] =>
    allocate(store, { scope: SCOPE, sets, requested: requested.map(addr), owner: attachment(id) }).map(text);
  const del = (id: string): string[] => release(store, SCOPE, attachment(id)).map(({ address }) => formatAddr(address));
  const text = ({ address, gateway }: Allocation): string => `${formatPrefix(address)} via ${formatAddr(gateway)}`;
  const addresses = (ids: readonly string[]): (string | undefined)[] => ids.map((id) => add(id)[0]?.split('/')[0]);

  it('hands out the addresses of a subnet in turn, without network, gateway and broadcast', () => {
    assert.deepEqual(add('a'), ['10.88.0.2/29 via 10.88.0.1']);
    assert.deepEqual(addresses(['b', 'c', 'd', 'e']), ['10.88.0.3', '10.88.0.4', '10.88.0.5', '10.88.0.6']);
    assert.throws(() => add('f'), ofKind('exhausted', /10\.88\.0\.0\/29: 5 of 5 addresses are leased/));
  });

  it('continues after the last address, and reuses a released one last', () => {
    addresses(['a', 'b']);
    assert.deepEqual(del('a'), ['10.88.0.2']);
    assert.deepEqual(addresses(['c', 'd', 'e', 'f']), ['10.88.0.4', '10.88.0.5', '10.88.0.6', '10.88.0.2']);
  });

  it('walks from one range of a set to the next, and wraps', () => {
    sets = [[range('10.1.0.0/30'), range('10.2.0.0/24', { start: '10.2.0.10', end: '10.2.0.11' })]];
    assert.deepEqual(add('a'), ['10.1.0.2/30 via 10.1.0.1']);
    assert.deepEqual(add('b'), ['10.2.0.10/24 via 10.2.0.1']);
    assert.deepEqual(add('c'), ['10.2.0.11/24 via 10.2.0.1']);
    const full = /10\.1\.0\.0\/30, 10\.2\.0\.0\/24 \(10\.2\.0\.10-10\.2\.0\.11\): 3 of 3 addresses are leased/;
    assert.throws(() => add('d'), ofKind('exhausted', full));
    del('a');
    assert.deepEqual(add('d'), ['10.1.0.2/30 via 10.1.0.1']);
  });

  it('gives one address of each set, or none at all', () => {
    sets = [[range('10.88.0.0/24')], [range('fd00::/126')]];
    assert.deepEqual(add('a'), ['10.88.0.2/24 via 10.88.0.1', 'fd00::2/126 via fd00::1']);
    assert.deepEqual(add('b'), ['10.88.0.3/24 via 10.88.0.1', 'fd00::3/126 via fd00::1']);
    assert.throws(() => add('c'), ofKind('exhausted', /fd00::\/126: 2 of 2/));
    assert.equal(store.leases.list(SCOPE).length, 4);
    del('a');
    assert.deepEqual(add('d'), ['10.88.0.4/24 via 10.88.0.1', 'fd00::2/126 via fd00::1']);
  });

  it('never gives network and broadcast, even if the range includes them', () => {
    sets = [[range('10.0.0.0/30', { start: '10.0.0.0', end: '10.0.0.3', gateway: '10.0.0.2' })]];
    assert.deepEqual(add('a'), ['10.0.0.1/30 via 10.0.0.2']);
    assert.throws(() => add('b'), ofKind('exhausted', /1 of 1/));
    assert.throws(() => add('b', '10.0.0.3'), ofKind('invalid-config', /10\.0\.0\.3: it is the broadcast address/));
  });

  it('reports a range that has only its gateway', () => {
    sets = [[range('10.0.0.0/24', { start: '10.0.0.1', end: '10.0.0.1' })]];
    assert.throws(() => add('a'), ofKind('exhausted', /10\.0\.0\.1-10\.0\.0\.1\): 0 of 0/));
  });

  it('gives requested addresses from the set that contains them, and does not move the cursor', () => {
    sets = [[range('10.88.0.0/24')], [range('fd00::/64')]];
    add('a');
    assert.deepEqual(add('b', 'fd00::99', '10.88.0.50'), ['10.88.0.50/24 via 10.88.0.1', 'fd00::99/64 via fd00::1']);
    assert.deepEqual(add('c', '10.88.0.9', '10.88.0.9')[1], 'fd00::3/64 via fd00::1');
    assert.deepEqual(add('d'), ['10.88.0.3/24 via 10.88.0.1', 'fd00::4/64 via fd00::1']);
  });

  const refusals: readonly [name: string, request: readonly string[], kind: string, message: RegExp][] = [
    ['the gateway', ['10.88.0.1'], 'invalid-config', /requested address 10\.88\.0\.1: it is the gateway/],
    ['the broadcast', ['10.88.0.7'], 'invalid-config', /10\.88\.0\.7: it is the broadcast address of 10\.88\.0\.0\/29/],
    ['another subnet', ['10.99.0.2'], 'invalid-config', /10\.99\.0\.2: it is outside 10\.88\.0\.0\/29/],
    ['another family', ['fd00::2'], 'invalid-config', /fd00::2: it is outside/],
    ['two of one set', ['10.88.0.3', '10.88.0.4'], 'invalid-config', /10\.88\.0\.4: range set 0.*10\.88\.0\.3/],
    [
      'a leased one',
      ['10.88.0.2'],
      'conflict',
      /address 10\.88\.0\.2: address already in use: container a interface eth0 of cni network web/,
    ],
  ];
  for (const [name, request, kind, message] of refusals)
    it(`rejects ${name} as a requested address and leases nothing`, () => {
      add('a');
      assert.throws(() => add('b', ...request), ofKind(kind, message));
      assert.equal(store.leases.list(SCOPE).length, 1);
    });

  it('rejects an owner that has an address, and says what to do', () => {
    add('a');
    assert.throws(() => add('a'), ofKind('conflict', /container a interface eth0.*10\.88\.0\.2.*Run DEL/));
    del('a');
    assert.equal(add('a').length, 1);
  });

  it('examines few runs, however many leases exist and however they lie', () => {
    sets = [[range('10.64.0.0/20')]];
    const fill = (step: number): void => {
      for (let i = 2; i < 4000; i += step) {
        const address = { family: 4 as const, value: addr('10.64.0.0').value + BigInt(i) };
        if (store.leases.runAt(SCOPE, address) === undefined)
          store.leases.take({ scope: SCOPE, address, owner: attachment(`x${i}`), source: 'store' });
      }
    };
    let looks = 0;
    const { runAt } = store.leases;
    const looksFor = (id: string): number => {
      looks = 0;
      add(id);
      return looks;
    };
    fill(2);
    Object.assign(store.leases, {
      runAt: (...args: Parameters<typeof runAt>) => {
        looks++;
        return runAt(...args);
      },
    });
    assert.ok(looksFor('a') <= 3, `${looks} looks at every other address`);
    fill(1);
    assert.ok(looksFor('b') <= 3, `${looks} looks at one long run`);
  });

  it('reports the addresses of an owner and how many are free', () => {
    sets = [[range('10.88.0.0/29')], [range('fd00::/64')]];
    add('a');
    assert.deepEqual(
      held(store, SCOPE, attachment('a')).map(({ address }) => formatAddr(address)),
      ['10.88.0.2', 'fd00::2'],
    );
    assert.deepEqual(held(store, SCOPE, attachment('b')), []);
    assert.deepEqual(free(store, SCOPE, sets), [
      { total: 5n, leased: 1 },
      { total: 2n ** 64n - 2n, leased: 1 },
    ]);
  });

  it('keeps the listed leases of one camp in garbage collection', () => {
    addresses(['a', 'b', 'c']);
    const docker = { ...attachment('d'), camp: 'cnm' } as const;
    allocate(store, { scope: SCOPE, sets, requested: [], owner: docker });
    const lost = retain(store, SCOPE, 'cni', [attachment('b')]);
    assert.deepEqual(
      lost.map(({ owner }) => owner.containerId),
      ['a', 'c'],
    );
    assert.deepEqual(
      store.leases.list(SCOPE).map(({ owner }) => owner.containerId),
      ['b', 'd'],
    );
  });
});
