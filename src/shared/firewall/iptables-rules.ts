import type { Family } from '../model/addr.ts';
import {
  type AdmitEntry,
  type DirectEntry,
  type ExposureEntry,
  type FirewallEntry,
  formatPorts,
  type HairpinEntry,
  type MasqueradeEntry,
  PORT_LABEL,
  type PolicyEntry,
  type SeparateEntry,
} from '../model/firewall.ts';
import type { ClosedBridge } from './admit.ts';
import { familyOf, type Line, LOOPBACK, socketText, type Table } from './iptables-lines.ts';
import { peerLine, sealedLines, underlayLines } from './iptables-peers.ts';
import { portLines } from './iptables-ports.ts';

/** Connections that our own published ports translated. */
const OURS = ['-m', 'conntrack', '--ctstate', 'DNAT', '-m', 'connlabel', '--label', String(PORT_LABEL)];

/** The lines that a table of ours always has: jumps from others' chains to ours, and rules that all entries share. */
export function baseLines(table: Table, family: Family): Line[] {
  const line = (chain: string, matches: readonly string[], target: string, head = false): Line => {
    return { table, chain, matches, target: ['-j', target], ...(head ? { head } : {}) };
  };
  if (table === 'raw') return [line('PREROUTING', [], 'ISTHMUS-GUARD', true)];
  if (table === 'mangle') {
    // This hook runs before table filter, in whose chains others accept.
    const known = ['-m', 'conntrack', '--ctstate', 'RELATED,ESTABLISHED'];
    return [
      line('FORWARD', [], 'ISTHMUS-FORWARD', true),
      line('ISTHMUS-FORWARD', known, 'RETURN', true),
      line('ISTHMUS-CLOSED', [], 'DROP'),
    ];
  }
  const local = ['-m', 'addrtype', '--dst-type', 'LOCAL'];
  return [
    // The host's own packets pass OUTPUT; the kernel must go on dropping packets that others send to 127.0.0.1.
    line('PREROUTING', family === 4 ? ['!', '-d', LOOPBACK, ...local] : local, 'ISTHMUS-DNAT'),
    // Nothing makes [::1] routable, so it needs no rule: the kernel refuses it at once.
    line('OUTPUT', family === 6 ? ['!', '-d', '::1/128', ...local] : local, 'ISTHMUS-DNAT'),
    // Each rule is inserted first, so they end up in reverse order.
    line('POSTROUTING', [], 'ISTHMUS-MASQ', true),
    line('POSTROUTING', OURS, 'ISTHMUS-ANSWERS', true),
    line('ISTHMUS-MASQ', ['-d', family === 4 ? '224.0.0.0/4' : 'ff00::/8'], 'RETURN', true),
    line('ISTHMUS-MASQ', ['-o', 'lo'], 'RETURN', true),
  ];
}

/** Returns the rules of an entry for one family; empty for an entry of the other. `subnets` are those with hairpins. */
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
    case 'separate':
      return [separateLine(entry)];
    case 'admit':
      return admitLines(entry, family);
    case 'guard':
    case 'mac':
    case 'gateways':
    case 'isolated':
    case 'source':
      return [];
    case 'port':
      return familyOf(entry.address) === family ? portLines(entry, family, subnetOf(entry.address)) : [];
    case 'direct':
      return familyOf(entry.address) === family ? [directLine(entry)] : [];
    case 'exposure':
      return entry.family === family ? [exposureLine(entry)] : [];
    case 'underlay':
      return entry.family === family ? underlayLines(entry) : [];
    case 'sealed':
      return entry.family === family ? sealedLines(entry) : [];
    case 'peer':
      return familyOf(entry.address) === family ? [peerLine(entry)] : [];
  }
}

/** A device has one policy, a subnet one masquerading: rules with the same note and another id are replaced. */
export function placeOf(entry: PolicyEntry | MasqueradeEntry): string {
  return entry.kind === 'policy' ? `policy ${entry.device}` : `masquerade ${entry.subnet}`;
}

/** Traffic between our networks does not leave the host. */
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

/** Chain ISTHMUS-FOREIGN drops new connections between a network of ours and one of Docker's, with exceptions. */
function admitLines({ device, from = [] }: AdmitEntry, family: Family): Line[] {
  const line = (matches: readonly string[]): Line => {
    return { table: 'mangle', chain: 'ISTHMUS-FOREIGN', head: true, matches, target: ['-j', 'RETURN'] };
  };
  const others = from.filter((text) => familyOf(text) === family);
  return others.flatMap((other) => [line(['-d', other, '-i', device]), line(['-s', other, '-o', device])]);
}

