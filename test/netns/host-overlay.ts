import { strict as assert } from 'node:assert';
import type { ViewQuery } from '../../src/shared/host/host.ts';
import type { VxlanLink } from '../../src/shared/model/link.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { EAFNOSUPPORT, EINVAL, ENOENT, EOPNOTSUPP } from '../../src/shared/netlink/constants.ts';
import { BRIDGE, failure, type HostFixture, type MakeFixture, vethOp } from './host-fixture.ts';

const MAC = '0a:58:0a:09:00:07';
const FLOOD = '00:00:00:00:00:00';
const OWN = '02:00:00:00:00:42';
const ns = 'host';

const vxlan = (name: string, link: Omit<VxlanLink, 'kind'>): Op => ({
  op: 'link.create',
  ns,
  name,
  link: { kind: 'vxlan', ...link },
  mac: OWN,
});
const set = (name: string, changes: Extract<Op, { op: 'link.set' }>['set']): Op => ({
  op: 'link.set',
  ns,
  name,
  set: changes,
});
type Change = 'add' | 'replace' | 'delete';
const own = (change: Change, dst: string, mac = MAC): Op => ({
  op: `fdb.${change}`,
  ns,
  dev: 'vx0',
  mac,
  dst,
  flags: 'self',
});
const behind = (change: Change, dev: string, mac = MAC): Op => ({ op: `fdb.${change}`, ns, dev, mac, flags: 'master' });
const neighbour = (change: Change, address: string, mac = MAC, dev = 'br0'): Op => ({
  op: `neigh.${change}`,
  ns,
  dev,
  address,
  mac,
});

/** A bridge without a MAC of its own changes it when a port goes, and forgets its neighbours. */
const OVERLAY: readonly Op[] = [
  { ...BRIDGE, mac: '02:00:00:00:00:41' } as Op,
  vethOp(),
  vxlan('vx0', { id: 42, local: '10.0.0.1', learning: false }),
  set('vx0', { master: 'br0', up: true }),
];

