import { join } from 'node:path';
import type { RemotePlugin } from '../remote/plugin.ts';
import type { Environment } from './environment.ts';

/** Connecting, all attempts together: at once, and after 1, 3 and 7 seconds. */
const TIMES = { connectMs: 7_000, retryMs: 1_000, answerMs: 10_000 };

/** Our own name in Docker: we would call ourselves. */
const OWN = 'isthmus';

type Client = RemotePlugin & Disposable;

/** Clients of Docker's plugins, by name. Each activates its plugin once. */
export class DockerPlugins implements Disposable {
  readonly #clients = new Map<string, Promise<Client>>();
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  open(name: string): Promise<RemotePlugin> {
    const known = this.#clients.get(name);
    if (known !== undefined) return known;
    const made = this.#make(name);
    this.#clients.set(name, made);
    return made;
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) void client.then((each) => each[Symbol.dispose]());
    this.#clients.clear();
  }

  async #make(name: string): Promise<Client> {
    const [{ PluginClient }, { pluginDirectories }] = await Promise.all([
      import('../remote/client.ts'),
      import('../remote/discovery.ts'),
    ]);
    const directories = pluginDirectories(this.#env);
    const names = new Set([OWN, this.#env.ISTHMUS_DOCKER_NAME || OWN]);
    const own = directories.sockets.flatMap((dir) => Array.from(names, (each) => join(dir, `${each}.sock`)));
    return new PluginClient(name, { directories, own, times: TIMES });
  }
}
