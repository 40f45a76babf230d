import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { encodeElement, sameElement } from '../../src/shared/firewall/nft-elements.ts';
import { ruleCounts, SET_NAMES, tableLines } from '../../src/shared/firewall/nft-table.ts';
import { type Element, footprint } from '../../src/shared/host/firewall-elements.ts';
import { firewallLines } from '../../src/shared/host/firewall-text.ts';
import { decodeAttrs } from '../../src/shared/netlink/attrs.ts';
import { string } from '../../src/shared/netlink/codec.ts';
import { NFT_SET_ELEM_INTERVAL_END } from '../../src/shared/netlink/netfilter.ts';
import { ELEMENT, type RawElement, setElements } from '../../src/shared/netlink/nft-sets.ts';
import { EVERY_ENTRY, portEntry } from '../support/firewall-entries.ts';

/** Recorded message payloads; test/support/capture-nftables.ts describes their origin. */
function captured(name: string): Uint8Array[] {
  const file = new URL(`../fixtures/netlink/${name}.json`, import.meta.url);
  const payloads: string[] = JSON.parse(readFileSync(file, 'utf8'));
  return payloads.map((hex) => Buffer.from(hex, 'hex'));
}

/** Size of struct nfgenmsg in bytes. */
const NFGENMSG = 4;

/** The elements of a message, with its set. nft numbers the attributes of a list, where the kernel calls all of them 1. */
function elementsOf(payload: Uint8Array): { set: string; elements: RawElement[] } {
  const { '#3': list, '#32771': flagged, ...rest } = decodeAttrs({}, payload.subarray(NFGENMSG));
  const set = string.decode(rest['#2'] as Uint8Array) ?? '';
  const raw = Object.values(decodeAttrs({}, (list ?? flagged) as Uint8Array)) as Uint8Array[];
  return { set, elements: raw.map((bytes) => decodeAttrs(ELEMENT, bytes)) };
}

/** The element that nft puts before the first interval. */
function isFiller({ key, flags }: RawElement): boolean {
  return flags === NFT_SET_ELEM_INTERVAL_END && key?.value?.every((byte) => byte === 0) === true;
}

describe('nftables elements', () => {
  it('decode from a kernel listing and encode to the same bytes', () => {
    const payloads = captured('nft-listed');
    assert.ok(payloads.length > 15);
    for (const payload of payloads) {
      const value = setElements.decode(payload);
      assert.ok(value);
      assert.equal(Buffer.from(setElements.encode(value)).toString('hex'), Buffer.from(payload).toString('hex'));
    }
  });

  for (const name of ['nft-sent', 'nft-listed']) {
    it(`${name}: are the same as nft's, element by element`, () => {
      const plain = EVERY_ENTRY.filter((entry) => entry.kind !== 'port' || entry.conditions.length === 0);
      const theirs = new Map<string, RawElement[]>();
      for (const { set, elements } of captured(name).map(elementsOf))
        theirs.set(set, [...(theirs.get(set) ?? []), ...elements.filter((element) => !isFiller(element))]);
      const ours = new Map<string, RawElement[]>();
      for (const element of footprint(plain).elements)
        ours.set(element.set, [...(ours.get(element.set) ?? []), ...encodeElement(element)]);
      assert.ok(ours.size > 15);
      assert.deepEqual([...theirs.keys()].sort(), [...ours.keys()].sort());
      for (const [set, list] of ours) {
        const rest = [...(theirs.get(set) ?? [])];
        for (const element of list) {
          const at = rest.findIndex((one) => sameElement(element, one) && (one.flags ?? 0) === (element.flags ?? 0));
          assert.ok(at >= 0, `${set} lacks ${JSON.stringify(element)}`);
          rest.splice(at, 1);
        }
        assert.deepEqual(rest, [], `${set} has more than ours`);
      }
    });
  }

  it('use only sets that the table has', () => {
    for (const { set } of footprint(EVERY_ENTRY).elements) assert.ok(SET_NAMES.includes(set), set);
  });

  it('are the same for any order of the entries', () => {
    const sorted = (list: readonly Element[]): string[] => list.map((element) => JSON.stringify(element)).sort();
    const there = footprint(EVERY_ENTRY).elements;
    assert.deepEqual(sorted(footprint(EVERY_ENTRY.toReversed()).elements), sorted(there));
  });
});

describe('rejects entries', () => {
  const wrong = (...conditions: string[]): void => {
    const lines = (): string[] => firewallLines('add', [portEntry({ conditions })]);
    assert.throws(lines, { kind: 'invalid-config', subject: 'conditions' }, conditions.join());
  };
  it('with conditions that would end the rule', () => {
    for (const text of ['accept; drop', 'drop\nadd table ip x', '} ; {', 'tcp dport { 1', '', '  ', '"', '# x', '$x'])
      wrong(text);
    wrong('ip saddr 10.0.0.1', 'a } b { c');
  });
  it('with devices that would need quotes', () => {
    for (const device of ['a"b', 'a b', '', 'a/b', 'sixteen-letters-', 'a*'])
      assert.throws(() => footprint([{ kind: 'policy', device, policy: 'open' }]), { kind: 'invalid-config' }, device);
  });
  it('with malformed ports and addresses', () => {
    for (const given of [
      { hostPort: 0 },
      { port: 65536 },
      { address: '10.0.0' },
      { hostIp: 'fd00::1' },
      { hostIp: 'x' },
    ])
      assert.throws(() => footprint([portEntry(given)]), { kind: 'invalid-config' }, JSON.stringify(given));
  });
  it('that send one port to two pods', () =>
    assert.throws(() => footprint([portEntry(), portEntry({ address: '10.81.0.3' })]), { kind: 'conflict' }));
});

describe('nftables table', () => {
  it('has as many rules as its lines declare', () => {
    const rules = tableLines().filter((line) => line.startsWith('add rule '));
    assert.equal(
      [...ruleCounts().values()].reduce((sum, count) => sum + count, 0),
      rules.length,
    );
  });
});
