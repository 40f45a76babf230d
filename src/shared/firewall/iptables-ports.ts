import { fault } from '../errors/fault.ts';
import { type Family, parseAddr } from '../model/addr.ts';
import { formatPorts, PORT_LABEL, type PortEntry } from '../model/firewall.ts';
import { familyOf, type Line, LOOPBACK, socketText } from './iptables-lines.ts';
import { conditionWords, notMatching } from './iptables-matches.ts';

/** Returns the rules of a published port. Pods in `subnet` would answer directly, past this host. */
export function portLines(entry: PortEntry, family: Family, subnet: string): Line[] {
  const { protocol, hostPort, mark } = entry;
  const hostIp = hostAddress(entry);
  const addressed = hostIp === undefined ? [] : ['-d', hostIp];
  const asked = ['-p', protocol, '-m', protocol, '--dport', formatPorts(hostPort, entry, ':'), ...wordsOf(entry)];
  const head = hostIp !== undefined;
  const dnat = (source: readonly string[], target: readonly string[]): Line => {
    const matches = [...source, ...addressed, ...asked];
    return { table: 'nat', chain: 'ISTHMUS-DNAT', matches, target, note: portNote(entry), ...(head ? { head } : {}) };
  };
  const sources = entry.masqAll ? [[]] : [subnet, ...(family === 4 ? [LOOPBACK] : [])].map(connectionFrom);
  const marks =
    mark === undefined || !(entry.snat || entry.masqAll) ? [] : sources.map((s) => dnat(s, markTarget(mark)));
  const label = ['-m', 'connlabel', '--label', String(PORT_LABEL), '--set'];
  const lines = [...marks, dnat([], [...label, '-j', 'DNAT', '--to-destination', targetOf(entry)])];
  // A port of one address precedes a port of every address; its own rules keep their order.
  return [...(head ? lines.reverse() : lines), ...answerLines(entry)];
}

/** An address match. `-s` may occur only once in a rule, and the conditions may already have it. */
function connectionFrom(source: string): string[] {
  return ['-m', 'conntrack', '--ctorigsrc', source];
}

/** Exceptions to the hairpin entries for connections to this port. */
function answerLines(entry: PortEntry): Line[] {
  const { protocol, hostPort, address, port, mark } = entry;
  const hostIp = hostAddress(entry);
  const original = [
    '--ctorigdstport',
    formatPorts(hostPort, entry, ':'),
    ...(hostIp === undefined ? [] : ['--ctorigdst', hostIp]),
  ];
  const matches = [
    '-d',
    address,
    '-p',
    protocol,
    '-m',
    protocol,
    '--dport',
    formatPorts(port, entry, ':'),
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
  // Each line is inserted first, so list the exception before the rule that must precede it.
  if (mark !== undefined && all)
    return 'bit' in mark
      ? [line([], 'RETURN'), line(['-m', 'mark', '--mark', maskText(mark.bit)], 'MASQUERADE')]
      : [line([], 'RETURN')];
  if (entry.masqAll) return [line([], 'MASQUERADE')];
  return all ? [] : [line([], 'RETURN')];
}

/** `tcp *:8080 10.88.0.2:80`: the host port and its target. */
export function portNote(entry: PortEntry): string {
  const { protocol, hostPort, address, port, count } = entry;
  const span = count === undefined ? '' : ` ${count} ports`;
  return `${protocol} ${socketText(hostAddress(entry) ?? '*', hostPort)} ${socketText(address, port)}${span}`;
}

/** A span keeps its ports, or shifts them from the base that the last word names (iptables 1.6.2). */
function targetOf({ hostPort, address, port, count }: PortEntry): string {
  if (count === undefined) return socketText(address, port);
  const bare = address.includes(':') ? `[${address}]` : address;
  return hostPort === port ? bare : `${bare}:${formatPorts(port, { count })}/${hostPort}`;
}

/** 0.0.0.0 and [::] mean every address. */
function hostAddress({ hostIp }: PortEntry): string | undefined {
  return hostIp === undefined || parseAddr(hostIp)?.value === 0n ? undefined : hostIp;
}

function markTarget(mark: NonNullable<PortEntry['mark']>): string[] {
  return 'bit' in mark ? ['-j', 'MARK', '--set-xmark', maskText(mark.bit)] : ['-j', mark.chain];
}

function maskText(bit: number): string {
  const value = `0x${(2 ** bit).toString(16)}`;
  return `${value}/${value}`;
}

/** The words of the conditions. The configuration was checked; a record may be older than the check. */
function wordsOf({ conditions, address }: PortEntry): readonly string[] {
  const words = conditionWords(conditions);
  const bad = notMatching(words);
  if (bad === undefined) return words;
  const what = `${JSON.stringify(bad)} is not a match of iptables`;
  const hint = 'Give matches only, options written out: ["-s", "192.0.2.0/24"]';
  const subject = `key conditionsV${familyOf(address)}`;
  throw fault.invalidConfig('firewall.add', subject, what, hint);
}
