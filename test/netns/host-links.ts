import { strict as assert } from 'node:assert';
import { NetError } from '../../src/shared/errors/net-error.ts';
import { USUAL_PORT } from '../../src/shared/model/link.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { EINVAL, ENODEV, EOPNOTSUPP, ERANGE } from '../../src/shared/netlink/constants.ts';
import { attachOps, BRIDGE, failure, type HostFixture, type MakeFixture, vethOp } from './host-fixture.ts';

export function describeLinks(make: MakeFixture): void {
  let fixture: HostFixture;
  const apply = (...ops: Op[]): void => fixture.host.apply(ops, fixture.namespaces);
  const names = (ns: 'host' | 'sandbox'): string[] =>
    [...fixture.host.observe(fixture.namespaces[ns], { links: 'all' }).links.keys()].sort();
  const link = (ns: 'host' | 'sandbox', name: string) =>
    fixture.host.observe(fixture.namespaces[ns], { links: [name] }).links.get(name);

  beforeEach(() => {
    fixture = make();
  });
  afterEach(() => fixture[Symbol.dispose]());

  it('makes a complete attachment in one call', () => {
    apply(...attachOps());
    const port = link('host', 'veth0');
    const inside = link('sandbox', 'eth0');
    assert.ok(port && inside);
    assert.equal(port.master, 'br0');
    assert.deepEqual(port.port, { ...USUAL_PORT, hairpin: true });
    assert.equal(port.alias, 'a pod');
    assert.equal(port.group, 7);
    assert.equal(port.mtu, 1400);
    assert.ok(port.up && port.lowerUp);
    assert.equal(port.linkIndex, inside.index);
    assert.equal(inside.linkIndex, port.index);
    assert.equal(port.linkNetnsId, 0);
    assert.equal(inside.mac, '0a:58:0a:09:00:02');
    assert.equal(inside.mtu, 1400);
    assert.equal(inside.kind, 'veth');
    assert.ok(inside.up && inside.lowerUp);
    assert.equal(inside.master, undefined);
    assert.equal(link('host', 'br0')?.kind, 'bridge');
    assert.ok(link('host', 'br0')?.lowerUp);
  });

  it('reads existing links, and no others', () => {
    apply(BRIDGE);
    assert.deepEqual(names('host'), ['br0', 'lo']);
    const { links } = fixture.host.observe(fixture.namespaces.host, { links: ['nothing', 'br0'] });
    assert.deepEqual([...links.keys()], ['br0']);
    assert.equal(link('host', 'lo')?.loopback, true);
    assert.equal(link('host', 'lo')?.kind, undefined);
    assert.equal(link('host', 'lo')?.up, false);
  });

  it('refuses to create a link that exists, and does not change it', () => {
    apply({ ...BRIDGE, alias: 'first' } as Op);
    const error = failure(() => apply({ ...BRIDGE, alias: 'second', up: false } as Op), 'exists');
    assert.match(error.message, /^link\.create link br0: .*exists already/);
    assert.equal(link('host', 'br0')?.alias, 'first');
    assert.ok(link('host', 'br0')?.up);
  });

  it('leaves no half of a veth pair whose peer name is in use', () => {
    apply(BRIDGE, vethOp('veth0', 'eth0'));
    failure(() => apply(vethOp('veth1', 'eth0')), 'exists');
    assert.deepEqual(names('host'), ['br0', 'lo', 'veth0']);
  });

  it('names the missing master', () => {
    const error = failure(() => apply(vethOp()), 'kernel', ENODEV);
    assert.match(error.message, /link br0/);
    assert.deepEqual(names('host'), ['lo']);
    assert.deepEqual(names('sandbox'), ['lo']);
  });

  it('refuses a master that is not a bridge, and leaves no link', () => {
    apply({ op: 'link.create', ns: 'host', name: 'br0', link: { kind: 'ifb' } });
    failure(() => apply(vethOp()), 'unsupported', EOPNOTSUPP);
    assert.deepEqual(names('host'), ['br0', 'lo']);
    assert.deepEqual(names('sandbox'), ['lo']);
  });

  it('refuses invalid interface names', () => {
    const named = (name: string): Op => ({ op: 'link.create', ns: 'host', name, link: { kind: 'bridge' } });
    failure(() => apply(named('sixteen-letters-')), 'kernel', ERANGE);
    for (const name of ['a/b', 'a b', '..', 'a:b']) failure(() => apply(named(name)), 'kernel', EINVAL);
    apply(named('fifteen-letters'));
    assert.deepEqual(names('host'), ['fifteen-letters', 'lo']);
  });

  it('deletes the peer with a veth', () => {
    apply(BRIDGE, vethOp(), { op: 'link.delete', ns: 'sandbox', name: 'eth0' });
    assert.deepEqual(names('host'), ['br0', 'lo']);
    assert.deepEqual(names('sandbox'), ['lo']);
  });

  it('detaches the ports of a deleted bridge', () => {
    apply(BRIDGE, vethOp(), { op: 'link.delete', ns: 'host', name: 'br0', kind: 'bridge' });
    const port = link('host', 'veth0');
    assert.ok(port);
    assert.equal(port.master, undefined);
    assert.equal(port.port, undefined);
  });

  it('deletes a link of the requested kind only', () => {
    apply(BRIDGE);
    const error = failure(() => apply({ op: 'link.delete', ns: 'host', name: 'br0', kind: 'veth' }), 'conflict');
    assert.match(error.message, /kind bridge and not veth/);
    assert.deepEqual(names('host'), ['br0', 'lo']);
    failure(() => apply({ op: 'link.delete', ns: 'host', name: 'nothing' }), 'kernel', ENODEV);
    failure(() => apply({ op: 'link.delete', ns: 'host', name: 'lo' }), 'unsupported');
  });

  it('changes the given attributes of a link, and nothing else', () => {
    apply(BRIDGE, vethOp());
    const set = { mtu: 1300, mac: '02:00:00:00:00:01', alias: 'other', group: 9, promisc: true, master: null };
    apply({ op: 'link.set', ns: 'host', name: 'veth0', set });
    const { mtu, mac, alias, group, promisc, master, up } = link('host', 'veth0') ?? assert.fail('veth0 is gone');
    assert.deepEqual({ mtu, mac, alias, group, promisc, master: master ?? null, up }, { ...set, up: true });
    apply({ op: 'link.set', ns: 'host', name: 'veth0', set: { up: false, promisc: false, alias: '', master: 'br0' } });
    const after = link('host', 'veth0');
    assert.equal(after?.up, false);
    assert.equal(after?.alias, undefined);
    assert.equal(after?.master, 'br0');
    assert.equal(after?.mtu, 1300);
  });

  it('sets port flags on ports only', () => {
    apply(BRIDGE, vethOp(), { op: 'port.set', ns: 'host', name: 'veth0', set: { isolated: true, learning: false } });
    assert.deepEqual(link('host', 'veth0')?.port, { ...USUAL_PORT, isolated: true, learning: false });
    failure(() => apply({ op: 'port.set', ns: 'host', name: 'br0', set: { hairpin: true } }), 'unsupported');
  });

  it('creates vxlan, macvlan and ifb links', () => {
    apply(BRIDGE, vethOp());
    apply({
      op: 'link.create',
      ns: 'host',
      name: 'vx0',
      link: { kind: 'vxlan', id: 42, local: '10.0.0.1', proxy: true },
    });
    apply({
      op: 'link.create',
      ns: 'host',
      name: 'vx6',
      link: { kind: 'vxlan', id: 43, local: 'fd00::1', dev: 'br0' },
    });
    apply({ op: 'link.create', ns: 'sandbox', name: 'mv0', link: { kind: 'macvlan', dev: 'eth0', mode: 'bridge' } });
    apply({ op: 'link.create', ns: 'sandbox', name: 'ifb0', link: { kind: 'ifb' }, up: true });
    assert.equal(link('host', 'vx0')?.kind, 'vxlan');
    assert.equal(link('host', 'vx6')?.kind, 'vxlan');
    assert.equal(link('sandbox', 'mv0')?.kind, 'macvlan');
    assert.equal(link('sandbox', 'ifb0')?.up, true);
    const missing: Op = {
      op: 'link.create',
      ns: 'host',
      name: 'mv1',
      link: { kind: 'macvlan', dev: 'no', mode: 'vepa' },
    };
    failure(() => apply(missing), 'kernel', ENODEV);
  });

  it('adds and deletes VLANs of ports', function () {
    try {
      apply({ op: 'link.create', ns: 'host', name: 'br0', link: { kind: 'bridge', vlanFiltering: true }, up: true });
    } catch (error) {
      if (!(error instanceof NetError && error.kind === 'unsupported')) throw error;
      console.log('skipped: this kernel has no VLAN filtering bridges');
      this.skip();
    }
    assert.equal(link('host', 'br0')?.bridge?.vlanFiltering, true);
    apply(vethOp(), { op: 'vlan.delete', ns: 'host', name: 'veth0', vlan: { vid: 1 } });
    apply({ op: 'vlan.add', ns: 'host', name: 'veth0', vlan: { vid: 10, vidEnd: 20 } });
    apply({ op: 'vlan.add', ns: 'host', name: 'br0', vlan: { vid: 10, self: true } });
    apply({ op: 'vlan.delete', ns: 'host', name: 'veth0', vlan: { vid: 10, vidEnd: 20 } });
    const again: Op = { op: 'vlan.delete', ns: 'host', name: 'veth0', vlan: { vid: 10, vidEnd: 20 } };
    assert.deepEqual(fixture.host.revert([again], fixture.namespaces), []);
  });
}
