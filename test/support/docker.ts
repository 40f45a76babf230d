import { existsSync } from 'node:fs';
import { IMAGE, makeImage } from './image.ts';
import type { Attempt, Daemon, TestHost } from './test-host.ts';

/** The client that belongs to the daemon, whatever else is called docker. */
const CLIENT = '/usr/bin/docker';
const SOCKET = '/run/docker.sock';
const DATA = '/run/isth/docker';
/** A daemon that asks a plugin in vain gives up after 15 seconds, several times. */
const CLIENT_MS = 90_000;

/** Why there can be no dockerd here, or undefined where there can. */
export function dockerMissing(): string | undefined {
  const missing = ['/usr/sbin/dockerd', CLIENT].filter((file) => !existsSync(file));
  return missing.length === 0 ? undefined : `${missing.join(', ')} is missing: install docker.io`;
}

export interface DockerStart {
  readonly kept?: boolean;
  /** Further arguments of dockerd. */
  readonly args?: readonly string[];
}

/**
 * dockerd runs in the host and answers; `docker0` has 10.201.0.1/24. Containers of one that was killed are its own where
 * they are kept, and nobody's else.
 */
export async function startDocker(host: TestHost, { kept = false, args = [] }: DockerStart = {}): Promise<Daemon> {
  // The remains of a killed one count as alive for a while.
  const left = `${SOCKET} /run/docker.pid /run/docker/containerd${kept ? '/containerd.pid' : ''}`;
  host.run('sh', '-c', `rm -rf ${left}`);
  const command = [
    'dockerd',
    ...['--host', `unix://${SOCKET}`, '--pidfile', '/run/docker.pid', '--data-root', DATA, '--storage-driver', 'vfs'],
    ...['--cgroup-parent', `/${host.name}`, '--exec-opt', 'native.cgroupdriver=cgroupfs'],
    ...['--bip', '10.201.0.1/24', '--default-address-pool', 'base=10.202.0.0/16,size=24'],
    ...args,
  ];
  // It listens before it serves: a client in between waits.
  const answers = (): boolean => host.attempt([CLIENT, '-H', `unix://${SOCKET}`, 'version']).code === 0;
  return host.start('dockerd', command, () => existsSync(host.outside(SOCKET)) && answers());
}

/** Output of a command of the client that has to succeed. */
export function docker(host: TestHost, ...args: readonly string[]): string {
  const { code, stdout, stderr } = tryDocker(host, ...args);
  if (code !== 0) throw new Error(`docker ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
  return stdout.trim();
}

/** The end of a command of the client, however it ends. */
export function tryDocker(host: TestHost, ...args: readonly string[]): Attempt {
  return host.attempt([CLIENT, '-H', `unix://${SOCKET}`, ...args], { timeout: CLIENT_MS });
}

/** The image is in dockerd's store. */
export function loadImage(host: TestHost): string {
  docker(host, 'load', '-q', '-i', makeImage(host));
  return IMAGE;
}

/** All rules of nftables and both variants of iptables, without counts, dates, and empty tables of iptables-legacy. */
export function rules(host: TestHost): string {
  return host
    .run('sh', '-c', RULES_SCRIPT)
    .replace(/^#.*\n/gm, '')
    .replace(/ ?\[\d+:\d+\]/g, '')
    .replace(/counter packets \d+ bytes \d+/g, 'counter')
    .replace(/^\*\w+\n(:\w+ ACCEPT\n)*COMMIT\n/gm, '');
}

/** Deletes all rules. The tables of iptables-legacy stay: the kernel has no way to delete one. */
export function flushRules(host: TestHost): void {
  host.run('sh', '-c', FLUSH_SCRIPT);
}

/**
 * Makes the tables that dockerd leaves, iptables' `raw` (28 makes it with the first container on a bridge) and IPv6's
 * `filter`, and accepts what they forward.
 */
export function makeTables(host: TestHost): void {
  for (const tables of ['iptables', 'ip6tables']) host.run(tables, '-t', 'raw', '-P', 'PREROUTING', 'ACCEPT');
  host.run('ip6tables', '-P', 'FORWARD', 'ACCEPT');
}

/** Looking at a table of iptables-legacy would make it. */
const RULES_SCRIPT = `nft list ruleset; iptables-nft-save; ip6tables-nft-save
  for t in ip ip6; do [ -z "$(cat /proc/net/\${t}_tables_names)" ] || \${t}tables-legacy-save; done`;

const FLUSH_SCRIPT = `nft flush ruleset
  for t in ip ip6; do
    for table in $(cat /proc/net/\${t}_tables_names); do
      \${t}tables-legacy -t $table -F
      \${t}tables-legacy -t $table -X
      [ $table != filter ] || \${t}tables-legacy -P FORWARD ACCEPT
    done
  done`;
