import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { docker } from './docker.ts';
import type { Daemon, TestHost } from './test-host.ts';
import { built, daemonFile } from './via.ts';

/**
 * Driver of the networks. `ISTHMUS_E2E_DRIVER=bridge` uses Docker's own: a test that fails then too has a faulty
 * harness.
 */
export const DRIVER = process.env.ISTHMUS_E2E_DRIVER ?? 'isthmus';
export const builtIn = DRIVER === 'bridge';

/** Options of `docker network create`: our own IPAM allocates the addresses. */
export const OURS: readonly string[] = builtIn ? [] : ['--ipam-driver', DRIVER];

/** The IPAM that allocates addresses: options of `docker network create`. */
export const ADDRESS_MANAGERS: Readonly<Record<string, readonly string[]>> = {
  "Docker's": [],
  ...(builtIn ? {} : { ours: OURS }),
};

const SOURCES = join(import.meta.dirname, '../../cmd/cnm-shim/main.ts');
const LOG = '/run/isth/log/isthmus';

/** The program under test. `ISTHMUS_E2E_SOURCES=1`: from its sources rather than from dist. */
export function pluginCommand(): [string, ...string[]] {
  const sources = process.env.ISTHMUS_E2E_SOURCES === '1';
  return sources ? [process.execPath, '--no-warnings', SOURCES] : [built(daemonFile)];
}

/** Our daemon serves in its default directories; once more where one has been stopped or killed. */
export function startDockerPlugin(host: TestHost, ...options: readonly string[]): Promise<Daemon> {
  const log = host.outside(LOG);
  const starts = (): number => (existsSync(log) ? readFileSync(log, 'utf8').split('event=daemon.start').length : 1);
  const before = starts();
  const command = [...pluginCommand(), 'serve', '--log-level', 'debug', ...options];
  return host.start('isthmus', command, () => starts() > before);
}

/** The sockets on which dockerd finds the plugin, and launchers the daemon. */
const SOCKETS = ['/run/isthmus/cni.sock', `/run/docker/plugins/${DRIVER}.sock`] as const;

/** Creates its sockets as systemd does; the daemon starts when a client connects. */
export function startActivated(host: TestHost): Promise<Daemon> {
  const [cni, docker] = SOCKETS;
  host.run('sh', '-c', `mkdir -p -m 700 /run/isthmus; mkdir -p /run/docker/plugins; rm -f ${SOCKETS.join(' ')}`);
  const activate = ['systemd-socket-activate', '--fdname=cni:docker', '-l', cni, '-l', docker];
  const env = ['ISTHMUS_HOST_ID', 'PATH'].map((name) => `--setenv=${name}`);
  const command = [...activate, ...env, ...pluginCommand(), 'serve', '--log-level', 'debug'];
  return host.start('isthmus', command, () => SOCKETS.every((path) => existsSync(host.outside(path))));
}

/** Host ports of a running container. */
export function publishedPorts(host: TestHost, container: string): number[] {
  if (builtIn) {
    const ports = docker(host, 'port', container).matchAll(/:(\d+)$/gm);
    return [...new Set([...ports].map(([, port]) => Number(port)))];
  }
  // `docker port` knows nothing of other drivers' ports.
  const listed = host.run(...pluginCommand(), 'ports', '-o', 'json', container);
  const ports: readonly { readonly hostPort: number; readonly count?: number }[] = JSON.parse(listed);
  return ports.flatMap(({ hostPort, count = 1 }) => Array.from({ length: count }, (_, i) => hostPort + i));
}
