import { NetError } from '../errors/net-error.ts';
import { type Family, parseAddr } from '../model/addr.ts';
import type {
  DirectEntry,
  ExposureEntry,
  FirewallEntry,
  HairpinEntry,
  MasqueradeEntry,
  PolicyEntry,
  PortEntry,
} from '../model/firewall.ts';

export type Table = 'raw' | 'mangle' | 'nat';

export const TABLES: readonly Table[] = ['raw', 'mangle', 'nat'];

/** One rule, in iptables' words. Where it came from stands between its matches and its target, as a comment. */
export interface Line {
  readonly table: Table;
  readonly chain: string;
  /** First in its chain; else last. */
  readonly head?: boolean;
  readonly matches: readonly string[];
  readonly target: readonly string[];
  /** For people, and for telling whether a port leads elsewhere: `tcp *:8080 10.88.0.2:80`. */
  readonly note?: string;
}

/** Chains of ours, by their table. */
export const CHAINS: Readonly<Record<Table, readonly string[]>> = {
  raw: ['ISTHMUS-GUARD'],
  mangle: ['ISTHMUS-FORWARD', 'ISTHMUS-APART', 'ISTHMUS-CLOSED'],
  nat: ['ISTHMUS-DNAT', 'ISTHMUS-ANSWERS', 'ISTHMUS-MASQ'],
};

const DNAT_STATE = ['-m', 'conntrack', '--ctstate', 'DNAT'];
const LOOPBACK = '127.0.0.0/8';

/** What a table of ours always has: the jumps of others' chains to ours, and what all entries share. */
export function baseLines(table: Table, family: Family): Line[] {
  const line = (chain: string, matches: readonly string[], target: string, head = false): Line => {
    return { table, chain, matches, target: ['-j', target], ...(head ? { head } : {}) };
  };
  if (table === 'raw') return [line('PREROUTING', [], 'ISTHMUS-GUARD', true)];
  if (table === 'mangle') {
    // Before table filter, in whose chains others accept.
    const known = ['-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED'];
    return [
      line('FORWARD', [], 'ISTHMUS-FORWARD', true),
      line('ISTHMUS-FORWARD', known, 'RETURN', true),
      line('ISTHMUS-CLOSED', [], 'DROP'),
    ];
  }
  const local = ['-m', 'addrtype', '--dst-type', 'LOCAL'];
  return [
    // What the host sends itself is in OUTPUT; what others send to 127.0.0.1 is to stay what the kernel throws away.
    line('PREROUTING', family === 4 ? ['!', '-d', LOOPBACK, ...local] : local, 'ISTHMUS-DNAT'),
    // Nothing makes [::1] routable: it is left to be refused at once.
    line('OUTPUT', family === 6 ? ['!', '-d', '::1/128', ...local] : local, 'ISTHMUS-DNAT'),
    // Each goes first, so that they end up in the opposite order.
    line('POSTROUTING', [], 'ISTHMUS-MASQ', true),
    line('POSTROUTING', DNAT_STATE, 'ISTHMUS-ANSWERS', true),
    line('ISTHMUS-MASQ', ['-d', family === 4 ? '224.0.0.0/4' : 'ff00::/8'], 'RETURN', true),
    line('ISTHMUS-MASQ', ['-o', 'lo'], 'RETURN', true),
  ];
}

/** The rules of an entry in tables of one family; none for an entry of the other. `subnets` are those with hairpins. */
export function entryLines(entry: FirewallEntry, family: Family, subnetOf: (address: string) => string): Line[] {
  switch (entry.kind) {
    case 'masquerade':
      return familyOf(entry.subnet) === family
        ? masqueradeLines(entry).map((line) => ({ ...line, note: placeOf(entry) }))
        : [];
    case 'hairpin':
      return familyOf(entry.subnet) === family ? hairpinLines(entry, family) : [];
    case 'policy':
      return [ownDevice(entry.device), ...policyLines(entry)].map((line) => ({ ...line, note: placeOf(entry) }));
    case 'admit':
      return [];
    case 'port':
      return familyOf(entry.address) === family ? portLines(entry, family, subnetOf(entry.address)) : [];
    case 'direct':
      return familyOf(entry.address) === family ? [directLine(entry)] : [];
    case 'exposure':
      return entry.family === family ? [exposureLine(entry)] : [];
  }
}

export function familyOf(text: string): Family {
  return text.includes(':') ? 6 : 4;
}

