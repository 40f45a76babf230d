import { startDocker } from './docker.ts';
import { builtIn, startDockerPlugin } from './docker-plugin.ts';
import type { Daemon, TestHost } from './test-host.ts';

/** dockerd and our daemon in a test host, either of which a test may end and start again. */
export interface DockerDaemons {
  /** Both run, whatever a test that failed has ended. */
  ensure(): Promise<void>;
  startPlugin(): Promise<void>;
  /** By SIGTERM. */
  stopPlugin(): Promise<void>;
  killPlugin(): Promise<void>;
  /** Uses a daemon that another caller started. */
  usePlugin(daemon: Daemon): void;
  startDocker(): Promise<void>;
  stopDocker(): Promise<void>;
  /** containerd, which it has started, has ended too; containers have not. */
  killDocker(): Promise<void>;
}

export function makeDockerDaemons(host: TestHost): DockerDaemons {
  let plugin: Daemon | undefined;
  let docker: Daemon | undefined;
  const daemons: DockerDaemons = {
    async ensure() {
      if (plugin === undefined) await daemons.startPlugin();
      if (docker === undefined) await daemons.startDocker();
    },
    async startPlugin() {
      if (!builtIn) plugin = await startDockerPlugin(host);
    },
    async stopPlugin() {
      await plugin?.stop();
      plugin = undefined;
    },
    async killPlugin() {
      if (plugin !== undefined) await kill(host, plugin);
      plugin = undefined;
    },
    usePlugin(daemon) {
      plugin = daemon;
    },
    async startDocker() {
      docker = await startDocker(host, { kept: true });
    },
    async stopDocker() {
      await docker?.stop();
      docker = undefined;
    },
    async killDocker() {
      if (docker !== undefined) await kill(host, docker);
      docker = undefined;
    },
  };
  return daemons;
}

async function kill(host: TestHost, { name, ended }: Daemon): Promise<void> {
  host.run('sh', '-c', `kill -KILL $(cat /run/isth/${name}.pid)`);
  await ended;
}
