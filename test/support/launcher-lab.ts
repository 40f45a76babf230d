import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildLauncher, compileStatic } from '../../build/launcher.ts';
import type { CniAnswer } from './cni.ts';
import { makeTempDir } from './temp.ts';

/** A call of the launcher, as a runtime makes it. */
export interface LauncherCall {
  /** CNI_COMMAND; ADD by default, undefined for none. */
  readonly command?: string | undefined;
  readonly argv0?: string;
  readonly args?: readonly string[];
  /** Added to the environment; undefined removes. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The content of stdin; a descriptor; or `open`, a pipe without data that never ends. */
  readonly stdin?: string | Buffer | number | 'open';
  readonly stdout?: number;
  /** Command in front of the launcher, which it has to become. */
  readonly prefix?: readonly string[];
  readonly uid?: number;
}

/** The call that the stand-in for the plugin received. */
export interface StandInCall {
  readonly argv: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  /** The target of each descriptor. */
  readonly fds: ReadonlyMap<number, string>;
  readonly stdin: Buffer;
}

export interface LauncherRun {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as JSON; undefined where it is none. */
  readonly json: CniAnswer | undefined;
  /** Undefined where the plugin was not called. */
  readonly standIn: StandInCall | undefined;
}

/** The launcher in a separate directory, as `isthmus`, and a stand-in for the plugin next to it. */
export interface LauncherLab extends Disposable {
  readonly path: string;
  readonly launcher: string;
  /** The path of the stand-in, or of whatever a test puts there. */
  readonly plugin: string;
  /** ISTHMUS_RUN_DIR and ISTHMUS_STATE_DIR of the calls. */
  readonly runDir: string;
  readonly stateDir: string;
  start(call?: LauncherCall): { readonly child: ChildProcess; readonly done: Promise<LauncherRun> };
  run(call?: LauncherCall): Promise<LauncherRun>;
  /** Launcher and stand-in are as they were at first. */
  restore(): void;
  /** Descriptors of a stand-in that is called without a launcher. */
  readonly inherited: readonly number[];
}

/** Exit code of the stand-in. */
export const STAND_IN = 7;

export const CONFIG = JSON.stringify({ cniVersion: '1.0.0', name: 'web', type: 'isthmus' });

/** Launcher and stand-in are compiled and in place. */
export function makeLauncherLab(): LauncherLab {
  const dir = makeTempDir();
  const at = (name: string): string => join(dir.path, name);
  const [launcher, plugin] = [at('bin/isthmus'), at('bin/cni-plugin')];
  const [runDir, stateDir] = [at('run'), at('state')];
  buildLauncher(at('made/isthmus'));
  compileStatic([join(import.meta.dirname, 'launcher-stand-in.c')], at('made/cni-plugin'));
  for (const made of [at('bin'), runDir, stateDir]) mkdirSync(made);
  // Another user is to call it too.
  for (const open of [dir.path, at('bin'), runDir]) chmodSync(open, 0o777);
  const restore = (): void => {
    for (const file of [launcher, plugin]) {
      rmSync(file, { recursive: true, force: true });
      copyFileSync(at(`made/${file === launcher ? 'isthmus' : 'cni-plugin'}`), file);
    }
  };
  const start: LauncherLab['start'] = (call = {}) => {
    for (const part of PARTS) rmSync(`${plugin}.${part}`, { force: true });
    const { stdin = CONFIG, stdout = 'pipe', prefix = [], args = [] } = call;
    const [file = '', ...words] = [...prefix, launcher, ...args];
    const child = spawn(file, words, {
      env: environmentOf(call, { ISTHMUS_RUN_DIR: runDir, ISTHMUS_STATE_DIR: stateDir }),
      stdio: [typeof stdin === 'number' ? stdin : 'pipe', stdout, 'pipe'],
      timeout: 30_000,
      killSignal: 'SIGKILL',
      ...(call.argv0 === undefined ? {} : { argv0: call.argv0 }),
      ...(call.uid === undefined ? {} : { uid: call.uid }),
    });
    child.stdin?.on('error', () => {}); // EPIPE of a launcher that does not read to the end
    if (stdin !== 'open' && typeof stdin !== 'number') child.stdin?.end(stdin);
    return { child, done: endOf(child, () => standInCall(plugin)) };
  };
  restore();
  spawnSync(plugin, { stdio: 'pipe' });
  const inherited = [...(standInCall(plugin)?.fds.keys() ?? [])];
  return {
    ...{ path: dir.path, launcher, plugin, runDir, stateDir, start, restore, inherited },
    run: (call) => start(call).done,
    [Symbol.dispose]: () => dir[Symbol.dispose](),
  };
}

const PARTS = ['cmdline', 'environ', 'fds', 'stdin'] as const;

function environmentOf(call: LauncherCall, lab: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { PATH: process.env.PATH, CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0', ...lab };
  const command = 'command' in call ? call.command : 'ADD';
  if (command !== undefined) env.CNI_COMMAND = command;
  for (const [name, value] of Object.entries(call.env ?? {})) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return env;
}

function endOf(child: ChildProcess, standIn: () => StandInCall | undefined): Promise<LauncherRun> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (piece: Buffer) => out.push(piece));
  child.stderr?.on('data', (piece: Buffer) => err.push(piece));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const [stdout, stderr] = [Buffer.concat(out).toString(), Buffer.concat(err).toString()];
      resolve({ code, signal, stdout, stderr, json: parse(stdout), standIn: standIn() });
    });
  });
}

function parse(text: string): CniAnswer | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function standInCall(plugin: string): StandInCall | undefined {
  if (!existsSync(`${plugin}.fds`)) return undefined;
  const read = (part: (typeof PARTS)[number]): Buffer => readFileSync(`${plugin}.${part}`);
  const words = (part: 'cmdline' | 'environ'): string[] => read(part).toString().split('\0').slice(0, -1);
  const lines = read('fds').toString().trimEnd().split('\n');
  const fds = new Map(lines.map((line) => [Number.parseInt(line, 10), line.replace(/^\d+ /, '')]));
  return { argv: words('cmdline'), env: words('environ'), fds, stdin: read('stdin') };
}
