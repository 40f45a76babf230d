import { FIREWALL_TABLE } from '../host/firewall-elements.ts';
import { PORT_LABEL, type Protocol } from '../model/firewall.ts';

/** Every set and map of the table with its definition, ordered by how soon each shows that the table is in use. */
const SETS = {
  networks: 'set { type ifname; }',
  remote: 'set { type ifname; }',
  hairpin: 'set { type ifname; }',
  masquerade4: 'set { type ipv4_addr; flags interval; }',
  masquerade6: 'set { type ipv6_addr; flags interval; }',
  hairpin4: 'set { type ipv4_addr . ifname; flags interval; }',
  hairpin6: 'set { type ipv6_addr . ifname; flags interval; }',
  direct4: 'set { type ipv4_addr . ipv4_addr; flags interval; }',
  direct6: 'set { type ipv6_addr . ipv6_addr; flags interval; }',
  source4: 'map { type ipv4_addr : ipv4_addr; flags interval; }',
  source6: 'map { type ipv6_addr : ipv6_addr; flags interval; }',
  own: 'map { type ifname . ifname : verdict; }',
  separate: 'set { type ifname . ifname; }',
  reachable: 'set { type ifname; }',
  service4: 'set { type ipv4_addr; }',
  service6: 'set { type ipv6_addr; }',
  docker: 'set { type ifname; }',
  unguarded4: 'set { type ifname; }',
  unguarded6: 'set { type ifname; }',
  apart: 'set { type ifname; }',
  leaving: 'map { type ifname : verdict; }',
  entering: 'map { type ifname : verdict; }',
  exposed4: 'set { type ifname; }',
  exposed6: 'set { type ifname; }',
  pingable4: 'set { type ifname; }',
  pingable6: 'set { type ifname; }',
  routed4: 'set { type ifname . ipv4_addr . inet_proto . inet_service; }',
  routed6: 'set { type ifname . ipv6_addr . inet_proto . inet_service; }',
  trusted4: 'set { type ifname . ifname . ipv4_addr . inet_proto . inet_service; }',
  trusted6: 'set { type ifname . ifname . ipv6_addr . inet_proto . inet_service; }',
  port4: 'map { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }',
  port6: 'map { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }',
  port_any4: 'map { type inet_proto . inet_service : ipv4_addr . inet_service; }',
  port_any6: 'map { type inet_proto . inet_service : ipv6_addr . inet_service; }',
  label4: 'map { type ipv4_addr . inet_proto . inet_service : verdict; }',
  label6: 'map { type ipv6_addr . inet_proto . inet_service : verdict; }',
  label_any4: 'map { type inet_proto . inet_service : verdict; }',
  label_any6: 'map { type inet_proto . inet_service : verdict; }',
  span4: 'map { type ipv4_addr . inet_proto . inet_service : ipv4_addr; flags interval; }',
  span6: 'map { type ipv6_addr . inet_proto . inet_service : ipv6_addr; flags interval; }',
  span_any4: 'map { type inet_proto . inet_service : ipv4_addr; flags interval; }',
  span_any6: 'map { type inet_proto . inet_service : ipv6_addr; flags interval; }',
  span_label4: 'map { type ipv4_addr . inet_proto . inet_service : verdict; flags interval; }',
  span_label6: 'map { type ipv6_addr . inet_proto . inet_service : verdict; flags interval; }',
  span_label_any4: 'map { type inet_proto . inet_service : verdict; flags interval; }',
  span_label_any6: 'map { type inet_proto . inet_service : verdict; flags interval; }',
  condition4: 'map { type ipv4_addr . inet_proto . inet_service : verdict; }',
  condition6: 'map { type ipv6_addr . inet_proto . inet_service : verdict; }',
  condition_any4: 'map { type inet_proto . inet_service : verdict; }',
  condition_any6: 'map { type inet_proto . inet_service : verdict; }',
  answer4: 'map { type ipv4_addr . inet_proto . inet_service : verdict; }',
  answer6: 'map { type ipv6_addr . inet_proto . inet_service : verdict; }',
  answer_any4: 'map { type inet_proto . inet_service : verdict; }',
  answer_any6: 'map { type inet_proto . inet_service : verdict; }',
} as const;

/** Bridges of Docker's that Docker itself does not guard, by family. */
export const UNGUARDED_SETS = { 4: 'unguarded4', 6: 'unguarded6' } as const;
/** The sets whose elements come from no entry, but from Docker's bridges. */
export const DOCKER_SETS: readonly string[] = ['docker', ...Object.values(UNGUARDED_SETS)];
/** Addresses of the host that belong to services of IPVS, by family: */
export const SERVICE_SETS = { 4: 'service4', 6: 'service6' } as const;

