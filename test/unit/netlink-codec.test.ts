import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { address, neighbour } from '../../src/shared/netlink/address.ts';
import { attr, type BodyCodec, body, decodeAttrs, encodeAttrs, repeated } from '../../src/shared/netlink/attrs.ts';
import { mac, string, u8, u32 } from '../../src/shared/netlink/codec.ts';
import { bridgeLink, link } from '../../src/shared/netlink/link.ts';
import { decodeAnswer, decodeMessages, encodeMessages } from '../../src/shared/netlink/message.ts';
import { route } from '../../src/shared/netlink/route.ts';
import { filter, qdisc } from '../../src/shared/netlink/tc.ts';

/** Recorded payloads of kernel messages; test/support/capture-netlink.ts describes their origin. */
function captured(name: string): Uint8Array[] {
  const file = new URL(`../fixtures/netlink/${name}.json`, import.meta.url);
  const payloads: string[] = JSON.parse(readFileSync(file, 'utf8'));
  return payloads.map((hex) => Buffer.from(hex, 'hex'));
}

type Codecs = Pick<BodyCodec<Record<string, never>, Record<string, never>>, 'decode' | 'encode'>;

describe('recorded netlink messages', () => {
  const codecs = { link, 'bridge-link': bridgeLink, address, route, neighbour, forwarding: neighbour, qdisc, filter };
  for (const [name, codec] of Object.entries(codecs)) {
    it(`${name}: encode to the same bytes`, () => {
      const { decode, encode } = codec as unknown as Codecs;
      const payloads = captured(name);
      assert.ok(payloads.length > 0);
      for (const payload of payloads) {
        const value = decode(payload);
        assert.ok(value);
        assert.equal(Buffer.from(encode(value)).toString('hex'), Buffer.from(payload).toString('hex'));
      }
    });
  }

  it('decode links as `ip` configured them', () => {
    const links = new Map(
      captured('link').map((payload) => [link.decode(payload)?.attrs.name, link.decode(payload)?.attrs]),
    );
    const v0 = links.get('v0');
    assert.equal(v0?.alias, 'pod');
    assert.deepEqual(v0?.altNames?.names, ['pod-1', 'pod-2']);
    assert.equal(v0?.address, '02:00:00:00:00:02');
    assert.equal(v0?.info?.kind, 'veth');
    assert.equal(v0?.info?.slaveKind, 'bridge');
    assert.equal(v0?.info?.bridgePort?.learning, true);
    assert.equal(links.get('v1')?.mtu, 1400);
    assert.equal(links.get('v1')?.group, 7);
    assert.equal(links.get('br0')?.info?.bridge?.vlanFiltering, false);
    const { id, port, local, learning, proxy } = links.get('vx0')?.info?.vxlan ?? {};
    assert.deepEqual(
      { id, port, local, learning, proxy },
      { id: 42, port: 4789, local: '10.9.0.1', learning: false, proxy: true },
    );
    assert.equal(links.get('vx6')?.info?.vxlan?.local6, 'fd00::1');
    assert.equal(links.get('vx6')?.info?.vxlan?.group6, 'ff02::7');
    assert.equal(links.get('mv0')?.info?.macvlan?.mode, 4);
    assert.equal(links.get('ifb0')?.info?.kind, 'ifb');
  });

  it('decode routes as `ip` configured them', () => {
    const routes = captured('route').map((payload) => route.decode(payload));
    const of = (dst: string) => routes.find((message) => message?.attrs.dst === dst)?.attrs;
    const { gateway, priority, table, metrics } = of('10.20.0.0') ?? {};
    assert.deepEqual(
      { gateway, priority, table, mtu: metrics?.mtu, advmss: metrics?.advmss },
      {
        gateway: '10.9.0.2',
        priority: 7,
        table: 1000,
        mtu: 1300,
        advmss: 1200,
      },
    );
    assert.deepEqual(
      of('10.21.0.0')?.nextHops?.map(({ attrs, header }) => [attrs.gateway, header.hops]),
      [
        ['10.9.0.2', 0],
        ['10.9.0.3', 1],
      ],
    );
    assert.equal(of('10.22.0.0')?.prefsrc, '10.9.0.1');
  });
});

