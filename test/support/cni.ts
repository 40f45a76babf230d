import { type ChildProcess, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installedFile, VIA, type Via } from './via.ts';

export { pluginFile } from './via.ts';

/** The directory of Debian's containernetworking-plugins. */
export const referenceDir = '/usr/lib/cni';

/** The names that the executable answers to. */
export const pluginNames = [
  'isthmus',
  'bridge',
  'host-local',
  'loopback',
  'static',
  'bandwidth',
  'firewall',
  'portmap',
  'sbr',
  'tuning',
  'dummy',
  'host-device',
  'ipvlan',
  'macvlan',
  'ptp',
  'tap',
  'vlan',
  'vrf',
] as const;

export type CniCommand = 'ADD' | 'DEL' | 'CHECK' | 'STATUS' | 'GC' | 'VERSION';

/** One call of a plugin, as a runtime makes it. Absent keys are not in the plugin's environment. */
export interface PluginCall {
  /** Directory of the executable; also CNI_PATH, unless `path` is given. */
  readonly dir: string;
  /** File name in `dir`. */
  readonly name: string;
  readonly command: CniCommand;
  readonly containerId?: string;
  readonly netns?: string;
  readonly ifName?: string;
  /** CNI_ARGS. */
  readonly args?: string;
  /** CNI_PATH. */
  readonly path?: string;
  /** stdin: text as it is, anything else as JSON. */
  readonly config?: unknown;
  /** Added to the environment, which otherwise holds CNI_*, ISTHMUS_STATE_DIR, ISTHMUS_RUN_DIR and PATH only; undefined removes. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stateDir?: string;
  /** Where a launcher finds its daemon. */
  readonly runDir?: string;
  /** Path of the network namespace to run in; the caller's own by default. */
  readonly host?: string;
  /** Command in front of the executable: `['strace', '-f']`. Runs inside `host`. */
  readonly prefix?: readonly string[];
  /** Milliseconds until SIGKILL; 30 seconds by default. */
  readonly timeout?: number;
}

/** The output of a plugin, for any command and version. */
export interface CniAnswer {
  readonly cniVersion?: string;
  readonly code?: number;
  readonly msg?: string;
  readonly details?: string;
  readonly supportedVersions?: readonly string[];
  readonly interfaces?: readonly CniInterface[];
  readonly ips?: readonly CniIp[];
  readonly routes?: readonly CniRoute[];
  readonly dns?: Readonly<Record<string, unknown>>;
  readonly ip4?: { readonly ip: string; readonly gateway?: string; readonly routes?: readonly CniRoute[] };
  readonly ip6?: { readonly ip: string; readonly gateway?: string; readonly routes?: readonly CniRoute[] };
}

export interface CniInterface {
  readonly name: string;
  readonly mac?: string;
  readonly mtu?: number;
  readonly sandbox?: string;
}

export interface CniIp {
  readonly version?: string;
  readonly address: string;
  readonly gateway?: string;
  readonly interface?: number;
}

export interface CniRoute {
  readonly dst: string;
  readonly gw?: string;
  readonly mtu?: number;
  readonly advmss?: number;
  readonly priority?: number;
}

export interface PluginRun {
  /** Exit status; null where a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as JSON; undefined where it is none. */
  readonly json: CniAnswer | undefined;
}

export interface RunningPlugin {
  readonly child: ChildProcess;
  readonly done: Promise<PluginRun>;
}

/** The plugin has run to its end. */
export function runPlugin(call: PluginCall): PluginRun {
  const { file, args, env, input } = commandLine(call);
  const ran: SpawnSyncReturns<string> = spawnSync(file, args, {
    env,
    input,
    encoding: 'utf8',
    timeout: call.timeout ?? 30_000,
    killSignal: 'SIGKILL',
    maxBuffer: 64 << 20,
  });
  // EPIPE: the plugin has ended without reading its stdin, which its status tells all about.
  if (ran.error !== undefined && ran.status === null && ran.signal === null) throw ran.error;
  return runOf(ran.status, ran.signal, ran.stdout, ran.stderr);
}

/** The plugin has been started; `done` is its end. */
export function startPlugin(call: PluginCall): RunningPlugin {
  const { file, args, env, input } = commandLine(call);
  const child = spawn(file, args, { env, timeout: call.timeout ?? 30_000, killSignal: 'SIGKILL' });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => {}); // EPIPE of a plugin that ends without reading
  child.stdin.end(input);
  const done = new Promise<PluginRun>((settle, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) =>
      settle(runOf(code, signal, Buffer.concat(out).toString(), Buffer.concat(err).toString())),
    );
  });
  return { child, done };
}

/** The same as runPlugin, without blocking. */
export function runPluginAsync(call: PluginCall): Promise<PluginRun> {
  return startPlugin(call).done;
}

/** The answer of a call that must succeed; throws with everything the plugin said. */
export function expectOk(run: PluginRun): CniAnswer {
  if (run.code !== 0) throw new Error(`exit ${run.code ?? run.signal}: ${run.stdout}${run.stderr}`);
  return run.json ?? {};
}

/** A directory in which the executable under test, or the launcher, is installed under every name it answers to. */
export interface PluginDir extends Disposable {
  readonly path: string;
}

/** Throws where it has not been built. */
export function pluginDir(via: Via = VIA): PluginDir {
  const file = installedFile(via);
  const path = mkdtempSync(join(tmpdir(), 'isth-bin-'));
  for (const name of pluginNames) symlinkSync(file, join(path, name));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** The whole environment of a call: nothing of the caller's own but PATH. */
export function environmentOf(call: PluginCall): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    CNI_COMMAND: call.command,
    CNI_PATH: call.path ?? call.dir,
  };
  if (call.containerId !== undefined) env.CNI_CONTAINERID = call.containerId;
  if (call.netns !== undefined) env.CNI_NETNS = call.netns;
  if (call.ifName !== undefined) env.CNI_IFNAME = call.ifName;
  if (call.args !== undefined) env.CNI_ARGS = call.args;
  if (call.stateDir !== undefined) env.ISTHMUS_STATE_DIR = call.stateDir;
  if (call.runDir !== undefined) env.ISTHMUS_RUN_DIR = call.runDir;
  for (const [key, value] of Object.entries(call.env ?? {})) {
    if (value === undefined) delete env[key];
    else env[key] = value;
  }
  return env;
}

/** All that a call writes to stdin. */
export function inputOf({ config }: Pick<PluginCall, 'config'>): string {
  return typeof config === 'string' ? config : JSON.stringify(config ?? {});
}

function commandLine(call: PluginCall): { file: string; args: string[]; env: NodeJS.ProcessEnv; input: string } {
  const words = [...(call.prefix ?? []), join(call.dir, call.name)];
  if (call.host !== undefined) words.unshift('nsenter', `--net=${call.host}`, '--');
  const [file = '', ...args] = words;
  return { file, args, env: environmentOf(call), input: inputOf(call) };
}

function runOf(code: number | null, signal: NodeJS.Signals | null, stdout: string, stderr: string): PluginRun {
  let json: CniAnswer | undefined;
  try {
    json = JSON.parse(stdout);
  } catch {
    json = undefined;
  }
  return { code, signal, stdout, stderr, json };
}
