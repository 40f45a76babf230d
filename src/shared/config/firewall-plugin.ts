import { field, type Json } from '../model/json.ts';
import { type FirewallOptions, parseFirewall } from './firewall.ts';
import { invalid } from './invalid.ts';

/** The options of the reference's plugin `firewall`. */
export interface FirewallPluginOptions {
  readonly rules: FirewallOptions;
  /** Chain of iptables' table filter that the administrator fills. */
  readonly adminChain: string;
  /** Zone of firewalld for the pod's addresses; absent: the configuration names another backend. */
  readonly zone?: string;
  /** The configuration names firewalld: it has to run. */
  readonly requiresZone?: true;
}

/** Chains of the kernel, and targets. */
const NO_CHAIN = ['INPUT', 'OUTPUT', 'FORWARD', 'ACCEPT', 'DROP', 'QUEUE', 'RETURN', 'REJECT'];

/**
 * Parses the options of the plugin `firewall`, with the reference's defaults. Without `backend`, the reference takes
 * firewalld where it runs. Throws NetError `invalid-config` for a name that iptables or firewalld cannot have.
 */
export function parseFirewallPlugin(config: Json): FirewallPluginOptions {
  const { backend } = config;
  const adminChain = name(config, 'iptablesAdminChainName') ?? 'CNI-ADMIN';
  // XT_EXTENSION_MAXNAMELEN in linux/netfilter/x_tables.h is 29, with a NUL.
  if (!/^[^\s!-]\S{0,27}$/.test(adminChain) || NO_CHAIN.includes(adminChain)) {
    const what = 'it is not the name of a chain of your own';
    throw invalid('.iptablesAdminChainName', adminChain, what, 'Give one of 1 to 28 characters, such as CNI-ADMIN');
  }
  const zone = name(config, 'firewalldZone') ?? 'trusted';
  // max_zone_name_len in firewalld's firewall/functions.py, and its check_name.
  if (!/^[\w/-]{1,17}$/.test(zone)) {
    const hint = 'Give one that "firewall-cmd --get-zones" lists, such as trusted';
    throw invalid('.firewalldZone', zone, 'it is not the name of a zone', hint);
  }
  const usesZone = backend === undefined || backend === null || backend === '' || backend === 'firewalld';
  const rules = parseFirewall({ ...config, ipMasq: false, backend: backend === 'firewalld' ? 'auto' : backend });
  const requires = backend === 'firewalld' ? ({ requiresZone: true } as const) : {};
  return { rules, adminChain, ...(usesZone ? { zone } : {}), ...requires };
}

/** The empty text is a missing key, as in the reference. */
function name(config: Json, key: string): string | undefined {
  const value = field(config, key);
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw invalid(`.${key}`, value, 'it is not a text', 'Put it in quotes');
}
