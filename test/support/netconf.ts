import type { CniHost } from './cni-host.ts';

/** A network configuration as a runtime hands it to a plugin. */
export interface NetConf {
  readonly cniVersion: string;
  readonly name: string;
  readonly type: string;
  readonly ipam?: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

/** Names under which a bridge network can be had: the reference's, with its configuration unchanged, and our own. */
export type BridgeType = 'bridge' | 'isthmus';
export const BRIDGE_TYPES: readonly BridgeType[] = ['bridge', 'isthmus'];

export interface BridgeOptions {
  readonly conf?: Readonly<Record<string, unknown>>;
  readonly ipam?: Readonly<Record<string, unknown>>;
}

/** A gateway bridge `isth0` with 10.88.0.0/24 and a default route, its leases in the host's private directory. */
export function bridgeConf(type: BridgeType, host: Pick<CniHost, 'dataDir'>, options: BridgeOptions = {}): NetConf {
  return {
    ...layer2Conf(type),
    isGateway: true,
    ...options.conf,
    ipam: {
      ...(type === 'bridge' ? { type: 'host-local' } : {}),
      dataDir: host.dataDir,
      ranges: [[{ subnet: '10.88.0.0/24' }]],
      routes: [{ dst: '0.0.0.0/0' }],
      ...options.ipam,
    },
  };
}

/** A bridge without addresses. */
export function layer2Conf(type: BridgeType): NetConf {
  return {
    cniVersion: '1.0.0',
    name: 'web',
    type,
    ...(type === 'isthmus' ? { driver: 'bridge' } : {}),
    bridge: 'isth0',
  };
}
