import type { NetError } from '../errors/net-error.ts';
import { collectGarbage, type GarbageRequest } from './collect-garbage.ts';
import type { AddressSource, Core } from './core.ts';
import { checkEndpoint } from './endpoints/check-endpoint.ts';
import { checkLone } from './endpoints/check-lone.ts';
import { createEndpoint } from './endpoints/create-endpoint.ts';
import { createLone } from './endpoints/create-lone.ts';
import { deleteEndpoint } from './endpoints/delete-endpoint.ts';
import { checkPlugged } from './plugins/check-plugged.ts';
import { createPlugged } from './plugins/create-plugged.ts';
import type {
  EndpointReport,
  EndpointRequest,
  Expectation,
  LoneRequest,
  PluggedEndpointRequest,
  RemovalRequest,
} from './requests.ts';

/** The entry object: the only place that calls store, IPAM, driver and host in sequence. One file for each call. */
export class NetworkController {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  createLone(request: LoneRequest): Promise<EndpointReport> {
    return createLone(this.#core, request);
  }

  checkLone(request: LoneRequest, expected: Expectation): Promise<void> {
    return checkLone(this.#core, request, expected);
  }

  createPlugged(request: PluggedEndpointRequest): Promise<EndpointReport> {
    return createPlugged(this.#core, request);
  }

  checkPlugged(request: PluggedEndpointRequest, expected: Expectation): Promise<void> {
    return checkPlugged(this.#core, request, expected);
  }

  createEndpoint(request: EndpointRequest): Promise<EndpointReport> {
    return createEndpoint(this.#core, request);
  }

  deleteEndpoint(request: RemovalRequest): Promise<NetError[]> {
    return deleteEndpoint(this.#core, request);
  }

  check(request: EndpointRequest, expected: Expectation): Promise<void> {
    return checkEndpoint(this.#core, request, expected);
  }

  /** Returns if a new endpoint can be served. Throws NetError `unavailable` otherwise. */
  async status(source: AddressSource | undefined): Promise<void> {
    if (source?.kind === 'local') source.status(this.#core.store);
    if (source?.kind === 'delegate') await source.status();
  }

  collectGarbage(request: GarbageRequest): Promise<NetError[]> {
    return collectGarbage(this.#core, request);
  }
}
