import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CniAnswer,
  type CniCommand,
  environmentOf,
  expectOk,
  inputOf,
  type PluginCall,
  type PluginRun,
  referenceDir,
  runPlugin,
} from './cni.ts';
import { type HostDaemon, makeHostDaemon } from './host-daemon.ts';
import { makeNetns, type TestNetns } from './netns.ts';
import { type SnapshotQuery, snapshot } from './snapshot.ts';
import { pluginFile, VIA, type Via } from './via.ts';

/** A network namespace that acts as a host, with pods and private directories. Dispose deletes all of it. */
export interface CniHost extends Disposable {
  readonly ns: TestNetns;
  readonly pods: readonly TestNetns[];
  readonly stateDir: string;
  /** For `ipam.dataDir`. */
  readonly dataDir: string;
  /** The one that serves this host; absent where calls are answered without. */
  readonly daemon?: HostDaemon;
  /** Namespace number `index`; throws if it does not exist. */
  pod(index: number): TestNetns;
  /** One more pod. */
  addPod(): TestNetns;
  /** Runs a plugin on this host. `pod` sets CNI_NETNS and, where none is given, CNI_CONTAINERID and CNI_IFNAME. */
  run(call: HostCall): PluginRun;
  /** The same, of a call that must succeed; an ADD that leaves no interface in its pod has not. */
  ok(call: HostCall): CniAnswer;
  /** The call as runPlugin and startPlugin take it. */
  call(call: HostCall): PluginCall;
  /** Everything that a plugin could have changed, as text. */
  snapshot(options?: Omit<SnapshotQuery, 'netns' | 'stateDir' | 'dataDir'>): string;
}

export type HostCall = Omit<PluginCall, 'host' | 'stateDir' | 'command'> & {
  readonly command: CniCommand;
  readonly pod?: number;
};

export interface HostOptions {
  /** On by default, because a plugin turns it on and leaves it on; false leaves it as a new namespace has it. */
  readonly forwarding?: boolean;
  readonly via?: Via;
}

/**
 * A host with `count` pods and `lo` up in the host. With a daemon, its own one serves it from the first call on, and
 * dispose throws if a call bypassed it.
 */
export function makeHost(count = 1, { forwarding = true, via = VIA }: HostOptions = {}): CniHost {
  const made: TestNetns[] = [];
  const root = mkdtempSync(join(tmpdir(), 'isth-host-'));
  let daemon: HostDaemon | undefined;
  const dispose = (): void => {
    try {
      daemon?.[Symbol.dispose]();
    } finally {
      for (const ns of made) ns[Symbol.dispose]();
      rmSync(root, { recursive: true, force: true });
    }
  };
  try {
    const ns = makeNetns('h');
    made.push(ns);
    ns.ip('link', 'set', 'lo', 'up');
    const on = forwarding ? 1 : 0;
    ns.run('sysctl', '-qw', `net.ipv4.ip_forward=${on}`, `net.ipv6.conf.all.forwarding=${on}`);
    for (let i = 0; i < count; i++) made.push(makeNetns('p'));
    if (via === 'daemon') daemon = makeHostDaemon(ns.path, root);
    return hostOf(ns, made, root, daemon, dispose);
  } catch (error) {
    dispose();
    throw error;
  }
}

function hostOf(
  ns: TestNetns,
  made: TestNetns[],
  root: string,
  daemon: HostDaemon | undefined,
  dispose: () => void,
): CniHost {
  const stateDir = join(root, 'state');
  const dataDir = join(root, 'networks');
  const pod = (index: number): TestNetns => {
    const found = made[index + 1];
    if (found === undefined) throw new Error(`this host has ${made.length - 1} pods`);
    return found;
  };
  const call = ({ pod: index, ...rest }: HostCall): PluginCall => {
    const made: PluginCall = {
      ...(index === undefined ? {} : { netns: pod(index).path, containerId: `pod${index}`, ifName: 'eth0' }),
      ...rest,
      host: ns.path,
      stateDir,
      ...(daemon === undefined ? {} : { runDir: daemon.runDir }),
    };
    if (isOurs(made)) daemon?.serve();
    if (isOurs(made) && neverAsks(made)) daemon?.excuse();
    return made;
  };
  return {
    ns,
    ...(daemon === undefined ? {} : { daemon }),
    get pods() {
      return made.slice(1);
    },
    stateDir,
    dataDir,
    pod,
    addPod: () => {
      const added = makeNetns('p');
      made.push(added);
      return added;
    },
    call,
    run: (one) => runPlugin(call(one)),
    ok: (one) => {
      const made = call(one);
      const answer = expectOk(runPlugin(made));
      if (isLaunched(made) && one.command !== 'VERSION') daemon?.succeeded();
      if (one.command === 'ADD' && one.pod !== undefined) pod(one.pod).ip('link', 'show', made.ifName ?? '');
      return answer;
    },
    snapshot: (options = {}) => snapshot({ ...options, netns: made, stateDir, dataDir }),
    [Symbol.dispose]: dispose,
  };
}

/** True where nothing of the reference's alone is called. */
function isOurs({ dir, path = dir }: PluginCall): boolean {
  return dir !== referenceDir || path !== referenceDir;
}

/** True where it is neither the reference's nor the stand-alone plugin that is called. */
function isLaunched({ dir, name }: PluginCall): boolean {
  return dir !== referenceDir && realpathSync(join(dir, name)) !== realpathSync(pluginFile);
}

/** A request may be so long. */
const MAX_STDIN = 1 << 20;

/**
 * True for a call that a launcher may leave to the plugin without asking a daemon, or that runs in surroundings which
 * the command in front of it has changed.
 */
function neverAsks(call: PluginCall): boolean {
  const { ISTHMUS_RUN_DIR: runDir, ISTHMUS_STATE_DIR: stateDir = '/' } = environmentOf(call);
  const isElsewhere = runDir !== call.runDir || !stateDir.startsWith('/');
  return isElsewhere || call.prefix !== undefined || Buffer.byteLength(inputOf(call)) > MAX_STDIN;
}