describe('recorded traffic control messages', () => {
  const qdiscs = captured('qdisc').map((payload) => qdisc.decode(payload));
  const filters = captured('filter').map((payload) => filter.decode(payload));

  it('have the numbers of a token bucket that `tc` configured', () => {
    const { header, attrs } = qdiscs.find((message) => message?.header.handle === 0x4953_0000) ?? {};
    const { rate, buffer, limit, linkLayer } = attrs?.tbf?.parms?.header ?? {};
    assert.deepEqual([header?.parent, attrs?.kind, rate, linkLayer], [0xffff_ffff, 'tbf', 1e6, 1]);
    // 20,000 bytes at a million per second are 20 ms, in ticks of 64 ns; another 25 ms of bytes may wait.
    assert.deepEqual([buffer, limit], [312_500, 45_000]);
  });

  it('have a rate above 32 bits beside the structure', () => {
    const tbf = qdiscs.find((message) => message?.attrs.tbf?.rate64 !== undefined)?.attrs.tbf;
    assert.deepEqual([tbf?.parms?.header.rate, tbf?.rate64], [0xffff_ffff, 6e9]);
  });

  it('keep unknown attributes', () => {
    const htb = qdiscs.find((message) => message?.attrs.kind === 'htb');
    assert.ok(htb?.attrs['#2'] instanceof Uint8Array);
  });

  it('have the selector and the device of a redirection', () => {
    const all = filters.find(
      (message) => message?.header.handle !== 0 && message?.attrs.u32?.selector?.keys[0]?.mask === 0,
    );
    assert.deepEqual(all?.attrs.u32?.selector, { flags: 1, keys: [{ mask: 0, value: 0, offset: 0 }] });
    assert.equal(all?.attrs.u32?.actions?.first?.mirred?.parms?.header.direction, 1);
    const web = filters.find((message) => message?.attrs.u32?.selector?.keys[0]?.mask === 0xffff);
    assert.deepEqual(web?.attrs.u32?.selector?.keys, [{ mask: 0xffff, value: 80, offset: 20 }]);
    assert.equal(web?.attrs.u32?.actions?.first?.mirred?.parms?.header.direction, 2);
  });
});

describe('netlink codec', () => {
  const schema = { name: attr(1, string), list: repeated(2, u8), size: attr(3, u32), where: attr(4, mac) };

  it('keeps attributes without a schema row, each in its place', () => {
    const bytes = Buffer.concat([encodeAttrs({ b: attr(9, u8) }, { b: 1 }), encodeAttrs(schema, { name: 'x' })]);
    const values = decodeAttrs(schema, bytes);
    assert.deepEqual(Object.keys(values), ['#9', 'name']);
    assert.deepEqual(Buffer.from(encodeAttrs(schema, values)), bytes);
  });

  it('keeps attributes that do not fit their row, and repeated ones', () => {
    const other = { a: attr(3, u8), name: repeated(1, string) };
    const bytes = encodeAttrs(other, { a: 7, name: ['x', 'y', 'z'] });
    const values = decodeAttrs(schema, bytes);
    assert.deepEqual(Object.keys(values), ['#3', 'name', '#1', '#1.1']);
    assert.deepEqual(encodeAttrs(schema, values), bytes);
  });

  it('rejects values that it cannot encode', () => {
    assert.throws(() => encodeAttrs(schema, { name: 'a\0b' }), /without NUL/);
    assert.throws(() => encodeAttrs(schema, { size: -1 }), /-1 is not an integer from 0/);
    assert.throws(() => encodeAttrs(schema, { size: 2 ** 32 }), /is not an integer/);
    assert.throws(() => encodeAttrs(schema, { where: '0a:58' }), /is not a MAC/);
    assert.throws(() => encodeAttrs(schema, { '#x': new Uint8Array(1) }), /#x is not an attribute/);
    assert.throws(() => encodeAttrs(schema, { '#7': new Uint8Array(70_000) }), /short enough/);
  });

  it("decodes an acknowledgement with the kernel's message", () => {
    const words = encodeAttrs({ text: attr(1, string) }, { text: 'Address already assigned' });
    const original = encodeMessages([{ type: 20, flags: 5, sequence: 9, payload: new Uint8Array(8) }]);
    const error = body({ value: 's32' }, {}).encode({ header: { value: -17 }, attrs: {} });
    const whole = { type: 2, flags: 0x200, sequence: 9, payload: Buffer.concat([error, original, words]) };
    const capped = {
      type: 2,
      flags: 0x300,
      sequence: 9,
      payload: Buffer.concat([error, original.subarray(0, 16), words]),
    };
    for (const message of [whole, capped]) {
      const [decoded] = decodeMessages(encodeMessages([message]));
      assert.ok(decoded);
      assert.deepEqual(decodeAnswer(decoded), { errno: 17, text: 'Address already assigned' });
    }
  });
});
