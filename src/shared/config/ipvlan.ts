import { given } from '../model/given.ts';
import type { Json } from '../model/json.ts';
import type { HostAccess } from './host-access.ts';
import { readChoice, readFlag, readIfName, readMtu } from './interface-values.ts';

/** Options of the ipvlan driver; keys and defaults are the reference plugin's, except for `flag`, which is Docker's. */
export interface IpvlanOptions {
  readonly driver: 'ipvlan';
  /** The parent interface; absent: the only interface of an earlier plugin's result, else that of the default route. */
  readonly master?: string;
  /** The kernel has one mode and one flag for all interfaces of a parent. */
  readonly mode: 'l2' | 'l3' | 'l3s';
  readonly flag: 'bridge' | 'private' | 'vepa';
  /** Bytes; absent: the parent's. */
  readonly mtu?: number;
  /** The parent is in the sandbox. */
  readonly linkInContainer: boolean;
  readonly hostAccess?: HostAccess;
}

/** The first ones are the defaults. */
const MODES = ['l2', 'l3', 'l3s'] as const;
const FLAGS = ['bridge', 'private', 'vepa'] as const;

/**
 * Parses the keys of driver `ipvlan` in a configuration of valid shape. Throws NetError `invalid-config` for values that
 * the kernel cannot have.
 */
export function parseIpvlan(config: Json): IpvlanOptions {
  return {
    driver: 'ipvlan',
    ...given({ master: readIfName(config, 'master') }),
    mode: readChoice(config, 'mode', MODES),
    flag: readChoice(config, 'flag', FLAGS),
    ...given({ mtu: readMtu(config) }),
    linkInContainer: readFlag(config, 'linkInContainer'),
  };
}
