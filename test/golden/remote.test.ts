import { strict as assert } from 'node:assert';
import type { RemoteNetwork } from '../../src/shared/core/remote/remote.ts';
import { renderOp } from '../../src/shared/host/render.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { assertGolden } from '../support/golden.ts';
import { equalise, lackOf, PER_HOST, remoteDevices, SHARED } from '../support/remote.ts';

const WEB = { addresses: ['10.88.0.2', 'fd00:88::2'], mac: '0a:58:0a:58:00:02', host: '192.0.2.8' };
const DB = { addresses: ['10.88.0.3'], mac: '0a:58:0a:58:00:03', host: '192.0.2.9' };
const B = { ranges: ['10.88.2.0/24', 'fd00:88:0:2::/64'], mac: '02:00:00:00:00:02', host: '192.0.2.8' };
const C = { ranges: ['10.88.3.0/24'], mac: '02:00:00:00:00:03', host: '192.0.2.9' };

/** The commands that lead from one state of the network to the next, from nothing on. */
function steps(...states: readonly RemoteNetwork[]): string {
  const host = new FakeHost();
  const [first] = states;
  if (first !== undefined) host.apply(remoteDevices(first), { host: host.own });
  return states
    .map((state, i) => {
      const ops = lackOf(state, host, host.own);
      assert.deepEqual(equalise(state, host, host.own), []);
      return [`# state ${i + 1}`, ...ops.map((op) => renderOp(op, { sandbox: '' })), ''].join('\n');
    })
    .join('');
}

describe('entries of other hosts', () => {
  it('remote-shared: appear, move, change their MAC, disappear', () => {
    const moved = { ...WEB, host: DB.host };
    const changed = { ...moved, mac: '0a:58:0a:58:00:12' };
    const states = [[WEB, DB], [moved, DB], [changed, DB], [changed], []];
    assertGolden('remote-shared', steps(...states.map((endpoints) => ({ ...SHARED, endpoints }))));
  });

  it('remote-shared-flood: one flood entry for each host that has endpoints', () => {
    const states = [[WEB, DB, { ...DB, mac: '0a:58:0a:58:00:04', addresses: ['10.88.0.4'] }], [WEB]];
    assertGolden('remote-shared-flood', steps(...states.map((endpoints) => ({ ...SHARED, endpoints, flood: true }))));
  });

  it('remote-per-host: hosts appear, change their addresses, disappear', () => {
    const states = [[B, C], [{ ...B, host: '192.0.2.10' }, C], [{ ...B, mac: '02:00:00:00:00:12' }], []];
    assertGolden('remote-per-host', steps(...states.map((hosts) => ({ ...PER_HOST, hosts }))));
  });

  it('leave entries of others alone', () => {
    const host = new FakeHost();
    const foreign: Op[] = [
      { op: 'neigh.add', ns: 'host', dev: 'isth0', address: '10.99.0.9', mac: WEB.mac },
      { op: 'link.create', ns: 'host', name: 'vx9', link: { kind: 'vxlan', id: 9 }, up: true },
      { op: 'fdb.add', ns: 'host', dev: 'vx9', mac: WEB.mac, dst: '192.0.2.8', flags: 'self' },
      { op: 'neigh.add', ns: 'host', dev: 'vx9', address: '10.88.0.9', mac: WEB.mac },
      { op: 'route.add', ns: 'host', route: { dst: '10.77.0.0/16', dev: 'vx9' } },
    ];
    host.apply([...remoteDevices(SHARED), ...foreign], { host: host.own });
    assert.deepEqual(lackOf(SHARED, host, host.own), []);
    assert.deepEqual(lackOf({ ...PER_HOST, hosts: [] }, host, host.own), []);
  });

  it('never take the MAC of the bridge or of the VXLAN device', () => {
    const host = new FakeHost();
    host.apply(remoteDevices(SHARED), { host: host.own });
    const endpoints = ['02:00:00:00:00:b0', '02:00:00:00:00:c0'].map((mac) => ({ ...WEB, mac }));
    assert.deepEqual(lackOf({ ...SHARED, endpoints }, host, host.own), []);
  });
});
