import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * A machine inside the machine: own network, mount and pid namespaces, with private /run, /etc, /opt and /var in which
 * daemons may write freely. PID 1 is outside its network namespace, so nothing confuses it with the real host.
 * `dispose`, or any end of this process, deletes all of it and whatever runs in it.
 */
export interface TestHost extends AsyncDisposable {
  /** Unique, at most 15 characters: name for what outlives a namespace, such as a cgroup. */
  readonly name: string;
  /** The command that runs another one in it. */
  readonly enter: readonly string[];
  /** The same file as seen from outside. */
  outside(path: string): string;
  /** Output of a command that has to succeed; throws with all that it said. */
  run(file: string, ...args: readonly string[]): string;
  /** The end of a command, however it ends. */
  attempt(command: readonly string[], options?: AttemptOptions): Attempt;
  /** A file of the host is there, its directories too. */
  write(path: string, text: string): void;
  /** A daemon has been started; `until` has come true for it. */
  start(name: string, command: readonly string[], until: () => boolean): Promise<Daemon>;
  /** The output of each daemon so far, newest lines only. */
  logs(): string;
}

export interface AttemptOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds; 30 seconds by default. */
  readonly timeout?: number;
}

export interface Attempt {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Daemon {
  readonly name: string;
  /** Resolves once it exited, by itself or not. */
  readonly ended: Promise<unknown>;
  /** Stops it by SIGTERM; by SIGKILL after five seconds. */
  stop(): Promise<void>;
}

const SCRIPT = join(import.meta.dirname, 'test-host.sh');
const ENV = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LANG: 'C.UTF-8' };

/** `env` is added to the environment of every command and daemon. */
export async function makeTestHost(env: Readonly<Record<string, string>> = {}): Promise<TestHost> {
  const name = `isth-${randomBytes(4).toString('hex')}`;
  // Its own session: an interrupt from the terminal reaches this process only, whose end then closes the pipe.
  const holder = spawn('sh', [SCRIPT, 'hold', name], { detached: true, stdio: 'pipe', env: ENV });
  const ended = once(holder, 'exit');
  const pid = await firstLine(holder);
  holder.stdout.destroy();
  holder.stderr.destroy();
  // A test that forgets to dispose must not keep the process alive.
  holder.unref();
  unrefPipe(holder.stdin);
  const enter = ['nsenter', `--target=${pid}`, '--mount', '--pid', `--net=/proc/${pid}/root/run/isth/net`, '--'];
  return hostAt({
    ...{ name, enter, env },
    root: `/proc/${pid}/root`,
    async dispose() {
      holder.ref();
      holder.stdin.end();
      await ended;
    },
  });
}

/** A machine that runs already. */
export interface Place {
  readonly name: string;
  /** Runs a command in it. */
  readonly enter: readonly string[];
  /** Its root directory, as seen from outside. */
  readonly root: string;
  readonly env?: Readonly<Record<string, string>>;
  dispose(): Promise<void>;
}

/** The machine there, for tests. It has directories /run/isth and /run/isth/log. */
export function hostAt({ name, enter, root, env = {}, dispose }: Place): TestHost {
  const outside = (path: string): string => `${root}${path}`;
  const daemons: string[] = [];

  const attempt = (command: readonly string[], options: AttemptOptions = {}): Attempt => {
    const [file = '', ...args] = [...enter, ...command];
    const ran = spawnSync(file, args, {
      encoding: 'utf8',
      env: { ...ENV, ...env, ...options.env },
      input: options.input ?? '',
      timeout: options.timeout ?? 30_000,
      killSignal: 'SIGKILL',
      maxBuffer: 64 << 20,
    });
    if (ran.error !== undefined) throw new Error(`${command.join(' ')}: ${ran.error.message}\n${ran.stderr}`);
    return { code: ran.status, stdout: ran.stdout, stderr: ran.stderr };
  };

  const run = (...command: string[]): string => {
    const { code, stdout, stderr } = attempt(command);
    if (code !== 0) throw new Error(`${command.join(' ')}: exit ${code}\n${stdout}${stderr}`);
    return stdout;
  };

  const logs = (): string =>
    daemons.map((daemon) => `--- ${daemon}\n${tail(outside(`/run/isth/log/${daemon}`))}`).join('\n');

  return {
    name,
    enter,
    outside,
    run,
    attempt,
    write(path, text) {
      mkdirSync(dirname(outside(path)), { recursive: true });
      writeFileSync(outside(path), text);
    },
    async start(daemon, command, until) {
      daemons.push(daemon);
      const log = openSync(outside(`/run/isth/log/${daemon}`), 'a');
      // The shell says which pid the daemon has on the inside before it becomes the daemon.
      const pidFile = `/run/isth/${daemon}.pid`;
      const words = [...enter, 'sh', '-c', `echo $$ >${pidFile}; exec "$@"`, daemon, ...command];
      rmSync(outside(pidFile), { force: true });
      const child = spawn(words[0] ?? '', words.slice(1), { stdio: ['ignore', log, log], env: { ...ENV, ...env } });
      closeSync(log);
      const ended = once(child, 'exit');
      let inner = '';
      await waitFor(`${daemon} is ready`, () => {
        if (child.exitCode !== null) throw new Error(`${daemon} ended with ${child.exitCode}\n${logs()}`);
        inner = existsSync(outside(pidFile)) ? readFileSync(outside(pidFile), 'utf8').trim() : '';
        return inner !== '' && until();
      });
      // The shell's own: a small Debian has no /bin/kill.
      const signal = (which: string): void => void attempt(['sh', '-c', `kill -${which} ${inner}`]);
      return { name: daemon, ended, stop: () => stop(ended, signal) };
    },
    logs,
    [Symbol.asyncDispose]: dispose,
  };
}

/** `condition` has come true, or an error says that it has not within `ms`. */
export async function waitFor(what: string, condition: () => boolean, ms = 15_000): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** False where `work` throws: a condition of `waitFor`. */
export function succeeds(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

async function stop(ended: Promise<unknown>, signal: (name: string) => void): Promise<void> {
  signal('TERM');
  const timer = setTimeout(() => signal('KILL'), 5_000);
  await ended;
  clearTimeout(timer);
}

function firstLine(holder: ChildProcess): Promise<string> {
  const said: string[] = [];
  holder.stderr?.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  const { stdout } = holder;
  if (stdout === null) throw new Error('no pipe to the test host');
  return new Promise((resolve, reject) => {
    createInterface({ input: stdout }).once('line', resolve);
    holder.once('exit', (code) => reject(new Error(`the test host ended with ${code}\n${said.join('')}`)));
  });
}

function unrefPipe(pipe: object): void {
  if ('unref' in pipe && typeof pipe.unref === 'function') pipe.unref();
}

function tail(file: string): string {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(-40).join('\n');
  } catch (error) {
    return String(error);
  }
}
