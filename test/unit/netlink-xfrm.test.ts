import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { opError } from '../../src/shared/host/failure.ts';
import { renderOp } from '../../src/shared/host/render.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { Secret } from '../../src/shared/model/secret.ts';
import type { XfrmPolicy, XfrmState } from '../../src/shared/model/xfrm.ts';
import { ENOSYS } from '../../src/shared/netlink/constants.ts';
import * as xfrm from '../../src/shared/netlink/xfrm.ts';

interface Captured {
  readonly type: number;
  readonly payload: string;
}

/** What iproute2 sends: `test/support/capture-xfrm.ts`. */
const CAPTURED = JSON.parse(
  readFileSync(new URL('../fixtures/netlink/xfrm.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, Captured>>;

const KEY_TEXT = '0102030405060708090a0b0c0d0e0f1011121314';
const key = new Secret(Buffer.from(KEY_TEXT, 'hex'));
const [reqid, spi] = [1_230_197_832, 0x1a2b3c4d];
const STATE: XfrmState = { src: '10.0.0.1', dst: '10.0.0.2', spi, reqid, key };
const OUT: XfrmPolicy = {
  ...{ direction: 'out', family: 4, src: '10.0.0.1', dst: '10.0.0.2', port: 4790, priority: 100 },
  through: { reqid, spi },
};
const IN: XfrmPolicy = {
  ...{ direction: 'in', family: 6, src: 'fd00::2', dst: 'fd00::1', port: 4790, priority: 100 },
  through: { reqid, spi: 0 },
};
const BLOCK_IN: XfrmPolicy = { direction: 'in', family: 4, port: 4790, priority: 200 };
const BLOCK_OUT: XfrmPolicy = { direction: 'out', family: 6, src: 'fd00::1', port: 4790, priority: 200 };

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const captured = (name: string): Uint8Array => Buffer.from(CAPTURED[name]?.payload ?? assert.fail(name), 'hex');

describe('IPsec in netlink', () => {
  for (const [name, type, bytes] of [
    ['state-4', xfrm.XFRM_MSG_NEWSA, xfrm.encodeState(STATE)],
    ['state-6', xfrm.XFRM_MSG_NEWSA, xfrm.encodeState({ ...STATE, src: 'fd00::1', dst: 'fd00::2' })],
    ['state-limited', xfrm.XFRM_MSG_NEWSA, xfrm.encodeState({ ...STATE, seconds: 2 })],
    ['state-delete', xfrm.XFRM_MSG_DELSA, xfrm.encodeStateId(STATE)],
    ['policy-out-4', xfrm.XFRM_MSG_UPDPOLICY, xfrm.encodePolicy(OUT)],
    ['policy-in-6', xfrm.XFRM_MSG_UPDPOLICY, xfrm.encodePolicy(IN)],
    ['block-in-4', xfrm.XFRM_MSG_UPDPOLICY, xfrm.encodePolicy(BLOCK_IN)],
    ['block-out-6', xfrm.XFRM_MSG_UPDPOLICY, xfrm.encodePolicy(BLOCK_OUT)],
    ['policy-delete', xfrm.XFRM_MSG_DELPOLICY, xfrm.encodePolicyId(OUT)],
  ] as const)
    it(`${name}: is what iproute2 sends`, () => {
      assert.equal(type, CAPTURED[name]?.type);
      assert.equal(hex(bytes), hex(captured(name)));
    });

  it('decodes what iproute2 sends', () => {
    const { key: _, ...info } = STATE;
    assert.deepEqual(xfrm.decodeState(captured('state-4')), info);
    assert.deepEqual(xfrm.decodeState(captured('state-6')), { ...info, src: 'fd00::1', dst: 'fd00::2' });
    for (const [name, policy] of [
      ['policy-out-4', OUT],
      ['policy-in-6', IN],
      ['block-in-4', BLOCK_IN],
      ['block-out-6', BLOCK_OUT],
    ] as const)
      assert.deepEqual(xfrm.decodePolicy(captured(name)), policy);
  });

  it('decodes every policy that it encodes', () => {
    const address = { 4: fc.ipV4(), 6: fc.constantFrom('fd00::1', 'fe80::2', '2001:db8::7:8') };
    const policy = fc.constantFrom(4 as const, 6 as const).chain((family) =>
      fc.record<XfrmPolicy>({
        direction: fc.constantFrom('in', 'out'),
        family: fc.constant(family),
        src: address[family],
        dst: address[family],
        port: fc.integer({ min: 1, max: 65_535 }),
        priority: fc.integer({ min: 0, max: 0xffffffff }),
        through: fc.record({
          reqid: fc.integer({ min: 0, max: 0xffffffff }),
          spi: fc.integer({ min: 0, max: 0xffffffff }),
        }),
      }),
    );
    fc.assert(
      fc.property(policy, (one) =>
        assert.deepEqual({ ...xfrm.decodePolicy(xfrm.encodePolicy(one)) }, structuredClone(one)),
      ),
    );
  });

  it('leaves out what it does not know: other protocols, ports, interfaces, and half a message', () => {
    const changed = (name: string, at: number, value: number): Uint8Array => {
      const bytes = Buffer.from(captured(name));
      bytes[at] = value;
      return bytes;
    };
    const IPPROTO_AH = 51;
    assert.equal(xfrm.decodeState(changed('state-4', 76, IPPROTO_AH)), undefined);
    assert.equal(xfrm.decodeState(captured('state-4').subarray(0, 223)), undefined);
    for (const [at, value] of [
      // protocol, port mask, source port mask, interface, prefix length
      ...[[44, 6] as const, [34, 0xf0] as const, [38, 1] as const, [48, 7] as const, [42, 24] as const],
      // protocol of the template
      [168 + 4 + 20, IPPROTO_AH] as const,
    ])
      assert.equal(xfrm.decodePolicy(changed('policy-out-4', at, value)), undefined, `byte ${at}`);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        xfrm.decodePolicy(bytes);
        xfrm.decodeState(bytes);
      }),
    );
  });

  it('refuses keys of another length, and ESP without two ends', () => {
    assert.throws(
      () => xfrm.encodeState({ ...STATE, key: new Secret(new Uint8Array(16)) }),
      /a key is not of 20 bytes/,
    );
    assert.throws(() => xfrm.encodePolicy({ ...BLOCK_IN, through: { reqid, spi } }), /between two addresses/);
    assert.throws(() => xfrm.encodeState({ ...STATE, dst: 'nowhere' }), /nowhere is not an IP address/);
  });

  it('shows no key: not in JSON, in text, by inspection, in a plan or in an error', () => {
    const op: Op = { op: 'xfrm.state.add', ns: 'host', state: STATE };
    const error = opError(op, ENOSYS, 'Requested AEAD algorithm not found');
    const texts = [
      JSON.stringify(op),
      String(key),
      inspect(op, { depth: 9, showHidden: true }),
      renderOp(op, { sandbox: '' }),
    ];
    for (const text of [...texts, error.message, inspect(error)])
      for (const form of [KEY_TEXT, Buffer.from(KEY_TEXT, 'hex').toString('base64'), '1, 2, 3, 4'])
        assert.ok(!text.includes(form), text);
    assert.match(renderOp(op, { sandbox: '' }), /aead 'rfc4106\(gcm\(aes\)\)' '<key>' 128/);
    assert.equal(error.kind, 'unsupported');
    assert.equal(
      error.message,
      'xfrm.state.add xfrm state 10.0.0.1 10.0.0.2 0x1a2b3c4d: it was not added (Function not implemented: Requested AEAD algorithm not found). This kernel has to have ESP (esp4, esp6) and AES-GCM (gcm, seqiv)',
    );
  });
});
