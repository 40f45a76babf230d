/** Characters that an nft match may contain. */
const CONDITION = /^[\w .:,/!=<>&|^(){}"@*+%-]+$/;

/** The first words of a match: expressions that read the packet or its surroundings. */
const HEADS: ReadonlySet<string> = new Set([
  ...['meta', 'ct', 'fib', 'rt', 'socket', 'ipsec', 'numgen', 'jhash', 'symhash', 'osf', 'limit'],
  ...['ether', 'vlan', 'arp', 'ip', 'ip6', 'icmp', 'icmpv6', 'igmp', 'tcp', 'udp', 'udplite', 'sctp', 'dccp', 'th'],
  ...['ah', 'esp', 'comp', 'hbh', 'frag', 'dst', 'mh', 'srh', 'exthdr'],
  ...['iif', 'iifname', 'iiftype', 'iifgroup', 'mark', 'priority', 'protocol', 'nfproto', 'l4proto', 'length', 'cpu'],
  ...['pkttype', 'time', 'hour', 'day', 'ibrname', 'random', 'rtclassid', 'iifkind'],
]);

/** Words of nft's statements and of what changes a packet, a set or the verdict. None is a value of a match. */
const STATEMENTS: ReadonlySet<string> = new Set([
  ...['accept', 'drop', 'reject', 'queue', 'jump', 'goto', 'return', 'continue', 'vmap', 'map', 'set', 'unset'],
  ...['add', 'update', 'delete', 'destroy', 'reset', 'create', 'meter', 'flow', 'notrack', 'counter', 'quota', 'log'],
  ...['last', 'dup', 'fwd', 'snat', 'dnat', 'masquerade', 'redirect', 'tproxy', 'synproxy', 'secmark', 'xt', 'comment'],
  ...['include', 'define', 'redefine', 'undefine'],
]);

/** False for a condition that is more, or something else, than matches of nft. */
export function isNftMatch(condition: string): boolean {
  const unquoted = condition.replace(/"[^"]*"/g, '""');
  const bare = unquoted.replace(/\{[^{}]*\}/g, '');
  const words = unquoted.match(/[\w-]+/g) ?? [];
  // A character that ends the statement would start another one.
  if (!CONDITION.test(condition) || /[{}"]/.test(bare.replaceAll('""', ''))) return false;
  return HEADS.has(words[0] ?? '') && !words.some((word) => STATEMENTS.has(word));
}
