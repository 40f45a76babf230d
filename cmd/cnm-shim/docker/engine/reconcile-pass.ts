import { setTimeout as sleep } from 'node:timers/promises';
import { attachmentKey } from '../../../../src/shared/core/apply.ts';
import type { Core } from '../../../../src/shared/core/core.ts';
import { asNetError, type NetError } from '../../../../src/shared/errors/net-error.ts';
import type { Logger } from '../../../../src/shared/log/log.ts';
import type { Attachment } from '../../../../src/shared/model/attachment.ts';
import { given } from '../../../../src/shared/model/given.ts';
import { makePhases } from '../../../../src/shared/runtime/phases.ts';
import { listedEndpoint } from '../../../../src/shared/store/listed-endpoints.ts';
import type { DockerNetworkRow } from '../../../../src/shared/store/store.ts';
import { removeEndpoint } from '../docker-endpoint.ts';
import type { Routes } from '../wire/routes.ts';
import type { DockerApi } from './api.ts';
import type { DockerNetwork } from './api-answers.ts';
import { commonTo, type Differences, differences, isEmpty, isOurs, type Look, type Rules } from './differences.ts';
import { isUnclaimed, lookAtDocker, networksToAsk, readRecords } from './look.ts';
import { recallEndpoints } from './recall-endpoints.ts';
import { replayNetwork } from './replay.ts';

export interface PassParts {
  readonly api: DockerApi;
  /** Opens a core for a few steps. */
  readonly open: () => Core & Disposable;
  /** The handlers, which create and delete networks. */
  readonly routes: Routes;
  readonly log: Logger;
  readonly rules: Rules;
  /** Milliseconds between two looks: a change is made only if both looks call for it. */
  readonly between: number;
  /** Called with dockerd's networks after each look. */
  readonly told: (networks: readonly DockerNetwork[]) => void;
  /** Aborted when the daemon ends. */
  readonly signal: AbortSignal;
}

/** What a pass did. */
export interface Outcome {
  /** NetworkIDs whose records were deleted. */
  readonly networks: readonly string[];
  /** EndpointIDs whose records were deleted. */
  readonly endpoints: readonly string[];
  /** NetworkIDs whose records were restored. */
  readonly restored: readonly string[];
  readonly errors: readonly NetError[];
  /** When more work is due, in milliseconds since the epoch. */
  readonly again?: number;
}

/** One comparison of the records with what dockerd knows, and the resulting changes. */
export class Pass {
  readonly #parts: PassParts;
  readonly #errors: NetError[] = [];
  /** Docker networks whose CNI lists have lost endpoints. */
  readonly #collected = new Set<string>();

  constructor(parts: PassParts) {
    this.#parts = parts;
  }

  /** Undefined if no dockerd listens. Rejects with NetError if its answer is unusable. */
  async run(): Promise<Outcome | undefined> {
    const { between, signal } = this.#parts;
    const first = await this.#compare();
    if (first === undefined || isEmpty(first.found)) return first && (await this.#correct(first));
    await sleep(between, undefined, { signal });
    const second = await this.#compare();
    return second && (await this.#correct({ ...second, found: commonTo(first.found, second.found) }));
  }

  async #compare(): Promise<Compared | undefined> {
    const { api, rules, told, signal } = this.#parts;
    const asked = networksToAsk(this.#read(readRecords));
    const look = await lookAtDocker(api, (network) => asked?.has(network.id) ?? isOurs(network, rules), signal);
    if (look === undefined) return undefined;
    told(look.networks);
    return { look, found: differences(look, this.#read(readRecords), rules) };
  }

  async #correct({ look, found }: Compared): Promise<Outcome> {
    const { api, signal } = this.#parts;
    const endpoints = await this.#each(found.endpoints, (attachment) => this.#deleteEndpoint(attachment));
    await this.#each([...this.#collected], (id) => this.#collect(id));
    const networks = await this.#each(found.networks, (network) => this.#remove(network));
    const containers = found.lost.length === 0 ? [] : ((await api.containers(signal)) ?? []);
    const restored = await this.#each(found.lost, (network) => {
      const gateways = containers.filter((of) => of.networkId === network.id).flatMap((of) => of.gateways);
      return this.#restore(network, gateways);
    });
    for (const { id } of restored) await this.#recall(id, look.at);
    await this.#adopt(look);
    return {
      networks: networks.map(({ id }) => id),
      endpoints: endpoints.map(({ containerId }) => containerId),
      restored: restored.map(({ id }) => id),
      errors: this.#errors,
      ...given({ again: found.again }),
    };
  }

  /**
   * Returns the items for which `work` resolved to `true`. Collects what it throws and continues with the next item.
   */
  async #each<T>(all: readonly T[], work: (one: T) => Promise<boolean>): Promise<T[]> {
    const done: T[] = [];
    for (const one of all) {
      if (this.#parts.signal.aborted) break;
      try {
        if (await work(one)) done.push(one);
      } catch (thrown) {
        this.#errors.push(asNetError(thrown, 'docker'));
      }
    }
    return done;
  }

  async #deleteEndpoint(attachment: Attachment): Promise<boolean> {
    const { network, containerId: endpoint } = attachment;
    using core = this.#parts.open();
    const listed = listedEndpoint(core.store.notes, attachment)?.dockerNetwork;
    const errors = await removeEndpoint(core, attachment);
    this.#errors.push(...errors);
    if (listed !== undefined) this.#collected.add(listed);
    if (errors.length === 0) this.#parts.log.info('docker.removed', { network, endpoint, reason: UNKNOWN });
    return errors.length === 0;
  }

