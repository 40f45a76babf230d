import type { FirewallEntry, PortEntry } from '../../src/shared/model/firewall.ts';

/** A published port of a pod, with what a test says of it. */
export function portEntry(given: Partial<PortEntry> = {}): PortEntry {
  const usual = { kind: 'port', protocol: 'tcp', hostPort: 8080, address: '10.81.0.2', port: 80 } as const;
  return { ...usual, snat: true, masqAll: false, conditions: [], ...given };
}

/** The entries of a network of one family, as a bridge with masquerade and host ports has them. */
export function networkEntries(device: string, subnet: string): FirewallEntry[] {
  return [
    { kind: 'masquerade', subnet, except: [] },
    { kind: 'hairpin', device, subnet },
    { kind: 'policy', device, policy: 'open' },
  ];
}

/** Every kind of entry with every option that the table of nftables can show. */
export const EVERY_ENTRY: readonly FirewallEntry[] = [
  { kind: 'masquerade', subnet: '10.81.0.0/24', except: ['10.0.0.0/8', '10.5.0.0/16', '192.0.2.0/24'] },
  { kind: 'masquerade', subnet: '10.82.0.0/24', except: [], to: '192.0.2.7' },
  { kind: 'masquerade', subnet: 'fd81::/64', except: ['fd00::/8'] },
  { kind: 'masquerade', subnet: 'fd82::/64', except: [], to: '2001:db8::7' },
  { kind: 'hairpin', device: 'br-a', subnet: '10.81.0.0/24' },
  { kind: 'hairpin', device: 'br-a', subnet: 'fd81::/64' },
  { kind: 'policy', device: 'br-a', policy: 'open' },
  { kind: 'policy', device: 'br-b', policy: 'same-bridge' },
  { kind: 'policy', device: 'br-c', policy: 'isolated' },
  { kind: 'policy', device: 'br-d', policy: 'closed' },
  { kind: 'policy', device: 'br-e', policy: 'internal' },
  { kind: 'policy', device: 'br-i', policy: 'same-bridge', vxlan: 'vx-i' },
  { kind: 'policy', device: 'br-k', policy: 'isolated', vxlan: 'vx-k' },
  { kind: 'policy', device: 'br-l', policy: 'closed', vxlan: 'vx-l' },
  { kind: 'policy', device: 'br-m', policy: 'internal', vxlan: 'vx-m' },
  { kind: 'separate', device: 'br-f' },
  portEntry(),
  portEntry({ hostIp: '192.0.2.1', protocol: 'udp', snat: false }),
  portEntry({ hostPort: 8081, protocol: 'sctp', masqAll: true }),
  portEntry({ hostPort: 8082, conditions: ['ip saddr 192.0.2.0/24', 'tcp flags & (syn | ack) == syn'] }),
  portEntry({ hostPort: 8082, hostIp: '192.0.2.1', conditions: ['iifname != { "up0", "up1" }'] }),
  portEntry({ address: 'fd81::2' }),
  portEntry({ address: 'fd81::2', hostIp: '2001:db8::1', snat: false }),
  { kind: 'direct', device: 'br-d', protocol: 'tcp', address: '10.84.0.2', port: 80 },
  { kind: 'direct', device: 'br-d', protocol: 'sctp', address: 'fd84::2', port: 3868 },
  { kind: 'direct', device: 'br-d', protocol: 'tcp', address: '10.84.0.2', port: 81, through: 'up0' },
  { kind: 'direct', device: 'br-d', protocol: 'udp', address: 'fd84::2', port: 53, through: 'vxlan.1' },
  { kind: 'exposure', device: 'br-d', family: 4, what: 'icmp' },
  { kind: 'exposure', device: 'br-d', family: 6, what: 'icmp' },
  { kind: 'exposure', device: 'br-h', family: 4, what: 'all' },
  { kind: 'exposure', device: 'br-h', family: 6, what: 'all' },
];

/** Two overlay networks with one port, a third with another, over both families. */
export const UNDERLAY_ENTRIES: readonly FirewallEntry[] = [
  { kind: 'underlay', family: 4, port: 4789 },
  { kind: 'underlay', family: 4, port: 8472 },
  { kind: 'underlay', family: 6, port: 4789 },
  { kind: 'peer', port: 4789, address: '192.0.2.11' },
  { kind: 'peer', port: 4789, address: '192.0.2.12' },
  // First in the order of nft 1.0 and in that of 1.1.
  { kind: 'peer', port: 8472, address: '192.0.2.10' },
  { kind: 'peer', port: 4789, address: '2001:db8::11' },
];

/** Encrypted networks over both families. */
export const SEALED_ENTRIES: readonly FirewallEntry[] = ([4, 6] as const).flatMap((family) => [
  { kind: 'underlay', family, port: 4790 },
  { kind: 'peer', port: 4790, address: family === 4 ? '192.0.2.11' : '2001:db8::11' },
  { kind: 'sealed', family, port: 4790 },
]);
