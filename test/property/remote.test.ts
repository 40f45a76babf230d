import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import type { RemoteEndpoint, RemoteHost, RemoteNetwork } from '../../src/shared/core/remote/remote.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { equalise, lackOf, PER_HOST, remoteDevices, SHARED } from '../support/remote.ts';

const byte = fc.integer({ min: 1, max: 40 });
const host = byte.map((n) => `192.0.2.${n + 100}`);
const macOf = (n: number): string => `0a:58:0a:58:00:${n.toString(16).padStart(2, '0')}`;

/** Addresses and MACs may pass from one endpoint to another between two states. */
const endpoint: fc.Arbitrary<RemoteEndpoint> = fc.tuple(byte, byte, host, fc.boolean()).map(([n, mac, at, dual]) => ({
  addresses: [`10.88.0.${n}`, ...(dual ? [`fd00:88::${n.toString(16)}`] : [])],
  mac: macOf(mac),
  host: at,
}));
const remoteHost: fc.Arbitrary<RemoteHost> = fc.tuple(byte, byte, host, fc.boolean()).map(([n, mac, at, dual]) => ({
  ranges: [`10.88.${n}.0/24`, ...(dual ? [`fd00:88:0:${n.toString(16)}::/64`] : [])],
  mac: macOf(mac),
  host: at,
}));

const shared = fc
  .tuple(fc.uniqueArray(endpoint, { selector: ({ addresses }) => addresses[0], maxLength: 20 }), fc.boolean())
  .map(([endpoints, flood]): RemoteNetwork => ({ ...SHARED, endpoints, flood }));
const perHost = fc
  .uniqueArray(remoteHost, { selector: ({ ranges }) => ranges[0], maxLength: 20 })
  .map((hosts): RemoteNetwork => ({ ...PER_HOST, hosts }));
const states = fc.oneof(fc.tuple(shared, shared), fc.tuple(perHost, perHost));

function made(network: RemoteNetwork): FakeHost {
  const fake = new FakeHost();
  fake.apply(remoteDevices(network), { host: fake.own });
  return fake;
}

/** Without the order in which the entries were created. */
function tables(fake: FakeHost): string[] {
  return fake.toString().split('\n').sort();
}

describe('property: entries of other hosts', () => {
  it('are equal after one application, from any state', () => {
    fc.assert(
      fc.property(states, ([before, after]) => {
        const fake = made(after);
        for (const state of [before, after]) {
          assert.deepEqual(equalise(state, fake, fake.own), []);
          assert.deepEqual(lackOf(state, fake, fake.own), []);
        }
        const fresh = made(after);
        equalise(after, fresh, fresh.own);
        assert.deepEqual(tables(fake), tables(fresh));
      }),
    );
  });

  it('are restored, whichever of them was damaged', () => {
    const damaged = fc.oneof(shared, perHost).chain((network) => {
      const fake = made(network);
      const ops = lackOf(network, fake, fake.own);
      return fc.record({ network: fc.constant(network), lost: fc.subarray(ops), wrong: fc.subarray(ops) });
    });
    fc.assert(
      fc.property(damaged, ({ network, lost, wrong }) => {
        const fake = made(network);
        equalise(network, fake, fake.own);
        const whole = tables(fake);
        fake.revert([...lost.map(deletion), ...wrong.flatMap(damage)], { host: fake.own });
        assert.deepEqual(equalise(network, fake, fake.own), []);
        assert.deepEqual(tables(fake), whole);
      }),
    );
  });
});

function deletion(op: Op): Op {
  return { ...op, op: op.op.replace(/add|replace/, 'delete') } as Op;
}

/** Another value in the place of this entry. */
function damage(op: Op): Op[] {
  if (op.op === 'neigh.replace') return [{ ...op, mac: '02:00:00:00:00:99' }];
  if (op.op === 'fdb.replace' && op.flags === 'self') return [{ ...op, dst: '192.0.2.99' }];
  if (op.op === 'fdb.add') return [{ ...op, dst: '192.0.2.99' }];
  if (op.op === 'route.add') return [deletion(op), { ...op, route: { ...op.route, priority: 7 } }];
  return [];
}
