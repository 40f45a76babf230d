import { strict as assert } from 'node:assert';
import type { CniAnswer } from '../support/cni.ts';
import { binDir, hostState } from '../support/e2e.ts';
import { hear, say } from '../support/image.ts';
import { type Container, makeRuntime, type NetworkList, type Runtime } from '../support/runtime.ts';
import { assertSame } from '../support/snapshot.ts';
import type { Daemon, TestHost } from '../support/test-host.ts';

/** A pod that has been added to the network. */
export interface Pod {
  readonly container: Container;
  readonly result: CniAnswer;
  /** Its addresses in the result, without prefix length. */
  readonly addresses: readonly string[];
  /** Output of a command in the pod's namespace; throws where it fails. */
  run(...command: readonly string[]): string;
  /** Names of its interfaces. */
  links(): string[];
  /** One echo request to `address` is answered. */
  pings(address: string | undefined): void;
  /** Asserts that no answer arrives within a second. */
  cannotPing(address: string | undefined): void;
}

/** One network on a host, with pods. Dispose deletes the pods' namespaces and stops the daemons. */
export interface Lab extends AsyncDisposable {
  readonly host: TestHost;
  readonly runtime: Runtime;
  /** A new pod, added to the network and checked; `offers` is what the runtime could tell plugins of it. */
  add(offers?: Container['offers']): Pod;
  /** The same for a container in a namespace that is there already. */
  addAt(netns: string, ifName?: string): Pod;
  /** A new network namespace, attached to nothing. */
  emptyPod(): Pod;
  start(...daemon: Parameters<TestHost['start']>): Promise<Daemon>;
  /** The pod has been deleted, twice, and has no interface any more. */
  delete(pod: Pod): void;
  /** Deletes all pods and namespaces, and asserts that the host is as before the first. */
  deleteAll(): void;
}

export function makeLab(host: TestHost, list: NetworkList, path: readonly string[] = [binDir]): Lab {
  const runtime = makeRuntime(host, list, path);
  const namespaces: string[] = [];
  const pods: Pod[] = [];
  const daemons: Daemon[] = [];
  const hostBefore = hostState(host);

  const namespace = (): string => {
    const name = `pod${namespaces.length}`;
    host.run('ip', 'netns', 'add', name);
    namespaces.push(name);
    return `/run/netns/${name}`;
  };
  const attach = (container: Container): Pod => {
    const pod = podOf(host, container, runtime.add(container));
    pods.push(pod);
    runtime.check(container);
    return pod;
  };
  const remove = (pod: Pod): void => {
    const { container, links } = pod;
    runtime.check(container);
    runtime.del(container);
    if (container.netns.startsWith('/run/netns/')) assert.deepEqual(links(), ['lo'], 'interfaces of a pod after DEL');
    runtime.del(container);
    pods.splice(pods.indexOf(pod), 1);
  };
  const removeNamespaces = (): void => {
    for (const name of namespaces.splice(0)) host.run('ip', 'netns', 'delete', name);
  };

  return {
    host,
    runtime,
    add: (offers) => {
      const netns = namespace();
      return attach({ id: `container${namespaces.length}`, netns, ...(offers === undefined ? {} : { offers }) });
    },
    addAt: (netns, ifName) =>
      attach({ id: `container${pods.length}`, netns, ...(ifName === undefined ? {} : { ifName }) }),
    emptyPod: () => podOf(host, { id: 'none', netns: namespace() }, {}),
    start: async (...daemon) => {
      const started = await host.start(...daemon);
      daemons.push(started);
      return started;
    },
    delete: remove,
    deleteAll() {
      for (const pod of [...pods]) remove(pod);
      runtime.collectGarbage([]);
      removeNamespaces();
      assertSame(hostState(host), hostBefore, 'the host after the last DEL');
    },
    async [Symbol.asyncDispose]() {
      // Only a failure leaves a pod; the next example still begins on a clean host.
      for (const { container } of pods) attempt(() => runtime.del(container));
      for (const daemon of daemons) await daemon.stop();
      removeNamespaces();
    },
  };
}

function podOf(host: TestHost, container: Container, result: CniAnswer): Pod {
  const enter = ['nsenter', `--net=${container.netns}`, '--'];
  const run = (...command: readonly string[]): string => host.run('nsenter', ...enter.slice(1), ...command);
  return {
    container,
    result,
    addresses: (result.ips ?? []).map(({ address }) => address.replace(/\/.*/, '')),
    run,
    links: () => {
      const links: { ifname: string }[] = JSON.parse(run('ip', '-j', 'link'));
      return links.map(({ ifname }) => ifname);
    },
    pings: (address) => void run('busybox', 'ping', '-c1', '-W2', address ?? ''),
    cannotPing: (address) => {
      const { code, stdout, stderr } = host.attempt([...enter, 'busybox', 'ping', '-c1', '-W1', address ?? '']);
      assert.notEqual(code, 0, `${address} answers: ${stdout}${stderr}`);
    },
  };
}

/** Ping and a TCP connection from `a` to `b`. */
export function meet(a: Pod, b: Pod, address = b.addresses[0] ?? ''): void {
  a.pings(address);
  serve(b, 8080);
  assert.equal(hearFrom(a, address, 8080), 'hello\n');
}

/** The next client of `port` of the pod receives "hello". */
export function serve(pod: Pod, port: number): void {
  pod.run('sh', '-c', `busybox ${say('hello', port).join(' ')} >/dev/null 2>&1 &`);
}

/** The text sent to the pod that connects. */
export function hearFrom(pod: Pod, address: string, port: number): string {
  const [, , script = ''] = hear(address, port);
  return pod.run('busybox', 'sh', '-c', script.replaceAll('nc ', 'busybox nc '));
}

/** Nobody answers on the port. */
export function cannotHear(pod: Pod, address: string, port: number): void {
  const said = pod.run(
    'sh',
    '-c',
    `busybox nc -w 1 ${address} ${port} </dev/null 2>&1 && echo answered || echo silent`,
  );
  assert.match(said, /silent\n$/);
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // The failure that left it is reported already.
  }
}
