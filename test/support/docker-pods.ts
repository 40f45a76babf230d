import { strict as assert } from 'node:assert';
import { binDir } from './e2e.ts';
import { type Container, makeRuntime, type NetworkList, type Runtime } from './runtime.ts';
import type { Attempt, TestHost } from './test-host.ts';
import { type Agent, startAgent } from './traffic.ts';
import { installedFile, type Via } from './via.ts';

/** The network that both camps are on. */
export const SHARED = 'web';
export const SUBNET = '10.88.0.0/24';
export const BRIDGE = 'isth-web';

/** Options of `docker network create` that make Docker's network this one. */
export const JOIN: readonly string[] = [
  ...['--ipam-driver', 'isthmus', '--ipam-opt', `network=${SHARED}`],
  ...['-o', `network=${SHARED}`],
];

/** A CNI configuration of the shared network; `more` is added to its element. */
export function webList(more: Readonly<Record<string, unknown>> = {}): NetworkList {
  return {
    name: SHARED,
    cniVersion: '1.1.0',
    disableCheck: false,
    plugins: [
      {
        ...{ type: 'isthmus', driver: 'bridge', bridge: BRIDGE, isGateway: true, ipMasq: true, hairpinMode: true },
        capabilities: { portMappings: true },
        ipam: { ranges: [[{ subnet: SUBNET }]], routes: [{ dst: '0.0.0.0/0' }] },
        ...more,
      },
    ],
  };
}

/** The plugin directory for each way that calls can take. */
const DIRS: Readonly<Record<Via, string>> = { alone: binDir, daemon: '/opt/cni/launched' };

/** Pods in a test host, on a network of a CNI configuration. Dispose deletes them, whatever the test did. */
export interface Pods extends Disposable {
  readonly runtime: Runtime;
  /** The plugin that pods are added by. */
  readonly plugin: string;
  /** A pod is there; its addresses. */
  add(name: string, offers?: Container['offers']): readonly string[];
  check(name: string): void;
  /** Deletes it, by DEL. */
  del(name: string): void;
  /** All of them have gone by themselves. */
  forget(): void;
  /** A command in the pod. */
  attempt(name: string, ...command: readonly string[]): Attempt;
  /** An answer comes to one of two echo requests. */
  assertPings(name: string, target: string): void;
  /** An agent in the pod, named as it, which serves these TCP ports. */
  agentIn(name: string, ...tcp: readonly number[]): Promise<Agent>;
  /** GC: those that are there are alive, those named here excepted. */
  collectGarbage(...dead: readonly string[]): void;
}

/**
 * Pods whose plugin is the one under test, or the launcher that asks the daemon. Other plugins are looked for in `more`
 * too.
 */
export function makePods(host: TestHost, via: Via, list = webList(), more: readonly string[] = []): Pods {
  const dir = DIRS[via];
  host.run('mkdir', '-p', dir);
  if (via === 'daemon') host.run('ln', '-sf', installedFile(via), `${dir}/isthmus`);
  const runtime = makeRuntime(host, list, [dir, ...more]);
  const there = new Map<string, Container>();
  const agents: Agent[] = [];
  const known = (name: string): Container => {
    const container = there.get(name);
    assert.ok(container, `there is no pod ${name}`);
    return container;
  };
  const attempt = (name: string, ...command: readonly string[]): Attempt =>
    host.attempt(['ip', 'netns', 'exec', name, ...command]);
  const pods: Pods = {
    runtime,
    plugin: `${dir}/isthmus`,
    add(name, offers) {
      host.run('ip', 'netns', 'add', name);
      const container = { id: name, netns: `/run/netns/${name}`, ...(offers === undefined ? {} : { offers }) };
      there.set(name, container);
      return (runtime.add(container).ips ?? []).map(({ address }) => address.split('/')[0] ?? '');
    },
    check: (name) => runtime.check(known(name)),
    del(name) {
      runtime.del(known(name));
      there.delete(name);
      host.run('ip', 'netns', 'delete', name);
    },
    forget: () => there.clear(),
    attempt,
    assertPings(name, target) {
      const ping = ['busybox', 'ping', '-c', '1', '-W', '2', target];
      const first = attempt(name, ...ping);
      const { code, stdout } = first.code === 0 ? first : attempt(name, ...ping);
      assert.equal(code, 0, `${name} pings ${target}: ${stdout}`);
    },
    async agentIn(name, ...tcp) {
      const agent = startAgent(name, { path: host.outside(known(name).netns) });
      agents.push(agent);
      await Promise.all(tcp.map((port) => agent.serve('tcp', port)));
      return agent;
    },
    collectGarbage: (...dead) => runtime.collectGarbage([...there.values()].filter(({ id }) => !dead.includes(id))),
    [Symbol.dispose]() {
      for (const agent of agents) agent[Symbol.dispose]();
      for (const name of there.keys()) pods.del(name);
    },
  };
  return pods;
}
