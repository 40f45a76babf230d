import { expireRequests } from '../../../src/shared/core/pools/pools.ts';
import { asNetError, NetError } from '../../../src/shared/errors/net-error.ts';
import type { Logger } from '../../../src/shared/log/log.ts';
import { given } from '../../../src/shared/model/given.ts';
import type { CallCore } from '../../../src/shared/runtime/make-core.ts';
import type { CoreOpener } from '../resident-core.ts';
import { ipamDriver, ipamDriverFacts, type PoolChoice } from './ipam-driver.ts';
import { networkDriver, networkDriverFacts } from './network-driver.ts';
import type { CallContext, Handler, Route, Routes } from './wire/routes.ts';

export interface DockerServiceOptions {
  readonly cores: CoreOpener;
  readonly log: Logger;
  readonly candidates: PoolChoice['candidates'];
  /** What else to avoid when choosing a pool. */
  readonly avoid?: () => PoolChoice['avoid'];
  /** True on a member of a cluster: networks may span hosts. */
  readonly spansHosts?: boolean;
  /** Called when dockerd starts to use us: it may just have started. */
  readonly activated?: () => void;
  /** Called after a network was created or deleted. */
  readonly changed?: () => void;
  /** Puts an error into words of Docker's users, once the call holds no lock. */
  readonly worded?: (error: NetError) => Promise<NetError>;
}

/** A pool or address that no CreateNetwork or CreateEndpoint has claimed after this time is free again. */
const EXPIRY_MS = 600_000;
const EXPIRY_INTERVAL_MS = 60_000;

/** Methods that change Docker's networks. */
const CHANGING: ReadonlySet<string> = new Set(['CreateNetwork', 'DeleteNetwork']);
/** Methods without a body in the protocol. */
const BODILESS: ReadonlySet<string> = new Set(['GetCapabilities', 'GetDefaultAddressSpaces']);

/** The two drivers that dockerd sees, on the core that also serves CNI. */
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
    const facts = networkDriverFacts(this.#options.spansHosts === true);
    for (const [method, handle] of Object.entries(facts)) add('NetworkDriver', method, handle);
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

  /** Starts to expire unclaimed requests, until disposed. */
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
    // The timer must not keep the daemon alive.
    timer.unref();
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  /** Retries a call once after a broken state was set aside, with a new state. */
  async #withCore(call: CallContext, work: (core: CallCore) => Promise<object> | object): Promise<object> {
    const { worded = async (error: NetError) => error } = this.#options;
    try {
      return await this.#once(call, work);
    } catch (thrown) {
      if (!(thrown instanceof NetError)) throw thrown;
      if (thrown.kind !== 'state-reset') throw await worded(thrown);
    }
    return await this.#once(call, work);
  }

  async #once(
    { phases, traceparent }: CallContext,
    work: (core: CallCore) => Promise<object> | object,
  ): Promise<object> {
    const { cores, log } = this.#options;
    using core = cores.open({ log, phases, ...given({ traceparent }) });
    return await work(core);
  }
}
