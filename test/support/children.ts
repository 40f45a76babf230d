import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMPILE_CACHE } from './compile-cache.ts';

/** A child process and the whole lines that it has printed. */
export interface Child extends Disposable {
  readonly process: ChildProcess;
  readonly lines: readonly string[];
  /** When a line like this has come; rejects when the process ends without. */
  line(pattern: RegExp): Promise<string>;
  /** Exit code, or the signal's name; what it wrote to stderr comes with a code other than 0. */
  readonly end: Promise<number | string>;
}

/** Runs test/support/<script> with this Node. Killed, where it still runs, at the end of `using`'s block. */
export function startChild(script: string, ...args: readonly string[]): Child {
  const child = spawn(process.execPath, ['--no-warnings', join(import.meta.dirname, script), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...COMPILE_CACHE },
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    for (const wake of waiting) wake();
  });
  const end = new Promise<number | string>((resolve) => {
    child.on('close', (code, signal) => resolve(signal ?? (code === 0 ? 0 : `${code}: ${errors}`)));
  });
  const line = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const wake = (): void => {
        const found = lines.find((text) => pattern.test(text));
        if (found === undefined) return;
        waiting.delete(wake);
        resolve(found);
      };
      waiting.add(wake);
      void end.then((code) => reject(new Error(`ended with ${code} before ${pattern}`)));
      wake();
    });
  return {
    process: child,
    lines,
    line,
    end,
    [Symbol.dispose]: () => {
      if (child.exitCode === null) child.kill('SIGKILL');
    },
  };
}

/** Stops the process (SIGSTOP), and returns once each of its threads stands still: the signal alone takes its time. */
export function standStill(pid: number): void {
  process.kill(pid, 'SIGSTOP');
  const until = performance.now() + 5_000;
  const stands = (task: string): boolean => {
    try {
      return /^State:\s+T/m.test(readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8'));
    } catch {
      // The thread has ended.
      return true;
    }
  };
  while (!readdirSync(`/proc/${pid}/task`).every(stands)) {
    if (performance.now() > until) throw new Error(`process ${pid} does not stand still`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
}
