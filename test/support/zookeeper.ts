import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { makeNetns, netnsMissing, type TestNetns } from './netns.ts';
import { makeTempDir } from './temp.ts';

/** A member of a ZooKeeper ensemble: Debian's ZooKeeper in a process of its own. */
export interface ZooKeeperMember {
  readonly name: string;
  /** A socket in the file system, so a client in another network namespace reaches it. */
  readonly endpoint: string;
  /** SIGKILL, and its end. */
  kill(): Promise<void>;
  /** Starts it again, with its data; waits until it serves, except for `false`. */
  start(isServing?: boolean): Promise<void>;
  /** Kills it, deletes its data, and starts it with the same configuration. */
  wipe(): Promise<void>;
  /** SIGSTOP, SIGCONT. */
  pause(): void;
  resume(): void;
  /** Its answer to `srvr`; empty while it has none. */
  describe(): Promise<string>;
}

/** An ensemble in a network namespace of its own. `dispose` ends and deletes all of it. */
export interface ZooKeeperSite extends AsyncDisposable {
  readonly directory: string;
  readonly ns: TestNetns;
  readonly members: readonly ZooKeeperMember[];
  readonly endpoints: readonly string[];
}

export interface ZooKeeperSetup {
  /** 1 by default. */
  readonly members?: number;
  /** More lines of zoo.cfg. */
  readonly settings?: readonly string[];
}

/** The first member's port, on every address of the site's network namespace. */
export const ZK_PORT = 2181;

const JARS = ['zookeeper.jar', 'slf4j-simple.jar'].map((name) => `/usr/share/java/${name}`);
/** In memory, as etcd's: a busy disk takes longer to sync than members wait for each other. */
const MEMORY = '/dev/shm';

/** What tests with ZooKeeper lack here, or undefined. */
export function zooKeeperMissing(): string | undefined {
  const absent = JARS.find((jar) => !existsSync(jar));
  if (absent !== undefined) return `${absent} is not there (Debian: libzookeeper-java)`;
  if (!existsSync('/usr/bin/java')) return 'java is not installed (Debian: default-jre-headless)';
  return netnsMissing();
}

/** Runs ZooKeeper with this configuration. */
export function zooKeeperCommand(file: string): string[] {
  const java = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];
  // Otherwise its log takes 64 MB from the start.
  const options = ['-Dzookeeper.preAllocSize=1024', '-cp', JARS.join(':')];
  return ['java', ...java, ...options, 'org.apache.zookeeper.server.quorum.QuorumPeerMain', file];
}

export async function makeZooKeeper(setup: ZooKeeperSetup = {}): Promise<ZooKeeperSite> {
  const { members: count = 1, settings = [] } = setup;
  await using opened = new AsyncDisposableStack();
  const temp = opened.use(makeTempDir(existsSync(MEMORY) ? MEMORY : undefined));
  const ns = opened.use(makeNetns('zk'));
  ns.ip('link', 'set', 'lo', 'up');
  const peers = Array.from({ length: count }, (_, i) => `server.${i + 1}=127.0.0.1:${2888 + i}:${3888 + i}`);
  const members = Array.from({ length: count }, (_, index) => {
    const directory = join(temp.path, `m${index + 1}`);
    mkdirSync(directory);
    const lines = [
      ...['tickTime=1000', 'initLimit=10', 'syncLimit=5', 'maxSessionTimeout=60000', 'admin.enableServer=false'],
      ...[`dataDir=${directory}/data`, `clientPort=${ZK_PORT + index}`, ...(count > 1 ? peers : []), ...settings],
    ];
    writeFileSync(join(directory, 'zoo.cfg'), `${lines.join('\n')}\n`);
    return new Member(index + 1, directory, `${temp.path}/m${index + 1}.sock`, ns.path);
  });
  const end = (): Promise<unknown> => Promise.all(members.map((member) => member.kill()));
  opened.defer(async () => void (await end()));
  const routes = members.map(({ path }, index) => `${path}=${ZK_PORT + index}`);
  const script = join(import.meta.dirname, 'socket-to-port.ts');
  const command = ['nsenter', `--net=${ns.path}`, 'setpriv', '--pdeathsig', 'KILL', process.execPath];
  const tunnel = run([...command, '--no-warnings', script, ...routes], temp.path, 'pipe');
  opened.defer(() => killed(tunnel));
  await once(tunnel.stdout ?? tunnel, 'data');
  await Promise.all(members.map((member) => member.start()));
  const stack = opened.move();
  return {
    ...{ directory: temp.path, ns, members, endpoints: members.map(({ endpoint }) => endpoint) },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

class Member implements ZooKeeperMember {
  readonly name: string;
  readonly path: string;
  readonly #id: number;
  readonly #directory: string;
  readonly #command: readonly string[];
  #child: ChildProcess | undefined;

  constructor(id: number, directory: string, path: string, ns: string) {
    this.name = `m${id}`;
    this.path = path;
    this.#id = id;
    this.#directory = directory;
    this.#command = ['nsenter', `--net=${ns}`, 'setpriv', '--pdeathsig', 'KILL', ...zooKeeperCommand('zoo.cfg')];
  }

  get endpoint(): string {
    return `unix://${this.path}`;
  }

  async start(isServing = true): Promise<void> {
    mkdirSync(join(this.#directory, 'data'), { recursive: true });
    writeFileSync(join(this.#directory, 'data/myid'), String(this.#id));
    const child = run(this.#command, this.#directory, join(this.#directory, 'log'));
    this.#child = child;
    const end = Date.now() + 30_000;
    while (isServing && !(await this.describe()).includes('Mode:')) {
      const log = (): string => readFileSync(join(this.#directory, 'log'), 'utf8').slice(-3_000);
      if (child.exitCode !== null) throw new Error(`ZooKeeper ended with ${child.exitCode}\n${log()}`);
      if (Date.now() > end) throw new Error(`ZooKeeper ${this.name} does not serve\n${log()}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async kill(): Promise<void> {
    if (this.#child !== undefined) await killed(this.#child);
  }

  async wipe(): Promise<void> {
    await this.kill();
    rmSync(join(this.#directory, 'data'), { recursive: true, force: true });
    await this.start();
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async describe(): Promise<string> {
    let text = '';
    const socket = connect(this.path, () => socket.write('srvr'));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on('data', (bytes) => {
      text += bytes;
    });
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('close', resolve));
    return text;
  }
}

function run(words: readonly string[], cwd: string, output: string): ChildProcess {
  const [command = '', ...args] = words;
  if (output === 'pipe') return spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  const file = openSync(output, 'w');
  const child = spawn(command, args, { cwd, stdio: ['ignore', file, file] });
  closeSync(file);
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
