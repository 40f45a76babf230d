import type { Family } from '../../src/shared/model/addr.ts';
import type { TestHost } from './test-host.ts';
import type { Agent, Outcome, Target } from './traffic.ts';

/** Ports that every end serves over TCP and UDP. The second is the one that ends with `hostPort` publish. */
export const UNPUBLISHED = 80;
export const PUBLISHED = 81;

/** One who reaches and is reached. */
export interface End {
  readonly name: string;
  /** What the expectations know it as. */
  readonly kind: string;
  readonly agent: Agent;
  readonly address: Readonly<Partial<Record<Family, string>>>;
  /** The host's device towards it. */
  readonly bridge?: string;
  /** The port of the host that leads to PUBLISHED; `own` where PUBLISHED is open at the end's own address. */
  readonly hostPort?: number | 'own';
}

/** A question that a matrix answers: `port` is reached at the end's own address, or as published at the host's. */
export interface Cell {
  readonly from: End;
  readonly to: End;
  readonly protocol: 'tcp' | 'udp';
  readonly family: Family;
  readonly port: 'unpublished' | 'published';
}

/** `no`, or `yes (<whom the server saw>)`; by `labelOf` the cell, in the order of the ends. */
export type Matrix = ReadonlyMap<string, string>;

export const NO = 'no';
/** The server saw the address of the one who asked. */
export const UNCHANGED = 'yes (own address)';

/** `u1 → d0 tcp4 unpublished` */
export function labelOf({ from, to, protocol, family, port }: Cell): string {
  return `${from.name} → ${to.name} ${protocol}${family} ${port}`;
}

/** All questions about pairs of `ends`. An end asks for itself too, where it publishes a port. */
export function cellsOf(ends: readonly End[]): Cell[] {
  const ports = ['unpublished', 'published'] as const;
  return ends
    .flatMap((from) => ends.flatMap((to) => ports.map((port) => ({ from, to, port }))))
    .filter(({ from, to, port }) => (from !== to && port === 'unpublished') || publishes(from, to, port))
    .flatMap((cell) => ([4, 6] as const).map((family) => ({ ...cell, family })))
    .filter(({ to, family }) => to.address[family] !== undefined)
    .flatMap((cell) => (['tcp', 'udp'] as const).map((protocol) => ({ ...cell, protocol })));
}

function publishes(from: End, { hostPort, name }: End, port: Cell['port']): boolean {
  return port === 'published' && hostPort !== undefined && (hostPort !== 'own' || from.name !== name);
}

/**
 * Milliseconds without an answer until there is none, for one round each: a round asks again what the last one did not
 * get. Where the test expects no answer, one round is enough; where it expects one, it gets three.
 */
const ROUNDS = [1_000, 1_000, 4_000] as const;

export interface MeasureOptions {
  /** Addresses of the host, where the ports are published. */
  readonly host: Readonly<Record<Family, string>>;
  /** Names for the addresses that servers see. */
  readonly names: ReadonlyMap<string, string>;
  /** The answer that the test expects, where it does expect one. */
  readonly expected?: (cell: Cell) => string;
}

/** Asks all at once. */
export async function measure(cells: readonly Cell[], options: MeasureOptions): Promise<Matrix> {
  const { host, names, expected } = options;
  const found = new Map(cells.map((cell) => [labelOf(cell), NO]));
  let open = cells;
  for (const [round, patience] of ROUNDS.entries()) {
    const outcomes = await Promise.all(open.map((cell) => cell.from.agent.probe(targetOf(cell, host), patience)));
    for (const [index, cell] of open.entries()) found.set(labelOf(cell), answerOf(cell, outcomes[index] ?? '', names));
    const isWorthwhile = (cell: Cell): boolean => (expected === undefined ? round === 0 : expected(cell) !== NO);
    open = open.filter((cell) => found.get(labelOf(cell)) === NO && isWorthwhile(cell));
    if (open.length === 0) break;
  }
  return found;
}

function targetOf({ to, protocol, family, port }: Cell, host: MeasureOptions['host']): Target {
  const address = to.address[family] ?? '';
  if (port === 'unpublished') return { protocol, address, port: UNPUBLISHED };
  const { hostPort = 'own' } = to;
  return hostPort === 'own'
    ? { protocol, address, port: PUBLISHED }
    : { protocol, address: host[family], port: hostPort };
}

