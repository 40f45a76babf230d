import { given } from '../model/given.ts';
import { type Json, textField } from '../model/json.ts';
import { readFlag, readIfName, readMtu, readNumber } from './interface-values.ts';
import { invalid } from './invalid.ts';

/** Options of the tap driver; keys and defaults are the reference plugin's. */
export interface TapOptions {
  readonly driver: 'tap';
  /** IFF_MULTI_QUEUE: several processes may open it at once. */
  readonly multiQueue: boolean;
  /** Bytes; absent: the kernel's default. */
  readonly mtu?: number;
  /** User ID that may open it; absent: only who has CAP_NET_ADMIN. */
  readonly owner?: number;
  /** Group ID that may open it. */
  readonly group?: number;
  /** A bridge in the sandbox that it becomes a port of. */
  readonly bridge?: string;
}

/** ETH_MAX_MTU without the Ethernet header (tun_net_initialize in drivers/net/tun.c). */
const MAX_TAP_MTU = 0xffff - 14;

/**
 * Parses the keys of driver `tap` in a configuration of valid shape. Throws NetError `invalid-config` for values that the
 * kernel cannot have, and for an SELinux context.
 */
export function parseTap(config: Json): TapOptions {
  const context = textField(config, 'selinuxContext');
  if (context !== undefined && context !== '')
    throw invalid('.selinuxContext', context, 'Isthmus cannot label a device', 'Leave it out');
  return {
    driver: 'tap',
    multiQueue: readFlag(config, 'multiQueue'),
    ...given({
      mtu: readMtu(config, MAX_TAP_MTU),
      owner: readNumber(config, 'owner'),
      group: readNumber(config, 'group'),
      bridge: readIfName(config, 'bridge'),
    }),
  };
}
