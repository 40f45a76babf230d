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
  /** SELinux context of the device. */
  readonly selinuxContext?: string;
  /** A bridge in the sandbox that it becomes a port of. */
  readonly bridge?: string;
}

/** ETH_MAX_MTU without the Ethernet header (tun_net_initialize in drivers/net/tun.c). */
const MAX_TAP_MTU = 0xffff - 14;

/**
 * Parses the keys of driver `tap` in a configuration of valid shape. Throws NetError `invalid-config` for values that the
 * kernel cannot have.
 */
export function parseTap(config: Json): TapOptions {
  return {
    driver: 'tap',
    multiQueue: readFlag(config, 'multiQueue'),
    ...given({
      mtu: readMtu(config, MAX_TAP_MTU),
      owner: readNumber(config, 'owner'),
      group: readNumber(config, 'group'),
      selinuxContext: readContext(config),
      bridge: readIfName(config, 'bridge'),
    }),
  };
}

/** `user:role:type`, and `:level` on a system with levels. */
function readContext(config: Json): string | undefined {
  const context = textField(config, 'selinuxContext');
  if (context === undefined || /^[!-9;-~]+(:[!-9;-~]+){2,}$/.test(context)) return context;
  const hint = 'Write it as system_u:system_r:container_t:s0';
  throw invalid('.selinuxContext', context, 'it is not an SELinux context', hint);
}
