import { strict as assert } from 'node:assert';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Host, Namespaces } from '../../src/shared/host/host.ts';
import type { Op } from '../../src/shared/model/op.ts';

/** A host with two fresh namespaces: one that plays the host's own, one for a sandbox. */
export interface HostFixture extends Disposable {
  readonly host: Host;
  readonly namespaces: Required<Namespaces>;
  readonly paths: { readonly host: string; readonly sandbox: string };
}

export type MakeFixture = () => HostFixture;

export const BRIDGE: Op = { op: 'link.create', ns: 'host', name: 'br0', link: { kind: 'bridge' }, up: true };

/** A veth pair with its host side in `br0` and `eth0` in the sandbox. */
export function vethOp(name = 'veth0', peer = 'eth0'): Op {
  const link = { kind: 'veth', peer: { ns: 'sandbox', name: peer, mac: '0a:58:0a:09:00:02', mtu: 1400 } } as const;
  return { op: 'link.create', ns: 'host', name, link, mtu: 1400, master: 'br0', group: 7, alias: 'a pod', up: true };
}

/** The steps that attach a sandbox, as a driver plans them. */
export function attachOps(): Op[] {
  return [
    BRIDGE,
    { op: 'addr.add', ns: 'host', dev: 'br0', address: '10.9.0.1/16' },
    vethOp(),
    { op: 'port.set', ns: 'host', name: 'veth0', set: { hairpin: true } },
    { op: 'sysctl.set', ns: 'sandbox', key: 'net/ipv4/conf/eth0/arp_notify', value: '1' },
    { op: 'link.set', ns: 'sandbox', name: 'eth0', set: { up: true } },
    { op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: '10.9.0.2/16' },
    { op: 'addr.add', ns: 'sandbox', dev: 'eth0', address: 'fd00:9::2/64', noDad: true },
    { op: 'route.add', ns: 'sandbox', route: { dst: '0.0.0.0/0', gateway: '10.9.0.1', dev: 'eth0' } },
    { op: 'route.add', ns: 'sandbox', route: { dst: '::/0', gateway: 'fd00:9::1', dev: 'eth0' } },
  ];
}

/** The NetError of a call that has to fail, of this kind and with this error number. */
export function failure(work: () => void, kind: NetError['kind'], errno?: number): NetError {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof NetError, String(error));
    assert.equal(error.kind, kind, error.message);
    if (errno !== undefined) assert.equal(error.errno, errno, error.message);
    return error;
  }
  throw new assert.AssertionError({ message: `nothing failed, where ${kind} was expected` });
}