/** The lines about the bridges of Docker's networks. */
export function foreignLines(docker: readonly ClosedBridge[], family: Family): Line[] {
  return docker.flatMap(({ name, guarded }) =>
    (guarded.includes(family) ? ['-i'] : ['-i', '-o']).map((end): Line => {
      const place = { table: 'mangle', chain: 'ISTHMUS-FOREIGN', note: FOREIGN_NOTE } as const;
      return { ...place, matches: [end, name], target: ['-j', 'DROP'] };
    }),
  );
}

export const FOREIGN_NOTE = 'foreign';

function hairpinLines({ device, subnet }: HairpinEntry, family: Family): Line[] {
  const masquerade = (source: string): Line => {
    const matches = ['-s', source, '-o', device];
    return { table: 'nat', chain: 'ISTHMUS-ANSWERS', matches, target: ['-j', 'MASQUERADE'] };
  };
  if (family === 6) return [ownDevice(device), masquerade(subnet)];
  // route_localnet lets the host's 127.0.0.1 reach pods; without this rule it would also let pods reach the host's.
  const guard = (end: '-s' | '-d'): Line => {
    return { table: 'raw', chain: 'ISTHMUS-GUARD', matches: [end, LOOPBACK, '-i', device], target: ['-j', 'DROP'] };
  };
  return [ownDevice(device), masquerade(subnet), masquerade(LOOPBACK), guard('-d'), guard('-s')];
}

function policyLines({ device, policy, vxlan }: PolicyEntry): Line[] {
  const devices = [device, ...(vxlan === undefined ? [] : [vxlan])];
  const line = (chain: string, matches: readonly string[], target: string, head = false): Line => {
    return { table: 'mangle', chain, matches, target: ['-j', target], ...(head ? { head } : {}) };
  };
  const forward = (ways: readonly (readonly string[])[], target: string, more: readonly string[] = []): Line[] =>
    ways.map((way) => line('ISTHMUS-FORWARD', [...way, ...more], target));
  const leaving = devices.map((name) => ['-i', name, '!', '-o', name]);
  const entering = devices.map((name) => ['!', '-i', name, '-o', name]);
  // A published port is open to everybody.
  const unpublished = ['-m', 'conntrack', '!', '--ctstate', 'DNAT'];
  const toForeign = forward(leaving, 'ISTHMUS-FOREIGN', unpublished);
  const foreign = [...toForeign, ...forward(entering, 'ISTHMUS-FOREIGN', unpublished)];
  const apart = [
    ...forward(leaving, 'ISTHMUS-APART'),
    ...devices.map((name) => line('ISTHMUS-APART', ['-o', name, ...unpublished], 'DROP')),
    ...foreign,
  ];
  /** From the endpoints here to those of other hosts, and back: before the rules about what leaves and enters. */
  const across =
    vxlan === undefined ? [] : [device, vxlan].map((name) => ['-i', name, '-o', name === device ? vxlan : device]);
  const own = across.map((way) => line('ISTHMUS-FORWARD', way, 'RETURN', true));
  switch (policy) {
    case 'open':
      return foreign;
    case 'reachable':
      return toForeign;
    case 'same-bridge':
      return [...own, ...apart];
    case 'isolated':
      // What goes to other hosts leaves, and so is dropped among what is apart.
      return [...apart, ...forward([['-i', device, '-o', device]], 'DROP', unpublished)];
    case 'closed':
      return [...own, ...toForeign, ...forward(entering, 'ISTHMUS-CLOSED', unpublished)];
    case 'internal':
      return [...own, ...forward(entering, 'DROP'), ...forward(leaving, 'DROP')];
  }
}

function separateLine({ device }: SeparateEntry): Line {
  const matches = ['-i', device, '-o', device, '-m', 'conntrack', '!', '--ctstate', 'DNAT'];
  return { table: 'mangle', chain: 'ISTHMUS-FORWARD', matches, target: ['-j', 'DROP'] };
}

/** Packets that a closed network accepts return to the chain that also applies the policies of other networks. */
function letIn(matches: readonly string[], note?: string): Line {
  const target = ['-j', 'RETURN'];
  return { table: 'mangle', chain: 'ISTHMUS-CLOSED', head: true, matches, target, ...(note && { note }) };
}

function directLine(entry: DirectEntry): Line {
  const { device, protocol, address, port, count, through } = entry;
  const ports = formatPorts(port, entry, ':');
  const ends = ['-d', address, ...(through === undefined ? [] : ['-i', through]), '-o', device];
  const more = [count === undefined ? '' : ` ${count} ports`, through === undefined ? '' : ` by ${through}`].join('');
  return letIn(
    [...ends, '-p', protocol, '-m', protocol, '--dport', ports],
    `direct ${protocol} ${socketText(address, port)}${more}`,
  );
}

function exposureLine({ device, family, what }: ExposureEntry): Line {
  const icmp = ['-p', family === 4 ? 'icmp' : 'ipv6-icmp'];
  return letIn(['-o', device, ...(what === 'all' ? [] : icmp)]);
}
