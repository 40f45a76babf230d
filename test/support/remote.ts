import { diffRemote, remoteQuery } from '../../src/shared/core/remote/diff.ts';
import type { PerHostNetwork, RemoteNetwork, SharedNetwork } from '../../src/shared/core/remote/remote.ts';
import type { NetError } from '../../src/shared/errors/net-error.ts';
import type { Host, Namespace } from '../../src/shared/host/host.ts';
import type { Op } from '../../src/shared/model/op.ts';

export const SHARED: SharedNetwork = {
  mode: 'shared',
  vxlan: 'vx0',
  bridge: 'isth0',
  pools: ['10.88.0.0/16', 'fd00:88::/64'],
  endpoints: [],
};
export const PER_HOST: PerHostNetwork = { mode: 'per-host', vxlan: 'vx0', hosts: [] };

/** The devices of both kinds of network, as the driver makes them. */
export function remoteDevices({ mode }: RemoteNetwork, local = '192.0.2.7'): Op[] {
  const ns = 'host';
  const link = { kind: 'vxlan', id: 42, local, learning: false } as const;
  const bridge: Op = { op: 'link.create', ns, name: 'isth0', link: { kind: 'bridge' }, mac: '02:00:00:00:00:b0' };
  const device: Op = { op: 'link.create', ns, name: 'vx0', link, mac: '02:00:00:00:00:c0' };
  const up = (name: string): Op => ({ op: 'link.set', ns, name, set: { up: true } });
  return mode === 'shared' ? [bridge, up('isth0'), { ...device, master: 'isth0' }, up('vx0')] : [device, up('vx0')];
}

/** What the namespace lacks of the network, and has too much. */
export function lackOf(network: RemoteNetwork, host: Host, ns: Namespace): Op[] {
  return diffRemote(network, host.observe(ns, remoteQuery(network)));
}

/** Makes the namespace equal to the network. */
export function equalise(network: RemoteNetwork, host: Host, ns: Namespace): NetError[] {
  return host.revert(lackOf(network, host, ns), { host: ns });
}
