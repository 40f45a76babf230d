import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';

/**
 * Run inside of a test host: clients of both camps take addresses of one network, all at once, and give them back.
 * Prints a CampReport. Each keeps what it has had last.
 */
export interface CampOrders {
  /** Docker's network, and the containers that are connected to it. */
  readonly network: string;
  readonly containers: readonly string[];
  /** Names of namespaces, which are the pods. */
  readonly pods: readonly string[];
  /** How often each client gives its address back, at least; they go on until the slowest has done so. */
  readonly rounds: number;
  readonly plugin: string;
  /** The configuration that the plugin reads. */
  readonly config: object;
  readonly docker: string;
}

export interface CampReport {
  /** How often a client was given an address that another one had. */
  readonly collisions: readonly string[];
  /** What each has at the end. */
  readonly kept: Readonly<Record<string, string>>;
  /** How many different addresses were seen. */
  readonly seen: number;
  /** How often somebody was given an address. */
  readonly given: number;
}

/** Takes an address, and gives it back. */
interface Client {
  readonly name: string;
  take(): Promise<string>;
  give(): Promise<void>;
}

async function main(orders: CampOrders): Promise<void> {
  const clients = [
    ...orders.containers.map((name) => containerClient(orders, name)),
    ...orders.pods.map((name) => podClient(orders, name)),
  ];
  const held = new Map<string, string>();
  const seen = new Set<string>();
  const collisions: string[] = [];
  const done = new Set<Client>();
  let given = 0;
  const take = async ({ name, take }: Client): Promise<string> => {
    const address = await take();
    const other = held.get(address);
    if (other !== undefined) collisions.push(`${address} is given to ${name}, and ${other} has it`);
    held.set(address, name);
    seen.add(address);
    given++;
    return address;
  };
  const work = async (client: Client): Promise<[string, string]> => {
    for (let round = 1; round <= orders.rounds || done.size < clients.length; round++) {
      const address = await take(client);
      held.delete(address);
      await client.give();
      if (round === orders.rounds) done.add(client);
    }
    return [client.name, await take(client)];
  };
  const kept = Object.fromEntries(await Promise.all(clients.map(work)));
  const report: CampReport = { collisions, kept, seen: seen.size, given };
  console.log(JSON.stringify(report));
}

function containerClient({ docker, network }: CampOrders, name: string): Client {
  const call = (method: string, path: string, body?: object): Promise<unknown> => ask(docker, method, path, body);
  return {
    name,
    async take() {
      await call('POST', `/networks/${network}/connect`, { Container: name });
      const { NetworkSettings } = (await call('GET', `/containers/${name}/json`)) as {
        readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> };
      };
      return NetworkSettings.Networks[network]?.IPAddress ?? '';
    },
    give: async () => void (await call('POST', `/networks/${network}/disconnect`, { Container: name })),
  };
}

async function ask(socketPath: string, method: string, path: string, body?: object): Promise<unknown> {
  const headers = { Host: 'docker', 'Content-Type': 'application/json' };
  const sent = request({ socketPath, method, path, headers, agent: false });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = await once(sent, 'response');
  const said = await text(response);
  if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${said}`);
  return said.trim() === '' ? undefined : JSON.parse(said);
}

function podClient({ plugin, config }: CampOrders, name: string): Client {
  const call = async (command: string): Promise<string> => {
    const env = {
      ...{ ...process.env, CNI_COMMAND: command, CNI_PATH: plugin.replace(/\/[^/]*$/, '') },
      ...{ CNI_CONTAINERID: name, CNI_NETNS: `/run/netns/${name}`, CNI_IFNAME: 'eth0' },
    };
    const child = spawn(plugin, { env, stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.end(JSON.stringify(config));
    const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    if (code !== 0) throw new Error(`${command} of ${name}: ${code} ${said}`);
    return said;
  };
  return {
    name,
    take: async () => JSON.parse(await call('ADD')).ips[0].address.split('/')[0],
    give: async () => void (await call('DEL')),
  };
}

await main(JSON.parse(process.argv[2] ?? '{}'));
