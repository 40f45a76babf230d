import type { NetworkSpec } from '../../../src/shared/config/network-spec.ts';
import { parentedOf } from '../../../src/shared/config/parented.ts';
import type { Core } from '../../../src/shared/core/core.ts';
import { placeOffered } from '../../../src/shared/core/endpoints/placed-offers.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import { combineErrors, type NetError } from '../../../src/shared/errors/net-error.ts';
import type { LogFields } from '../../../src/shared/log/log.ts';
import { type Family, formatAddr } from '../../../src/shared/model/addr.ts';
import { dockerFactsOf } from '../../../src/shared/model/endpoint.ts';
import { formatPorts } from '../../../src/shared/model/firewall.ts';
import { given } from '../../../src/shared/model/given.ts';
import { defaultRoute, formatPrefix, samePrefix } from '../../../src/shared/model/prefix.ts';
import type { PortClaim } from '../../../src/shared/store/store.ts';
import {
  createDockerEndpoint,
  deleteDockerEndpoint,
  endpointRow,
  placeOf,
  programPorts,
  revokePorts,
} from './docker-endpoint.ts';
import { createDockerNetwork, deleteDockerNetwork } from './docker-network.ts';
import { modeOf, shortId } from './network-options.ts';
import { assertFamilies, ignoredOptions, MAX_PREFIX, parseOptions } from './options.ts';
import { isRouted } from './parent-options.ts';
import { firstGateway } from './shared-network.ts';
import {
  assertRequest,
  decodeCreateEndpoint,
  decodeCreateNetwork,
  decodeEndpointIdentity,
  decodeGwAllocCheck,
  decodeJoin,
  decodeNetworkIdentity,
  decodeProgram,
  type JoinRequest,
} from './wire/messages.ts';

/** Handles one request of one method; the core is open for the call. */
export type CoreHandler = (body: unknown, core: Core) => Promise<object> | object;

/** libnetwork's RouteType: through a gateway, or on the link. */
const [NEXT_HOP, CONNECTED] = [0, 1];

export const networkDriver: Readonly<Record<string, CoreHandler>> = {
  CreateNetwork: async (body, core) => {
    const request = decodeCreateNetwork(body);
    await createDockerNetwork(core, request, Date.now());
    tellIgnored(core, { network: shortId(request.networkId) }, ignoredOptions(request.generic));
    return {};
  },

  DeleteNetwork: async (body, core) => {
    const { networkId } = decodeNetworkIdentity(body);
    return done(await deleteDockerNetwork(core, networkId));
  },

  CreateEndpoint: async (body, core) => {
    const request = decodeCreateEndpoint(body);
    const mac = await createDockerEndpoint(core, request, Date.now());
    tellIgnored(core, { endpoint: shortId(request.endpointId) }, request.ignored);
    // dockerd rejects an answer that repeats the MAC address it supplied.
    return { Interface: mac === undefined || request.mac !== undefined ? {} : { MacAddress: mac } };
  },

  DeleteEndpoint: async (body, core) => done(await deleteDockerEndpoint(core, decodeEndpointIdentity(body))),

  EndpointOperInfo: (body, core) => {
    const { endpointId } = decodeEndpointIdentity(body);
    const ports = core.store.ports
      .list()
      .filter(({ owner }) => owner.camp === 'cnm' && owner.containerId === endpointId)
      .map((claim) => `${hostSide(claim)}:${formatPorts(claim.hostPort, claim)}/${claim.protocol}`);
    return { Value: ports.length === 0 ? {} : { 'isthmus.ports': ports.join(' ') } };
  },

  Join: (body, core) => join(core, decodeJoin(body)),

  // When an endpoint ends, dockerd may omit the call of Revoke.
  Leave: async (body, core) => done(await revokePorts(core, decodeEndpointIdentity(body))),

  ProgramExternalConnectivity: async (body, core) => {
    await programPorts(core, decodeProgram(body));
    return {};
  },

  RevokeExternalConnectivity: async (body, core) => done(await revokePorts(core, decodeEndpointIdentity(body))),
};

/** Methods that need no state. dockerd keeps a record of networks of each host, whether or not they span hosts. */
export const networkDriverFacts = (spansHosts: boolean): Readonly<Record<string, (body: unknown) => object>> => ({
  GetCapabilities: () => ({
    ...{ Scope: 'local', ConnectivityScope: spansHosts ? 'global' : 'local' },
    GwAllocChecker: true,
  }),

  /** Tells dockerd whether a network needs no gateway address. Same rule as in Docker's bridge driver. */
  GwAllocCheck: (body) => {
    const request = decodeGwAllocCheck(body);
    const { generic, internal } = request;
    const options = parseOptions(generic);
    assertFamilies(request, options);
    // The gateway of a parent's network is a router of others: only the user knows its address.
    const isNone = options.driver === 'null' || options.parented !== undefined;
    const without = (family: Family): boolean => isNone || modeOf(options, family) === 'isolated';
    return { SkipIPv4: without(4) || (options.inhibit4 === true && internal), SkipIPv6: without(6) };
  },

  AllocateNetwork: (body) => {
    decodeNetworkIdentity(body);
    throw fault.unsupported(
      'network',
      'AllocateNetwork',
      'networks of this driver exist on one host, so a swarm cannot allocate them',
      'Create it on each node: docker network create --config-only, then --scope swarm --config-from',
    );
  },

  FreeNetwork: (body) => {
    decodeNetworkIdentity(body);
    return {};
  },

  DiscoverNew: (body) => {
    assertRequest(body);
    return {};
  },

  DiscoverDelete: (body) => {
    assertRequest(body);
    return {};
  },
});