/** A device has one policy, a subnet one masquerading: the rules of another carry the same note, and make way. */
export function placeOf(entry: PolicyEntry | MasqueradeEntry): string {
  return entry.kind === 'policy' ? `policy ${entry.device}` : `masquerade ${entry.subnet}`;
}

/** Traffic from one of our networks to another does not leave the host. */
function ownDevice(device: string): Line {
  return { table: 'nat', chain: 'ISTHMUS-MASQ', head: true, matches: ['-o', device], target: ['-j', 'RETURN'] };
}

function masqueradeLines({ subnet, except, to }: MasqueradeEntry): Line[] {
  const line = (matches: readonly string[], target: readonly string[], head = false): Line => {
    return { table: 'nat', chain: 'ISTHMUS-MASQ', matches, target, ...(head ? { head } : {}) };
  };
  return [
    line(['-d', subnet], ['-j', 'RETURN'], true),
    ...except.map((dst) => line(['-s', subnet, '-d', dst], ['-j', 'RETURN'])),
    line(['-s', subnet], to === undefined ? ['-j', 'MASQUERADE'] : ['-j', 'SNAT', '--to-source', to]),
  ];
}

function hairpinLines({ device, subnet }: HairpinEntry, family: Family): Line[] {
  const masquerade = (source: string): Line => {
    const matches = ['-s', source, '-o', device];
    return { table: 'nat', chain: 'ISTHMUS-ANSWERS', matches, target: ['-j', 'MASQUERADE'] };
  };
  if (family === 6) return [ownDevice(device), masquerade(subnet)];
  // route_localnet, which lets the host's 127.0.0.1 reach pods, would let pods reach the host's.
  const guard = (end: '-s' | '-d'): Line => {
    return { table: 'raw', chain: 'ISTHMUS-GUARD', matches: [end, LOOPBACK, '-i', device], target: ['-j', 'DROP'] };
  };
  return [ownDevice(device), masquerade(subnet), masquerade(LOOPBACK), guard('-d'), guard('-s')];
}

function policyLines({ device, policy }: PolicyEntry): Line[] {
  const line = (chain: string, matches: readonly string[], target: string): Line => {
    return { table: 'mangle', chain, matches, target: ['-j', target] };
  };
  const leaving = ['-i', device, '!', '-o', device];
  const entering = ['!', '-i', device, '-o', device];
  // A published port is open to everybody.
  const unpublished = ['-m', 'conntrack', '!', '--ctstate', 'DNAT'];
  const apart = [
    line('ISTHMUS-FORWARD', leaving, 'ISTHMUS-APART'),
    line('ISTHMUS-APART', ['-o', device, ...unpublished], 'DROP'),
  ];
  switch (policy) {
    case 'open':
      return [];
    case 'same-bridge':
      return apart;
    case 'isolated':
      return [...apart, line('ISTHMUS-FORWARD', ['-i', device, '-o', device, ...unpublished], 'DROP')];
    case 'closed':
      return [line('ISTHMUS-FORWARD', [...entering, ...unpublished], 'ISTHMUS-CLOSED')];
    case 'internal':
      return [line('ISTHMUS-FORWARD', entering, 'DROP'), line('ISTHMUS-FORWARD', leaving, 'DROP')];
  }
}

/** What a closed network lets in goes back to where other networks' policies are asked too. */
function letIn(matches: readonly string[], note?: string): Line {
  const target = ['-j', 'RETURN'];
  return { table: 'mangle', chain: 'ISTHMUS-CLOSED', head: true, matches, target, ...(note && { note }) };
}

function directLine({ device, protocol, address, port }: DirectEntry): Line {
  const matches = ['-d', address, '-o', device, '-p', protocol, '-m', protocol, '--dport', String(port)];
  return letIn(matches, `direct ${protocol} ${socketText(address, port)}`);
}

function exposureLine({ device, family, what }: ExposureEntry): Line {
  const icmp = ['-p', family === 4 ? 'icmp' : 'ipv6-icmp'];
  return letIn(['-o', device, ...(what === 'all' ? [] : icmp)]);
}

