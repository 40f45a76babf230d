import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentOf, type PluginCall } from '../support/cni.ts';

/**
 * The peak resident memory of a call, in MB of 10^6 bytes: VmHWM, the kernel's own high-water mark, read while strace
 * holds the process at its exit. Throws if the call fails, or without strace.
 */
export function peakMemory(call: PluginCall): number {
  const dir = mkdtempSync(join(tmpdir(), 'isth-peak-'));
  const input = join(dir, 'stdin');
  // A file, because a pipe would need the event loop, which is blocked meanwhile.
  writeFileSync(input, JSON.stringify(call.config ?? {}));
  const stdin = openSync(input, 'r');
  const output = join(dir, 'stdout');
  const stdout = openSync(output, 'w');
  try {
    const child = spawn('strace', [...HOLD_AT_EXIT, join(call.dir, call.name)], {
      env: environmentOf(call),
      stdio: [stdin, stdout, 'ignore'],
    });
    if (child.pid === undefined) throw new Error(`${call.dir}/${call.name} could not be started`);
    let peak = 0;
    for (;;) {
      const kilobytes = highMark(child.pid);
      if (kilobytes === undefined) break;
      peak = Math.max(peak, kilobytes);
    }
    const said = readFileSync(output, 'utf8');
    if (said.includes('"code"')) throw new Error(`${call.command} failed: ${said}`);
    return (peak * 1024) / 1e6;
  } finally {
    closeSync(stdin);
    closeSync(stdout);
    rmSync(dir, { recursive: true, force: true });
  }
}

/** -D: strace runs as a grandchild, so that the started process is the plugin itself. */
const HOLD_AT_EXIT = ['-D', '-f', '-qq', '-o', '/dev/null', '-e', 'inject=exit_group:delay_enter=100000'];

/** VmHWM in kB; undefined for a process that has ended. */
function highMark(pid: number): number | undefined {
  try {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return line === null ? undefined : Number(line[1]);
  } catch {
    return undefined;
  }
}
