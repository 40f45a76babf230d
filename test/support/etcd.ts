import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { standStill } from './children.ts';
import { makeNetns, netnsMissing } from './netns.ts';
import { makeTempDir } from './temp.ts';
import { waitFor } from './test-host.ts';

/** A member of an etcd cluster: Debian's etcd in a process of its own. */
export interface EtcdMember {
  readonly name: string;
  /** A socket in the file system, so a client in another network namespace reaches it. */
  readonly endpoint: string;
  /** Of its process; undefined while there is none. */
  readonly pid: number | undefined;
  /** SIGKILL, and its end. */
  kill(): Promise<void>;
  /** Starts it again, with the same flags. */
  start(): Promise<void>;
  /** Kills it, deletes its data, and starts it with the same flags. */
  wipe(): Promise<void>;
  /** Kills it, and starts it with the data of a snapshot. */
  restore(snapshot: string): Promise<void>;
  /** SIGSTOP, SIGCONT. */
  pause(): void;
  resume(): void;
}

/** An etcd cluster in a network namespace of its own. `dispose` ends and deletes all of it. */
export interface EtcdSite extends AsyncDisposable {
  readonly directory: string;
  /** File of its network namespace. */
  readonly netns: string;
  readonly members: readonly EtcdMember[];
  readonly endpoints: readonly string[];
  /** The output of etcdctl, which talks to all members; throws with its stderr. */
  ctl(...args: readonly string[]): string;
}

export interface EtcdSetup {
  /** 1 by default. */
  readonly members?: number;
  /** More flags of etcd. */
  readonly flags?: readonly string[];
  /** Returns etcd's flags for TLS. Then `endpoints` are those with TLS; etcdctl uses others. */
  readonly tls?: (directory: string) => readonly string[];
}

/** The first member's, on the loopback of the site's network namespace. */
export const TCP_PORT = 2479;

/** What tests with etcd lack here, or undefined. */
export function etcdMissing(): string | undefined {
  if (!existsSync('/usr/bin/etcd')) return 'etcd is not installed (Debian: etcd-server)';
  if (!existsSync('/usr/bin/etcdctl')) return 'etcdctl is not installed (Debian: etcd-client)';
  return netnsMissing();
}

/**
 * Flags of several members, half of etcd's defaults (docs/overlay.md). With the defaults a candidate that is early by a
 * tick is ignored, so that one election of ten takes up to four seconds.
 */
const QUICK_ELECTIONS = ['--heartbeat-interval=50', '--election-timeout=500'];

/** In memory: a busy disk takes longer to sync than members wait for each other, and they elect a leader without end. */
const MEMORY = '/dev/shm';

export async function makeEtcd({ members: count = 1, flags = [], tls }: EtcdSetup = {}): Promise<EtcdSite> {
  const temp = makeTempDir(existsSync(MEMORY) ? MEMORY : undefined);
  const ns = makeNetns('etcd');
  ns.ip('link', 'set', 'lo', 'up');
  const secured = tls?.(temp.path);
  const names = Array.from({ length: count }, (_, index) => `m${index + 1}`);
  const peers = names.map((name, index) => `${name}=http://127.0.0.1:${2380 + index}`);
  const members = names.map((name, index) => {
    // etcd 3.4 takes HOST:PORT only, and makes a socket of that name in its directory.
    const urls = [
      `unix://${name}:1`,
      `http://127.0.0.1:${TCP_PORT + index}`,
      ...(secured === undefined ? [] : [`unixs://${name}:2`]),
    ];
    const peer = `http://127.0.0.1:${2380 + index}`;
    const words = [
      ...['etcd', '--name', name, '--data-dir', name, '--logger', 'zap', '--snapshot-count', '10000'],
      ...['--listen-client-urls', urls.join(','), '--advertise-client-urls', urls.join(',')],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', peers.join(','), ...(secured ?? [])],
      ...(count > 1 ? QUICK_ELECTIONS : []),
      ...flags,
    ];
    const endpoint = secured === undefined ? `unix://${temp.path}/${name}:1` : `unixs://${temp.path}/${name}:2`;
    return new Member(name, temp.path, endpoint, ns.path, words);
  });
  const endpoints = members.map(({ endpoint }) => endpoint);
  const site: EtcdSite = {
    directory: temp.path,
    netns: ns.path,
    members,
    endpoints,
    ctl(...args) {
      const words = [`--endpoints=${names.map((name) => `unix://${temp.path}/${name}:1`)}`, ...args];
      const env = { PATH: process.env.PATH ?? '', ETCDCTL_API: '3' };
      return execFileSync('etcdctl', words, {
        encoding: 'utf8',
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 20_000,
      });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(members.map((member) => member.kill()));
      ns[Symbol.dispose]();
      temp[Symbol.dispose]();
    },
  };
  try {
    await Promise.all(members.map((member) => member.start()));
  } catch (error) {
    await site[Symbol.asyncDispose]();
    throw error;
  }
  return site;
}

class Member implements EtcdMember {
  readonly name: string;
  readonly endpoint: string;
  readonly #directory: string;
  readonly #command: readonly string[];
  #child: ChildProcess | undefined;

  constructor(name: string, directory: string, endpoint: string, ns: string, words: readonly string[]) {
    this.name = name;
    this.endpoint = endpoint;
    this.#directory = directory;
    // The kernel ends it with this process, however that ends.
    this.#command = ['nsenter', `--net=${ns}`, 'setpriv', '--pdeathsig', 'KILL', ...words];
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    const log = join(this.#directory, `${this.name}.log`);
    // A killed one leaves its socket, and etcd does not take it over.
    for (const file of [log, ...['1', '2'].map((port) => join(this.#directory, `${this.name}:${port}`))])
      rmSync(file, { force: true });
    const file = openSync(log, 'a');
    const [command = '', ...args] = this.#command;
    const child = spawn(command, args, { cwd: this.#directory, stdio: ['ignore', file, file] });
    closeSync(file);
    this.#child = child;
    await waitFor(`etcd ${this.name} serves`, () => {
      const text = readFileSync(log, 'utf8');
      if (child.exitCode !== null) throw new Error(`etcd ended with ${child.exitCode}\n${text.slice(-3_000)}`);
      return /serving client traffic|ready to serve client requests/.test(text);
    });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async wipe(): Promise<void> {
    await this.kill();
    rmSync(join(this.#directory, this.name), { recursive: true, force: true });
    await this.start();
  }

  async restore(snapshot: string): Promise<void> {
    await this.kill();
    rmSync(join(this.#directory, this.name), { recursive: true, force: true });
    const flag = (name: string): string => this.#command[this.#command.indexOf(name) + 1] ?? '';
    const names = ['--name', '--initial-cluster', '--initial-advertise-peer-urls', '--data-dir'];
    const flags = names.flatMap((name) => [name, flag(name)]);
    const env = { PATH: process.env.PATH ?? '', ETCDCTL_API: '3' };
    // Its place since 3.5; etcdctl of 3.6 has it no more.
    const tool = existsSync('/usr/bin/etcdutl') ? 'etcdutl' : 'etcdctl';
    execFileSync(tool, ['snapshot', 'restore', snapshot, ...flags], { cwd: this.#directory, env, stdio: 'pipe' });
    await this.start();
  }

  pause(): void {
    if (this.#child?.pid !== undefined) standStill(this.#child.pid);
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }
}