/** What an overlay asks of a host: VXLAN devices, FDB, neighbours. */
export function describeOverlay(make: MakeFixture): void {
  let fixture: HostFixture;
  const apply = (...ops: readonly Op[]): void => fixture.host.apply(ops, fixture.namespaces);
  const observe = (query: ViewQuery) => fixture.host.observe(fixture.namespaces.host, query);
  /** As lines, sorted. */
  const forwarding = (...devices: string[]): string[] =>
    observe({ forwarding: devices })
      .forwarding.map(({ dev, mac, flags, dst = '-' }) => `${dev} ${flags} ${mac} ${dst}`)
      .sort();
  const neighbours = (...devices: string[]): string[] =>
    observe({ neighbours: devices })
      .neighbours.map(({ dev, address, mac }) => `${dev} ${address} ${mac}`)
      .sort();

  beforeEach(() => {
    fixture = make();
  });
  afterEach(() => fixture[Symbol.dispose]());

  it('reads back every option of a VXLAN device', () => {
    const usual = {
      port: 4789,
      learning: true,
      proxy: false,
      ttl: 0,
      df: 'unset',
      udpCsum: true,
      zeroCsum6Tx: false,
      zeroCsum6Rx: false,
    } as const;
    const every = {
      id: 43,
      port: 8472,
      local: 'fd00::1',
      learning: false,
      proxy: true,
      ttl: 9,
      df: 'unset',
      portRange: { low: 40_000, high: 50_000 },
      udpCsum: false,
      zeroCsum6Tx: true,
      zeroCsum6Rx: true,
    } as const;
    apply(vxlan('vx0', { id: 42 }), vxlan('vx1', every), vxlan('vx2', { id: 44, local: '10.0.0.1', df: 'set' }));
    const { links } = observe({ links: ['vx0', 'vx1', 'vx2'] });
    assert.deepEqual(links.get('vx0')?.vxlan, { ...usual, id: 42 });
    assert.deepEqual(links.get('vx1')?.vxlan, every);
    assert.deepEqual(links.get('vx2')?.vxlan, { ...usual, id: 44, local: '10.0.0.1', df: 'set' });
  });

  it('changes underlay address and learning of a VXLAN device, and nothing else', () => {
    apply(BRIDGE, vxlan('vx0', { id: 42, local: '10.0.0.1' }), vxlan('vx6', { id: 42, local: 'fd00::1' }));
    apply(set('vx0', { vxlan: { local: '10.0.0.9', learning: false }, up: true }));
    apply(set('vx6', { vxlan: { local: 'fd00::9' } }));
    const { links } = observe({ links: ['vx0', 'vx6'] });
    assert.equal(links.get('vx0')?.vxlan?.local, '10.0.0.9');
    assert.equal(links.get('vx0')?.vxlan?.learning, false);
    assert.equal(links.get('vx0')?.up, true);
    assert.equal(links.get('vx6')?.vxlan?.local, 'fd00::9');
    assert.equal(links.get('vx6')?.vxlan?.learning, true);
    failure(() => apply(set('vx0', { vxlan: { local: 'fd00::9' } })), 'unsupported', EOPNOTSUPP);
    failure(() => apply(set('br0', { vxlan: { local: '10.0.0.9' } })), 'unsupported', EOPNOTSUPP);
  });

  it('takes a VNI once for each port and family', () => {
    apply(vxlan('vx0', { id: 42, local: '10.0.0.1' }));
    failure(() => apply(vxlan('vx1', { id: 42, local: '10.0.0.2' })), 'exists');
    failure(() => apply(vxlan('vx1', { id: 42 })), 'exists');
    apply(vxlan('vx1', { id: 42, local: 'fd00::1' }), vxlan('vx2', { id: 42, port: 4790, local: '10.0.0.1' }));
  });

  it('sets every flag of a port', () => {
    apply(...OVERLAY);
    const flags = { learning: false, neighSuppress: true, unicastFlood: false, mcastFlood: false, bcastFlood: false };
    apply({ op: 'port.set', ns, name: 'vx0', set: flags });
    assert.deepEqual(observe({ links: ['vx0'] }).links.get('vx0')?.port, { hairpin: false, isolated: false, ...flags });
  });

  it('moves entries by replacing them', () => {
    apply(...OVERLAY, own('add', '10.0.0.2'), behind('add', 'veth0'), neighbour('add', '10.9.0.7', OWN));
    for (const again of [own('add', '10.0.0.3'), behind('add', 'vx0'), neighbour('add', '10.9.0.7')])
      failure(() => apply(again), 'exists');
    apply(own('replace', '10.0.0.3'), behind('replace', 'vx0'), neighbour('replace', '10.9.0.7'));
    assert.deepEqual(forwarding('vx0', 'veth0'), [`vx0 master ${MAC} -`, `vx0 self ${MAC} 10.0.0.3`]);
    assert.deepEqual(neighbours('br0'), [`br0 10.9.0.7 ${MAC}`]);
  });

  it('creates what there is not by replacing it', () => {
    apply(...OVERLAY, own('replace', '10.0.0.3'), behind('replace', 'vx0'), neighbour('replace', 'fd00:9::7'));
    assert.deepEqual(forwarding('vx0'), [`vx0 master ${MAC} -`, `vx0 self ${MAC} 10.0.0.3`]);
    assert.deepEqual(neighbours('br0'), [`br0 fd00:9::7 ${MAC}`]);
  });

  it('deletes an entry whatever its remote end', () => {
    apply(...OVERLAY, own('add', '10.0.0.2'), own('delete', '10.0.0.9'));
    assert.deepEqual(forwarding('vx0'), []);
    failure(() => apply(own('delete', '10.0.0.2')), 'kernel', ENOENT);
  });

  it('keeps a flood list of several remote ends', () => {
    for (const mac of [FLOOD, '01:00:5e:00:00:fb']) {
      apply(...(mac === FLOOD ? OVERLAY : []));
      const ends = ['10.0.0.2', '10.0.0.3', '10.0.0.3'].map((dst) => own('add', dst, mac));
      apply(...ends);
      failure(() => apply(own('replace', '10.0.0.2', mac)), 'unsupported', EOPNOTSUPP);
      // Success, without effect.
      apply(own('delete', '10.0.0.9', mac));
      assert.deepEqual(forwarding('vx0'), [`vx0 self ${mac} 10.0.0.2`, `vx0 self ${mac} 10.0.0.3`]);
      apply(own('delete', '10.0.0.2', mac), own('delete', '10.0.0.3', mac));
      failure(() => apply(own('delete', '10.0.0.3', mac)), 'kernel', ENOENT);
    }
  });

  it('refuses remote ends of the other family, and none', () => {
    apply(vxlan('vx0', { id: 42 }), vxlan('vx6', { id: 42, local: 'fd00::1' }));
    for (const change of ['add', 'replace'] as const) {
      failure(() => apply(own(change, 'fd00::2')), 'kernel', EAFNOSUPPORT);
      failure(() => apply({ op: `fdb.${change}`, ns, dev: 'vx0', mac: MAC, flags: 'self' }), 'kernel', EINVAL);
      const other: Op = { op: `fdb.${change}`, ns, dev: 'vx6', mac: MAC, dst: '10.0.0.2', flags: 'self' };
      failure(() => apply(other), 'kernel', EAFNOSUPPORT);
    }
  });

  it('has one entry of a bridge for each MAC, those of its ports among them', () => {
    apply(...OVERLAY, behind('add', 'veth0'));
    failure(() => apply(behind('delete', 'vx0')), 'kernel', ENOENT);
    failure(() => apply(behind('add', 'vx0', OWN)), 'exists');
    apply(set('br0', { mac: '02:00:00:00:00:77' }));
    failure(() => apply(behind('add', 'vx0', '02:00:00:00:00:77')), 'exists');
    failure(() => apply(behind('add', 'br0')), 'unsupported', EOPNOTSUPP);
    assert.deepEqual(forwarding('vx0', 'veth0'), [`veth0 master ${MAC} -`]);
  });

  it('lets even the MAC of the bridge be replaced', () => {
    apply(...OVERLAY, set('br0', { mac: '02:00:00:00:00:77' }), behind('replace', 'vx0', '02:00:00:00:00:77'));
    assert.deepEqual(forwarding('vx0'), ['vx0 master 02:00:00:00:00:77 -']);
  });

  it('keeps entries of a device that goes down, and loses one half when it leaves the bridge', () => {
    apply(...OVERLAY, own('add', '10.0.0.2'), behind('add', 'vx0'), neighbour('add', '10.9.0.7'));
    apply(set('vx0', { up: false }), set('vx0', { up: true }));
    assert.deepEqual(forwarding('vx0'), [`vx0 master ${MAC} -`, `vx0 self ${MAC} 10.0.0.2`]);
    apply(set('vx0', { master: null }), set('vx0', { master: 'br0' }));
    assert.deepEqual(forwarding('vx0'), [`vx0 self ${MAC} 10.0.0.2`]);
    apply({ op: 'link.delete', ns, name: 'vx0', kind: 'vxlan' });
    assert.deepEqual(forwarding('vx0'), []);
    assert.deepEqual(neighbours('br0'), [`br0 10.9.0.7 ${MAC}`]);
  });

  it('loses one half with the bridge', () => {
    apply(...OVERLAY, own('add', '10.0.0.2'), behind('add', 'vx0'), neighbour('add', '10.9.0.7'));
    apply({ op: 'link.delete', ns, name: 'br0', kind: 'bridge' });
    assert.deepEqual(forwarding('vx0'), [`vx0 self ${MAC} 10.0.0.2`]);
    assert.deepEqual(neighbours('br0'), []);
  });

  it('forgets permanent neighbours of a device that goes down or changes its MAC', () => {
    const changes = [{ up: false }, { mac: '02:00:00:00:00:78' }];
    apply(...OVERLAY);
    for (const change of changes) {
      apply(neighbour('add', '10.9.0.7'), neighbour('add', 'fd00:9::7'), neighbour('add', '10.9.0.8', MAC, 'vx0'));
      assert.deepEqual(neighbours('br0'), [`br0 10.9.0.7 ${MAC}`, `br0 fd00:9::7 ${MAC}`]);
      apply(set('br0', change));
      assert.deepEqual(neighbours('br0', 'vx0'), [`vx0 10.9.0.8 ${MAC}`]);
      apply(neighbour('delete', '10.9.0.8', MAC, 'vx0'));
    }
  });

  it('has no IPv6 neighbours where IPv6 is switched off', () => {
    const off = (value: string): Op => ({ op: 'sysctl.set', ns, key: 'net/ipv6/conf/br0/disable_ipv6', value });
    apply(...OVERLAY, neighbour('add', '10.9.0.7'), neighbour('add', 'fd00:9::7'), off('1'));
    assert.deepEqual(neighbours('br0'), [`br0 10.9.0.7 ${MAC}`]);
    failure(() => apply(neighbour('replace', 'fd00:9::7')), 'kernel', EINVAL);
    apply(off('0'), neighbour('add', 'fd00:9::7'));
    assert.deepEqual(neighbours('br0'), [`br0 10.9.0.7 ${MAC}`, `br0 fd00:9::7 ${MAC}`]);
  });

  it('reads entries of the named devices that exist, and of no other', () => {
    apply(...OVERLAY, own('add', '10.0.0.2'), behind('add', 'veth0', '0a:58:0a:09:00:08'));
    apply(neighbour('add', '10.9.0.7'), neighbour('add', '10.9.0.7', MAC, 'vx0'));
    assert.deepEqual(forwarding('nothing', 'vx0'), [`vx0 self ${MAC} 10.0.0.2`]);
    assert.deepEqual(forwarding('veth0', 'br0'), ['veth0 master 0a:58:0a:09:00:08 -']);
    assert.deepEqual(neighbours('nothing', 'br0'), [`br0 10.9.0.7 ${MAC}`]);
    const none = observe({});
    assert.deepEqual([none.forwarding, none.neighbours], [[], []]);
  });
}
