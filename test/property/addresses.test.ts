import { strict as assert } from 'node:assert';
import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import {
  type Addr,
  addrFromBytes,
  addrToBytes,
  BITS,
  compareAddr,
  formatAddr,
  parseAddr,
  sameAddr,
} from '../../src/shared/model/addr.ts';
import { isUnicastMac, macOfAddr, macOfDigest, parseMac } from '../../src/shared/model/mac.ts';
import {
  contains,
  firstOf,
  formatPrefix,
  lastOf,
  networkOf,
  overlaps,
  type Prefix,
  parsePrefix,
} from '../../src/shared/model/prefix.ts';

const familyName = (family: 4 | 6) => (family === 4 ? 'ipv4' : 'ipv6');

function arbitraryAddr(): fc.Arbitrary<Addr> {
  const v4: fc.Arbitrary<Addr> = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((value) => ({ family: 4, value }));
  const v6: fc.Arbitrary<Addr> = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }).map((value) => ({ family: 6, value }));
  // RFC 5952 is mostly about runs of zeros.
  const sparse = fc
    .array(fc.constantFrom(0n, 0n, 0n, 1n, 0xffffn), { minLength: 8, maxLength: 8 })
    .map((words): Addr => ({ family: 6, value: words.reduce<bigint>((all, word) => (all << 16n) | word, 0n) }));
  return fc.oneof(v4, v6, sparse);
}

function arbitraryPrefix(): fc.Arbitrary<Prefix> {
  return arbitraryAddr().chain((addr) => fc.nat({ max: BITS[addr.family] }).map((length) => ({ addr, length })));
}

/** Text that is almost an address. */
function nearly(): fc.Arbitrary<string> {
  const part = fc.constantFrom(
    '0',
    '1',
    '255',
    '256',
    '01',
    'f',
    'ffff',
    '10000',
    ':',
    '::',
    '.',
    '/',
    '%eth0',
    ' ',
    '',
  );
  return fc.array(part, { maxLength: 12 }).map((parts) => parts.join(''));
}

describe('property: addresses', () => {
  it('survive text and bytes', () => {
    fc.assert(
      fc.property(arbitraryAddr(), (addr) => {
        assert.deepEqual(parseAddr(formatAddr(addr)), addr);
        assert.deepEqual(addrFromBytes(addrToBytes(addr)), addr);
      }),
    );
  });

  it("parse exactly the texts that Node's isIP accepts, with the same family", () => {
    fc.assert(
      fc.property(fc.oneof(nearly(), fc.ipV4(), fc.ipV6(), fc.ipV4Extended()), (text) => {
        // isIP accepts a zone (fe80::1%eth0), which an address alone does not have.
        const expected = text.includes('%') ? 0 : isIP(text);
        assert.equal(parseAddr(text)?.family ?? 0, expected, text);
      }),
      { numRuns: 2000 },
    );
  });

  it('sort by family and value, as their bytes do', () => {
    fc.assert(
      fc.property(arbitraryAddr(), arbitraryAddr(), (a, b) => {
        const order = Math.sign(compareAddr(a, b));
        assert.equal(order, 0 - Math.sign(compareAddr(b, a)));
        assert.equal(order === 0, sameAddr(a, b));
        if (a.family === b.family) assert.equal(order, Buffer.compare(addrToBytes(a), addrToBytes(b)));
      }),
    );
  });

  it('have 4 or 16 bytes', () => {
    for (const length of [0, 1, 3, 5, 15, 17]) assert.equal(addrFromBytes(new Uint8Array(length)), undefined);
  });

  /** RFC 5952 §4 and §5, with the examples of the text. */
  const canonical = {
    '2001:0db8::0001': '2001:db8::1',
    '2001:db8:0:0:0:0:2:1': '2001:db8::2:1',
    '2001:db8::1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
    '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
    '2001:0:0:1:0:0:0:1': '2001:0:0:1::1',
    '2001:db8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
    '2001:DB8:AAAA:bbbb:cCcC:0000:0:1': '2001:db8:aaaa:bbbb:cccc::1',
    '0:0:0:0:0:0:0:0': '::',
    '0:0:0:0:0:0:0:1': '::1',
    '1:0:0:0:0:0:0:0': '1::',
    '0:0:0:0:0:ffff:192.0.2.1': '::ffff:192.0.2.1',
    '::ffff:c000:201': '::ffff:192.0.2.1',
    '64:ff9b::192.0.2.33': '64:ff9b::c000:221',
  };
  for (const [text, expected] of Object.entries(canonical)) {
    it(`format ${text} as ${expected}`, () => assert.equal(formatAddr(parseAddr(text) ?? assert.fail()), expected));
  }
});

