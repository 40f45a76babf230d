import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pluginFile } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { compileNoOp } from './spawner.ts';

/** Copies of the measured executables: a build meanwhile does not change them. */
export interface Programs extends Disposable {
  /** Holds the launcher as `isthmus` without a stand-alone plugin: calls that the daemon does not accept fail. */
  readonly dir: string;
  readonly daemon: string;
}

export function copyPrograms(): Programs {
  const dist = join(pluginFile, '..');
  const dir = mkdtempSync(join(tmpdir(), 'isth-bin-'));
  const dispose = (): void => rmSync(dir, { recursive: true, force: true });
  try {
    copyFileSync(join(dist, 'launcher'), join(dir, 'isthmus'));
    copyFileSync(join(dist, 'cnm-shim'), join(dir, 'cnm-shim'));
    compileNoOp(join(dir, 'cni-plugin'), 'the daemon did not take the call', 1);
  } catch (error) {
    dispose();
    throw error;
  }
  return { dir, daemon: join(dir, 'cnm-shim'), [Symbol.dispose]: dispose };
}

/** A daemon, and the host whose namespace it runs in. */
export interface Daemon extends AsyncDisposable {
  readonly host: CniHost;
  readonly runDir: string;
  readonly pid: number;
  /** Resident memory in MB of 10^6 bytes, read from the kernel now. */
  rss(): number;
}

const START_MS = 10_000;

/** Starts a daemon for the host, without pods; its log file of every call is deleted with it. */
export async function startDaemon({ daemon }: Programs): Promise<Daemon> {
  const host = makeHost(0);
  const dir = mkdtempSync(join(tmpdir(), 'isth-run-'));
  const runDir = join(dir, 'run');
  const log = join(dir, 'log');
  const stderr = openSync(log, 'w');
  const args = [`--net=${host.ns.path}`, '--', daemon, 'serve', '--run-dir', runDir, '--state-dir', host.stateDir];
  const child = spawn('nsenter', [...args, '--log-level', 'info'], { stdio: ['ignore', 'ignore', stderr] });
  closeSync(stderr);
  const dispose = async (): Promise<void> => {
    await end(child);
    rmSync(dir, { recursive: true, force: true });
    host[Symbol.dispose]();
  };
  const limit = performance.now() + START_MS;
  while (!existsSync(join(runDir, 'cni.sock')) || !/daemon\.start/.test(readFileSync(log, 'utf8'))) {
    if (child.exitCode === null && performance.now() < limit) {
      await sleep(10);
      continue;
    }
    const said = readFileSync(log, 'utf8');
    await dispose();
    throw new Error(`the daemon did not start: ${said}`);
  }
  const { pid = 0 } = child;
  return { host, runDir, pid, rss: () => residentMB(pid), [Symbol.asyncDispose]: dispose };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  if ((await Promise.race([ended, sleep(START_MS, 'late', { ref: false })])) !== 'late') return;
  child.kill('SIGKILL');
  await ended;
}

function residentMB(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return (Number(line?.[1]) * 1024) / 1e6;
}
