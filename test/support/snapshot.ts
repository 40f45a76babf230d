import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestNetns } from './netns.ts';
import { runProgram } from './spawn.ts';

/** The objects to read. */
export interface SnapshotQuery {
  readonly netns: readonly Pick<TestNetns, 'path'>[];
  readonly stateDir?: string;
  readonly dataDir?: string;
  /** Tables of state.db to leave out; by default the ones whose rows are history rather than state. */
  readonly volatile?: readonly string[];
}

/** Round-robin cursors move on with every address, file times are only a cache; a boot is numbered by its first write. */
const VOLATILE = ['notes', 'boots'];

/** Keys below /proc/sys/net that a plugin may change without creating a device. */
const SYSCTLS = [
  'ipv4/ip_forward',
  'ipv4/conf/all/forwarding',
  'ipv4/conf/all/rp_filter',
  'ipv4/conf/all/route_localnet',
  'ipv4/conf/default/arp_notify',
  'ipv4/conf/lo/forwarding',
  'ipv6/conf/all/forwarding',
  'ipv6/conf/all/accept_ra',
  'ipv6/conf/all/disable_ipv6',
  'ipv6/conf/default/accept_ra',
  'ipv6/conf/default/accept_dad',
  'ipv6/conf/default/disable_ipv6',
  'ipv6/conf/lo/disable_ipv6',
];

/**
 * Links, addresses, routes, rules, permanent neighbours, nftables, sysctls of namespaces, and the files and rows of
 * directories, as text in a fixed order. Two snapshots are equal where nothing that matters was changed: interface
 * indexes, counters and lifetimes are not in it.
 */
export function snapshot(query: SnapshotQuery): string {
  const parts = query.netns.map((ns, i) => namespaceText(ns.path).replace(/^/gm, `${i}| `));
  if (query.stateDir !== undefined) {
    parts.push('## state', filesText(query.stateDir, /^(state\.db(-wal|-shm)?|locks|changes)$/));
    parts.push(storeText(join(query.stateDir, 'state.db'), query.volatile ?? VOLATILE));
  }
  if (query.dataDir !== undefined) parts.push('## data', filesText(query.dataDir, /^(lock|last_reserved_ip\.\d+)$/));
  return `${parts.filter((part) => part !== '').join('\n')}\n`;
}

/** Two snapshots are the same; throws with the lines that differ, and `what` was done between them. */
export function assertSame(actual: string, expected: string, what = ''): void {
  if (actual === expected) return;
  const title = `the host is not as it was${what === '' ? '' : ` (${what})`}:`;
  assert.fail([title, ...differences(actual, expected)].join('\n'));
}

/** Characters of a line in an error. A row of a network is longer than a screen. */
const LONGEST_LINE = 1500;

function differences(actual: string, expected: string): string[] {
  const [is, was] = [actual.split('\n'), expected.split('\n')];
  const lost = beyond(was, is).map((line) => `- ${line.slice(0, LONGEST_LINE)}`);
  const found = beyond(is, was).map((line) => `+ ${line.slice(0, LONGEST_LINE)}`);
  return [...lost, ...found];
}

/** Lines of `a` that `b` has not, or not as often. */
function beyond(a: readonly string[], b: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of b) left.set(line, (left.get(line) ?? 0) + 1);
  return a.filter((line) => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}

/** Runs as few programs as possible: they are the cost of a snapshot. */
const SCRIPT = `ip -d -o -batch - <<END
link
addr
route show table all
rule
neigh show nud permanent
END
  ip -6 -o rule
  nft list ruleset
  tc qdisc show
  cd /proc/sys/net
  grep -sH '' ${SYSCTLS.join(' ')}
  true`;

function namespaceText(path: string): string {
  return stripMomentary(runProgram('nsenter', [`--net=${path}`, '--', 'sh', '-c', SCRIPT]));
}

/** Queues that the kernel gives a device by itself. */
const OWN_QUEUE = /^qdisc (?!tbf|ingress|clsact)/;

/** The parts of a line that describe the moment, not the configuration: words with their value, and flags. */
const MOMENTARY = [
  /^\d+: /,
  /(?<=@if)\d+/,
  / (qlen|qdisc|state|link-netnsid|num[tr]xqueues|[gt]so_\w+|gro_\w+) \S+/g,
  / (\w+_timer|port_(id|no)|designated_\w+|root_\w+|fdb_n_learned|topology_change\w*|config_pending) +\S+/g,
  / (valid_lft|preferred_lft|expires) \S+/g,
  /\b(LOWER_UP|NO-CARRIER|M-DOWN),|,(LOWER_UP|NO-CARRIER|M-DOWN)\b/g,
  / (tentative|linkdown)\b/g,
];

/** Lines that the kernel adds and deletes by itself, once duplicate address detection is over. */
const ITSELF = /\bfe80:|\bff00::\/8|^anycast |^local [0-9a-f]*:\S* dev \S+ table local proto kernel/;

/** Lines in order, without what changes from one moment to the next. */
function stripMomentary(text: string): string {
  const strip = (line: string): string =>
    MOMENTARY.reduce((rest, pattern) => rest.replace(pattern, ''), line)
      .replace(/\s+/g, ' ')
      .trim();
  const lines = text.replaceAll('\\', ' ').split('\n').map(strip);
  return lines
    .filter((line) => line !== '' && !ITSELF.test(line) && !OWN_QUEUE.test(line))
    .sort()
    .join('\n');
}

/** One line a file: its path, mode and the digest of what it holds; `skip` names those whose content is not state. */
function filesText(root: string, skip: RegExp): string {
  if (!existsSync(root)) return '';
  const lines: string[] = [];
  const walk = (dir: string, prefix: string): void => {
    for (const name of readdirSync(dir).sort()) {
      if (skip.test(name)) continue;
      const path = join(dir, name);
      const stat = lstatSync(path);
      const mode = (stat.mode & 0o7777).toString(8);
      if (stat.isDirectory()) {
        lines.push(`${prefix}${name}/ ${mode}`);
        walk(path, `${prefix}${name}/`);
      } else {
        lines.push(`${prefix}${name} ${mode} ${stat.isSymbolicLink() ? readlinkSync(path) : digestOf(path)}`);
      }
    }
  };
  walk(root, '');
  return lines.join('\n');
}

/** Every row of every table, as JSON, in order. Empty without a database. */
function storeText(path: string, volatile: readonly string[]): string {
  if (!existsSync(path)) return '';
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5000 });
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
    const lines: string[] = [];
    for (const { name } of tables) {
      if (typeof name !== 'string' || name.startsWith('sqlite_') || volatile.includes(name)) continue;
      const rows = db.prepare(`SELECT * FROM "${name}"`).all();
      lines.push(...rows.map((row) => `${name} ${withoutStamp(JSON.stringify(row, jsonValue))}`).sort());
    }
    return lines.join('\n');
  } finally {
    db.close();
  }
}

/** Random, and absent on what a plugin attached by itself: it tells one attachment from a later one of the same name. */
function withoutStamp(row: string): string {
  return row.replace(/,?\\"stamp\\":\\"[^"\\]*\\"/g, '');
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}

function digestOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16);
}
