import { existsSync } from 'node:fs';
import { IMAGE, makeImage } from './image.ts';
import type { Daemon, TestHost } from './test-host.ts';

/** The client that belongs to the daemon, whatever else is called docker. */
const CLIENT = '/usr/bin/docker';
const SOCKET = '/run/docker.sock';
const DATA = '/run/isth/docker';

/** Why there can be no dockerd here, or undefined where there can. */
export function dockerMissing(): string | undefined {
  const missing = ['/usr/sbin/dockerd', CLIENT].filter((file) => !existsSync(file));
  return missing.length === 0 ? undefined : `${missing.join(', ')} is missing: install docker.io`;
}

/** dockerd runs in the host and answers; `docker0` has 10.201.0.1/24. */
export async function startDocker(host: TestHost): Promise<Daemon> {
  // What a killed one leaves counts as alive for a while.
  host.run('sh', '-c', `rm -rf ${SOCKET} /run/docker.pid /run/docker/containerd`);
  const command = [
    'dockerd',
    ...['--host', `unix://${SOCKET}`, '--pidfile', '/run/docker.pid', '--data-root', DATA, '--storage-driver', 'vfs'],
    ...['--cgroup-parent', `/${host.name}`, '--exec-opt', 'native.cgroupdriver=cgroupfs'],
    ...['--bip', '10.201.0.1/24', '--default-address-pool', 'base=10.202.0.0/16,size=24'],
  ];
  return host.start('dockerd', command, () => host.attempt([CLIENT, '-H', `unix://${SOCKET}`, 'version']).code === 0);
}

/** Output of a command of the client that has to succeed. */
export function docker(host: TestHost, ...args: readonly string[]): string {
  return host.run(CLIENT, '-H', `unix://${SOCKET}`, ...args).trim();
}

/** The image is in dockerd's store. */
export function loadImage(host: TestHost): string {
  docker(host, 'load', '-q', '-i', makeImage(host));
  return IMAGE;
}