export function isOfOthers(set: string): boolean {
  return DOCKER_SETS.includes(set) || Object.values<string>(SERVICE_SETS).includes(set);
}

export const SET_NAMES: readonly string[] = Object.keys(SETS);

/** True for sets of single prefixes, whose intervals are two elements each. */
export function isIntervalSet(set: string): boolean {
  const definition = Object.hasOwn(SETS, set) ? SETS[set as keyof typeof SETS] : '';
  return definition.includes('interval') && !definition.includes(' . ');
}

const KEY = 'meta l4proto . th dport';
const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const satisfies readonly Protocol[];

interface Chain {
  readonly hook?: string;
  readonly rules: readonly string[];
}

/** IPVS answers at these addresses: a port of every address does not take them from it. */
const SERVICES = ['ip daddr @service4 return', 'ip6 daddr @service6 return'];

/** Every chain except those of ports with conditions. Jump targets come first. */
const chains = (): Readonly<Record<string, Chain>> => ({
  /** Accepts only packets that were addressed to a published port. */
  published: { rules: ['ct status dnat accept', 'drop'] },
  /** Packets from elsewhere to a closed network. */
  closed: {
    rules: [
      'ct status dnat accept',
      `meta nfproto ipv4 oifname . ip daddr . ${KEY} @routed4 accept`,
      `meta nfproto ipv6 oifname . ip6 daddr . ${KEY} @routed6 accept`,
      `meta nfproto ipv4 iifname . oifname . ip daddr . ${KEY} @trusted4 accept`,
      `meta nfproto ipv6 iifname . oifname . ip6 daddr . ${KEY} @trusted6 accept`,
      'meta nfproto ipv4 oifname @exposed4 accept',
      'meta nfproto ipv6 oifname @exposed6 accept',
      'meta l4proto icmp oifname @pingable4 accept',
      'meta l4proto icmpv6 oifname @pingable6 accept',
      'drop',
    ],
  },
  /** Packets from an isolated network. */
  isolation: { rules: ['oifname @apart goto published'] },
  /** New connections between a network of ours and one of Docker's. */
  foreign: {
    rules: [
      'ct status dnat return',
      'oifname @reachable return',
      'ip daddr . ip saddr @direct4 return',
      'ip6 daddr . ip6 saddr @direct6 return',
      'ip saddr . ip daddr @direct4 return',
      'ip6 saddr . ip6 daddr @direct6 return',
      'drop',
    ],
  },
  hide: { rules: ['masquerade'] },
  /** Marks a connection as translated by us, right before it is. */
  translated: { rules: [`ct label set ${PORT_LABEL}`] },
  /** A published port of one address precedes one of every address; one with conditions precedes one without. */
  ports: {
    rules: [
      `meta nfproto ipv4 ip daddr . ${KEY} vmap @condition4`,
      `meta nfproto ipv6 ip6 daddr . ${KEY} vmap @condition6`,
      `meta nfproto ipv4 ip daddr . ${KEY} vmap @label4`,
      `meta nfproto ipv6 ip6 daddr . ${KEY} vmap @label6`,
      `dnat ip to ip daddr . ${KEY} map @port4`,
      `dnat ip6 to ip6 daddr . ${KEY} map @port6`,
      `meta nfproto ipv4 ip daddr . ${KEY} vmap @span_label4`,
      `meta nfproto ipv6 ip6 daddr . ${KEY} vmap @span_label6`,
      `dnat ip to ip daddr . ${KEY} map @span4`,
      `dnat ip6 to ip6 daddr . ${KEY} map @span6`,
      `meta nfproto ipv4 ${KEY} vmap @condition_any4`,
      `meta nfproto ipv6 ${KEY} vmap @condition_any6`,
      `meta nfproto ipv4 ${KEY} vmap @label_any4`,
      `meta nfproto ipv6 ${KEY} vmap @label_any6`,
      `meta nfproto ipv4 dnat ip to ${KEY} map @port_any4`,
      `meta nfproto ipv6 dnat ip6 to ${KEY} map @port_any6`,
      `meta nfproto ipv4 ${KEY} vmap @span_label_any4`,
      `meta nfproto ipv6 ${KEY} vmap @span_label_any6`,
      `meta nfproto ipv4 dnat ip to ${KEY} map @span_any4`,
      `meta nfproto ipv6 dnat ip6 to ${KEY} map @span_any6`,
    ],
  },
  /** Masquerades connections whose answers would otherwise bypass this host. */
  answers: {
    rules: [
      ...PROTOCOLS.flatMap(answerRules),
      'oifname @hairpin ip saddr 127.0.0.0/8 masquerade',
      'ip saddr . oifname @hairpin4 masquerade',
      'ip6 saddr . oifname @hairpin6 masquerade',
    ],
  },
  /**
   * route_localnet lets the host's 127.0.0.1 reach pods; without this chain it would also let pods reach the host's.
   */
  guard: {
    hook: 'type filter hook prerouting priority raw; policy accept;',
    rules: ['iifname @hairpin ip daddr 127.0.0.0/8 drop', 'iifname @hairpin ip saddr 127.0.0.0/8 drop'],
  },
  /** Leaves foreign packets to 127.0.0.0/8 untranslated: routing drops them, which a new destination would evade. */
  incoming: {
    hook: 'type nat hook prerouting priority dstnat; policy accept;',
    rules: [...SERVICES, 'ip daddr 127.0.0.0/8 return', 'fib daddr type local jump ports'],
  },
  /** Nothing makes [::1] routable, so it needs no rule: the kernel refuses it at once. */
  local: {
    hook: 'type nat hook output priority -100; policy accept;',
    rules: [...SERVICES, 'ip6 daddr ::1 return', 'fib daddr type local jump ports'],
  },
  outgoing: {
    hook: 'type nat hook postrouting priority srcnat; policy accept;',
    rules: [
      `ct status dnat ct label ${PORT_LABEL} jump answers`,
      'oifname @networks return',
      'oifname @hairpin return',
      'oifname "lo" return',
      'ip saddr != @masquerade4 return',
      'ip6 saddr != @masquerade6 return',
      'ip daddr @masquerade4 return',
      'ip6 daddr @masquerade6 return',
      'ip daddr 224.0.0.0/4 return',
      'ip6 daddr ff00::/8 return',
      'ip saddr . ip daddr @direct4 return',
      'ip6 saddr . ip6 daddr @direct6 return',
      'snat ip to ip saddr map @source4',
      'snat ip6 to ip6 saddr map @source6',
      'masquerade',
    ],
  },
  forward: {
    hook: 'type filter hook forward priority filter; policy accept;',
    rules: [
      'ct state established,related accept',
      'iifname . oifname @separate goto published',
      'iifname . oifname vmap @own',
      'iifname vmap @leaving',
      'oifname vmap @entering',
      ...['networks', 'remote'].flatMap((ours) => [
        ...([4, 6] as const).map((n) => `meta nfproto ipv${n} iifname @${ours} oifname @unguarded${n} jump foreign`),
        `iifname @docker oifname @${ours} jump foreign`,
      ]),
    ],
  },
});

