import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { COMPILE_CACHE } from '../support/compile-cache.ts';
import { makeNetns, type TestNetns } from '../support/netns.ts';
import type { Route } from './daemon-calls.ts';
import { compileProgram } from './spawner.ts';
import { type Summary, summarize } from './stats.ts';

/** The input of the program kernel-ports-child.ts. */
export interface RecordOrder {
  readonly stateDir: string;
  readonly netns: string;
  /** The configuration of the ADDs. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** Words in recorded messages that ports.c replaces: the ifindexes of the bridge and of the pod's interface, and a descriptor of the pod. */
export const MARKS = { BRIDGE_MARK: 0x7fff_ff01, INTERFACE_MARK: 0x7fff_ff02, POD_MARK: 0x7fff_ff03 } as const;

/** What an ADD does to make a port, without the rest of the ADD. */
interface Recording {
  /** The stdin of ports.c. */
  readonly sends: string;
  /** `key=value` of sysctls that an ADD sets on the pod's interface, as defaults of the namespace. */
  readonly defaults: readonly string[];
}

/** Makes ports on bridges with the messages of an ADD: ports.c, compiled on creation. */
export interface KernelPorts extends Disposable {
  /** Makes and deletes `count` ports on the bridge of each route, in turn. Milliseconds by route, without the deletion. */
  make(routes: readonly Route[], count: number): readonly (readonly number[])[];
}

/** Interface of the second ADD in kernel-ports-child.ts. */
const INTERFACE = 'eth1';

/** Records the messages of an ADD with the route's configuration. */
export function makeKernelPorts(route: Route): KernelPorts {
  using made = new DisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'isth-ports-'));
  made.defer(() => rmSync(dir, { recursive: true, force: true }));
  const program = join(dir, 'ports');
  compileProgram(join(import.meta.dirname, 'ports.c'), program, MARKS);
  const { sends, defaults } = record(configOf(route));
  const pod = made.use(makeNetns('p'));
  if (defaults.length > 0) pod.run('sysctl', '-qw', ...defaults);
  const stack = made.move();
  return {
    make: (routes, count) => {
      const places = routes.flatMap((one) => [one.host.ns.path, String(configOf(one).bridge)]);
      const args = [String(count), pod.path, INTERFACE, ...places];
      const lines = execFileSync(program, args, { input: sends, encoding: 'utf8' }).trim().split('\n');
      const times = lines.map((line) => line.split(' ').map(Number));
      return routes.map((_, i) => times.flatMap(([host, ns = 0]) => (host === i ? [ns / 1e6] : [])));
    },
    [Symbol.dispose]: () => stack.dispose(),
  };
}

/** The times of each route in several runs, as one. */
export function joined(runs: readonly (readonly (readonly number[])[])[]): readonly Summary[] {
  return (runs[0] ?? []).map((_, i) => summarize(runs.flatMap((run) => run[i] ?? [])));
}

function configOf({ elements: [element] }: Route): Readonly<Record<string, unknown>> {
  if (element === undefined) throw new Error('a route without plugins');
  return element.conf;
}

function record(conf: Readonly<Record<string, unknown>>): Recording {
  using host = makeHost(1, { via: 'alone' });
  const pod = host.pod(0);
  const ipam = { ...(conf.ipam as object), dataDir: host.dataDir };
  const order: RecordOrder = { stateDir: host.stateDir, netns: pod.path, config: { ...conf, ipam } };
  const sends = runChild(host, order);
  return { sends, defaults: ownSysctls(pod) };
}

function runChild({ ns }: CniHost, order: RecordOrder): string {
  const program = join(import.meta.dirname, 'kernel-ports-child.ts');
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', program, JSON.stringify(order)];
  return execFileSync('nsenter', [`--net=${ns.path}`, '--', ...node], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    env: { ...process.env, ...COMPILE_CACHE },
  });
}

/** The announcement of addresses is not the kernel's part: an ADD has it sent by another thread. */
const ANNOUNCES = 'arp_notify';

function ownSysctls(pod: TestNetns): string[] {
  const read = (name: string): Map<string, string> => {
    const listing = pod.run('sysctl', '-ae', '--pattern', `^net\\.ipv[46]\\.conf\\.${name}\\.`);
    const entries = [...listing.matchAll(/^(net\.ipv[46]\.conf)\.\w+\.(\w+) = (.*)$/gm)];
    return new Map(entries.map(([, family, key, value = '']) => [`${family}.default.${key}`, value]));
  };
  const usual = read('default');
  return [...read(INTERFACE)].flatMap(([key, value]) =>
    usual.get(key) === value || key.endsWith(ANNOUNCES) ? [] : [`${key}=${value}`],
  );
}
