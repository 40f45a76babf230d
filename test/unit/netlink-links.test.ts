import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { createLink, type MessageLink } from '../../src/shared/host/link-requests.ts';
import { linkData } from '../../src/shared/host/read-link-data.ts';
import { changeRule } from '../../src/shared/host/rules.ts';
import type { LinkState } from '../../src/shared/model/link.ts';
import type { RuleSpec } from '../../src/shared/model/rule.ts';
import { attr, body, decodeAttrs } from '../../src/shared/netlink/attrs.ts';
import type { Codec } from '../../src/shared/netlink/codec.ts';
import { link } from '../../src/shared/netlink/link.ts';

/** What ip(8) of iproute2 sent: IFLA_LINKINFO of each new link, and the payload of a new rule. */
function sent(name: string): Readonly<Record<string, string>> {
  return JSON.parse(readFileSync(new URL(`../fixtures/netlink/${name}.json`, import.meta.url), 'utf8'));
}

const raw: Codec<Uint8Array> = { decode: (bytes) => bytes, encode: (bytes) => bytes };
/** struct ifinfomsg has 16 bytes. */
const IFINFOMSG = 16;
const on = { dev: 'up1' } as const;

const LINKS: Readonly<Record<string, { readonly link: MessageLink['link']; readonly state: Partial<LinkState> }>> = {
  'ipvlan-l2-bridge': {
    link: { kind: 'ipvlan', ...on, mode: 'l2', flag: 'bridge' },
    state: { ipvlan: { mode: 'l2', flag: 'bridge' } },
  },
  'ipvlan-l3s-private': {
    link: { kind: 'ipvlan', ...on, mode: 'l3s', flag: 'private' },
    state: { ipvlan: { mode: 'l3s', flag: 'private' } },
  },
  'ipvlan-l3-vepa': {
    link: { kind: 'ipvlan', ...on, mode: 'l3', flag: 'vepa' },
    state: { ipvlan: { mode: 'l3', flag: 'vepa' } },
  },
  'vlan-10': { link: { kind: 'vlan', ...on, id: 10 }, state: { vlan: { id: 10, protocol: '802.1Q' } } },
  'vlan-qinq': {
    link: { kind: 'vlan', ...on, id: 10, protocol: '802.1ad' },
    state: { vlan: { id: 10, protocol: '802.1ad' } },
  },
  'vrf-100': { link: { kind: 'vrf', table: 100 }, state: { vrf: { table: 100 } } },
  dummy: { link: { kind: 'dummy' }, state: {} },
  'macvlan-bridge': {
    link: { kind: 'macvlan', ...on, mode: 'bridge', bcQueueLength: 2000 },
    state: { macvlan: { mode: 'bridge', bcQueueLength: 2000 } },
  },
};

describe('messages for links of every kind', () => {
  const resolver = { index: () => 7, parent: () => 8, netnsFd: () => 4 };
  const infos = sent('link-info-sent');

  it('has a case for each message', () => assert.deepEqual(Object.keys(LINKS), Object.keys(infos)));

  for (const [name, { link: spec, state }] of Object.entries(LINKS)) {
    it(`${name}: has the same bytes as that of ip(8), and is read back`, () => {
      const op = { op: 'link.create', ns: 'host', name: 'x0', link: spec } as const;
      const payload = createLink(op, resolver).payload.subarray(IFINFOMSG);
      const { info } = decodeAttrs({ info: attr(18, raw) }, payload);
      assert.equal(Buffer.from(info ?? []).toString('hex'), infos[name]);
      const decoded = link.decode(createLink(op, resolver).payload)?.attrs;
      assert.equal(decoded?.link, 'dev' in spec ? 8 : undefined);
      assert.equal(decoded?.netnsFd, undefined);
      assert.deepEqual(linkData(decoded?.info ?? {}), state);
    });
  }

  it('has parent, target, name, MAC, MTU and state of a link for another namespace', () => {
    const spec = { kind: 'macvlan', dev: 'up1', devNs: 'host', mode: 'bridge' } as const;
    const mac = '02:00:00:00:00:01';
    const op = { op: 'link.create', ns: 'sandbox', name: 'eth0', link: spec, mac, mtu: 1400, up: true } as const;
    const { header, attrs } = link.decode(createLink(op, resolver).payload) ?? assert.fail();
    assert.deepEqual([header.flags, header.change], [1, 1]);
    const { link: parent, netnsFd, name, address, mtu } = attrs;
    assert.deepEqual(
      { parent, netnsFd, name, address, mtu },
      { parent: 8, netnsFd: 4, name: 'eth0', address: mac, mtu: 1400 },
    );
  });

  it('reads the table of a VRF from its member', () => {
    const message = link.encode({ header: {}, attrs: { info: { slaveKind: 'vrf', vrfPort: { table: 100 } } } });
    assert.deepEqual(linkData(link.decode(message, true)?.attrs.info ?? {}), { vrfTable: 100 });
  });

  it('reads no mode that it does not know', () => {
    const data = (kind: string, type: number) =>
      link.encode({ header: {}, attrs: { info: { kind, '#2': Uint8Array.of(8, 0, 1, 0, type, 0, 0, 0) } } });
    assert.deepEqual(linkData(link.decode(data('macvlan', 64), true)?.attrs.info ?? {}), {});
    assert.deepEqual(linkData(link.decode(data('macvlan', 4), true)?.attrs.info ?? {}), {
      macvlan: { mode: 'bridge' },
    });
  });

  it('reads the hardware’s MAC, device and bus', () => {
    const attrs = { permAddress: '52:54:00:12:34:56', parentDev: 'virtio0', parentBus: 'virtio' };
    const bytes = link.encode({ header: {}, attrs });
    const rows = body(
      { _header1: 'u32', _header2: 'u32', _header3: 'u32', _header4: 'u32' },
      { mac: attr(54, raw), dev: attr(56, raw), bus: attr(57, raw) },
    );
    assert.deepEqual(link.decode(bytes)?.attrs, attrs);
    assert.equal(Buffer.from(rows.decode(bytes)?.attrs.mac ?? []).toString('hex'), '525400123456');
    assert.equal(Buffer.from(rows.decode(bytes)?.attrs.dev ?? []).toString(), 'virtio0\0');
    assert.equal(Buffer.from(rows.decode(bytes)?.attrs.bus ?? []).toString(), 'virtio\0');
  });
});

describe('messages for rules', () => {
  const add = (rule: RuleSpec) => changeRule({ op: 'rule.add', ns: 'host', rule }).payload;

  it('has the same bytes as that of ip(8)', () => {
    const payload = add({ family: 4, from: '10.5.0.77/32', table: 100 });
    assert.equal(Buffer.from(payload).toString('hex'), sent('rule-sent')['rule-add']);
  });

  it('has a large table, a priority and a protocol as attributes', () => {
    const payload = add({ family: 6, table: 1000, priority: 7, protocol: 42 });
    const rows = { priority: attr(6, raw), table: attr(15, raw), protocol: attr(21, raw) };
    const { priority, table, protocol } = decodeAttrs(rows, payload.subarray(12));
    assert.deepEqual([payload[0], payload[4]], [10, 0]);
    assert.deepEqual([...(priority ?? [])], [7, 0, 0, 0]);
    assert.deepEqual([...(table ?? [])], [0xe8, 3, 0, 0]);
    assert.deepEqual([...(protocol ?? [])], [42]);
  });
});
