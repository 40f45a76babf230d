import { binDir, confDir } from './e2e.ts';
import { makeRootfs } from './image.ts';
import type { Attempt, TestHost } from './test-host.ts';

const CONF = '/run/isth/containers.conf';
const ROOTFS = '/run/isth/rootfs';

/** The environment with which podman finds its configuration in a test host. */
export const PODMAN_ENV = { CONTAINERS_CONF: CONF, STORAGE_DRIVER: 'vfs' } as const;

/** podman, version 4, of one test host. */
export interface Podman {
  /** Output of a command that has to succeed. */
  run(...args: readonly string[]): string;
  attempt(...args: readonly string[]): Attempt;
  /** A container that sleeps is running. */
  start(name: string, ...options: readonly string[]): void;
  /** How `start` ends. */
  tryStart(name: string, ...options: readonly string[]): Attempt;
  /** A part of `podman inspect`, as a Go template names it. */
  inspect(name: string, template: string): string;
  /** Deletes the containers; missing ones are ignored. In this order: one may use another's namespace. */
  remove(...names: readonly string[]): void;
}

/** Why podman calls no CNI plugin, or undefined where it does. */
export function withoutCni(host: TestHost): string | undefined {
  const version = host.run('env', '-u', 'CONTAINERS_CONF', 'podman', '--version').trim();
  return /version [1-4]\./.test(version) ? undefined : `${version} has no CNI backend`;
}

/** podman is configured in the host, with a root file system for its containers. Starts nothing. */
export function makePodman(host: TestHost): Podman {
  host.write(CONF, config());
  host.write('/etc/containers/storage.conf', STORAGE);
  makeRootfs(host, ROOTFS);
  const words = (name: string, options: readonly string[]): string[] => [
    ...['podman', 'run', '-d', '--name', name, '--cgroup-parent', `/${host.name}`],
    ...options,
    ...['--rootfs', ROOTFS, 'sleep', '1000'],
  ];
  const run = (...args: readonly string[]): string => host.run('podman', ...args).trim();
  return {
    run,
    attempt: (...args) => host.attempt(['podman', ...args]),
    start: (name, ...options) => {
      const [file = '', ...args] = words(name, options);
      host.run(file, ...args);
    },
    tryStart: (name, ...options) => host.attempt(words(name, options)),
    inspect: (name, template) => run('inspect', '-f', template, name),
    remove: (...names) => {
      // One by one: podman removes several at once, also a container with the one whose namespace it shares.
      for (const name of names) run('rm', '-f', '-t', '0', '--ignore', name);
    },
  };
}

/** podman listens to STORAGE_DRIVER only where some file of this kind is there, which not every machine has. */
export const STORAGE = `[storage]
driver = "vfs"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
`;

/** Without systemd, and within the limits on processes that a confined machine has. */
function config(): string {
  return `[network]
network_backend = "cni"
cni_plugin_dirs = ["${binDir}"]
network_config_dir = "${confDir}"
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
[containers]
default_ulimits = ["nofile=1024:2048", "nproc=1024:2048"]
`;
}
