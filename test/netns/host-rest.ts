import { strict as assert } from 'node:assert';
import type { ViewQuery } from '../../src/shared/host/host.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { EEXIST, ENOENT } from '../../src/shared/netlink/constants.ts';
import { attachOps, BRIDGE, failure, type HostFixture, type MakeFixture, vethOp } from './host-fixture.ts';

export function describeRest(make: MakeFixture): void {
  let fixture: HostFixture;
  const apply = (...ops: Op[]): void => fixture.host.apply(ops, fixture.namespaces);
  const observe = (query: ViewQuery, ns: 'host' | 'sandbox' = 'host') =>
    fixture.host.observe(fixture.namespaces[ns], query);
  const sysctl = (key: string, value: string, optional = false): Op => ({
    op: 'sysctl.set',
    ns: 'sandbox',
    key,
    value,
    optional,
  });
  beforeEach(() => {
    fixture = make();
  });
  afterEach(() => fixture[Symbol.dispose]());

  it('writes and reads sysctls of the namespace, with dots or slashes', () => {
    const query = { sysctls: ['net/ipv4/ip_forward', 'net.ipv4.ip_forward', 'net/ipv4/nothing'] };
    // The machine that the tests run on may forward.
    const ofHost = observe(query).sysctls.get('net/ipv4/ip_forward');
    const other = ofHost === '1' ? '0' : '1';
    apply(sysctl('net.ipv4.ip_forward', other));
    assert.deepEqual(
      [...observe(query, 'sandbox').sysctls],
      [
        ['net/ipv4/ip_forward', other],
        ['net.ipv4.ip_forward', other],
      ],
    );
    assert.equal(observe(query).sysctls.get('net/ipv4/ip_forward'), ofHost);
  });

  it('finds the sysctls of a device with dots in its name', () => {
    apply(BRIDGE, vethOp('veth0', 'eth0.7'), sysctl('net/ipv4/conf/eth0.7/arp_notify', '1'));
    const key = 'net/ipv4/conf/eth0.7/arp_notify';
    assert.equal(observe({ sysctls: [key] }, 'sandbox').sysctls.get(key), '1');
  });

  it('fails for a missing sysctl unless it is optional', () => {
    const error = failure(() => apply(sysctl('net/ipv4/conf/eth0/arp_notify', '1')), 'kernel', ENOENT);
    assert.match(error.message, /^sysctl\.set sysctl net\/ipv4\/conf\/eth0\/arp_notify: .*"1"/);
    apply(sysctl('net/ipv4/conf/eth0/arp_notify', '1', true));
  });

  it('writes nothing outside net/', () => {
    for (const key of ['kernel/hostname', 'net/../kernel/hostname', '/net/ipv4/ip_forward', 'net/ipv4/a b', 'net']) {
      failure(() => apply(sysctl(key, 'x', true)), 'internal');
    }
  });

  it('reverts what exists, and treats absence as success', () => {
    apply(...attachOps());
    const undo: Op[] = [
      { op: 'fdb.delete', ns: 'host', dev: 'veth0', mac: '0a:58:0a:09:00:07', flags: 'master' },
      { op: 'neigh.delete', ns: 'host', dev: 'br0', address: '10.9.0.7', mac: '0a:58:0a:09:00:07' },
      { op: 'route.delete', ns: 'sandbox', route: { dst: '0.0.0.0/0', gateway: '10.9.0.1', dev: 'eth0' } },
      { op: 'addr.delete', ns: 'sandbox', dev: 'eth0', address: '10.9.0.2/16' },
      sysctl('net/ipv4/conf/eth0/arp_notify', '0'),
      { op: 'link.set', ns: 'sandbox', name: 'eth0', set: { up: false } },
      { op: 'link.delete', ns: 'host', name: 'veth0', kind: 'veth' },
      { op: 'link.delete', ns: 'host', name: 'br0', kind: 'veth' },
    ];
    for (let round = 0; round < 2; round++) assert.deepEqual(fixture.host.revert(undo, fixture.namespaces), []);
    assert.deepEqual([...observe({ links: 'all' }).links.keys()].sort(), ['br0', 'lo']);
    assert.deepEqual([...observe({ links: 'all' }, 'sandbox').links.keys()], ['lo']);
  });

  it('continues after a failed revert, and reports every failure', () => {
    apply(BRIDGE, vethOp());
    const again: Op = { op: 'link.create', ns: 'host', name: 'br0', link: { kind: 'bridge' }, alias: 'not mine' };
    const gone: Op = { op: 'link.delete', ns: 'host', name: 'veth0' };
    const errors = fixture.host.revert([again, again, gone], fixture.namespaces);
    assert.deepEqual(
      errors.map(({ errno }) => errno),
      [EEXIST, EEXIST],
    );
    assert.equal(observe({ links: ['br0'] }).links.get('br0')?.alias, undefined);
    assert.deepEqual([...observe({ links: 'all' }).links.keys()].sort(), ['br0', 'lo']);
  });

  it('reverts the host part without a sandbox', () => {
    apply(...attachOps());
    const undo: Op[] = [
      { op: 'addr.delete', ns: 'sandbox', dev: 'eth0', address: '10.9.0.2/16' },
      { op: 'link.delete', ns: 'host', name: 'veth0' },
    ];
    assert.deepEqual(fixture.host.revert(undo, { host: fixture.namespaces.host }), []);
    assert.deepEqual([...observe({ links: 'all' }, 'sandbox').links.keys()], ['lo']);
    failure(() => fixture.host.apply(undo, { host: fixture.namespaces.host }), 'internal');
  });

  it('distinguishes namespaces, and recognises one again', () => {
    const { host, paths, namespaces } = fixture;
    using again = host.open(paths.sandbox);
    assert.equal(again.id, namespaces.sandbox.id);
    assert.equal(again.path, paths.sandbox);
    assert.notEqual(namespaces.host.id, namespaces.sandbox.id);
    assert.notEqual(host.own.id, namespaces.sandbox.id);
    assert.equal(host.own.path, '');
    assert.ok(again.id.startsWith(`${host.identity.bootId}:`));
    const error = failure(() => host.open('/run/netns/isth-nothing'), 'invalid-namespace');
    assert.match(error.message, /no such file/);
  });
}
