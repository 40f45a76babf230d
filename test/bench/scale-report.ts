import { loadavg } from 'node:os';
import { atMost, countAtMost, type Row, verdict } from './rows.ts';
import type { ScaleTimes } from './scale.ts';
import { formatTable } from './stats.ts';

const MB = 1_000_000;

export function scaleRows(times: ScaleTimes): Row[] {
  const { cpuPerAdd, commits, arrived, answered, memory, cold, start, etcd, sizes } = times;
  return [
    atMost("etcd's CPU an ADD, all at once", cpuPerAdd, 1, 'ms'),
    countAtMost('commits an ADD, shared', round(commits.shared), 1),
    countAtMost('commits an ADD, per-host', round(commits['per-host']), 0),
    atMost('from an ADD to the kernel of the last host, p99', arrived.p99, 250, 'ms'),
    atMost('the same, p50', arrived.p50, undefined, 'ms'),
    atMost('from an ADD to its answer, p50', answered.p50, undefined, 'ms'),
    atMost('memory of a host above the base, alone in its process', memory.alone.rss / MB, 15, 'MB'),
    atMost('the same, of many hosts in one process', memory.shared.rss / MB, 15, 'MB'),
    atMost('of that JavaScript objects', memory.shared.heapUsed / MB, undefined, 'MB'),
    atMost(`${sizes.cold} remote endpoints from cold, of a network`, cold.joined, 500, 'ms'),
    atMost(`${sizes.cold} remote endpoints from cold, of a daemon`, cold.restarted, 500, 'ms'),
    fact('ADDs a second, all at once', times.addsPerSecond.toFixed(0)),
    fact('watch events a second meanwhile', times.eventsPerSecond.toFixed(0)),
    fact('ADDs that were refused, because etcd was late', String(times.refused)),
    fact('start of all hosts together', `${(start.ms / 1000).toFixed(0)} s`),
    fact("etcd's CPU for it", `${(start.cpuMs / 1000).toFixed(1)} s`),
    fact("etcd's connections", String(etcd.connections)),
    fact("etcd's watches", String(etcd.watches)),
    fact("etcd's database", `${(etcd.databaseBytes / MB).toFixed(1)} MB`),
    fact("etcd's memory", `${(etcd.rss / MB).toFixed(0)} MB`),
  ];
}

export function printScale(times: ScaleTimes): void {
  console.log(`\n${titleOf(times)}`);
  console.log(formatTable([HEAD, ...cellsOf(times, 'NO')]));
}

export function scaleMarkdown(times: ScaleTimes): string {
  const [, ...head] = HEAD;
  const rows = [['what', ...head], HEAD.map(() => '---'), ...cellsOf(times, '**no**')];
  return [titleOf(times), '', ...rows.map((cells) => `| ${cells.join(' | ')} |`)].join('\n');
}

const HEAD = ['', 'measured', 'limit', 'met'];

function cellsOf(times: ScaleTimes, missed: string): string[][] {
  return scaleRows(times).map((row) => [row.work, row.measured, row.limit, verdict(row, missed)]);
}

function titleOf({ sizes, arrived }: ScaleTimes): string {
  const { hosts, endpoints, networks, processes, perSecond } = sizes;
  const load = (loadavg()[0] ?? 0).toFixed(1);
  return (
    `${hosts} simulated hosts with ${endpoints} endpoints each on ${networks} networks, three a host, ` +
    `in ${processes} processes beside one etcd, its data in memory; ${arrived.count} ADDs timed at ${perSecond} a second; ` +
    `load at the end ${load}`
  );
}

function fact(work: string, measured: string): Row {
  return { work, measured, ratio: '', limit: '', met: true };
}

/** Two hosts that choose the same address at a time are one more: few in a thousand. */
const round = (value: number): number => Math.round(value * 100) / 100;
