import type { NetError } from '../errors/net-error.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import type { Firewaller } from './firewaller.ts';

/** A packet filter that the operator manages: changes nothing and reports nothing missing. */
export const NO_FIREWALLER: Firewaller = {
  backend: 'none',
  async add(): Promise<boolean> {
    return false;
  },
  async remove(): Promise<NetError[]> {
    return [];
  },
  async missing(): Promise<FirewallEntry[]> {
    return [];
  },
  async removeStray(): Promise<NetError[]> {
    return [];
  },
  async reset(): Promise<void> {},
  async refresh(): Promise<void> {},
  [Symbol.dispose](): void {},
};
