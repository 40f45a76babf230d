import { expireRequests } from '../../../src/shared/core/pools/pools.ts';
import { asNetError, NetError } from '../../../src/shared/errors/net-error.ts';
import type { Logger } from '../../../src/shared/log/log.ts';
import type { CallCore } from '../../../src/shared/runtime/make-core.ts';
import type { CoreOpener } from '../resident-core.ts';
import { ipamDriver, ipamDriverFacts, type PoolChoice } from './ipam-driver.ts';
import { networkDriver, networkDriverFacts } from './network-driver.ts';
import type { CallContext, Handler, Route, Routes } from './wire/routes.ts';

export interface DockerServiceOptions {
  readonly cores: CoreOpener;
  readonly log: Logger;
  readonly candidates: PoolChoice['candidates'];
  /** What else is to be left alone when a pool is chosen. */
  readonly avoid?: () => PoolChoice['avoid'];
  /** Told when dockerd has begun to use us: it may just have started. */
  readonly activated?: () => void;
  /** Told when a network has been made or removed. */
  readonly changed?: () => void;
}

/** What nobody has claimed by a CreateNetwork or CreateEndpoint for so long is free again. */
const EXPIRY_MS = 600_000;
const EXPIRY_INTERVAL_MS = 60_000;

/** Methods after which Docker's networks are others than before. */
const CHANGING: ReadonlySet<string> = new Set(['CreateNetwork', 'DeleteNetwork']);
/** The protocol gives these no body. */
const BODILESS: ReadonlySet<string> = new Set(['GetCapabilities', 'GetDefaultAddressSpaces']);

/** The two drivers that dockerd sees, on the core that serves CNI too. */
export class DockerService {
  readonly #options: DockerServiceOptions;

  constructor(options: DockerServiceOptions) {
    this.#options = options;
  }

  /** All methods of both drivers. */
  routes(): Routes {
    const { changed = () => {}, activated = () => {}, candidates, avoid = () => [] } = this.#options;
    const choice = (): PoolChoice => ({ candidates, avoid: avoid() });
    const routes: Record<string, Route> = {
      'Plugin.Activate': {
        emptyBody: true,
        handle: () => {
          setImmediate(activated);
          return { Implements: ['NetworkDriver', 'IpamDriver'] };
        },
      },
    };
    const add = (driver: string, method: string, handle: Handler): void => {
      routes[`${driver}.${method}`] = { handle, emptyBody: BODILESS.has(method) };
    };
    for (const [method, handle] of Object.entries(networkDriverFacts)) add('NetworkDriver', method, handle);
    for (const [method, handle] of Object.entries(ipamDriverFacts)) add('IpamDriver', method, handle);
    for (const [method, handle] of Object.entries(networkDriver)) {
      add('NetworkDriver', method, async (body, call) => {
        const answer = await this.#withCore(call, (core) => handle(body, core));
        if (CHANGING.has(method)) setImmediate(changed);
        return answer;
      });
    }
    for (const [method, handle] of Object.entries(ipamDriver)) {
      add('IpamDriver', method, (body, call) => this.#withCore(call, (core) => handle(body, core, choice)));
    }
    return routes;
  }

  /** Requests that nobody claims expire from now on, until disposed. */
  start(): Disposable {
    const expire = (): void => {
      const { cores, log } = this.#options;
      try {
        using core = cores.open({ log });
        const expired = expireRequests(core, Date.now() - EXPIRY_MS);
        if (expired > 0) log.info('requests.expired', { expired });
      } catch (thrown) {
        log.warn('requests.failed', { error: asNetError(thrown, 'ipam').message });
      }
    };
    expire();
    const timer = setInterval(expire, EXPIRY_INTERVAL_MS);
    // It keeps no daemon alive.
    timer.unref();
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  /** A state that turned out to be broken has been set aside by then: the call is made once more, with a new one. */
  async #withCore(call: CallContext, work: (core: CallCore) => Promise<object> | object): Promise<object> {
    try {
      return await this.#once(call, work);
    } catch (thrown) {
      if (!(thrown instanceof NetError && thrown.kind === 'state-reset')) throw thrown;
    }
    return await this.#once(call, work);
  }

  async #once({ phases }: CallContext, work: (core: CallCore) => Promise<object> | object): Promise<object> {
    const { cores, log } = this.#options;
    using core = cores.open({ log, phases });
    return await work(core);
  }
}