/** Tells dockerd what to do with the interface in the container. Changes nothing of it, so dockerd may ask again. */
async function join(core: Core, request: JoinRequest): Promise<object> {
  const { network, spec, attachment } = placeOf(core, request);
  const { addresses = [], ifName } = dockerFactsOf(endpointRow(core.store, attachment));
  // Otherwise dockerd adds an interface on its own bridge (docker_gwbridge) as a way out.
  if (network.driver === 'null') return { DisableGatewayService: true };
  const parented = parentedOf(spec.options);
  if (parented !== undefined) await placeOffered(core, attachment, request.sandboxKey);
  const families = new Set(addresses.map((text): Family => (text.includes(':') ? 6 : 4)));
  const gateway4 = families.has(4) ? network.gateway4 : undefined;
  const gateway6 = families.has(6) ? network.gateway6 : undefined;
  return {
    InterfaceName: { SrcName: attachment.ifName, ...nameInside(ifName, network.ifPrefix) },
    ...given({ Gateway: gateway4, GatewayIPv6: gateway6 }),
    StaticRoutes: [
      ...poolRoutes(spec, families),
      ...(parented && isRouted(parented) && !network.internal ? wayOut(families) : []),
      ...(network.internal ? [] : staticRoutes(spec, families)),
    ],
    // dockerd does not count an IPv6 gateway alone either.
    ...(gateway4 === undefined || parented !== undefined ? { DisableGatewayService: true } : {}),
  };
}

/** The parent is the way to everywhere. */
function wayOut(families: ReadonlySet<Family>): object[] {
  return [...families].map((family) => ({ Destination: formatPrefix(defaultRoute(family)), RouteType: CONNECTED }));
}

/**
 * The name that the user gives, and its prefix for dockerd before 29.8, which ignores the name and numbers the interfaces
 * of a prefix from 0.
 */
function nameInside(ifName: string | undefined, ifPrefix: string): object {
  if (ifName === undefined) return { DstPrefix: ifPrefix };
  return { DstPrefix: ifName.replace(/\d+$/, '').slice(0, MAX_PREFIX) || ifPrefix, DstName: ifName };
}

/** Says once which of the user's options mean nothing here. */
function tellIgnored({ log }: Core, subject: LogFields, options: readonly string[]): void {
  if (options.length > 0) log.warn('docker.ignored', { ...subject, options: options.join(' ') });
}

/**
 * What is on other hosts is reached by the gateway of this host's range, whether or not the container's default route
 * is this network's.
 */
function poolRoutes(spec: NetworkSpec, families: ReadonlySet<Family>): object[] {
  const pools = spec.options.driver === 'overlay' ? (spec.options.pools ?? []) : [];
  return pools.flatMap((pool) => {
    const family = pool.includes(':') ? 6 : 4;
    const via = families.has(family) ? firstGateway(spec, family) : undefined;
    return via === undefined ? [] : [{ Destination: pool, RouteType: NEXT_HOP, NextHop: formatAddr(via) }];
  });
}

/** The non-default routes of the Network's CNI configuration, for the endpoint's families. */
function staticRoutes(spec: NetworkSpec, families: ReadonlySet<Family>): object[] {
  return spec.routes.flatMap(({ dst, gateway, scope }) => {
    const { family } = dst.addr;
    if (!families.has(family) || samePrefix(dst, defaultRoute(family))) return [];
    const via = gateway ?? (scope === 'link' ? undefined : firstGateway(spec, family));
    return via === undefined
      ? [{ Destination: formatPrefix(dst), RouteType: CONNECTED }]
      : [{ Destination: formatPrefix(dst), RouteType: NEXT_HOP, NextHop: formatAddr(via) }];
  });
}

/** Throws the first failure, with the others attached, after every step was tried. */
function done(errors: readonly NetError[]): object {
  const error = combineErrors(errors, 'remove');
  if (error !== undefined) throw error;
  return {};
}

/** `*` for every address of the host, `0.0.0.0` and `[::]` for all addresses of one family. */
function hostSide({ hostIp, family }: PortClaim): string {
  if (hostIp !== undefined) return hostIp;
  return family === undefined ? '*' : family === 4 ? '0.0.0.0' : '[::]';
}
