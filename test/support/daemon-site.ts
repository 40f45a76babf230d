import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, copyFileSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CniAnswer,
  type CniCommand,
  expectOk,
  type PluginCall,
  type PluginRun,
  type RunningPlugin,
  runPlugin,
  startPlugin,
} from './cni.ts';
import { type CniHost, makeHost } from './cni-host.ts';
import { bridgeConf, type NetConf } from './netconf.ts';
import { makeTempDir } from './temp.ts';

/** The directory of the executables; ISTHMUS_TEST_DIST names another build. */
const DIST = resolve(process.env.ISTHMUS_TEST_DIST ?? resolve(import.meta.dirname, '../../dist'));

/** Copies of the three executables, so that a build meanwhile does not matter. `isthmus` is the launcher. */
export interface DaemonBin extends Disposable {
  readonly path: string;
}

export function daemonBin(): DaemonBin {
  const dir = makeTempDir();
  for (const [file, name] of [
    ['launcher', 'isthmus'],
    ['cni-plugin', 'cni-plugin'],
    ['cnm-shim', 'cnm-shim'],
  ] as const) {
    if (!existsSync(join(DIST, file))) throw new Error(`${join(DIST, file)} is missing: run "npm run build"`);
    copyFileSync(join(DIST, file), join(dir.path, name), constants.COPYFILE_FICLONE);
  }
  return dir;
}

/** A daemon that a test has started. */
export interface Daemon {
  readonly pid: number;
  readonly child: ChildProcess;
  /** The log so far. */
  log(): string;
  /** How many calls of this command it has carried out, well or not. */
  served(command: CniCommand): number;
  /** Sends the signal, SIGTERM by default; resolves with the exit code or the name of the signal. */
  end(signal?: NodeJS.Signals): Promise<number | string>;
}

export interface DaemonOptions {
  /** Commands in front of it, each of which execs the next one. */
  readonly prefix?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The command to run instead of the executable, without the verb. */
  readonly program?: readonly string[];
  /** Network namespace other than the host's. */
  readonly netns?: string;
}

export type SiteCall = Partial<Omit<PluginCall, 'command'>> & { readonly pod?: number };

/** A host, the directories of a daemon, and the daemon once it has been started. Dispose deletes all of it. */
export interface DaemonSite extends Disposable {
  readonly host: CniHost;
  readonly bin: string;
  readonly runDir: string;
  readonly config: NetConf;
  /** The one that was started last. */
  readonly daemon: Daemon;
  start(options?: DaemonOptions): Promise<Daemon>;
  /** A call of the launcher, with `config` for pod 0 by default. */
  call(command: CniCommand, more?: SiteCall): PluginCall;
  run(command: CniCommand, more?: SiteCall): PluginRun;
  begin(command: CniCommand, more?: SiteCall): RunningPlugin;
  ok(command: CniCommand, more?: SiteCall): CniAnswer;
}

export interface SiteOptions {
  readonly pods?: number;
  readonly conf?: Readonly<Record<string, unknown>>;
  readonly ipam?: Readonly<Record<string, unknown>>;
}

export function makeSite(bin: DaemonBin, { pods = 2, ...options }: SiteOptions = {}): DaemonSite {
  const host = makeHost(pods);
  const dir = makeTempDir();
  const runDir = join(dir.path, 'run');
  const config = bridgeConf('isthmus', host, options);
  const daemons: Daemon[] = [];
  const call = (command: CniCommand, { pod = 0, ...more }: SiteCall = {}): PluginCall => {
    const env = { ISTHMUS_RUN_DIR: runDir, ...more.env };
    return host.call({ dir: bin.path, name: 'isthmus', pod, config, ...more, env, command });
  };
  return {
    host,
    bin: bin.path,
    runDir,
    config,
    get daemon() {
      const last = daemons.at(-1);
      assert.ok(last !== undefined, 'a daemon was started');
      return last;
    },
    start: async (given = {}) => {
      const log = join(dir.path, `log${daemons.length}`);
      const where = { ISTHMUS_RUN_DIR: runDir, ISTHMUS_STATE_DIR: host.stateDir };
      const daemon = launch(log, {
        program: [join(bin.path, 'cnm-shim')],
        netns: host.ns.path,
        ...given,
        env: { ...where, ...given.env },
      });
      daemons.push(daemon);
      await until(() => daemon.log().includes('event=reconciled') || daemon.child.exitCode !== null);
      assert.equal(daemon.child.exitCode, null, daemon.log());
      return daemon;
    },
    call,
    run: (command, more) => runPlugin(call(command, more)),
    begin: (command, more) => startPlugin(call(command, more)),
    ok: (command, more) => {
      const run = runPlugin(call(command, more));
      const answer = expectOk(run);
      assert.ok(
        command !== 'ADD' || run.json !== undefined,
        `ADD succeeded with no result: ${run.stdout}${run.stderr}`,
      );
      return answer;
    },
    [Symbol.dispose]: () => {
      for (const { child } of daemons) if (isAlive(child)) child.kill('SIGKILL');
      host[Symbol.dispose]();
      dir[Symbol.dispose]();
    },
  };
}

function launch(log: string, { program = [], netns, prefix = [], env }: DaemonOptions): Daemon {
  const err = openSync(log, 'a');
  const words = [`--net=${netns}`, '--', ...prefix, ...program, 'serve'];
  const child = spawn('nsenter', words, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'ignore', err] });
  closeSync(err);
  const ended = once(child, 'exit').then(([code, signal]) => code ?? signal);
  const text = (): string => readFileSync(log, 'utf8');
  return {
    get pid() {
      assert.ok(child.pid !== undefined);
      return child.pid;
    },
    child,
    log: text,
    served: (command) => text().match(new RegExp(` event=${command} `, 'g'))?.length ?? 0,
    end: (signal = 'SIGTERM') => {
      if (isAlive(child)) child.kill(signal);
      return ended;
    },
  };
}

export function isAlive({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

/** Resolves when `condition` holds, which must be so within some seconds. */
export async function until(condition: () => boolean, what = 'the condition', seconds = 10): Promise<void> {
  for (let i = 0; i < seconds * 100; i++) {
    if (condition()) return;
    await sleep(10);
  }
  assert.fail(`${what}: not within ${seconds} s`);
}

/** Asserts that the launcher reports a lost daemon: a CNI error to try again, and an exit code other than 0. */
export function assertAbandoned({ code, json, stdout, stderr }: PluginRun, what = ''): void {
  assert.equal(code, 1, `${what}: ${stdout}${stderr}`);
  assert.equal(json?.code, 11, `${what}: ${stdout}${stderr}`);
  assert.match(json?.msg ?? '', /daemon/, what);
}
