import { NetError } from '../errors/net-error.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { Logger } from '../log/log.ts';
import type { FirewallBackend } from '../model/firewall.ts';
import { NETLINK_NETFILTER } from '../netlink/constants.ts';
import { answersNftables, hasTable, openNetfilter } from '../netlink/nfnetlink.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import { openAdmitter } from './admit.ts';
import { BridgeFirewaller } from './bridge.ts';
import { hasFirewalldRules } from './firewalld-rules.ts';
import { FirewalldSources } from './firewalld-sources.ts';
import { type Firewaller, NO_FIREWALLER } from './firewaller.ts';
import { type IptablesOptions, openIptables } from './iptables.ts';
import type { Variant } from './iptables-tools.ts';
import { KnownRuleset } from './known-ruleset.ts';
import { TABLE_ID } from './nft-elements.ts';
import { canRunScripts, type ScriptRunner } from './nft-script.ts';
import { NftablesFirewaller } from './nftables.ts';

export interface FirewallerOptions {
  /** For iptables: serializes calls and processes that change a namespace's rules. */
  readonly lock: IptablesOptions['lock'];
  /** For nftables: the program that creates the table. */
  readonly via?: ScriptRunner;
  /** For iptables: the variant; by default that of the command `iptables`. */
  readonly variant?: Variant;
  /** Shared by the backends of one namespace: what one of them changes, the others need not read again. */
  readonly known?: KnownRuleset;
  /** Told what firewalld refuses. */
  readonly log?: Pick<Logger, 'warn'>;
}

/** Creates the firewaller of a namespace. Opens and reads nothing before the first use. */
export function openFirewaller(backend: FirewallBackend, ns: LinuxNamespace, options: FirewallerOptions): Firewaller {
  const { known = new KnownRuleset(), via, log } = options;
  switch (backend) {
    case 'nftables':
      return new NftablesFirewaller(ns, via, known, openAdmitter(ns, known, log));
    case 'iptables':
      return openIptables(ns, options, openAdmitter(ns, known, log));
    case 'bridge':
      return new BridgeFirewaller(ns, known);
    case 'firewalld':
      return new FirewalldSources(ns, log);
    case 'none':
      return NO_FIREWALLER;
  }
}

/**
 * The backend if the configuration names none: nftables if the kernel has it in the calling thread's namespace and the
 * table exists or can be created; otherwise iptables.
 */
export function detectBackend(): 'nftables' | 'iptables' {
  if (hasNftables) return 'nftables';
  const found = lookForBackend();
  hasNftables = found === 'nftables';
  return found;
}

/** Caches what the kernel and the installed programs support for the lifetime of this process. */
let hasNftables = false;

function lookForBackend(): 'nftables' | 'iptables' {
  try {
    using socket = new NetlinkSocket(NETLINK_NETFILTER);
    if (hasTable(socket, TABLE_ID)) return 'nftables';
    return answersNftables(socket) && canRunScripts() ? 'nftables' : 'iptables';
  } catch (error) {
    if (error instanceof NetError) return 'iptables';
    throw error;
  }
}

/** True if the kernel has nf_tables, which guards the ports of bridges, in the calling thread's namespace. */
export function guardsBridges(): boolean {
  try {
    using socket = guards ? undefined : openNetfilter();
    guards ||= socket !== undefined && answersNftables(socket);
    return guards;
  } catch (error) {
    if (error instanceof NetError) return false;
    throw error;
  }
}

let guards = false;

/** True if firewalld has rules in the calling thread's namespace. Runs no program. */
export function runsFirewalld(): boolean {
  try {
    using socket = openNetfilter();
    return socket !== undefined && hasFirewalldRules(socket);
  } catch (error) {
    if (error instanceof NetError) return false;
    throw error;
  }
}

/** Returns the configured backend; for `auto`, the host's default. */
export function chosenBackend(chosen: FirewallBackend | 'auto'): FirewallBackend {
  return chosen === 'auto' ? detectBackend() : chosen;
}
