import { strict as assert } from 'node:assert';
import { missingEsp } from '../../src/shared/core/remote/esp.ts';
import {
  diffSeal,
  REQID,
  SEAL_QUERY,
  type Seal,
  type SealedPeer,
  type SealKey,
} from '../../src/shared/core/remote/seal.ts';
import { renderOp } from '../../src/shared/host/render.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { Secret } from '../../src/shared/model/secret.ts';
import { EPERM } from '../../src/shared/netlink/constants.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { assertGolden } from '../support/golden.ts';

const key = (spi: number): SealKey => ({ spi, key: new Secret(Buffer.alloc(20, spi)) });
/** Keys of generation `g`: what this host sends with is `0x…a`, what the other does `0x…b`. */
const peer = (host: string, number: number, g: number): SealedPeer => ({
  host,
  send: key(0x10000 * number + 0x100 * g + 0xa),
  receive: [g - 1, g, g + 1].filter((one) => one > 0).map((one) => key(0x10000 * number + 0x100 * one + 0xb)),
});
const seal = (...peers: readonly SealedPeer[]): Seal => ({ port: 4790, family: 4, local: '192.0.2.7', peers });
const B = '192.0.2.8';
const C = '192.0.2.9';

const lackOf = (wanted: Seal | undefined, host: FakeHost): Op[] =>
  diffSeal(wanted, 4790, host.observe(host.own, SEAL_QUERY));

/** The commands that lead from one seal to the next, from nothing on. */
function steps(...seals: readonly (Seal | undefined)[]): string {
  const host = new FakeHost();
  return seals
    .map((wanted, i) => {
      const ops = lackOf(wanted, host);
      assertOrder(ops);
      assert.deepEqual(host.revert(ops, { host: host.own }), []);
      assert.deepEqual(lackOf(wanted, host), []);
      return [`# state ${i + 1}`, ...ops.map((op) => renderOp(op, { sandbox: '' })), ''].join('\n');
    })
    .join('');
}

/** A policy without an association loses packets. */
function assertOrder(ops: readonly Op[]): void {
  const order = ['xfrm.state.add', 'xfrm.policy.replace', 'xfrm.policy.delete', 'xfrm.state.delete'];
  const ranks = ops.map(({ op }) => order.indexOf(op));
  assert.deepEqual(ranks, ranks.toSorted());
}

describe('what an encrypted network needs of the kernel', () => {
  it('seal-hosts: appear, go, and the last network goes', () =>
    assertGolden('seal-hosts', steps(seal(), seal(peer(B, 1, 1), peer(C, 2, 1)), seal(peer(C, 2, 1)), undefined)));

  it('seal-rotation: receivers have a key before anybody sends with it', () =>
    assertGolden('seal-rotation', steps(seal(peer(B, 1, 1)), seal(peer(B, 1, 2)), seal(peer(B, 1, 3)))));

  it('seal-underlay-6: the same by IPv6; a host gets another address', () => {
    // Keys depend on the addresses.
    const six = (local: string, number: number): Seal => ({ ...seal(peer('fd00::8', number, 2)), family: 6, local });
    assertGolden('seal-underlay-6', steps(six('fd00::7', 1), six('fd00::17', 2)));
  });

  it('sends nothing to another host before it can be encrypted', () => {
    const host = new FakeHost({ esp: false });
    const ops = lackOf(seal(peer(B, 1, 1)), host);
    const errors = host.revert(ops, { host: host.own });
    assert.deepEqual(new Set(errors.map(({ kind }) => kind)), new Set(['unsupported']));
    const { states, policies } = host.observe(host.own, SEAL_QUERY);
    assert.deepEqual(states, []);
    // A policy of ESP without an association drops.
    assert.equal(policies.filter(({ through }) => through === undefined).length, 2);
    assert.equal(policies.length, 4);
  });

  it('leaves associations and policies of others alone', () => {
    const host = new FakeHost();
    const foreign: Op[] = [
      { op: 'xfrm.state.add', ns: 'host', state: { src: '192.0.2.7', dst: B, reqid: 1, ...key(0x999) } },
      {
        op: 'xfrm.policy.replace',
        ns: 'host',
        policy: {
          direction: 'out',
          family: 4,
          src: '192.0.2.7',
          dst: B,
          port: 500,
          priority: 7,
          through: { reqid: 1, spi: 0 },
        },
      },
      {
        op: 'xfrm.policy.replace',
        ns: 'host',
        policy: {
          direction: 'out',
          family: 4,
          src: '192.0.2.7',
          dst: '192.0.2.99',
          port: 4790,
          priority: 7,
          through: { reqid: 1, spi: 0 },
        },
      },
    ];
    host.apply(foreign, { host: host.own });
    const before = host.toString();
    host.revert(lackOf(seal(peer(B, 1, 1)), host), { host: host.own });
    assert.notEqual(host.toString(), before);
    host.revert(lackOf(undefined, host), { host: host.own });
    assert.equal(host.toString(), before);
  });

  it('repairs what somebody deletes, flushes or turns', () => {
    const wanted = seal(peer(B, 1, 2), peer(C, 2, 2));
    const host = new FakeHost();
    host.revert(lackOf(wanted, host), { host: host.own });
    const whole = [...host.toString().split('\n')].sort();
    const { states, policies } = host.observe(host.own, SEAL_QUERY);
    for (const state of states) host.apply([{ op: 'xfrm.state.delete', ns: 'host', state }], { host: host.own });
    for (const policy of policies) {
      const op: Op =
        policy.direction === 'in'
          ? { op: 'xfrm.policy.delete', ns: 'host', policy }
          : { op: 'xfrm.policy.replace', ns: 'host', policy: { ...policy, priority: 9 } };
      host.apply([op], { host: host.own });
    }
    host.revert(lackOf(wanted, host), { host: host.own });
    assert.deepEqual([...host.toString().split('\n')].sort(), whole);
  });
});

describe('missingEsp', () => {
  for (const family of [4, 6] as const)
    it(`leaves nothing behind, IPv${family}`, () => {
      const host = new FakeHost();
      const before = host.toString();
      assert.equal(missingEsp(host, family), undefined);
      assert.equal(host.toString(), before);
    });

  it('names the option that the kernel lacks', () => {
    const host = new FakeHost({ esp: false });
    assert.match(missingEsp(host, 4) ?? '', /no ESP \(CONFIG_INET_ESP\)/);
    assert.match(missingEsp(host, 6) ?? '', /no ESP \(CONFIG_INET6_ESP\)/);
  });

  it('takes the association of another process that asks for an answer', () => {
    const host = new FakeHost();
    const state = { src: '192.0.2.1', dst: '192.0.2.2', reqid: REQID, ...key(0x100) };
    host.apply([{ op: 'xfrm.state.add', ns: 'host', state }], { host: host.own });
    assert.equal(missingEsp(host, 4), undefined);
  });

  it('does not take a missing capability for a missing ESP', () => {
    const host = new FakeHost({ refuse: () => EPERM });
    assert.throws(() => missingEsp(host, 4), /Operation not permitted.*CAP_NET_ADMIN/);
  });
});
