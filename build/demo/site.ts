import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { CONFLIST, PLUGIN } from './paths.ts';

/** A result of ADD, as far as the demo reads it. */
export interface Result {
  readonly interfaces: readonly { readonly name: string; readonly mac: string; readonly sandbox?: string }[];
  readonly ips: readonly { readonly address: string; readonly gateway: string }[];
}

export interface Pod {
  /** For people: `pod a`. */
  readonly label: string;
  /** Name of its network namespace. */
  readonly netns: string;
  /** A host port that leads to the pod's port 80. */
  readonly hostPort?: number;
}

/** A host at the other end of the uplink, which has no route to pods. */
export const OUTSIDE = { label: 'outside', netns: 'isthmus-demo-out', address: '192.0.2.2' } as const;
/** The host's address on the uplink. */
export const HOST_ADDRESS = '192.0.2.1';

export interface Timed<T> {
  readonly value: T;
  /** Duration from start to end of the process. */
  readonly ms: number;
}

/** Times of echo requests that were all answered. */
export interface RoundTrip {
  readonly min: number;
  readonly avg: number;
  readonly max: number;
}

/** The demo's one network, as its list configures it. */
export interface Network {
  readonly name: string;
  readonly cniVersion: string;
  readonly plugin: { readonly type: string; readonly bridge: string };
}

export function readNetwork(): Network {
  const { name, cniVersion, plugins } = JSON.parse(readFileSync(CONFLIST, 'utf8'));
  return { name, cniVersion, plugin: plugins[0] };
}

/** Calls the executable as a runtime does: environment and stdin in, stdout out. Throws with its answer. */
export function callPlugin(
  command: 'ADD' | 'CHECK' | 'DEL',
  { name, cniVersion, plugin }: Network,
  pod: Pod,
  stateDir: string,
  prevResult?: Result,
): Timed<Result | undefined> {
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: pod.netns,
    CNI_NETNS: `/run/netns/${pod.netns}`,
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/opt/cni/bin',
    ISTHMUS_STATE_DIR: stateDir,
  };
  const { hostPort } = pod;
  const ports = hostPort === undefined ? [] : [{ hostPort, containerPort: 80, protocol: 'tcp' }];
  const input = JSON.stringify({ ...plugin, name, cniVersion, prevResult, runtimeConfig: { portMappings: ports } });
  const { value, ms } = timed(() => spawnSync(PLUGIN, { env, input, encoding: 'utf8' }));
  if (value.status !== 0) {
    const { code, msg, details = '' } = parse(value.stdout) ?? { msg: `${value.stdout}${value.stderr}` };
    throw new Error(`${command} for ${pod.label} failed with code ${code ?? value.signal}: ${msg}. ${details}`);
  }
  return { value: parse(value.stdout), ms };
}

/** Duration of an empty process; excludes the first start, which reads the file from disk. */
export function startTime(file: string, args: readonly string[]): number {
  const once = (): number => timed(() => spawnSync(file, args, { env: {}, input: '' })).ms;
  once();
  return Math.min(once(), once(), once());
}

/** Sends four echo requests from a pod. Throws if one of them is not answered. */
export function ping({ netns }: Pick<Pod, 'netns'>, address: string): RoundTrip {
  const said = run('ip', 'netns', 'exec', netns, 'busybox', 'ping', '-q', '-c4', '-i0.1', '-W2', address);
  const times = /= ([\d.]+)\/([\d.]+)\/([\d.]+) ms/.exec(said)?.slice(1).map(Number);
  const [min, avg, max] = times ?? [];
  if (!said.includes(' 0% packet loss') || min === undefined || avg === undefined || max === undefined)
    throw new Error(`no answer from ${address} in ${netns}: ${said}`);
  return { min, avg, max };
}

/** Creates the host's uplink, with the outside at its other end. */
export function makeOutside(): void {
  const { netns, address } = OUTSIDE;
  run('ip', 'netns', 'add', netns);
  run('ip', 'link', 'add', 'uplink0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns);
  run('ip', 'addr', 'add', `${HOST_ADDRESS}/24`, 'dev', 'uplink0');
  run('ip', 'link', 'set', 'uplink0', 'up');
  run('ip', '-n', netns, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
  run('ip', '-n', netns, 'link', 'set', 'eth0', 'up');
}

/** Answers the next connection to the pod's port 80 with `text`. */
export function serve({ netns }: Pod, text: string): void {
  const server = `busybox nc -l -p 80 -e echo '${text}' >/dev/null 2>&1 &`;
  run('ip', 'netns', 'exec', netns, 'sh', '-c', server);
}

/** Connects to `address` from the namespace (default: the host) and returns the answer. Throws without an answer. */
export function askFrom(netns: string | undefined, address: string, port: number): string {
  const where = netns === undefined ? [] : ['ip', 'netns', 'exec', netns];
  const attempts = `for i in $(seq 30); do busybox nc -w2 ${address} ${port} && exit; sleep 0.05; done; exit 1`;
  const [file = '', ...args] = [...where, 'sh', '-c', attempts];
  return run(file, ...args).trim();
}

/** Names of the links in a namespace; default: the host's. */
export function links(netns?: string): string[] {
  const where = netns === undefined ? [] : ['-n', netns];
  const found: { ifname: string }[] = JSON.parse(run('ip', ...where, '-j', 'link'));
  return found.map(({ ifname }) => ifname);
}

/** Output of a command. Throws with the complete output on failure. */
export function run(file: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')}: ${error?.message ?? `${stdout}${stderr}`}`);
  return stdout;
}

function timed<T>(work: () => T): Timed<T> {
  const started = performance.now();
  const value = work();
  return { value, ms: performance.now() - started };
}

function parse(text: string) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