/** nft knows the type of a connection's port only if the rule names one protocol. */
function answerRules(protocol: Protocol): string[] {
  const port = `meta l4proto . ct original proto-dst`;
  return [
    `meta nfproto ipv4 meta l4proto ${protocol} ct original ip daddr . ${port} vmap @answer4`,
    `meta nfproto ipv6 meta l4proto ${protocol} ct original ip6 daddr . ${port} vmap @answer6`,
    `meta nfproto ipv4 meta l4proto ${protocol} ${port} vmap @answer_any4`,
    `meta nfproto ipv6 meta l4proto ${protocol} ${port} vmap @answer_any6`,
  ];
}

let counts: ReadonlyMap<string, number> | undefined;

/** Number of rules in each chain. */
export function ruleCounts(): ReadonlyMap<string, number> {
  counts ??= new Map(Object.entries(chains()).map(([name, { rules }]) => [name, rules.length]));
  return counts;
}

/**
 * The nft lines that restore the whole table from any state and keep its elements. Equivalent: pass them to `nft -f`.
 */
export function tableLines(): string[] {
  const lines = [`add table ${FIREWALL_TABLE}`];
  for (const [name, definition] of Object.entries(SETS)) {
    const space = definition.indexOf(' ');
    lines.push(`add ${definition.slice(0, space)} ${FIREWALL_TABLE} ${name}${definition.slice(space)}`);
  }
  const all = Object.entries(chains());
  for (const [name, { hook }] of all)
    lines.push(`add chain ${FIREWALL_TABLE} ${name}${hook === undefined ? '' : ` { ${hook} }`}`);
  for (const [name] of all) lines.push(`flush chain ${FIREWALL_TABLE} ${name}`);
  for (const [name, { rules }] of all)
    for (const rule of rules) lines.push(`add rule ${FIREWALL_TABLE} ${name} ${rule}`);
  return lines;
}
