import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
export function pointsOf(call: PluginCall): { run: PluginRun; before: SyscallPoint[]; after: SyscallPoint[] } {
  const dir = mkdtempSync(join(tmpdir(), 'isth-strace-'));
  try {
    const log = join(dir, 'log');
    const run = runPlugin({ ...call, prefix: ['strace', '-qq', '-y', '-s', '24', '-o', log] });
    return { run, ...parseLog(readFileSync(log, 'utf8')) };
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

function parseLog(text: string): { before: SyscallPoint[]; after: SyscallPoint[] } {
  const seen = new Map<string, number>();
  const before: SyscallPoint[] = [];
  const after: SyscallPoint[] = [];
  let follows = false;
  for (const line of text.split('\n')) {
    const syscall = /^(\w+)\(/.exec(line)?.[1];
    if (syscall === undefined) continue;
    const nth = (seen.get(syscall) ?? 0) + 1;
    seen.set(syscall, nth);
    const point = { syscall, nth, what: `${syscall}#${nth} ${line.slice(0, 160)}` };
    if (follows && OF_RUNTIME.test(syscall)) continue;
    if (follows) after.push(point);
    follows = changesSomething(syscall, line);
    if (follows) before.push(point);
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
