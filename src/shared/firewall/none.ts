import type { NetError } from '../errors/net-error.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import type { Firewaller } from './firewaller.ts';

/** The packet filter of somebody else: nothing is changed, and nothing is missing. */
export const NO_FIREWALLER: Firewaller = {
  backend: 'none',
  add(): void {},
  remove(): NetError[] {
    return [];
  },
  missing(): FirewallEntry[] {
    return [];
  },
  forget(): NetError[] {
    return [];
  },
  reset(): void {},
  [Symbol.dispose](): void {},
};
