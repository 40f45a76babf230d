import { strict as assert } from 'node:assert';
import type { TapLink } from '../../src/shared/model/link-data.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { EINVAL, ENODEV, ERANGE } from '../../src/shared/netlink/constants.ts';
import { BRIDGE, failure, type HostFixture, type MakeFixture } from './host-fixture.ts';

type CreateOp = Extract<Op, { op: 'link.create' }>;

function tap(name: string, link: Omit<TapLink, 'kind'> = {}, more: Partial<CreateOp> = {}): Op {
  return { op: 'link.create', ns: 'sandbox', name, ...more, link: { kind: 'tap', ...link } };
}

export function describeTaps(make: MakeFixture): void {
  let fixture: HostFixture;
  const apply = (...ops: readonly Op[]): void => fixture.host.apply(ops, fixture.namespaces);
  const names = (ns: 'host' | 'sandbox'): string[] =>
    [...fixture.host.observe(fixture.namespaces[ns], { links: 'all' }).links.keys()].sort();
  const link = (name: string) =>
    fixture.host.observe(fixture.namespaces.sandbox, { links: [name] }).links.get(name) ?? assert.fail(`no ${name}`);

  beforeEach(() => {
    fixture = make();
  });
  afterEach(() => fixture[Symbol.dispose]());

  it('creates a tap in the sandbox that stays without a process, and has no carrier', () => {
    apply(tap('tap0', {}, { up: true }));
    const { kind, tun, up, lowerUp, mtu } = link('tap0');
    assert.deepEqual({ kind, up, lowerUp, mtu }, { kind: 'tun', up: true, lowerUp: false, mtu: 1500 });
    assert.deepEqual(tun, { type: 'tap', multiQueue: false, vnetHdr: false });
    assert.deepEqual(names('host'), ['lo']);
  });

  it('gives a tap all that was asked for', () => {
    apply({ ...BRIDGE, ns: 'sandbox' } as Op);
    const options = { owner: 1000, group: 1001, multiQueue: true, vnetHdr: true } as const;
    const mac = '02:00:00:00:00:21';
    apply(tap('tap0', options, { mac, mtu: 1400, group: 7, alias: 'a guest', master: 'br0', up: true }));
    const made = link('tap0');
    assert.deepEqual(made.tun, { type: 'tap', ...options });
    const { mtu, group, alias, master, up } = made;
    assert.deepEqual(
      { mac: made.mac, mtu, group, alias, master, up },
      { mac, mtu: 1400, group: 7, alias: 'a guest', master: 'br0', up: true },
    );
  });

  it('refuses a name that exists, and does not change its link', () => {
    apply(tap('tap0', { owner: 1000 }));
    failure(() => apply(tap('tap0', { owner: 1001 })), 'exists');
    assert.equal(link('tap0').tun?.owner, 1000);
    apply({ ...BRIDGE, ns: 'sandbox' } as Op);
    failure(() => apply(tap('br0')), 'exists');
    assert.equal(link('br0').kind, 'bridge');
  });

  it('refuses invalid interface names', () => {
    failure(() => apply(tap('sixteen-letters-')), 'kernel', ERANGE);
    for (const name of ['a/b', '..', 'a b', '']) failure(() => apply(tap(name)), 'kernel', EINVAL);
    assert.deepEqual(names('sandbox'), ['lo']);
  });

  it('leaves no tap where a later step of its creation fails', () => {
    failure(() => apply(tap('tap0', {}, { master: 'br9' })), 'kernel', ENODEV);
    failure(() => apply(tap('tap0', {}, { mtu: 70_000 })), 'kernel', EINVAL);
    assert.deepEqual(names('sandbox'), ['lo']);
  });

  it('deletes a tap by the kind that the kernel reports', () => {
    apply(tap('tap0'));
    failure(() => apply({ op: 'link.delete', ns: 'sandbox', name: 'tap0', kind: 'veth' }), 'conflict');
    apply({ op: 'link.delete', ns: 'sandbox', name: 'tap0', kind: 'tun' });
    assert.deepEqual(names('sandbox'), ['lo']);
  });
}
