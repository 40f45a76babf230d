import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { formatAddr } from '../../src/shared/model/addr.ts';
import { address, neighbour } from '../../src/shared/netlink/address.ts';
import { bridgeLink, link } from '../../src/shared/netlink/link.ts';
import { decodeAnswer, decodeMessages, encodeMessages } from '../../src/shared/netlink/message.ts';
import { route } from '../../src/shared/netlink/route.ts';

const uint = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
const text = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .filter((value) => !value.includes('\0') && value.isWellFormed() && !value.includes('\ufffd'));
const mac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) =>
  Buffer.from(bytes)
    .toString('hex')
    .replace(/..(?!$)/g, '$&:'),
);
const ip4 = uint(32).map((value) => formatAddr({ family: 4, value: BigInt(value) }));
const ip6 = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((value) => formatAddr({ family: 6, value }));
const ip = fc.oneof(ip4, ip6);
/** Attributes that no schema describes. */
const unknown = fc.dictionary(
  fc.integer({ min: 200, max: 0x3fff }).map((type) => `#${type}` as const),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  { maxKeys: 3 },
);
const header = fc.record({
  family: uint(8),
  type: uint(16),
  index: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  flags: uint(32),
  change: uint(32),
});

function partial<T extends Record<string, fc.Arbitrary<unknown>>>(model: T) {
  return fc
    .tuple(fc.record(model, { requiredKeys: [] }), unknown)
    .map(([known, rest]) => Object.fromEntries(Object.entries({ ...known, ...rest })));
}

const common = { name: text, address: mac, mtu: uint(32) };
const info = fc.oneof(
  fc.record({ kind: fc.constant('bridge'), bridge: partial({ vlanFiltering: fc.boolean(), defaultPvid: uint(16) }) }),
  fc.record({
    kind: fc.constant('vxlan'),
    vxlan: partial({
      ...{ id: uint(32), local: ip4, local6: ip6, port: uint(16), proxy: fc.boolean() },
      ...{ ttl: uint(8), df: uint(8), udpCsum: fc.boolean(), zeroCsum6Tx: fc.boolean(), zeroCsum6Rx: fc.boolean() },
      portRange: fc.record({ low: uint(16), high: uint(16) }),
    }),
  }),
  fc.record({ kind: fc.constant('veth'), veth: fc.record({ peer: fc.record({ header, attrs: partial(common) }) }) }),
  fc.record({
    kind: text.filter((kind) => kind !== 'bridge'),
    slaveKind: fc.constant('bridge'),
    bridgePort: partial({ hairpin: fc.boolean(), neighSuppress: fc.boolean(), bcastFlood: fc.boolean() }),
  }),
);
const linkAttrs = partial({
  ...common,
  info,
  alias: text,
  group: uint(32),
  master: uint(32),
  linkNetnsId: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  altNames: fc.record({ names: fc.array(text, { minLength: 1, maxLength: 4 }) }),
});
const routeAttrs = partial({
  dst: ip,
  oif: uint(32),
  metrics: partial({ mtu: uint(32), advmss: uint(32) }),
  nextHops: fc.array(
    fc.record({
      header: fc.record({ flags: uint(8), hops: uint(8), index: uint(31) }),
      attrs: partial({ gateway: ip }),
    }),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
});
const vlans = fc.record({
  flags: uint(16),
  info: fc.array(fc.record({ header: fc.record({ flags: uint(16), vid: uint(16) }), attrs: fc.constant({}) }), {
    minLength: 1,
    maxLength: 3,
  }),
});

/** Values as text in key order; bytes as hex, whatever their class. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value).map(([key, inner]) => [key, plain(inner)]);
}

interface AnyCodec {
  decode(bytes: Uint8Array): unknown;
  encode(value: unknown): Uint8Array;
}

describe('property: netlink codec', () => {
  const cases: readonly (readonly [string, unknown, fc.Arbitrary<unknown>])[] = [
    ['link', link, fc.record({ header, attrs: linkAttrs })],
    ['bridge link', bridgeLink, fc.record({ header, attrs: partial({ name: text, vlans }) })],
    [
      'address',
      address,
      fc.record({
        header: fc.record({ family: uint(8), length: uint(8), flags: uint(8), scope: uint(8), index: uint(31) }),
        attrs: partial({ local: ip, address: ip, label: text, flags: uint(32) }),
      }),
    ],
    [
      'route',
      route,
      fc.record({
        header: fc.record({
          family: uint(8),
          dstLength: uint(8),
          srcLength: uint(8),
          tos: uint(8),
          table: uint(8),
          protocol: uint(8),
          scope: uint(8),
          type: uint(8),
          flags: uint(32),
        }),
        attrs: routeAttrs,
      }),
    ],
    [
      'neighbour',
      neighbour,
      fc.record({
        header: fc.record({ family: uint(8), index: uint(31), state: uint(16), flags: uint(8), type: uint(8) }),
        attrs: partial({ dst: ip, mac, vlan: uint(16), port: uint(16) }),
      }),
    ],
  ];

  for (const [name, codec, values] of cases) {
    const { encode, decode } = codec as AnyCodec;
    it(`${name}: decodes its own encoding to the same values`, () => {
      fc.assert(fc.property(values, (value) => assert.deepEqual(plain(decode(encode(value))), plain(value))));
    });

    it(`${name}: never crashes on random bytes, and encodes what it decodes`, () => {
      const bytes = fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc
          .tuple(values, fc.nat(), fc.array(fc.tuple(fc.nat(), uint(8)), { maxLength: 4 }))
          .map(([value, cut, flips]) => {
            const made = Uint8Array.from(encode(value));
            for (const [at, byte] of flips) if (made.length > 0) made[at % made.length] = byte;
            return made.subarray(0, cut % (made.length + 1));
          }),
      );
      fc.assert(
        fc.property(bytes, (input) => {
          const value = decode(input);
          if (value !== undefined) assert.deepEqual(plain(decode(encode(value))), plain(value));
        }),
        { numRuns: 500 },
      );
    });
  }

  it('decodes its own messages from a datagram, and never crashes or loops', () => {
    const message = fc.record({
      type: uint(16),
      flags: uint(16),
      sequence: uint(32),
      payload: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), fc.nat(), (messages, cut) => {
        const bytes = encodeMessages(messages);
        assert.deepEqual(plain(decodeMessages(bytes)), plain(messages));
        const some = decodeMessages(bytes.subarray(0, cut % (bytes.length + 1)));
        assert.deepEqual(plain(some), plain(messages.slice(0, some.length)));
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => decodeMessages(bytes).forEach(decodeAnswer)));
  });
});
