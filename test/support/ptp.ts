import { strict as assert } from 'node:assert';
import type { FirewallOptions } from '../../src/shared/config/firewall.ts';
import type { NetworkSpec } from '../../src/shared/config/network-spec.ts';
import type { PortMapping } from '../../src/shared/config/port-mappings.ts';
import type { PtpOptions } from '../../src/shared/config/ptp.ts';
import type { AddressSource } from '../../src/shared/core/core.ts';
import { createEndpoint } from '../../src/shared/core/endpoints/create-endpoint.ts';
import { deleteEndpoint } from '../../src/shared/core/endpoints/delete-endpoint.ts';
import { poolSource, staticSource } from '../../src/shared/core/pool-source.ts';
import type { EndpointReport, EndpointRequest, Expectation } from '../../src/shared/core/requests.ts';
import { ptpDriver } from '../../src/shared/drivers/ptp/ptp.ts';
import type { Rules } from '../../src/shared/drivers/rules.ts';
import type { NetError } from '../../src/shared/errors/net-error.ts';
import type { HostIdentity } from '../../src/shared/host/host.ts';
import type { FirewallBackend } from '../../src/shared/model/firewall.ts';
import type { RouteSpec } from '../../src/shared/model/link.ts';
import type { Op } from '../../src/shared/model/op.ts';
import { parseRoute } from '../../src/shared/model/route.ts';
import type { FakeHost } from '../../src/shared/testing/fake-host.ts';
import { range } from '../unit/ipam-support.ts';
import { addrOf, prefixOf, routeOf } from './addresses.ts';
import {
  attachmentOf,
  delRequest,
  makeCore,
  makeFakeHost,
  NOTHING,
  POD,
  recordsOf,
  scopeOf,
  type TestCore,
  type Which,
} from './core.ts';
import { FakeFirewaller } from './fake-firewaller.ts';

export const SUBNETS = ['10.7.0.0/24', 'fd07::/64'];

export const NO_MASQUERADE: FirewallOptions = {
  backend: 'nftables',
  policy: 'open',
  ports: { snat: true, masqAll: false, conditions: { 4: [], 6: [] } },
};

/** As `"type": "isthmus"` makes them, with ipMasq. */
export function ptpRules(changes: Partial<Rules> = {}): Rules {
  return {
    backend: 'nftables',
    options: { ...NO_MASQUERADE, masquerade: { except: [], to: {} } },
    mappings: [],
    admit: true,
    ...changes,
  };
}

export const WEB: PortMapping = { protocol: 'tcp', hostPort: 8080, containerPort: 80 };

/** One address of each family, with default routes. */
export function ptpPool(which: Which, identity: HostIdentity): AddressSource {
  const sets = SUBNETS.map((subnet) => [range(subnet)]);
  const routes = [routeOf('0.0.0.0/0'), routeOf('::/0')];
  return poolSource({ scope: scopeOf(which), sets, requested: [], routes, dns: {} }, attachmentOf(which), identity);
}

/** `address gateway`; the gateway may be missing. */
export function fixedAt(texts: readonly string[], routes: readonly RouteSpec[] = []): AddressSource {
  const addresses = texts.map((text) => {
    const [address = '', gateway] = text.split(' ');
    return { address: prefixOf(address), ...(gateway === undefined ? {} : { gateway: addrOf(gateway) }) };
  });
  return staticSource(
    addresses,
    routes.flatMap((route) => parseRoute(route) ?? []),
    {},
  );
}

export interface PtpParts {
  /** Null: no addresses. Default: those of `ptpPool`. */
  readonly source?: AddressSource | null;
  readonly rules?: Rules;
  readonly options?: Omit<PtpOptions, 'driver'>;
}

export function ptpSpec(which: Which, { rules, options = {} }: PtpParts = {}): NetworkSpec {
  const ofRules = rules && { rules: { backend: rules.backend, options: rules.options, admit: rules.admit } };
  return {
    options: { driver: 'ptp', ...options },
    ranges: SUBNETS.map((subnet) => [range(subnet)]),
    scope: scopeOf(which),
    routes: [],
    ...ofRules,
  };
}

/** An ADD as the plugin makes it. */
export function ptpRequest(which: Which, identity: HostIdentity, parts: PtpParts = {}): EndpointRequest {
  const { source = ptpPool(which, identity), rules, options = {} } = parts;
  return {
    attachment: attachmentOf(which),
    role: 'interface',
    netns: which.netns ?? POD,
    ownNamespace: false,
    driver: ptpDriver({ driver: 'ptp', ...options }),
    driverName: 'ptp',
    spec: ptpSpec(which, parts),
    aliases: [],
    ...(rules === undefined ? {} : { rules }),
    ...(source === null ? {} : { source }),
  };
}

/** prevResult, for CHECK. */
export function expectationOf({ interfaces, addresses, routes }: EndpointReport): Expectation {
  return { interfaces: interfaces.filter(({ inSandbox }) => inSandbox), addresses, routes };
}

/** A host in memory with two pods, and ADD and DEL of driver ptp on it. */
export interface PtpScene {
  readonly host: FakeHost;
  readonly filter: FakeFirewaller;
  core: TestCore;
  add(which?: Which, parts?: PtpParts): Promise<EndpointReport>;
  del(which?: Which): Promise<NetError[]>;
  run(...ops: readonly Op[]): void;
  /** The core after a loss of its state. */
  loseState(): void;
  /** Fails unless host, packet filter and records are as before the first ADD. */
  nothingIsLeft(): void;
}

export function makePtpScene(): PtpScene {
  const host = makeFakeHost();
  const bare = host.toString();
  const filter = new FakeFirewaller();
  const coreOn = (): TestCore => ({ ...makeCore(host), firewall: (backend: FirewallBackend) => filter.of(backend) });
  const scene: PtpScene = {
    ...{ host, filter, core: coreOn() },
    add: (which = {}, parts = {}) => createEndpoint(scene.core, ptpRequest(which, host.identity, parts)),
    del: (which = {}) => deleteEndpoint(scene.core, delRequest(which, host.identity)),
    run: (...ops) => host.apply(ops, { host: host.own, sandbox: host.open(POD) }),
    loseState: () => {
      scene.core = coreOn();
    },
    nothingIsLeft: () => {
      assert.equal(host.toString(), bare);
      assert.deepEqual(filter.list(), []);
      assert.deepEqual(recordsOf(scene.core), NOTHING);
    },
  };
  return scene;
}
