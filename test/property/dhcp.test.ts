import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { payloadOf, rivalIn } from '../../src/shared/dhcp/frame.ts';
import { leaseOf } from '../../src/shared/dhcp/lease.ts';
import { ANY, decodeMessage, encodeMessage, type Message } from '../../src/shared/dhcp/message.ts';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Addr } from '../../src/shared/model/addr.ts';

const addr: fc.Arbitrary<Addr> = fc.nat({ max: 0xffffffff }).map((value) => ({ family: 4, value: BigInt(value) }));
/** All codes but pad, end and overload, which is about the message itself. */
const code = fc.integer({ min: 1, max: 254 }).filter((value) => value !== 52);
const fields: { [K in keyof Message]: fc.Arbitrary<Message[K]> } = {
  op: fc.constantFrom('request', 'reply'),
  xid: fc.nat({ max: 0xffffffff }),
  secs: fc.nat({ max: 0xffff }),
  broadcast: fc.boolean(),
  ciaddr: addr,
  yiaddr: addr,
  siaddr: addr,
  giaddr: addr,
  chaddr: fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) =>
    Buffer.from(bytes)
      .toString('hex')
      .replace(/..(?=.)/g, '$&:'),
  ),
  options: fc.array(fc.tuple(code, fc.uint8Array({ maxLength: 700 })), { maxLength: 8 }).map((all) => new Map(all)),
};
const message = fc.record(fields, { noNullPrototype: true });

function onlyNetErrors(work: () => unknown): void {
  try {
    work();
  } catch (thrown) {
    assert.ok(thrown instanceof NetError, String(thrown));
  }
}

describe('DHCP', () => {
  it('decodes what it encodes', () => {
    fc.assert(fc.property(message, (one) => assert.deepEqual(decodeMessage(encodeMessage(one)), one)));
  });

  it('throws nothing but NetError, whatever bytes come', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => onlyNetErrors(() => decodeMessage(bytes))));
  });

  it('throws nothing but NetError for a message with changed bytes, nor does reading its lease', () => {
    const changes = fc.array(fc.tuple(fc.nat({ max: 700 }), fc.nat({ max: 255 })), { maxLength: 20 });
    fc.assert(
      fc.property(message, changes, (one, bytes) => {
        const encoded = encodeMessage(one);
        for (const [at, value] of bytes) if (at < encoded.length) encoded[at] = value;
        onlyNetErrors(() => leaseOf(decodeMessage(encoded)));
      }),
    );
  });

  it('reads a lease of arbitrary options, or throws NetError', () => {
    const known = fc.constantFrom(1, 3, 6, 15, 26, 33, 51, 54, 58, 59, 119, 121);
    const options = fc.array(fc.tuple(known, fc.uint8Array({ maxLength: 40 })), { maxLength: 12 });
    fc.assert(
      fc.property(message, options, (one, all) => onlyNetErrors(() => leaseOf({ ...one, options: new Map(all) }))),
      { numRuns: 2000 },
    );
  });

  it('takes any frame', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (frame) => {
        payloadOf(frame);
        rivalIn(frame, '02:00:00:00:00:01', ANY);
      }),
    );
  });
});
