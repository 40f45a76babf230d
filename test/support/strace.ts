import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PluginCall, type PluginRun, type RunningPlugin, runPlugin, startPlugin } from './cni.ts';

/** One system call of the plugin's main thread that changes something: the `nth` of its name since exec, from 1. */
export interface SyscallPoint {
  readonly syscall: string;
  readonly nth: number;
  /** The call as strace prints it, shortened. */
  readonly what: string;
  /** The file that it writes to: `nth` counts the calls with this one. Absent: all calls count. */
  readonly path?: string;
}

export interface TracedPoint extends SyscallPoint {
  /** Changes of disk and kernel before it: a process killed at another point of the same number leaves the same state. */
  readonly changes: number;
}

/** Why strace cannot be used here, or undefined where it can. */
export function straceMissing(): string | undefined {
  try {
    execFileSync('strace', ['-qq', '-o', '/dev/null', '-e', 'inject=getppid:signal=SIGKILL', 'true']);
    return undefined;
  } catch {
    return 'strace (with -e inject) is missing';
  }
}

/**
 * The points of a call that runs undisturbed: `before` is each system call that changes something, `after` the next
 * system call of the thread that is not the runtime's own. A process killed on entering a system call has not made it.
 */
export function pointsOf(call: PluginCall): { run: PluginRun; before: TracedPoint[]; after: TracedPoint[] } {
  const dir = mkdtempSync(join(tmpdir(), 'isth-strace-'));
  try {
    const log = join(dir, 'log');
    const present = filesIn(call.stateDir);
    const run = runPlugin({ ...call, prefix: ['strace', '-qq', '-y', '-s', '24', '-o', log] });
    return { run, ...parseLog(readFileSync(log, 'utf8'), present) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The call, with `what` happening at `point`: `signal=SIGKILL`, `error=ENOSPC`, `delay_enter=1s`. */
export function injected(call: PluginCall, point: SyscallPoint, what: string, log = '/dev/null'): PluginCall {
  const inject = `inject=${point.syscall}:${what}`;
  return { ...call, prefix: ['strace', '-qq', '-s', '24', '-o', log, '-e', inject] };
}

/** The call has been killed at `point`, before the system call has run. */
export function killedAt(call: PluginCall, point: SyscallPoint): PluginRun {
  return runPlugin(injected(call, point, `signal=SIGKILL:when=${point.nth}`));
}

/** The call has been started and waits `seconds` at `point`, which it has reached. */
export async function heldAt(call: PluginCall, point: SyscallPoint, seconds: number): Promise<RunningPlugin> {
  const dir = mkdtempSync(join(tmpdir(), 'isth-strace-'));
  const log = join(dir, 'log');
  const running = startPlugin(injected(call, point, `delay_enter=${seconds * 1_000_000}:when=${point.nth}`, log));
  running.done.finally(() => rmSync(dir, { recursive: true, force: true }));
  const entered = new RegExp(`^${point.syscall}\\(`, 'gm');
  for (let i = 0; i < 500; i++) {
    await sleep(10);
    if ((linesOf(log).match(entered)?.length ?? 0) >= point.nth - 1 && quiet(log)) return running;
  }
  running.child.kill('SIGKILL');
  throw new Error(`${point.what} was not reached`);
}

let lastLength = -1;

/** True where nothing was added to the log since the last time of asking, and something had been before. */
function quiet(log: string): boolean {
  const { length } = linesOf(log);
  const same = length > 0 && length === lastLength;
  lastLength = length;
  return same;
}

function linesOf(log: string): string {
  try {
    return readFileSync(log, 'utf8');
  } catch {
    return '';
  }
}

/** Memory and threads of V8: how many there are depends on time, so that no n-th of them can be met again. */
const OF_RUNTIME = /^(futex|brk|mmap|munmap|mprotect|madvise|sched_yield)$/;

/**
 * The kernel starts the call again by itself: a write of `disable_ipv6` while another process changes links. How often
 * depends on time.
 */
export const RESTARTED = /= \? ERESTART/;

function parseLog(text: string, present: Set<string>): { before: TracedPoint[]; after: TracedPoint[] } {
  const seen = new Map<string, number>();
  const before: TracedPoint[] = [];
  const after: TracedPoint[] = [];
  let follows = false;
  let changes = 0;
  for (const line of text.split('\n')) {
    const syscall = /^(\w+)\(/.exec(line)?.[1];
    if (syscall === undefined || RESTARTED.test(line)) continue;
    const nth = (seen.get(syscall) ?? 0) + 1;
    seen.set(syscall, nth);
    const point = { syscall, nth, what: `${syscall}#${nth} ${line.slice(0, 160)}`, changes };
    if (follows && OF_RUNTIME.test(syscall)) continue;
    if (follows) after.push(point);
    follows = changesSomething(syscall, line);
    if (follows) before.push(point);
    if (follows && leavesChange(syscall, line, present)) changes++;
  }
  return { before, after };
}

/** True if a system call changes the kernel's or a file's state, or sends the answer. */
function changesSomething(syscall: string, line: string): boolean {
  switch (syscall) {
    case 'sendmsg':
    case 'sendto':
      return /RTM_(NEW|DEL|SET)|NFNL_MSG_BATCH|NFT_MSG_(NEW|DEL)|CT_DELETE/.test(line);
    case 'write':
      return /^write\((1<|\d+<(\/proc\/sys|.*isth-))/.test(line);
    case 'openat':
      return line.includes('O_CREAT');
    default:
      return /^(pwrite64|fdatasync|fsync|ftruncate|rename|renameat2?|unlink|unlinkat|mkdir|mkdirat|exit_group)$/.test(
        syscall,
      );
  }
}

/**
 * False where the trace shows that the next process meets what it would have met before: a call that failed, a flush
 * (a killed process loses no written data), the answer on stdout, the end, a file that is opened and was there, and the
 * set-up of SQLite's shared memory, which whoever opens the database next cuts off first. `present` are the files.
 */
function leavesChange(syscall: string, line: string, present: Set<string>): boolean {
  if (/ = -1 E/.test(line) || /^(fsync|fdatasync|exit_group|write\(1<|(pwrite64|ftruncate)\(\d+<[^>]*-shm>)/.test(line))
    return false;
  const [, path = ''] = /"([^"]*)"/.exec(line) ?? [];
  if (syscall === 'openat') {
    const isThere = present.has(path) && !line.includes('O_TRUNC');
    present.add(path);
    return !isThere && !path.startsWith('/proc/sys/');
  }
  if (/^(rename|unlink)/.test(syscall)) present.clear();
  return true;
}

function filesIn(dir: string | undefined): Set<string> {
  if (dir === undefined || !existsSync(dir)) return new Set();
  return new Set(readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => join(dir, name)));
}

/** One point, the first, for each state that a process killed at these points can leave. */
export function distinct(points: readonly TracedPoint[]): TracedPoint[] {
  return [...new Map(points.toReversed().map((point) => [point.changes, point])).values()].toReversed();
}
