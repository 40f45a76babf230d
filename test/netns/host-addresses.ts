import { strict as assert } from 'node:assert';
import type { RouteSpec, RouteState } from '../../src/shared/model/link.ts';
import type { Op } from '../../src/shared/model/op.ts';
import {
  EADDRNOTAVAIL,
  EHOSTUNREACH,
  EINVAL,
  ENETDOWN,
  ENETUNREACH,
  ENODEV,
  ENOENT,
  ESRCH,
} from '../../src/shared/netlink/constants.ts';
import { attachOps, BRIDGE, failure, type HostFixture, type MakeFixture, vethOp } from './host-fixture.ts';

export function describeAddresses(make: MakeFixture): void {
  let fixture: HostFixture;
  const apply = (...ops: Op[]): void => fixture.host.apply(ops, fixture.namespaces);
  const addresses = (dev: string) =>
    fixture.host
      .observe(fixture.namespaces.sandbox, { addresses: [dev] })
      .addresses.filter(({ scope }) => scope !== 'link');
  /** Without the kernel's link-local ones. */
  const routes = (): RouteState[] =>
    fixture.host
      .observe(fixture.namespaces.sandbox, { routes: true })
      .routes.filter(({ dst }) => dst !== 'fe80::/64')
      .sort((a, b) => (a.dst < b.dst ? -1 : 1));
  const route = (spec: RouteSpec): Op => ({ op: 'route.add', ns: 'sandbox', route: spec });

  beforeEach(() => {
    fixture = make();
  });
  afterEach(() => fixture[Symbol.dispose]());

  it('reads addresses and routes as requested', () => {
    apply(...attachOps());
    const common = { dev: 'eth0', scope: 'global', permanent: true, dadFailed: false, tentative: false };
    assert.deepEqual(addresses('eth0'), [
      { ...common, address: '10.9.0.2/16' },
      { ...common, address: 'fd00:9::2/64' },
    ]);
    const main = { dev: 'eth0', table: 254 };
    assert.deepEqual(routes(), [
      { ...main, dst: '0.0.0.0/0', gateway: '10.9.0.1', scope: 'global', protocol: 3 },
      { ...main, dst: '10.9.0.0/16', scope: 'link', protocol: 2, source: '10.9.0.2' },
      { ...main, dst: '::/0', gateway: 'fd00:9::1', scope: 'global', protocol: 3, priority: 1024 },
      { ...main, dst: 'fd00:9::/64', scope: 'global', protocol: 2, priority: 256 },
    ]);
    assert.deepEqual(addresses('nothing'), []);
  });

  it('refuses an address that exists, and an address on a missing link', () => {
    apply(...attachOps());
    for (const address of ['10.9.0.2/16', 'fd00:9::2/64']) {
      failure(() => apply({ op: 'addr.add', ns: 'sandbox', dev: 'eth0', address }), 'exists');
    }
    const error = failure(
      () => apply({ op: 'addr.add', ns: 'sandbox', dev: 'eth9', address: '10.9.0.3/16' }),
      'kernel',
      ENODEV,
    );
    assert.match(error.message, /^addr\.add link eth9: /);
    const absent: Op = { op: 'addr.delete', ns: 'sandbox', dev: 'eth0', address: '10.9.0.3/16' };
    failure(() => apply(absent), 'kernel', EADDRNOTAVAIL);
  });

  it('makes no route to the subnet of an address that asks for none', () => {
    apply(...attachOps());
    const before = routes();
    apply({ op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: '10.52.0.2/24', noPrefixRoute: true });
    apply({ op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: 'fd00:52::2/64', noDad: true, noPrefixRoute: true });
    assert.deepEqual(routes(), before);
    assert.deepEqual(
      addresses('eth0')
        .map(({ address }) => address)
        .toSorted(),
      ['10.52.0.2/24', '10.9.0.2/16', 'fd00:52::2/64', 'fd00:9::2/64'],
    );
  });

  it('refuses an exclusive route to where another one leads, by whatever device', () => {
    apply(...attachOps(), { op: 'link.create', ns: 'sandbox', name: 'br9', link: { kind: 'bridge' } });
    apply({ op: 'link.set', ns: 'sandbox', name: 'br9', set: { up: true } });
    for (const dst of ['10.52.0.2/32', 'fd00:52::2/128']) {
      const by = (dev: string): Op => ({ op: 'route.add', ns: 'sandbox', route: { dst, dev }, exclusive: true });
      apply(by('eth0'));
      failure(() => apply(by('br9')), 'exists');
      apply(route({ dst, dev: 'br9', priority: 7 }));
    }
  });

  it('deletes the connected route with its address', () => {
    apply(...attachOps(), { op: 'route.delete', ns: 'sandbox', route: { dst: '0.0.0.0/0', gateway: '10.9.0.1' } });
    apply({ op: 'addr.delete', ns: 'sandbox', dev: 'eth0', address: '10.9.0.2/16' });
    assert.deepEqual(
      routes().map(({ dst }) => dst),
      ['::/0', 'fd00:9::/64'],
    );
  });

  it("deletes the kernel's own route to a subnet, and takes it back from its reader", () => {
    apply(...attachOps());
    const found = routes().find(({ dst }) => dst === '10.9.0.0/16');
    assert.ok(found !== undefined);
    const { protocol: _, ...spec } = found;
    const removal: Op = { op: 'route.delete', ns: 'sandbox', route: { dst: spec.dst, dev: 'eth0', table: 254 } };
    apply(removal);
    assert.equal(
      routes().find(({ dst }) => dst === spec.dst),
      undefined,
    );
    failure(() => apply(removal), 'kernel', ESRCH);
    apply(route(spec));
    assert.deepEqual(
      routes().find(({ dst }) => dst === spec.dst),
      { ...spec, protocol: 3 },
    );
  });

  it('accepts every attribute of a route', () => {
    apply(...attachOps());
    const specs: RouteSpec[] = [
      {
        dst: '10.50.0.0/16',
        gateway: '10.9.0.1',
        dev: 'eth0',
        mtu: 1300,
        advmss: 1200,
        priority: 7,
        table: 1000,
        scope: 'global',
      },
      { dst: '10.51.0.0/16', dev: 'eth0', source: '10.9.0.2', table: 100, scope: 'link' },
      { dst: '10.52.0.0/16', gateway: '192.0.2.1', dev: 'eth0', onlink: true, table: 254, scope: 'global' },
    ];
    apply(...specs.map(route));
    const found = routes().filter(({ dst }) => /^10\.5\d/.test(dst));
    assert.deepEqual(
      found,
      specs.map((spec) => ({ ...spec, protocol: 3 })),
    );
    for (const spec of specs) apply({ op: 'route.delete', ns: 'sandbox', route: spec });
    assert.deepEqual(
      routes().filter(({ dst }) => /^10\.5\d/.test(dst)),
      [],
    );
    const [first] = specs;
    assert.ok(first);
    failure(() => apply({ op: 'route.delete', ns: 'sandbox', route: first }), 'kernel', ESRCH);
  });

  it('refuses unreachable routes', () => {
    apply(...attachOps());
    const error = failure(() => apply(route({ dst: '1.0.0.0/8', gateway: '192.0.2.1' })), 'kernel', ENETUNREACH);
    assert.match(error.message, /route 1\.0\.0\.0\/8 via 192\.0\.2\.1: .*inside a subnet/);
    failure(() => apply(route({ dst: '2001:db8::/32', gateway: 'fd77::1', dev: 'eth0' })), 'kernel', EHOSTUNREACH);
    failure(() => apply(route({ dst: '1.0.0.0/8', dev: 'eth9' })), 'kernel', ENODEV);
    failure(() => apply(route({ dst: '1.0.0.1/8', dev: 'eth0' })), 'kernel', EINVAL);
    failure(() => apply(route({ dst: '1.0.0.0/8', dev: 'eth0', source: '10.9.0.77' })), 'kernel', EINVAL);
    failure(() => apply(route({ dst: '0.0.0.0/0', gateway: '10.9.0.1', dev: 'eth0' })), 'exists');
    apply({ op: 'link.set', ns: 'sandbox', name: 'eth0', set: { up: false } });
    failure(() => apply(route({ dst: '1.0.0.0/8', dev: 'eth0' })), 'kernel', ENETDOWN);
  });

  it('adds a default route of a second network to that of the first', () => {
    apply(...attachOps());
    apply(
      {
        op: 'link.create',
        ns: 'sandbox',
        name: 'net1',
        link: { kind: 'veth', peer: { ns: 'sandbox', name: 'net1p' } },
      },
      { op: 'link.set', ns: 'sandbox', name: 'net1p', set: { up: true } },
      { op: 'addr.add', ns: 'sandbox', dev: 'net1', address: '10.77.0.2/16' },
      { op: 'link.set', ns: 'sandbox', name: 'net1', set: { up: true } },
      route({ dst: '0.0.0.0/0', gateway: '10.77.0.1', dev: 'net1' }),
    );
    const defaults = routes().filter(({ dst }) => dst === '0.0.0.0/0');
    assert.deepEqual(defaults.map(({ dev }) => dev).sort(), ['eth0', 'net1']);
  });

  it('stops at the first failure and names it', () => {
    apply(...attachOps());
    const bad: Op = { op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: '10.9.0.2/16' };
    const worse = route({ dst: '1.0.0.0/8', gateway: '192.0.2.1' });
    const good: Op = { op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: '10.9.0.4/16' };
    const error = failure(() => apply(good, bad, worse), 'exists');
    assert.match(error.message, /10\.9\.0\.2\/16/);
  });

  it('applies more steps than one send can carry', () => {
    apply(BRIDGE, vethOp(), { op: 'link.set', ns: 'sandbox', name: 'eth0', set: { up: true } });
    const many = Array.from({ length: 700 }, (_, i) => `10.9.${4 + (i >> 8)}.${i & 255}/32`);
    apply(...many.map((address): Op => ({ op: 'addr.add', ns: 'sandbox', dev: 'eth0', address })));
    assert.deepEqual(
      addresses('eth0')
        .map(({ address }) => address)
        .sort(),
      [...many].sort(),
    );
  });

  it('creates and deletes neighbours and forwarding entries', () => {
    const mac = '0a:58:0a:09:00:07';
    const remote = { dev: 'vx0', mac, dst: '10.0.0.2', flags: 'self' } as const;
    const entries: Op[] = [
      { op: 'neigh.add', ns: 'host', dev: 'br0', address: '10.9.0.7', mac },
      { op: 'neigh.add', ns: 'host', dev: 'br0', address: 'fd00:9::7', mac },
      { op: 'fdb.add', ns: 'host', ...remote },
      { op: 'fdb.add', ns: 'host', dev: 'veth0', mac, flags: 'master' },
    ];
    apply(
      BRIDGE,
      vethOp(),
      { op: 'link.create', ns: 'host', name: 'vx0', link: { kind: 'vxlan', id: 42 } },
      ...entries,
    );
    for (const entry of entries) failure(() => apply(entry), 'exists');
    const flood = (dst: string): Op => ({ op: 'fdb.add', ns: 'host', ...remote, mac: '00:00:00:00:00:00', dst });
    apply(flood('10.0.0.2'), flood('10.0.0.3'));
    const deletions = entries.map((entry) => ({ ...entry, op: entry.op.replace('add', 'delete') }) as Op);
    apply(...deletions);
    for (const deletion of deletions) failure(() => apply(deletion), 'kernel', ENOENT);
  });
}
