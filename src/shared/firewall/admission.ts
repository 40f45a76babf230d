import type { BridgeFacts } from '../host/bridges.ts';
import type { Family } from '../model/addr.ts';
import type { AdmitEntry, FirewallEntry } from '../model/firewall.ts';
import type { SealedEntry, UnderlayEntry } from '../model/overlay-entries.ts';

/** For the administrator's own rules: we create it, jump to it first, and never change its content. */
export const ADMIN_CHAIN = 'ISTHMUS-USER';
/** Holds all our other rules of table `filter`. */
export const ACCEPT_CHAIN = 'ISTHMUS-FORWARD';
/** The administrator's chain of the reference firewall plugin. */
export const REFERENCE_ADMIN_CHAIN = 'CNI-ADMIN';

/** Holds all our rules that INPUT of table `filter` leads to. */
export const INPUT_CHAIN = 'ISTHMUS-INPUT';

/** The word that begins the comment of each rule of ours. Older releases wrote this word alone. */
export const MARK = 'isthmus';

/** A rule of ours in FORWARD, DOCKER-USER (older releases) or ISTHMUS-FORWARD. */
export interface OwnRule {
  /** Its comment: equal for equal rules of a chain, so that it identifies the rule. */
  readonly note: string;
  readonly input?: string;
  readonly output?: string;
  /** A UDP port: matches datagrams to it that conntrack does not track, because of our NOTRACK rule. */
  readonly untracked?: number;
  /** Present: matches only packets of ESP. */
  readonly esp?: true;
  /** A prefix of the table's family. */
  readonly source?: string;
  /** Present: matches only packets of known connections; `translated`: and those with a translated destination. */
  readonly known?: 'known' | 'translated';
  /** `ACCEPT`, `RETURN`, or a chain to jump to. */
  readonly target: string;
}

export const FORWARD_JUMP: OwnRule = { note: MARK, target: ACCEPT_CHAIN };
/** The same where we created FORWARD. */
export const MADE_JUMP: OwnRule = { note: `${MARK} made`, target: ACCEPT_CHAIN };

export const INPUT_JUMP: OwnRule = { note: MARK, target: INPUT_CHAIN };

/** The jumps that chain ISTHMUS-FORWARD begins with: to our chain for the administrator, and to these. */
export function adminJumps(chains: readonly string[]): OwnRule[] {
  return [ADMIN_CHAIN, ...chains].map((target) => ({ note: `${MARK} ${target}`, target }));
}

const ADMIN_NOTE = /^isthmus (\S+)$/;

/**
 * The rules that accept the traffic of one device. From a bridge with an uplink, only traffic between its own ports is
 * accepted: it carries the traffic of others too.
 */
export function deviceRules(entry: AdmitEntry, family: Family, isUplink: boolean): OwnRule[] {
  const { device, from = [], through = [], reachable } = entry;
  const sources = from.filter((source) => source.includes(':') === (family === 6));
  const whats = ['in', 'replies', isUplink ? 'across' : 'out', ...sources.map((source) => `from ${source}`)];
  const wider = [...through.map((input) => `through ${input}`), ...(reachable ? ['reachable'] : [])];
  return [...whats, ...wider].map((what) => deviceRule(device, what));
}

function deviceRule(device: string, what: string): OwnRule {
  const accept = (rest: Partial<OwnRule>): OwnRule => ({
    note: `${MARK} ${device} ${what}`,
    ...rest,
    target: 'ACCEPT',
  });
  switch (what) {
    case 'in':
      return accept({ output: device, known: 'translated' });
    case 'replies':
      return accept({ input: device, known: 'known' });
    case 'out':
      return accept({ input: device });
    case 'across':
      return accept({ input: device, output: device });
    case 'reachable':
      return accept({ output: device });
    default:
      if (what.startsWith('through ')) return accept({ input: what.slice('through '.length), output: device });
      return accept({ output: device, source: what.slice('from '.length) });
  }
}

/**
 * Accepts what arrives for a VXLAN device. Only our rule against strangers lets a datagram to this port be untracked, so
 * none is accepted where that rule is missing.
 */
