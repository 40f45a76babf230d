import type { CniHost } from '../support/cni-host.ts';

/** The rules by which the reference's bridge masquerades, of either backend: one for each attachment. */
export function masquerading(host: CniHost): string[] {
  const iptables = host.ns.run('iptables', '-t', 'nat', '-S').match(/^.* -j MASQUERADE$/gm) ?? [];
  const nftables = host.ns.run('nft', 'list', 'ruleset').match(/^\s*ip saddr .* masquerade\b.*$/gm) ?? [];
  return [...iptables, ...nftables];
}
