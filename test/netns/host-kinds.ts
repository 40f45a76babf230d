import { strict as assert } from 'node:assert';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { LinkKind, LinkState } from '../../src/shared/model/link.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { EBUSY, EEXIST, EINVAL, ENETDOWN, EOPNOTSUPP, ERANGE } from '../../src/shared/netlink/constants.ts';
import { skipIf } from '../support/skip.ts';
import { failure, type HostFixture, type MakeFixture } from './host-fixture.ts';

type CreateOp = Extract<Op, { op: 'link.create' }>;

const UP0_MAC = '02:00:00:00:00:10';
const PARENT: readonly Op[] = [
  {
    ...{ op: 'link.create', ns: 'host', name: 'up0', mac: UP0_MAC, mtu: 1400, up: true },
    link: { kind: 'veth', peer: { ns: 'host', name: 'lan0' } },
  },
  { op: 'link.set', ns: 'host', name: 'lan0', set: { up: true } },
];
const ON_UP0 = { dev: 'up0', devNs: 'host' } as const;
const IPVLAN = { kind: 'ipvlan', ...ON_UP0, mode: 'l2', flag: 'bridge' } as const;
const VLAN = { kind: 'vlan', ...ON_UP0, id: 10 } as const;

function create(name: string, link: LinkKind, more: Partial<CreateOp> = {}): Op {
  return { op: 'link.create', ns: 'sandbox', name, ...more, link };
}

