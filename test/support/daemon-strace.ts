import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { given } from '../../src/shared/model/given.ts';
import { RESTARTED, type SyscallPoint } from './strace.ts';
import { makeTempDir } from './temp.ts';

/** A running process under strace, until `detach`. */
interface Attached {
  detach(): Promise<void>;
}

/**
 * The points of the main thread at which `work` lets the process change something: each such system call, counted since
 * strace attached. A call of the main thread precedes whatever a pool thread tells the kernel.
 */
export async function tracedPoints(pid: number, netns: string, work: () => void): Promise<SyscallPoint[]> {
  using dir = makeTempDir();
  const log = join(dir.path, 'log');
  const attached = await attach(pid, netns, ['-f', '-y', '-s', '24', '-o', log]);
  try {
    work();
  } finally {
    await attached.detach();
  }
  return pointsOfLog(readFileSync(log, 'utf8'), pid);
}

/** `work` runs while the process is to be killed when its main thread reaches `point`, before the system call has run. */
export async function killedAtPoint<T>(pid: number, netns: string, point: SyscallPoint, work: () => T): Promise<T> {
  const inject = `inject=${point.syscall}:signal=SIGKILL:when=${point.nth}`;
  const only = point.path === undefined ? [] : ['-P', point.path];
  const attached = await attach(pid, netns, ['-o', '/dev/null', ...only, '-e', inject]);
  try {
    return work();
  } finally {
    await attached.detach();
  }
}

/** How often all threads of the process made each system call during `work`. */
export async function countedCalls(
  pid: number,
  netns: string,
  work: () => Promise<void>,
): Promise<ReadonlyMap<string, number>> {
  using dir = makeTempDir();
  const file = join(dir.path, 'counts');
  const attached = await attach(pid, netns, ['-c', '-f', '-o', file]);
  try {
    await work();
  } finally {
    await attached.detach();
  }
  // % time, seconds, usecs/call, calls, errors (or nothing), syscall
  const rows = readFileSync(file, 'utf8').matchAll(/^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$/gm);
  return new Map([...rows].flatMap(([, calls, name = '']) => (name === 'total' ? [] : [[name, Number(calls)]])));
}

/** strace knows the netlink sockets of the namespace that it runs in. */
async function attach(pid: number, netns: string, args: readonly string[]): Promise<Attached> {
  const words = [`--net=${netns}`, '--', 'strace', ...args, '-p', String(pid)];
  const strace = spawn('nsenter', words, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(strace, 'close');
  await attachment(strace, pid);
  return {
    detach: async () => {
      strace.kill('SIGTERM');
      await ended;
    },
  };
}

function attachment({ stderr }: ChildProcess, pid: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes(`Process ${pid} attached`)) resolve();
    });
    stderr?.on('close', () => reject(new Error(`strace: ${said}`)));
  });
}

function pointsOfLog(text: string, pid: number): SyscallPoint[] {
  const seen = new Map<string, number>();
  const points: SyscallPoint[] = [];
  let question: SyscallPoint | undefined;
  for (const line of text.split('\n')) {
    const [, thread, rest = '', syscall = ''] = /^(\d+) +((\w+)\(.*)/.exec(line) ?? [];
    if (thread === undefined || RESTARTED.test(rest)) continue;
    if (Number(thread) !== pid) {
      if (question !== undefined && /^write\(\d+<socket:/.test(rest)) points.push(question);
      question = undefined;
      continue;
    }
    // How often a thread wakes others by a write differs from run to run.
    const path = /^write\(\d+<(\/[^>]*)>/.exec(rest)?.[1];
    const counted = path === undefined ? syscall : `${syscall} ${path}`;
    const nth = (seen.get(counted) ?? 0) + 1;
    seen.set(counted, nth);
    const point = { syscall, nth, what: `${syscall}#${nth} ${rest.slice(0, 160)}`, ...given({ path }) };
    if (changesSomething(syscall, rest)) points.push(point);
    else if (syscall === 'sendto') question = point;
  }
  return points;
}

/** True if it changes the state of the kernel or of a file, or sends something to the launcher. */
function changesSomething(syscall: string, line: string): boolean {
  if (syscall === 'pwrite64') return true;
  if (syscall === 'write') return /^write\(\d+<(\/proc\/sys|.*\/state\/)/.test(line);
  if (syscall !== 'sendto' && syscall !== 'sendmsg') return false;
  const raw = /nlmsg_type=0x([0-9a-f]+)/.exec(line)?.[1];
  // Each kind of object has four messages; the third one reads (rtnetlink.h).
  if (raw !== undefined) return Number.parseInt(raw, 16) % 4 !== 2;
  return /RTM_(NEW|DEL|SET)|NFNL_MSG_BATCH|CT_DELETE|^sendto\(\d+<socket:\S+, "[AC]/.test(line);
}