describe('property: prefixes', () => {
  it('survive text', () => {
    fc.assert(fc.property(arbitraryPrefix(), (prefix) => assert.deepEqual(parsePrefix(formatPrefix(prefix)), prefix)));
  });

  it("contain the addresses that Node's BlockList says", () => {
    fc.assert(
      fc.property(arbitraryPrefix(), arbitraryAddr(), fc.boolean(), (prefix, other, near) => {
        // A random address is nearly always outside: use one that differs only in the last bit of the network.
        const bit = 1n << BigInt(Math.max(BITS[prefix.addr.family] - prefix.length, 0));
        const addr: Addr = near && prefix.length > 0 ? { ...prefix.addr, value: prefix.addr.value ^ bit } : other;
        const list = new BlockList();
        list.addSubnet(formatAddr(prefix.addr), prefix.length, familyName(prefix.addr.family));
        for (const one of [addr, prefix.addr, firstOf(prefix), lastOf(prefix)]) {
          // BlockList treats ::ffff:a.b.c.d as a.b.c.d; our families stay separate.
          if (one.family !== prefix.addr.family) assert.equal(contains(prefix, one), false);
          else assert.equal(contains(prefix, one), list.check(formatAddr(one), familyName(one.family)));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('begin at their network and end 2^(host bits) - 1 above it', () => {
    fc.assert(
      fc.property(arbitraryPrefix(), (prefix) => {
        const span = lastOf(prefix).value - firstOf(prefix).value;
        assert.equal(span, 2n ** BigInt(BITS[prefix.addr.family] - prefix.length) - 1n);
        assert.deepEqual(networkOf(prefix), { addr: firstOf(prefix), length: prefix.length });
        assert.deepEqual(networkOf(networkOf(prefix)), networkOf(prefix));
      }),
    );
  });

  it('overlap if one contains the other', () => {
    fc.assert(
      fc.property(arbitraryPrefix(), arbitraryPrefix(), fc.nat(128), (a, b, length) => {
        assert.equal(overlaps(a, b), overlaps(b, a));
        assert.equal(overlaps(a, b), contains(a, firstOf(b)) || contains(b, firstOf(a)));
        const wider = { ...a, length: Math.min(length, a.length) };
        assert.ok(overlaps(a, wider));
      }),
    );
  });

  for (const text of [
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/+8',
    '10.0.0.0/8 ',
    '::/129',
    '/8',
    '10.0.0.0/8/8',
  ]) {
    it(`reject ${JSON.stringify(text)}`, () => assert.equal(parsePrefix(text), undefined));
  }
});

describe('property: MAC addresses', () => {
  it('parse with colons, hyphens or dots, in either case', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        const hex = Buffer.from(bytes).toString('hex');
        const canonical = (hex.match(/../g) ?? []).join(':');
        const forms = [canonical, canonical.replaceAll(':', '-'), (hex.match(/.{4}/g) ?? []).join('.')];
        for (const form of forms) {
          assert.equal(parseMac(form), canonical);
          assert.equal(parseMac(form.toUpperCase()), canonical);
        }
        const group = ((bytes[0] ?? 0) & 1) === 1;
        assert.equal(isUnicastMac(canonical), !group && bytes.some((byte) => byte !== 0));
      }),
    );
  });

  for (const text of [
    '',
    '0a:58',
    '0a:58:0a:58:00:0',
    '0a:58:0a:58:00:02:03',
    '0a58.0a58',
    'ga:58:0a:58:00:02',
    ' 0a:58:0a:58:00:02',
    '0a580a580002',
  ]) {
    it(`reject ${JSON.stringify(text)}`, () => assert.equal(parseMac(text), undefined));
  }

  it('derived from addresses and digests are unicast and locally administered', () => {
    const local = (mac: string): boolean =>
      parseMac(mac) === mac && isUnicastMac(mac) && (Number.parseInt(mac.slice(0, 2), 16) & 2) === 2;
    fc.assert(fc.property(arbitraryAddr(), (addr) => assert.ok(local(macOfAddr(addr, 'web')))));
    fc.assert(fc.property(fc.stringMatching(/^[0-9a-f]{64}$/), (hex) => assert.ok(local(macOfDigest(hex)))));
  });

  const mac = (text: string, network = 'web'): string => macOfAddr(parseAddr(text) ?? assert.fail(), network);

  it('derived from an IPv4 address contain its four bytes', () => {
    assert.equal(mac('10.88.0.2'), '0a:58:0a:58:00:02');
    assert.equal(mac('255.0.1.16', 'db'), '0a:58:ff:00:01:10');
  });

  it('derived from IPv6 addresses with equal ends differ, and so do those of one address on two networks', () => {
    const macs = [mac('fd00:1::2'), mac('fd00:2::2'), mac('fd00:1::1:0:0:2'), mac('fd00:1::2', 'db')];
    assert.equal(new Set(macs).size, macs.length);
    assert.equal(mac('fd00:1::2'), macs[0]);
  });
});
