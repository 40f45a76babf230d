import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { type Addr, parseAddr } from '../../src/shared/model/addr.ts';
import {
  type AliasRecord,
  formatAlias,
  formatDeviceAlias,
  formatMovedAlias,
  parseAlias,
  parseDeviceAlias,
  parseMovedAlias,
} from '../../src/shared/model/alias.ts';
import { attachmentDigest } from '../../src/shared/model/attachment.ts';

const USUAL = '/var/lib/cni/networks';

function addresses(...texts: readonly string[]): Addr[] {
  return texts.flatMap((text) => parseAddr(text) ?? []);
}

const POD: AliasRecord = {
  attachment: { camp: 'cni', network: 'web', containerId: 'c1', ifName: 'eth0' },
  scope: `${USUAL}/web`,
  addresses: addresses('10.88.0.2', 'fd00:88::2'),
};

describe('interface alias', () => {
  it('is readable', () => {
    assert.equal(formatAlias(POD), 'isthmus cni net=web if=eth0 ip=10.88.0.2,fd00:88::2 id=c1');
  });

  it('names the scope if it is not the default one', () => {
    const elsewhere = { ...POD, scope: '/srv/nets/web' };
    assert.equal(formatAlias(elsewhere), `${formatAlias(POD)} scope=/srv/nets/web`);
    assert.deepEqual(parseAlias(formatAlias(elsewhere)), elsewhere);
  });

  it('preserves a scope that contains white space', () => {
    const spaced = { ...POD, scope: '/srv/my nets=1/web' };
    assert.deepEqual(parseAlias(formatAlias(spaced)), spaced);
  });

  it('does not claim leases in another scope if it has no room for its own', () => {
    const deep = { ...POD, scope: `/srv/${'n'.repeat(250)}/web` };
    const found = parseAlias(formatAlias(deep));
    assert.deepEqual(found?.attachment, POD.attachment);
    assert.ok(found.scope === undefined || found.addresses.length === 0, formatAlias(deep));
  });

  it('omits addresses and scope for an endpoint without leases', () => {
    const bare: AliasRecord = { attachment: POD.attachment, addresses: [] };
    assert.equal(formatAlias(bare), 'isthmus cni net=web if=eth0 id=c1');
    assert.deepEqual(parseAlias(formatAlias(bare)), bare);
  });

  it("parses back to the same values for any input that fits the kernel's limit", () => {
    fc.assert(
      fc.property(arbitraryRecord(30), (record) => {
        const text = formatAlias(record);
        assert.ok(Buffer.byteLength(text) <= 255);
        assert.deepEqual(parseAlias(text), record);
      }),
    );
  });

  it('drops the scope first, then the container, and never the leases, when it is too long', () => {
    fc.assert(
      fc.property(arbitraryRecord(250), (record) => {
        const text = formatAlias(record);
        assert.ok(Buffer.byteLength(text) <= 255, text);
        const found = parseAlias(text);
        if (found === undefined) return assert.equal(text, 'isthmus');
        const { network, ifName, containerId } = found.attachment;
        assert.deepEqual({ network, ifName }, { network: record.attachment.network, ifName: record.attachment.ifName });
        assert.ok(containerId === record.attachment.containerId || containerId === '');
        if (containerId === '' && found.addresses.length > 0) assert.ok(!text.includes('scope='));
        assert.ok(found.addresses.length === 0 || found.addresses.length === record.addresses.length);
      }),
    );
  });

  it('ignores aliases that other programs wrote', () => {
    const others = [
      undefined,
      '',
      'isthmus',
      'uplink to rack 4',
      'isthmus-net cni net=a if=b',
      'isthmus cnx net=a if=b',
    ];
    for (const text of [...others, 'isthmus cni net=a', 'isthmus cni if=b id=c']) {
      assert.equal(parseAlias(text), undefined, String(text));
    }
  });

  it('parses edited aliases without throwing', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 0, max: 60 }), (inserted, at) => {
        const text = formatAlias(POD);
        const found = parseAlias(`${text.slice(0, at)}${inserted}${text.slice(at)}`);
        for (const { family, value } of found?.addresses ?? []) assert.ok(value < 2n ** (family === 4 ? 32n : 128n));
      }),
    );
  });

  it('names the network that a device was created for', () => {
    assert.equal(formatDeviceAlias('bridge', 'web'), 'isthmus bridge net=web');
    for (const driver of ['bridge', 'overlay'])
      assert.deepEqual(parseDeviceAlias(`isthmus ${driver} net=web`), { driver, network: 'web' });
    for (const text of [undefined, '', formatAlias(POD), 'isthmus bridge net=', 'isthmus bridge net=web by hand']) {
      assert.equal(parseDeviceAlias(text), undefined, String(text));
    }
    assert.equal(parseAlias(formatDeviceAlias('bridge', 'web')), undefined);
  });
});

/** Values that the wire format allows: names without white space, ids of letters, digits and `_.-`. */
function arbitraryRecord(longestId: number): fc.Arbitrary<AliasRecord> {
  const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,29}$/);
  const id = fc.string({ unit: fc.constantFrom('a', '0', '_', '.', '-'), minLength: 1, maxLength: longestId });
  const leased = fc.array(fc.oneof(fc.ipV4(), fc.ipV6()), { minLength: 1, maxLength: 3 });
  const ifName = fc.stringMatching(/^[^/:\s]{1,15}$/);
  return fc
    .record({ camp: fc.constantFrom('cni' as const, 'cnm' as const), network: name, containerId: id, ifName, leased })
    .map(({ leased: texts, ...attachment }) => ({
      attachment,
      scope: `${USUAL}/${attachment.network}`,
      addresses: addresses(...texts),
    }));
}

describe('alias of a device of the host', () => {
  const { attachment } = POD;
  const key = attachmentDigest(attachment);

  it('is readable, names device and attachment, and is that of no interface of ours', () => {
    const text = formatMovedAlias('nic0', attachment);
    assert.equal(text, 'isthmus moved dev=nic0 net=web if=eth0 id=c1');
    assert.deepEqual(parseMovedAlias(text), { dev: 'nic0', key });
    assert.deepEqual([parseAlias(text), parseDeviceAlias(text)], [undefined, undefined]);
  });

  it('has a digest where the names are too long for the kernel', () => {
    const long = { ...attachment, containerId: 'c'.repeat(200), network: 'n'.repeat(100) };
    const text = formatMovedAlias('nic0', long);
    assert.ok(Buffer.byteLength(text) <= 255, text);
    assert.deepEqual(parseMovedAlias(text), { dev: 'nic0', key: attachmentDigest(long) });
  });

  it('is not read from any other text', () => {
    for (const text of [undefined, '', 'nic0', formatAlias(POD), 'isthmus moved dev=nic0', 'isthmus moved dev=a key=b'])
      assert.equal(parseMovedAlias(text), undefined, text ?? 'none');
  });
});