/** Says so where another end than the one asked has answered. */
function answerOf({ from, to }: Cell, outcome: Outcome, names: MeasureOptions['names']): string {
  const [, server, address = ''] = outcome.match(/^(\S+) saw (\S+)$/) ?? [];
  if (server === undefined) return NO;
  const source = names.get(address) ?? address;
  if (server !== to.name) return `yes (${source}, answered by ${server})`;
  return source === from.name ? UNCHANGED : `yes (${source})`;
}

/** Names of all addresses: an end's own name, and `host:<device>` for each address of the host. */
export function namesOf(host: TestHost, ends: readonly End[]): Map<string, string> {
  const names = new Map<string, string>();
  const links: { ifname: string; addr_info: { local: string }[] }[] = JSON.parse(host.run('ip', '-j', 'addr'));
  for (const { ifname, addr_info } of links) for (const { local } of addr_info) names.set(local, `host:${ifname}`);
  const foreign = ends.filter(({ kind }) => kind !== 'host');
  for (const { name, address } of foreign) for (const text of Object.values(address)) names.set(text, name);
  return names;
}

/** `u1 → d0 tcp4 unpublished: before no, with us yes (u1)`, a line for each difference. */
export function differences(before: Matrix, after: Matrix, words: readonly [string, string]): string[] {
  return [...before].flatMap(([label, was]) => {
    const is = after.get(label) ?? 'not measured';
    return is === was ? [] : [`${label}: ${words[0]} ${was}, ${words[1]} ${is}`];
  });
}

/**
 * Lines become one that differ in protocol and family only, then those that differ in who asks only: `u1 u2 → d0 all
 * unpublished: …`, `u1 → d0 tcp4 tcp6 unpublished: …`.
 */
export function foldLines(lines: readonly string[]): string[] {
  const byKind = group(lines, /^(?<left>\S+ → \S+ )(?<folded>\S+)(?<right> .*)$/);
  const kinds = byKind.map(([left, folded, right]) => left + (folded.length === 4 ? 'all' : folded.join(' ')) + right);
  const byPair = group(kinds, /^(?<left>)(?<folded>\S+)(?<right> → .*)$/);
  return byPair.map(([, folded, right]) => folded.join(' ') + right);
}

/** Texts between the same left and right, which the expression tells apart. */
function group(lines: readonly string[], expression: RegExp): [left: string, folded: string[], right: string][] {
  const groups = new Map<string, [string, string[], string]>();
  for (const line of lines) {
    const { left = '', folded = '', right = '' } = line.match(expression)?.groups ?? {};
    const known = groups.get(left + right);
    if (known === undefined) groups.set(left + right, [left, [folded], right]);
    else known[1].push(folded);
  }
  return [...groups.values()];
}

/**
 * The whole matrix: a square with a row for each end that asks (`u`, `p`: reached by the unpublished, the published
 * port; `(u)`, `(p)`: not by both protocols and families; `.`: no), then a line for each answer.
 */
export function tableOf(cells: readonly Cell[], matrix: Matrix): string {
  const names = [...new Set(cells.flatMap(({ from, to }) => [from.name, to.name]))];
  const width = Math.max(...names.map((name) => name.length), 6) + 1;
  const mark = (from: string, to: string, port: Cell['port']): string => {
    const all = cells.filter((cell) => cell.from.name === from && cell.to.name === to && cell.port === port);
    const reached = all.filter((cell) => matrix.get(labelOf(cell)) !== NO).length;
    if (reached === 0) return '';
    return reached === all.length ? port.charAt(0) : `(${port.charAt(0)})`;
  };
  const square = names.map((from) => {
    const row = names.map((to) => mark(from, to, 'unpublished') + mark(from, to, 'published') || '.');
    return [from, ...row].map((word) => word.padEnd(width)).join('');
  });
  const lines = foldLines([...matrix].filter(([, answer]) => answer !== NO).map(([label, yes]) => `${label}: ${yes}`));
  return [['', ...names].map((word) => word.padEnd(width)).join(''), ...square, ...lines].join('\n');
}
