import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type PluginRun, runPluginAsync } from './cni.ts';
import type { DaemonSite, SiteCall } from './daemon-site.ts';

/** The call is the stand-alone plugin's, whatever daemon there is. */
export const ALONE = { name: 'cni-plugin' } as const;

/** Configuration of one backend of the packet filter. */
export const BACKENDS = {
  nftables: {},
  iptables: { backend: 'iptables', ipMasqBackend: 'iptables' },
} as const;

/** Makes each message to the kernel take long, so that other programs get between any two of them. `-D`: no parent. */
export function slowed(milliseconds: number): string[] {
  const calls = 'sendto,sendmsg,flock';
  const what = ['-e', `trace=${calls}`, '-e', `inject=${calls}:delay_enter=${milliseconds * 1000}`];
  return ['strace', '-D', '-qq', '-o', '/dev/null', ...what];
}

/** The host port that `publishing` gives a pod. */
export function portOf(pod: number): number {
  return 8100 + pod;
}

/** The pod's call with one host port, `portOf(pod)` unless told otherwise. */
export function publishing(site: DaemonSite, pod: number, hostPort = portOf(pod)): SiteCall & { config: object } {
  const runtimeConfig = { portMappings: [{ hostPort, containerPort: 80, protocol: 'tcp' }] };
  return { pod, config: { ...site.config, runtimeConfig } };
}

/** `cni-plugin reload` on the site's host, beside whatever else runs. */
export function reload(site: DaemonSite, prefix: readonly string[] = []): Promise<PluginRun> {
  const call = site.call('VERSION', { name: 'cni-plugin' });
  const env = { ...call.env, CNI_COMMAND: undefined };
  const command = [...prefix, join(site.bin, 'cni-plugin'), 'reload'].join(' ');
  return runPluginAsync({ ...call, env, prefix: ['sh', '-c', `exec ${command}`] });
}

/** What the packet filter of the site's host holds, as both backends' tools print it. */
export function filterOf(site: DaemonSite): string {
  return site.host.ns.run('sh', '-c', 'nft list ruleset; iptables-nft-save 2>/dev/null');
}

/** True where the packet filter leads the host port to a pod, or to this address of one. */
export function isPublished(filter: string, port: number, address = ''): boolean {
  const target = address === '' ? '' : `[^,\\n]*[ :]${address.replaceAll('.', '\\.')}[: ]`;
  return new RegExp(`(\\. |dport )${port}\\b${target}`).test(filter);
}

/** An endpoint's row, as far as tests look into it. */
export interface RecordedEndpoint {
  readonly containerId: string;
  readonly progress: string;
}

/** The endpoints on record, in the order of the table. */
export function recordedEndpoints(site: DaemonSite): RecordedEndpoint[] {
  const db = new DatabaseSync(join(site.host.stateDir, 'state.db'), { readOnly: true, timeout: 5000 });
  try {
    return db
      .prepare('SELECT container AS containerId, body FROM endpoints')
      .all()
      .map(({ containerId, body }) => ({
        containerId: String(containerId),
        progress: /"progress":"(\w+)"/.exec(String(body))?.[1] ?? '',
      }));
  } finally {
    db.close();
  }
}

/** True where the pod has an interface of this name. */
export function hasInterface(site: DaemonSite, pod: number, name = 'eth0'): boolean {
  return site.host.pod(pod).ip('-br', 'link', 'show').includes(`${name}@`);
}

/** Runs the tasks in their order, so many at once. */
export async function atOnce(limit: number, tasks: readonly (() => Promise<void>)[]): Promise<void> {
  const rest = tasks.values();
  const worker = async (): Promise<void> => {
    for (const task of rest) await task();
  };
  await Promise.all(Array.from({ length: limit }, worker));
}
