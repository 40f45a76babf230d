import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CLAIM_MS } from '../../src/shared/runtime/cni/protocol.ts';
import { built, daemonFile } from './via.ts';

/** Commands that a daemon answers. */
const SERVED = ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC'];

/** Why a daemon may leave a call to the stand-alone plugin without anything being wrong. */
const GOOD_REASONS = [
  'the caller has another state directory',
  'the caller is another host',
  'the caller has a log of its own',
  'CNI_NETNS is not a network namespace',
  'files of another mount namespace are needed',
];

/** The outcome of the calls, from the daemon's log and from the witness that replaces the stand-alone plugin. */
export interface Account {
  /** Calls that the daemon has carried out. */
  readonly served: number;
  /** Calls that it left to the plugin for a good reason. */
  readonly declined: number;
  /** For any other reason: why. */
  readonly suspicious: readonly string[];
  /** Calls that it did not come to in the time that it has for that, as on a machine that is too busy. */
  readonly late: number;
  /** The calls that the plugin has carried out for other reasons: command and container. */
  readonly alone: readonly string[];
}

/** The options of a daemon whose log an account can be made of. */
export const DAEMON_ARGS = ['serve', '--log-level', 'debug'] as const;

/** Its run directory exists, and the witness writes to it. */
export function prepareRunDir(runDir: string): void {
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  writeFileSync(join(runDir, 'alone'), '');
}

export function accountOf(log: string, runDir: string): Account {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : [];
  const events = lines.map((line) => /\bevent=(\S+)/.exec(line)?.[1] ?? '');
  const reasons = lines.filter((_, i) => events[i] === 'declined');
  const isGood = (line: string): boolean => GOOD_REASONS.some((why) => line.includes(why));
  const witness = join(runDir, 'alone');
  const lost = (existsSync(witness) ? readFileSync(witness, 'utf8').split('\n') : [])
    .map((line) => line.split(' '))
    .filter(([command = '']) => SERVED.includes(command));
  const alone = lost.filter(([, , age]) => Number(age) < CLAIM_MS);
  return {
    served: events.filter((event) => SERVED.includes(event)).length,
    declined: reasons.filter(isGood).length,
    suspicious: reasons.filter((line) => !isGood(line)),
    late: lost.length - alone.length,
    alone: alone.map(([command, container]) => `${command} ${container}`),
  };
}

/**
 * Throws where calls were not the daemon's that should have been: so many have succeeded, and `excused` are how many
 * never asked it.
 */
export function assertServed(account: Account, succeeded: number, excused = 0): void {
  const { served, declined, suspicious, late, alone } = account;
  const faults = [...suspicious];
  if (alone.length > declined + excused) {
    faults.push(`${alone.length} calls were answered without the daemon (${alone.slice(0, 5).join(', ')}, …)`);
  }
  if (served + late + alone.length < succeeded)
    faults.push(`${succeeded} calls succeeded, and ${served} are in its log`);
  if (faults.length === 0) return;
  const good = `${declined} were declined with good reason, ${excused} never ask`;
  throw new Error(`the daemon was passed by: ${faults.join('\n')} (${good})`);
}

/** A daemon that serves one network namespace. */
export interface TestDaemon {
  readonly pid: number;
  /** File that it logs to. */
  readonly log: string;
  /** Stops it by SIGTERM. Throws if it exited before, or does not exit within ten seconds (then by SIGKILL). */
  end(): void;
  /** Kills it, at any point of its work. */
  kill(): void;
}

export interface DaemonPlace {
  /** Path of the network namespace. */
  readonly netns: string;
  readonly runDir: string;
  readonly stateDir: string;
  readonly log: string;
  /** Added to its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

const START_MS = 20_000;
const END_MS = 10_000;

/** The daemon serves. Waits without turning the event loop, as the calls of the tests do. */
export function startDaemon({ netns, runDir, stateDir, log, env = {} }: DaemonPlace): TestDaemon {
  const started = countOf(log, 'daemon.start');
  const out = openSync(log, 'a');
  const where = ['--run-dir', runDir, '--state-dir', stateDir];
  const child = spawn('nsenter', [`--net=${netns}`, built(daemonFile), ...DAEMON_ARGS, ...where], {
    stdio: ['ignore', out, out],
    env: { PATH: process.env.PATH, ...env },
  });
  closeSync(out);
  // A test that forgets to dispose must not keep the process alive.
  child.unref();
  const killed = (): void => void child.kill('SIGKILL');
  process.once('exit', killed);
  try {
    waitUntil(`a daemon serves ${netns}`, START_MS, () => {
      if (!isAlive(child)) throw new Error(`the daemon ended\n${readFileSync(log, 'utf8')}`);
      return countOf(log, 'daemon.start') > started;
    });
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  const gone = (signal: NodeJS.Signals): void => {
    child.kill(signal);
    waitUntil(`the daemon ends by ${signal}`, END_MS, () => !isAlive(child));
    process.off('exit', killed);
  };
  return {
    pid: child.pid ?? -1,
    log,
    end: () => {
      if (!isAlive(child)) throw new Error(`the daemon had ended already\n${tail(log)}`);
      try {
        gone('SIGTERM');
      } catch (error) {
        gone('SIGKILL');
        throw new Error(`${error instanceof Error ? error.message : error}\n${tail(log)}`);
      }
    },
    kill: () => gone('SIGKILL'),
  };
}

/** True until it has exited, even if nobody has been notified. */
function isAlive(child: ChildProcess): boolean {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return false;
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${child.pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

function countOf(log: string, event: string): number {
  return existsSync(log) ? readFileSync(log, 'utf8').split(`event=${event} `).length - 1 : 0;
}

function tail(log: string): string {
  return readFileSync(log, 'utf8').split('\n').slice(-20).join('\n');
}

function waitUntil(what: string, ms: number, condition: () => boolean): void {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }
}
