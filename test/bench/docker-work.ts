import { setTimeout as sleep } from 'node:timers/promises';
import { IMAGE } from '../support/image.ts';
import type { DockerClient } from './docker-client.ts';
import { placeIn } from './docker-log.ts';

/** The drivers for networks and for their addresses. */
export const SIDES = {
  bridge: { driver: 'bridge', ipam: 'default' },
  isthmus: { driver: 'isthmus', ipam: 'default' },
  pools: { driver: 'isthmus', ipam: 'isthmus' },
} as const;
export type SideName = keyof typeof SIDES;

export const STEPS = [
  'network create',
  'network connect',
  'network disconnect',
  'container start',
  'container rm -f',
  'network rm',
] as const;
export type Step = (typeof STEPS)[number];

/** The time of one Docker API call. */
export interface Timing {
  /** `none`: a container without network. */
  readonly side: SideName | 'none';
  readonly step: Step;
  /** The number of ports that the container publishes. */
  readonly ports: number;
  readonly ms: number;
  /** The length of our daemon's log at the start. */
  readonly at: number;
}

/** Container ports of one container start at 1, host ports at this one. */
export const FIRST_PORT = 20_000;
/** Time for the kernel and dockerd to finish the work of the previous call. */
const PAUSE_MS = 60;

/** A container's port, and the host's. */
type Binding = readonly [port: string, host: number];

/** The work whose calls are timed. */
export class DockerWork {
  readonly timings: Timing[] = [];
  readonly #client: DockerClient;
  readonly #log: string;
  #count = 0;

  constructor(client: DockerClient, log: string) {
    this.#client = client;
    this.#log = log;
  }

  /** Creates a permanent network. Containers keep the default gateway of their first network beside it. */
  async keep(side: SideName): Promise<void> {
    await this.#create(side, keptNetwork(side));
  }

  /** Runs a container on Docker's default network. */
  async resident(name: string): Promise<void> {
    await this.#container(name, 'bridge', []);
    await this.#client.call('POST', `/containers/${name}/start`);
  }

  /** Creates and deletes a network. */
  async networks(side: SideName): Promise<void> {
    const name = `x-${side}`;
    await this.#timed(side, 'network create', 0, () => this.#create(side, name));
    await this.#timed(side, 'network rm', 0, () => this.#client.call('DELETE', `/networks/${name}`));
  }

  /** Connects a running container to the permanent network and disconnects it. */
  async connection(side: SideName, Container: string): Promise<void> {
    const path = `/networks/${keptNetwork(side)}`;
    const call = (verb: string): Promise<object> => this.#client.call('POST', `${path}/${verb}`, { Container });
    await this.#timed(side, 'network connect', 0, () => call('connect'));
    await this.#timed(side, 'network disconnect', 0, () => call('disconnect'));
  }

  /** Starts and removes a container on the permanent network; `running` is called in between. */
  async container(side: SideName | 'none', ports: number, running = (_name: string): void => {}): Promise<void> {
    const bindings = Array.from({ length: ports }, (_, i): Binding => [`${i + 1}/tcp`, FIRST_PORT + i]);
    await this.#run(side, bindings, running);
  }

  /** The same with a range of UDP ports that are the host's, as media servers have it. */
  async range(side: SideName, ports: number, running = (_name: string): void => {}): Promise<void> {
    const bindings = Array.from({ length: ports }, (_, i): Binding => [`${FIRST_PORT + i}/udp`, FIRST_PORT + i]);
    await this.#run(side, bindings, running);
  }

  async #run(side: SideName | 'none', bindings: readonly Binding[], running: (name: string) => void): Promise<void> {
    const name = `c${this.#count++}`;
    const { length: ports } = bindings;
    await this.#container(name, side === 'none' ? side : keptNetwork(side), bindings);
    const path = `/containers/${name}`;
    await this.#timed(side, 'container start', ports, () => this.#client.call('POST', `${path}/start`));
    running(name);
    await this.#timed(side, 'container rm -f', ports, () => this.#client.call('DELETE', `${path}?force=1`));
  }

  async #timed(side: Timing['side'], step: Step, ports: number, work: () => Promise<object>): Promise<void> {
    await sleep(PAUSE_MS);
    const at = placeIn(this.#log);
    const started = performance.now();
    await work();
    this.timings.push({ side, step, ports, ms: performance.now() - started, at });
  }

  #create(side: SideName, Name: string): Promise<object> {
    const { driver, ipam } = SIDES[side];
    return this.#client.call('POST', '/networks/create', { Name, Driver: driver, IPAM: { Driver: ipam } });
  }

  async #container(name: string, NetworkMode: string, bindings: readonly Binding[]): Promise<void> {
    await this.#client.call('POST', `/containers/create?name=${name}`, {
      Image: IMAGE,
      ExposedPorts: Object.fromEntries(bindings.map(([port]) => [port, {}])),
      HostConfig: {
        NetworkMode,
        PortBindings: Object.fromEntries(bindings.map(([port, host]) => [port, [{ HostPort: `${host}` }]])),
      },
    });
  }
}

/** Sorts after `bridge`: dockerd chooses the default gateway by name if all else is equal. */
function keptNetwork(side: SideName): string {
  return `kept-${side}`;
}
