import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CniAnswer, type CniCommand, expectOk, type PluginCall, type PluginRun, runPlugin } from './cni.ts';
import { makeNetns, type TestNetns } from './netns.ts';
import { type SnapshotQuery, snapshot } from './snapshot.ts';

/** A network namespace that stands for a host, with pods and private directories. Disposed, nothing is left. */
export interface CniHost extends Disposable {
  readonly ns: TestNetns;
  readonly pods: readonly TestNetns[];
  readonly stateDir: string;
  /** For `ipam.dataDir`. */
  readonly dataDir: string;
  /** Namespace number `index`; throws where there is none. */
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

/**
 * A host with `count` pods and `lo` up in the host. Forwarding is on, because a plugin turns it on and leaves it on;
 * `forwarding: false` leaves it as a new namespace has it.
 */
export function makeHost(count = 1, { forwarding = true } = {}): CniHost {
  const made: TestNetns[] = [];
  const root = mkdtempSync(join(tmpdir(), 'isth-host-'));
  const dispose = (): void => {
    for (const ns of made) ns[Symbol.dispose]();
    rmSync(root, { recursive: true, force: true });
  };
  try {
    const ns = makeNetns('h');
    made.push(ns);
    ns.ip('link', 'set', 'lo', 'up');
    const on = forwarding ? 1 : 0;
    ns.run('sysctl', '-qw', `net.ipv4.ip_forward=${on}`, `net.ipv6.conf.all.forwarding=${on}`);
    for (let i = 0; i < count; i++) made.push(makeNetns('p'));
    return hostOf(ns, made, root, dispose);
  } catch (error) {
    dispose();
    throw error;
  }
}

function hostOf(ns: TestNetns, made: TestNetns[], root: string, dispose: () => void): CniHost {
  const stateDir = join(root, 'state');
  const dataDir = join(root, 'networks');
  const pod = (index: number): TestNetns => {
    const found = made[index + 1];
    if (found === undefined) throw new Error(`this host has ${made.length - 1} pods`);
    return found;
  };
  const call = ({ pod: index, ...rest }: HostCall): PluginCall => ({
    ...(index === undefined ? {} : { netns: pod(index).path, containerId: `pod${index}`, ifName: 'eth0' }),
    ...rest,
    host: ns.path,
    stateDir,
  });
  return {
    ns,
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
      if (one.command === 'ADD' && one.pod !== undefined) pod(one.pod).ip('link', 'show', made.ifName ?? '');
      return answer;
    },
    snapshot: (options = {}) => snapshot({ ...options, netns: made, stateDir, dataDir }),
    [Symbol.dispose]: dispose,
  };
}
