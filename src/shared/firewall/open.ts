import { NetError } from '../errors/net-error.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { FirewallBackend } from '../model/firewall.ts';
import { NETLINK_NETFILTER } from '../netlink/constants.ts';
import { answersNftables, hasTable } from '../netlink/nfnetlink.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import type { Firewaller } from './firewaller.ts';
import { type IptablesOptions, openIptables } from './iptables.ts';
import type { Variant } from './iptables-tools.ts';
import { TABLE_ID } from './nft-elements.ts';
import { canRunScripts, type ScriptRunner } from './nft-script.ts';
import { NftablesFirewaller } from './nftables.ts';
import { NO_FIREWALLER } from './none.ts';

export interface FirewallerOptions {
  /** Of iptables: how calls and processes that change the rules of a namespace take turns. */
  readonly lock: IptablesOptions['lock'];
  /** Of nftables: by which program the table is made. */
  readonly via?: ScriptRunner;
  /** Of iptables: which of the two; by default the one that `iptables` is. */
  readonly variant?: Variant;
}

/** The packet filter of a namespace. Nothing is opened or read before it is first used. */
export function openFirewaller(backend: FirewallBackend, ns: LinuxNamespace, options: FirewallerOptions): Firewaller {
  switch (backend) {
    case 'nftables':
      return new NftablesFirewaller(ns, options.via);
    case 'iptables':
      return openIptables(ns, options);
    case 'none':
      return NO_FIREWALLER;
  }
}

/**
 * The backend of a host whose configuration names none: nftables where the kernel of the calling thread's namespace has
 * it and the table is there or can be made, else iptables.
 */
export function detectBackend(): 'nftables' | 'iptables' {
  if (hasNftables) return 'nftables';
  const found = lookForBackend();
  hasNftables = found === 'nftables';
  return found;
}

/** What the kernel and the host's programs can do once, they can as long as this process lives. */
let hasNftables = false;

function lookForBackend(): 'nftables' | 'iptables' {
  try {
    using socket = new NetlinkSocket(NETLINK_NETFILTER);
    if (hasTable(socket, TABLE_ID.family, TABLE_ID.table)) return 'nftables';
    return answersNftables(socket) && canRunScripts() ? 'nftables' : 'iptables';
  } catch (error) {
    if (error instanceof NetError) return 'iptables';
    throw error;
  }
}

/** The backend that a configuration names; for `auto` the host's. */
export function chosenBackend(chosen: FirewallBackend | 'auto'): FirewallBackend {
  return chosen === 'auto' ? detectBackend() : chosen;
}