  async #collect(dockerNetwork: string): Promise<boolean> {
    const { collectListed } = await import('../lists/sweep.ts');
    using core = this.#parts.open();
    const errors = await collectListed(core, dockerNetwork);
    this.#errors.push(...errors);
    return errors.length === 0;
  }

  async #remove({ id, network }: DockerNetworkRow): Promise<boolean> {
    await this.#call('NetworkDriver.DeleteNetwork', { NetworkID: id });
    this.#parts.log.info('docker.removed', { network, id, reason: UNKNOWN });
    return true;
  }

  /** Restores the network's record, unless dockerd has deleted the network meanwhile. */
  async #restore(network: DockerNetwork, gateways: readonly string[]): Promise<boolean> {
    const { api, log, rules, signal } = this.#parts;
    const { id } = network;
    await replayNetwork(network, rules.drivers, gateways, (method, body) => this.#call(method, body));
    const isThere = (await api.has(id, signal)) !== false;
    if (isThere) log.info('docker.restored', { network: network.name, id });
    else await this.#call('NetworkDriver.DeleteNetwork', { NetworkID: id });
    return isThere;
  }

  /** Records the endpoints of a restored network that no interface on the host tells of. */
  async #recall(id: string, at: number): Promise<void> {
    const { api, open, signal } = this.#parts;
    const told = await api.endpoints(id, signal).catch(() => undefined);
    if (told === undefined || told === 'unknown') return;
    using core = open();
    this.#errors.push(...(await recallEndpoints(core, id, told, at)));
  }

  /** Assigns endpoints that were rebuilt from their interfaces to their Docker networks. */
  async #adopt({ endpoints, at }: Look): Promise<void> {
    const told = [...endpoints].flatMap(([id, list]) =>
      list === 'unknown' ? [] : list.map((endpoint) => ({ id, endpoint })),
    );
    using core = this.#parts.open();
    const { store } = core;
    for (const { attachment, role } of store.endpoints.list().filter(isUnclaimed)) {
      const found = told.find(({ endpoint }) => endpoint.id === attachment.containerId);
      if (found === undefined || store.dockerNetworks.get(found.id)?.network !== attachment.network) continue;
      using _lock = await core.lock(attachmentKey(attachment));
      store.transaction(() => {
        const row = store.endpoints.get(attachment, role);
        if (row?.progress !== 'ready' || (row.kind !== 'docker' && row.kind !== 'recalled')) return;
        store.endpoints.put({ ...row, dockerNetwork: found.id, addresses: found.endpoint.addresses, createdAt: at });
      });
    }
  }

  async #call(method: string, body: object): Promise<unknown> {
    const { routes } = this.#parts;
    const now = (): number => performance.now();
    return await routes[method]?.handle(body, { phases: makePhases(now, now()) });
  }

  #read<T>(work: (core: Core) => T): T {
    using core = this.#parts.open();
    return work(core);
  }
}

interface Compared {
  readonly look: Look;
  readonly found: Differences;
}

const UNKNOWN = 'dockerd does not know it';
