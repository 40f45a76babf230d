import { strict as assert } from 'node:assert';
import { docker, loadImage, startDocker, tryDocker } from './docker.ts';
import type { DockerContainer } from './docker-inspect.ts';
import { IMAGE } from './image.ts';
import type { Daemon, TestHost } from './test-host.ts';
import { type Agent, startAgent } from './traffic.ts';

/** dockerd's names of the plugin and its drivers. */
export const PLUGIN = 'isthmus:latest';
/** Options of `docker network create`. */
export const MANAGED: readonly string[] = ['-d', PLUGIN, '--ipam-driver', PLUGIN];

/** A dockerd with the plugin, which it runs itself. */
export interface ManagedPlugin extends AsyncDisposable {
  create(network: string, ...options: readonly string[]): void;
  /** Runs a container that sleeps, and exits at once on SIGTERM. */
  run(name: string, network: string, ...options: readonly string[]): void;
  addressOf(container: string, network: string): string;
  /** An answer comes to one of two echo requests. */
  pings(container: string, target: string): boolean;
  /** An agent in a running container, named as it, which serves TCP on 80. */
  agentIn(container: string): Promise<Agent>;
  /** No container is there, no agent, and no network but Docker's own. */
  clear(): void;
  /** The host's pid of the plugin; empty if it does not run. */
  pid(): string;
  /** Stops it by SIGTERM, and starts it again. */
  restartDocker(): Promise<void>;
}

/** dockerd runs, and the plugin of `directory` is enabled. Disposed: neither of them is there. */
export async function startManagedPlugin(host: TestHost, directory: string): Promise<ManagedPlugin> {
  const agents: Agent[] = [];
  let dockerd: Daemon = await startOwnDocker(host);
  const inspect = (container: string): DockerContainer =>
    JSON.parse(docker(host, 'container', 'inspect', container))[0];
  const clear = (): void => {
    for (const agent of agents.splice(0)) agent[Symbol.dispose]();
    removeAll(host);
  };
  loadImage(host);
  // Packing and compressing take seconds.
  const created = tryDocker(host, 'plugin', 'create', PLUGIN, directory);
  assert.equal(created.code, 0, created.stderr);
  docker(host, 'plugin', 'enable', PLUGIN);
  return {
    create: (network, ...options) => void docker(host, 'network', 'create', ...MANAGED, ...options, network),
    run(name, network, ...options) {
      docker(host, 'run', '-d', '--name', name, '--network', network, '--stop-signal', 'KILL', ...options, IMAGE);
    },
    addressOf: (container, network) => inspect(container).NetworkSettings.Networks[network]?.IPAddress ?? '',
    pings(container, target) {
      const ping = `ping -c 1 -W 2 ${target}`;
      return tryDocker(host, 'exec', container, 'sh', '-c', `${ping} || ${ping}`).code === 0;
    },
    async agentIn(container) {
      // /var/run is a link, which would lead out of the test host.
      const path = inspect(container).NetworkSettings.SandboxKey.replace(/^\/var\/run\//, '/run/');
      const agent = startAgent(container, { path: host.outside(path) });
      agents.push(agent);
      await agent.serve('tcp', 80);
      return agent;
    },
    clear,
    pid: () => host.attempt(['pidof', '/usr/lib/isthmus/cnm-shim']).stdout.trim(),
    async restartDocker() {
      await dockerd.stop();
      dockerd = await startOwnDocker(host);
    },
    async [Symbol.asyncDispose]() {
      clear();
      tryDocker(host, 'plugin', 'rm', '-f', PLUGIN);
      await dockerd.stop();
      host.run('sh', '-c', 'ip link delete docker0; rm -rf /run/isth/docker');
    },
  };
}

/** A plugin's control group is beside that of dockerd: both go with the test host. */
async function startOwnDocker(host: TestHost): Promise<Daemon> {
  const dockerd = await startDocker(host);
  host.run('sh', '-c', OWN_GROUPS, 'sh', host.name);
  return dockerd;
}

/** A cpuset accepts no process before it has processors and memory. */
const OWN_GROUPS = `for procs in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
    root=\${procs%/*}
    [ -e $procs ] || continue
    for own in $root/$1 $root/$1/daemons; do
      mkdir -p $own
      for file in cpuset.cpus cpuset.mems; do
        [ ! -e $root/$file ] || cat $root/$file >$own/$file
      done
    done
    for pid in $(pidof dockerd containerd); do echo $pid >$own/cgroup.procs; done
  done`;

function removeAll(host: TestHost): void {
  const containers = docker(host, 'ps', '-aq').split('\n').filter(Boolean);
  if (containers.length > 0) docker(host, 'rm', '-f', ...containers);
  const networks = docker(host, 'network', 'ls', '-q', '--filter', 'type=custom').split('\n').filter(Boolean);
  if (networks.length > 0) docker(host, 'network', 'rm', ...networks);
}