/** Kinds that a kernel can lack; its tests are skipped there, and say so in the words of the error. */
export function describeKinds(make: MakeFixture): void {
  let fixture: HostFixture;
  const apply = (...ops: readonly Op[]): void => fixture.host.apply(ops, fixture.namespaces);
  const names = (ns: 'host' | 'sandbox'): string[] =>
    [...fixture.host.observe(fixture.namespaces[ns], { links: 'all' }).links.keys()].sort();
  const link = (ns: 'host' | 'sandbox', name: string): LinkState =>
    fixture.host.observe(fixture.namespaces[ns], { links: [name] }).links.get(name) ?? assert.fail(`no ${name}`);
  const skipWithout = (context: Mocha.Context, probe: LinkKind): void => {
    try {
      apply(create('probe0', probe));
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      assert.match(error.message, /^link\.create link probe0: this kernel has no \w+ \(CONFIG_\w+\) \(/);
      assert.equal(error.kind, 'unsupported');
      assert.deepEqual(names('sandbox'), ['lo']);
      skipIf(context, error.what);
    }
    apply({ op: 'link.delete', ns: 'sandbox', name: 'probe0' });
  };

  beforeEach(() => {
    fixture = make();
    apply(...PARENT);
  });
  afterEach(() => fixture[Symbol.dispose]());

  it('creates ipvlans in every mode with every flag', function () {
    skipWithout(this, IPVLAN);
    for (const mode of ['l2', 'l3', 'l3s'] as const)
      for (const flag of ['bridge', 'private', 'vepa'] as const) {
        apply(create('eth0', { ...IPVLAN, mode, flag }, { mtu: 1300, alias: 'a pod', up: true }));
        const { kind, mac, mtu, alias, up, ipvlan, linkIndex } = link('sandbox', 'eth0');
        assert.deepEqual(ipvlan, { mode, flag });
        assert.deepEqual(
          { kind, mac, mtu, alias, up, linkIndex },
          { kind: 'ipvlan', mac: UP0_MAC, mtu: 1300, alias: 'a pod', up: true, linkIndex: link('host', 'up0').index },
        );
        apply({ op: 'link.delete', ns: 'sandbox', name: 'eth0', kind: 'ipvlan' });
      }
  });

  it('has one mode and one flag for all ipvlans of a parent', function () {
    skipWithout(this, IPVLAN);
    apply(create('eth0', IPVLAN), create('eth1', { ...IPVLAN, mode: 'l3', flag: 'private' }));
    for (const name of ['eth0', 'eth1'])
      assert.deepEqual(link('sandbox', name).ipvlan, { mode: 'l3', flag: 'private' }, name);
  });

  it('refuses a MAC for an ipvlan, and one beside a macvlan', function () {
    skipWithout(this, IPVLAN);
    const mac = '02:00:00:00:00:11';
    apply(create('eth0', IPVLAN));
    failure(() => apply({ op: 'link.set', ns: 'sandbox', name: 'eth0', set: { mac } }), 'unsupported', EOPNOTSUPP);
    const macvlan: LinkKind = { kind: 'macvlan', ...ON_UP0, mode: 'bridge' };
    const error = failure(() => apply(create('eth1', macvlan)), 'kernel', EBUSY);
    assert.match(error.message, /up0 is in use by links of another kind/);
    failure(() => apply(create('eth1', { ...IPVLAN, dev: 'lo' })), 'kernel', EINVAL);
  });

  it('creates a VLAN with the MAC and MTU of its parent', function () {
    skipWithout(this, VLAN);
    apply(create('eth0', VLAN, { up: true }), create('eth1', { ...VLAN, id: 4094, protocol: '802.1ad' }));
    const { kind, mac, mtu, up, vlan, linkIndex } = link('sandbox', 'eth0');
    assert.deepEqual(vlan, { id: 10, protocol: '802.1Q' });
    assert.deepEqual(
      { kind, mac, mtu, up, linkIndex },
      { kind: 'vlan', mac: UP0_MAC, mtu: 1400, up: true, linkIndex: link('host', 'up0').index },
    );
    assert.deepEqual(link('sandbox', 'eth1').vlan, { id: 4094, protocol: '802.1ad' });
  });

  it('refuses a VLAN that exists under another name, and other impossible ones', function () {
    skipWithout(this, VLAN);
    apply(create('eth0', VLAN));
    const error = failure(() => apply(create('eth1', VLAN)), 'exists', EEXIST);
    assert.match(error.message, /VLAN 10 of up0 may exist under another name/);
    const high = failure(() => apply(create('eth1', { ...VLAN, id: 11 }, { mtu: 1500 })), 'kernel', EINVAL);
    assert.match(high.message, /the MTU 1500 is above 1400, that of up0/);
    failure(() => apply(create('eth1', { ...VLAN, id: 4095 })), 'kernel', ERANGE);
    const lo = failure(() => apply(create('eth1', { ...VLAN, dev: 'lo' })), 'unsupported', EOPNOTSUPP);
    assert.match(lo.message, /lo is a loopback device/);
    assert.deepEqual(names('sandbox'), ['eth0', 'lo']);
  });

  it('needs a parent that is up for a VLAN that is up', function () {
    skipWithout(this, VLAN);
    apply({ op: 'link.set', ns: 'host', name: 'up0', set: { up: false } });
    const error = failure(() => apply(create('eth0', VLAN, { up: true })), 'kernel', ENETDOWN);
    assert.match(error.message, /up0 is down/);
    apply(create('eth0', VLAN), { op: 'link.set', ns: 'host', name: 'up0', set: { up: true } });
    assert.equal(link('sandbox', 'eth0').up, true);
  });

  it('creates dummies', function () {
    skipWithout(this, { kind: 'dummy' });
    apply(create('eth0', { kind: 'dummy' }, { mac: '02:00:00:00:00:11', mtu: 1280, up: true }));
    const { kind, mac, mtu, up, lowerUp } = link('sandbox', 'eth0');
    assert.deepEqual(
      { kind, mac, mtu, up, lowerUp },
      { kind: 'dummy', mac: '02:00:00:00:00:11', mtu: 1280, up: true, lowerUp: true },
    );
  });

  it('puts the routes of a VRF’s member into its table', function () {
    skipWithout(this, { kind: 'vrf', table: 99 });
    const route = { dst: '10.50.0.0/16', gateway: '10.9.0.1', dev: 'eth0' };
    const at = { ns: 'sandbox', name: 'eth0' } as const;
    apply(
      create('blue', { kind: 'vrf', table: 100 }, { up: true }),
      { op: 'link.move', ns: 'host', name: 'up0', to: 'sandbox', toName: 'eth0' },
      { ...at, op: 'link.set', set: { up: true } },
      { op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: '10.9.0.2/16' },
      { op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: 'fd00:9::2/64', noDad: true },
      { op: 'route.add', ns: 'sandbox', route },
      { ...at, op: 'link.set', set: { master: 'blue' } },
    );
    assert.deepEqual(link('sandbox', 'blue').vrf, { table: 100 });
    const member = link('sandbox', 'eth0');
    assert.deepEqual([member.master, member.vrfTable, member.port], ['blue', 100, undefined]);
    const seen = () => {
      const view = fixture.host.observe(fixture.namespaces.sandbox, { addresses: ['eth0'], routes: true });
      return {
        addresses: view.addresses.filter(({ scope }) => scope !== 'link').map(({ address }) => address),
        routes: view.routes.filter(({ dst }) => dst.startsWith('10.')).map(({ dst, table }) => [dst, table]),
      };
    };
    // The link went down and up.
    assert.deepEqual(seen(), { addresses: ['10.9.0.2/16'], routes: [['10.9.0.0/16', 100]] });
    apply({ op: 'link.delete', ns: 'sandbox', name: 'blue', kind: 'vrf' });
    assert.equal(link('sandbox', 'eth0').vrfTable, undefined);
    assert.deepEqual(seen().routes, [['10.9.0.0/16', 254]]);
  });
}