/** `subnet` is what the pod's answers would reach without this host. */
function portLines(entry: PortEntry, family: Family, subnet: string): Line[] {
  const { protocol, hostPort, address, port, mark } = entry;
  const hostIp = hostAddress(entry);
  const addressed = hostIp === undefined ? [] : ['-d', hostIp];
  const asked = ['-p', protocol, '-m', protocol, '--dport', String(hostPort), ...wordsOf(entry)];
  const head = hostIp !== undefined;
  const dnat = (source: readonly string[], target: readonly string[]): Line => {
    const matches = [...source, ...addressed, ...asked];
    return { table: 'nat', chain: 'ISTHMUS-DNAT', matches, target, note: portNote(entry), ...(head ? { head } : {}) };
  };
  const sources = entry.masqAll ? [[]] : [subnet, ...(family === 4 ? [LOOPBACK] : [])].map(connectionFrom);
  const marks =
    mark === undefined || !(entry.snat || entry.masqAll) ? [] : sources.map((s) => dnat(s, markTarget(mark)));
  const lines = [...marks, dnat([], ['-j', 'DNAT', '--to-destination', socketText(address, port)])];
  // A port of one address goes before a port of every address, and its own rules keep their order.
  return [...(head ? lines.reverse() : lines), ...answerLines(entry)];
}

/** As `-s` says it, which may come once in a rule only: conditions may have it. */
function connectionFrom(source: string): string[] {
  return ['-m', 'conntrack', '--ctorigsrc', source];
}

/** Exceptions to what the hairpin entries do with connections to this port. */
function answerLines(entry: PortEntry): Line[] {
  const { protocol, hostPort, address, port, mark } = entry;
  const hostIp = hostAddress(entry);
  const original = ['--ctorigdstport', String(hostPort), ...(hostIp === undefined ? [] : ['--ctorigdst', hostIp])];
  const matches = [
    '-d',
    address,
    '-p',
    protocol,
    '-m',
    protocol,
    '--dport',
    String(port),
    '-m',
    'conntrack',
    ...original,
  ];
  const line = (more: readonly string[], target: string): Line => {
    return {
      table: 'nat',
      chain: 'ISTHMUS-ANSWERS',
      head: true,
      matches: [...matches, ...more],
      target: ['-j', target],
    };
  };
  const all = entry.snat || entry.masqAll;
  // Each goes first: the exception, then what comes before it.
  if (mark !== undefined && all)
    return 'bit' in mark
      ? [line([], 'RETURN'), line(['-m', 'mark', '--mark', maskText(mark.bit)], 'MASQUERADE')]
      : [line([], 'RETURN')];
  if (entry.masqAll) return [line([], 'MASQUERADE')];
  return all ? [] : [line([], 'RETURN')];
}

/** `tcp *:8080 10.88.0.2:80`: what is asked for, and where it leads. */
export function portNote(entry: PortEntry): string {
  const { protocol, hostPort, address, port } = entry;
  return `${protocol} ${socketText(hostAddress(entry) ?? '*', hostPort)} ${socketText(address, port)}`;
}

/** 0.0.0.0 and [::] are every address. */
function hostAddress({ hostIp }: PortEntry): string | undefined {
  return hostIp === undefined || parseAddr(hostIp)?.value === 0n ? undefined : hostIp;
}

function socketText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function markTarget(mark: NonNullable<PortEntry['mark']>): string[] {
  return 'bit' in mark ? ['-j', 'MARK', '--set-xmark', maskText(mark.bit)] : ['-j', mark.chain];
}

function maskText(bit: number): string {
  const value = `0x${(2 ** bit).toString(16)}`;
  return `${value}/${value}`;
}

/** Conditions are matches: what says where a rule is or what it does is none. */
const NO_MATCH =
  /^(-[jgtADIRCNXFPELSZcw]|--(jump|goto|table|append|delete|insert|replace|check|set-counters|wait)(=.*)?)$/;

/** The words of the conditions: each by itself, as the reference has them, or a match with its values in one text. */
function wordsOf({ conditions, address }: PortEntry): readonly string[] {
  const words = conditions.flatMap((text) => (/^[-!]/.test(text) ? text.split(/ +/).filter(Boolean) : [text]));
  const bad = words.find((word) => NO_MATCH.test(word) || /[\0\r\n]/.test(word));
  if (bad === undefined) return words;
  const what = `${JSON.stringify(bad)} is no match of iptables`;
  const hint = 'Give matches only: ["-s", "192.0.2.0/24"]';
  const subject = `key conditionsV${familyOf(address)}`;
  throw new NetError({ kind: 'invalid-config', op: 'firewall.add', subject, what, hint });
}
