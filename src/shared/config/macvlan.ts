import { given } from '../model/given.ts';
import type { Json } from '../model/json.ts';
import type { HostAccess } from './host-access.ts';
import { readChoice, readFlag, readIfName, readMtu, readNumber } from './interface-values.ts';

/** Options of the macvlan driver; keys and defaults are the reference plugin's. */
export interface MacvlanOptions {
  readonly driver: 'macvlan';
  /** The parent interface; absent: that of the default route. */
  readonly master?: string;
  readonly mode: 'bridge' | 'private' | 'vepa' | 'passthru';
  /** Bytes; absent: the parent's. */
  readonly mtu?: number;
  /** IFLA_MACVLAN_BC_QUEUE_LEN: broadcast frames that wait; absent: the kernel's default. */
  readonly bcQueueLength?: number;
  /** The parent is in the sandbox. */
  readonly linkInContainer: boolean;
  readonly hostAccess?: HostAccess;
}

/** The first one is the default. */
const MODES = ['bridge', 'private', 'vepa', 'passthru'] as const;

/**
 * Parses the keys of driver `macvlan` in a configuration of valid shape. Throws NetError `invalid-config` for values that
 * the kernel cannot have.
 */
export function parseMacvlan(config: Json): MacvlanOptions {
  const mode = readChoice(config, 'mode', MODES);
  const linkInContainer = readFlag(config, 'linkInContainer');
  return {
    driver: 'macvlan',
    ...given({ master: readIfName(config, 'master') }),
    mode,
    // Go writes 0 for an absent value.
    ...given({ mtu: readMtu(config), bcQueueLength: readNumber(config, 'bcqueuelen') || undefined }),
    linkInContainer,
  };
}
