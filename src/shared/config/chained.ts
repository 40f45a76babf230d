import { given } from '../model/given.ts';
import { field, type Json } from '../model/json.ts';
import { type Bandwidth, parseBandwidth } from './bandwidth.ts';
import { parseCniArgs } from './cni-args.ts';
import { type FirewallOptions, parseFirewall } from './firewall.ts';
import { type FirewallPluginOptions, parseFirewallPlugin } from './firewall-plugin.ts';
import { type PortMapping, parsePortMappings } from './port-mappings.ts';
import { parseSbr, type SbrOptions } from './sbr.ts';
import { parseTuning, readAllowlist, type Tuning } from './tuning.ts';
import { parseVrf, type VrfOptions } from './vrf.ts';

/** What a plugin of a chain does, by its kind. */
export type ChainedConfig =
  | { readonly kind: 'bandwidth'; readonly rates: Bandwidth }
  | ({ readonly kind: 'firewall'; readonly firewall: FirewallOptions } & Pick<
      FirewallPluginOptions,
      'zone' | 'requiresZone'
    >)
  | { readonly kind: 'portmap'; readonly firewall: FirewallOptions; readonly mappings: readonly PortMapping[] }
  | { readonly kind: 'tuning'; readonly tuning: Tuning }
  | { readonly kind: 'sbr'; readonly sbr: SbrOptions }
  | { readonly kind: 'vrf'; readonly vrf: VrfOptions };

/** Plugins of a chain. */
export type ChainedName = ChainedConfig['kind'];

interface Surroundings {
  /** CNI_ARGS, unparsed. */
  readonly args: string;
  readonly ifName: string;
  /** The configuration as JSON, where a key may be there twice. */
  readonly text?: string;
}

/** Parses the keys of a plugin of a chain. Throws NetError `invalid-config`. */
export function parseChained(plugin: ChainedName, config: Json, { args, ifName, text }: Surroundings): ChainedConfig {
  switch (plugin) {
    case 'bandwidth':
      return { kind: 'bandwidth', rates: parseBandwidth(config) };
    case 'firewall': {
      const { rules, adminChain, ...zone } = parseFirewallPlugin(config);
      return { kind: 'firewall', firewall: { ...rules, adminChain }, ...zone };
    }
    case 'portmap': {
      const firewall = { ...parseFirewall({ ...config, ipMasq: false }), policy: 'open' as const };
      return {
        kind: 'portmap',
        firewall,
        mappings: parsePortMappings(field(field(config, 'runtimeConfig'), 'portMappings')),
      };
    }
    case 'sbr':
      return { kind: 'sbr', sbr: parseSbr(config) };
    case 'vrf':
      return { kind: 'vrf', vrf: parseVrf(config) };
    case 'tuning': {
      const mac = parseCniArgs(args).get('MAC');
      const allowlist = readAllowlist();
      // STATUS has no interface; any name serves to validate the keys.
      const tuning = parseTuning({ config, ifName: ifName || 'lo', ...given({ text, mac, allowlist }) });
      return { kind: 'tuning', tuning };
    }
  }
}