function underlayRule(port: number): OwnRule {
  return { note: `${MARK} udp ${port}`, untracked: port, target: 'ACCEPT' };
}

/** Accepts ESP: the kernel drops what no association is for, and INPUT sees what was inside as a packet of its own. */
const ESP_RULE: OwnRule = { note: `${MARK} proto esp`, esp: true, target: 'ACCEPT' };

/** An entry that has a rule in INPUT. */
export type InputEntry = UnderlayEntry | SealedEntry;

export function inputRule(entry: InputEntry): OwnRule {
  return entry.kind === 'sealed' ? ESP_RULE : underlayRule(entry.port);
}

/** Leaves new connections to a bridge of others to the rules of others. */
export function bridgeRule(output: string): OwnRule {
  return { note: `${MARK} not to ${output}`, output, target: 'RETURN' };
}

/** The bridges of others that do not lead out of the host. */
export function foreignBridges(bridges: readonly BridgeFacts[], admitted: readonly string[]): string[] {
  return bridges.flatMap(({ name, own, uplink }) => (own || uplink || admitted.includes(name) ? [] : [name]));
}

/** The order of the rules in chain ISTHMUS-FORWARD: a known connection may lead to a bridge of others. */
export const RANKS = ['admin', 'known', 'bridge', 'new'] as const;
export type Rank = (typeof RANKS)[number];

export function rankOf(note: string): Rank {
  if (ADMIN_NOTE.test(note)) return 'admin';
  if (BRIDGE_NOTE.test(note)) return 'bridge';
  const what = DEVICE_NOTE.exec(note)?.[2];
  return what === 'in' || what === 'replies' ? 'known' : 'new';
}

const UNDERLAY_NOTE = /^isthmus udp (\d+)$/;
const BRIDGE_NOTE = /^isthmus not to (\S+)$/;
const DEVICE_NOTE = /^isthmus (\S+) (in|replies|out|across|from \S+|through \S+|reachable)$/;

/** Returns the device of a rule that `deviceRules` made; undefined for any other. */
export function deviceOf(note: string): string | undefined {
  return DEVICE_NOTE.exec(note)?.[1];
}

/** True for a rule that only some networks on a device have. */
export function isWider(note: string): boolean {
  return / (from \S+|through \S+|reachable)$/.test(note);
}

/** Returns the rule of chain ISTHMUS-FORWARD that has this comment; undefined for an unknown one. */
export function ruleOf(note: string): OwnRule | undefined {
  const [, device, what] = DEVICE_NOTE.exec(note) ?? [];
  if (device !== undefined && what !== undefined) return deviceRule(device, what);
  const port = UNDERLAY_NOTE.exec(note)?.[1];
  if (port !== undefined) return underlayRule(Number(port));
  if (note === ESP_RULE.note) return ESP_RULE;
  const bridge = BRIDGE_NOTE.exec(note)?.[1];
  if (bridge !== undefined) return bridgeRule(bridge);
  const target = ADMIN_NOTE.exec(note)?.[1];
  return target === undefined ? undefined : { note, target };
}

/** Returns the text of a comment, up to its NUL, if the rule is ours. */
export function ownNote(comment: Uint8Array | undefined): string | undefined {
  if (comment === undefined) return undefined;
  const end = comment.indexOf(0);
  const text = Buffer.from(end < 0 ? comment : comment.subarray(0, end)).toString();
  return text === MARK || text.startsWith(`${MARK} `) ? text : undefined;
}

/** An entry that others' chains must not drop: the traffic of a device, or what arrives for a VXLAN device. */
export type Admission = AdmitEntry | InputEntry;

export function admissions(entries: readonly FirewallEntry[]): Admission[] {
  return entries.filter((entry) => entry.kind === 'admit' || entry.kind === 'underlay' || entry.kind === 'sealed');
}

export function devicesOf(entries: readonly Admission[]): AdmitEntry[] {
  return entries.filter((entry) => entry.kind === 'admit');
}

export function inputsOf(entries: readonly Admission[], family: Family): InputEntry[] {
  return entries.filter((entry) => entry.kind !== 'admit').filter((entry) => entry.family === family);
}
