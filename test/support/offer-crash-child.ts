/**
 * One call on endpoint 2 of the host at `argv[2]`, whose state is in `argv[3]`: `argv[4]` is offer, publish, replace or
 * withdraw, or one of the calls on a network on a parent (`lan…`). It kills itself right after step number `argv[5]`, counted from 0: an Op of the kernel, each alone, or a
 * change of the packet filter. Ends as usual where there are not so many.
 */
import { deleteOffered, offerEndpoint } from '../../src/shared/core/endpoints/offer-endpoint.ts';
import { createNetwork } from '../../src/shared/core/networks/create-network.ts';
import { type PortRequest, publishPorts } from '../../src/shared/core/ports/publish-ports.ts';
import type { NetError } from '../../src/shared/errors/net-error.ts';
import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import type { Host, Namespaces } from '../../src/shared/host/host.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { die } from './compile-cache.ts';
import { openCoreAt } from './offer-lab.ts';
import { addressesOf, dockerRules, endpointOf, offerRequest } from './offers.ts';
import { macvlan, networkRequest, offered, parentedOffer } from './parented.ts';

const [, , path = '', stateDir = '', call = '', steps = ''] = process.argv;
let left = Number(steps);

function countDown(): void {
  if (left-- === 0) die();
}

/** The host, with a death in it. */
function mortal(host: Host): Host {
  return {
    ...host,
    apply: (ops: readonly Op[], namespaces: Namespaces): void => {
      for (const op of ops) {
        host.apply([op], namespaces);
        countDown();
      }
    },
    revert: (ops: readonly Op[], namespaces: Namespaces): NetError[] =>
      ops.flatMap((op) => {
        const errors = host.revert([op], namespaces);
        countDown();
        return errors;
      }),
  };
}

function mortalFilter(filter: Firewaller): Firewaller {
  return {
    backend: filter.backend,
    add: async (entries) => {
      const isAnew = await filter.add(entries);
      countDown();
      return isAnew;
    },
    remove: async (entries) => {
      const errors = await filter.remove(entries);
      countDown();
      return errors;
    },
    missing: (entries) => filter.missing(entries),
    removeStray: (of) => filter.removeStray(of),
    reset: (read) => filter.reset(read),
    refresh: () => filter.refresh(),
    [Symbol.dispose]: () => filter[Symbol.dispose](),
  };
}

function tcp(hostPort: number, containerPort: number): PortRequest {
  return { protocol: 'tcp', hostPort, hostPortEnd: hostPort, containerPort };
}

const rules = dockerRules();
const endpoint = endpointOf(2);
using real = openCoreAt(path, stateDir, mortal);
const core = {
  ...real,
  firewall: (backend: Parameters<typeof real.firewall>[0]) => mortalFilter(real.firewall(backend)),
};
const CALLS: Readonly<Record<string, () => Promise<unknown>>> = {
  offer: () => offerEndpoint(core, offerRequest(2, { rules })),
  publish: () => publishPorts(core, endpoint, rules, addressesOf(2), [tcp(8080, 80), tcp(0, 81)]),
  replace: () => publishPorts(core, endpoint, rules, addressesOf(2), [tcp(8080, 80), tcp(8083, 83)]),
  withdraw: () => deleteOffered(core, endpoint),
  lan: () => createNetwork(core, networkRequest(macvlan())),
  'lan-offer': () => offerEndpoint(core, parentedOffer(macvlan())),
  'lan-withdraw': () => deleteOffered(core, offered(2)),
};
await CALLS[call]?.();
