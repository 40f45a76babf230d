import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { bundled } from './bundled.ts';
import { COMPILE_CACHE } from './compile-cache.ts';
import { makeNetns, type TestNetns } from './netns.ts';

const ROOT = resolve(import.meta.dirname, '../..');
/** The daemon from its sources, as its executable is made of. */
const SOURCE = join(ROOT, 'cmd/cnm-shim/main.ts');

export interface ServeOptions {
  /** Options of `serve`, after the directories. */
  readonly args?: readonly string[];
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Command in front of the daemon's: `['setpriv', …]`. */
  readonly prefix?: readonly string[];
  /** A module that is loaded into the daemon's process first. */
  readonly preload?: string;
  /** The target of its stderr; by default a pipe that is read continuously. */
  readonly stderr?: number;
}

/** A daemon that has been started. Killed, where it still runs, at the end of `using`'s block. */
export interface Serving extends Disposable {
  readonly process: ChildProcess;
  readonly pid: number;
  /** The log so far. */
  readonly lines: readonly string[];
  /** When it has logged a line like this; rejects when it ends without. */
  line(pattern: RegExp): Promise<string>;
  /** Exit code, or the signal's name. */
  readonly end: Promise<number | string>;
}

/** A network namespace with directories for one daemon. */
export interface ServeSite extends Disposable {
  readonly ns: TestNetns;
  readonly root: string;
  readonly runDir: string;
  readonly stateDir: string;
  /** `<runDir>/cni.sock`. */
  readonly socket: string;
  start(options?: ServeOptions): Serving;
}

export function makeServeSite(): ServeSite {
  const ns = makeNetns('s');
  const root = mkdtempSync(join(tmpdir(), 'isth-serve-'));
  const [runDir, stateDir] = [join(root, 'run'), join(root, 'state')];
  ns.ip('link', 'set', 'lo', 'up');
  return {
    ns,
    root,
    runDir,
    stateDir,
    socket: join(runDir, 'cni.sock'),
    start: (options) => start(ns, ['--run-dir', runDir, '--state-dir', stateDir], options),
    [Symbol.dispose]: () => {
      ns[Symbol.dispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** nsenter and what is given as `prefix` become the daemon by exec, so that the process is the daemon's. */
function start(ns: TestNetns, directories: readonly string[], options: ServeOptions = {}): Serving {
  const { args = [], env = {}, prefix = [], preload, stderr } = options;
  // A preloaded module shares the daemon's modules: they have to be those of the sources.
  const script = preload === undefined ? [bundled(SOURCE)] : ['--import', preload, SOURCE];
  const program = [process.execPath, '--no-warnings', ...script];
  const command = [`--net=${ns.path}`, ...prefix, ...program, 'serve', ...directories, ...args];
  const child = spawn('nsenter', command, {
    env: { PATH: process.env.PATH ?? '', ...COMPILE_CACHE, ...env },
    stdio: ['ignore', 'inherit', stderr ?? 'pipe'],
  });
  return follow(child);
}

function follow(child: ChildProcess): Serving {
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    for (const wake of waiting) wake();
  });
  const end = new Promise<number | string>((done) => {
    child.on('close', (code, signal) => done(signal ?? code ?? -1));
  });
  const line = (pattern: RegExp): Promise<string> =>
    new Promise((found, reject) => {
      const wake = (): void => {
        const match = lines.find((text) => pattern.test(text));
        if (match === undefined) return;
        waiting.delete(wake);
        found(match);
      };
      waiting.add(wake);
      void end.then((code) => reject(new Error(`ended with ${code} before ${pattern}:\n${lines.join('\n')}\n${rest}`)));
      wake();
    });
  return {
    process: child,
    pid: child.pid ?? -1,
    lines,
    line,
    end,
    [Symbol.dispose]: () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    },
  };
}
