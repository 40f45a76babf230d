import type { Core } from '../../../src/shared/core/core.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import { asNetError, combineErrors, type NetError } from '../../../src/shared/errors/net-error.ts';
import type { LogFields } from '../../../src/shared/log/log.ts';
import type { Family } from '../../../src/shared/model/addr.ts';
import { formatPorts } from '../../../src/shared/model/firewall.ts';
import type { PortClaim } from '../../../src/shared/store/store.ts';
import {
  completeDockerEndpoint,
  createDockerEndpoint,
  deleteDockerEndpoint,
  programPorts,
  revokePorts,
} from './docker-endpoint.ts';
import { createDockerNetwork, deleteDockerNetwork } from './docker-network.ts';
import { join } from './join.ts';
import { modeOf, shortId } from './network-options.ts';
import { assertFamilies, ignoredOptions, parseOptions } from './options.ts';
import {
  assertRequest,
  type CreateEndpointRequest,
  decodeCreateEndpoint,
  decodeCreateNetwork,
  decodeEndpointIdentity,
  decodeGwAllocCheck,
  decodeJoin,
  decodeNetworkIdentity,
  decodeProgram,
} from './wire/messages.ts';

/** Handles one request of one method; the core is open for the call. */
export type CoreHandler = (body: unknown, core: Core) => Promise<object> | object;

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
    const Interface = await createDockerEndpoint(core, request, Date.now());
    tellIgnored(core, { endpoint: shortId(request.endpointId) }, ignoredBy(core, request));
    return { Interface };
  },

  DeleteEndpoint: async (body, core) => done(await deleteDockerEndpoint(core, decodeEndpointIdentity(body))),

  EndpointOperInfo: async (body, core) => {
    const identity = decodeEndpointIdentity(body);
    const { endpointId } = identity;
    await completeDockerEndpoint(core, identity);
    const ports = core.store.ports
      .list()
      .filter(({ owner }) => owner.camp === 'cnm' && owner.containerId === endpointId)
      .map((claim) => `${hostSide(claim)}:${formatPorts(claim.hostPort, claim)}/${claim.protocol}`);
    return { Value: ports.length === 0 ? {} : { 'isthmus.ports': ports.join(' ') } };
  },

  Join: (body, core) => join(core, decodeJoin(body)),

  // When an endpoint ends, dockerd may omit the call of Revoke.
  Leave: async (body, core) => {
    const identity = decodeEndpointIdentity(body);
    const errors = await revokePorts(core, identity);
    const left = await completeDockerEndpoint(core, identity, 'leave').catch((thrown) => asNetError(thrown, 'Leave'));
    return done([...errors, ...(left === undefined ? [] : [left])]);
  },

  ProgramExternalConnectivity: async (body, core) => {
    await programPorts(core, decodeProgram(body));
    return {};
  },

  RevokeExternalConnectivity: async (body, core) => done(await revokePorts(core, decodeEndpointIdentity(body))),

  /** Tells dockerd whether a network needs no gateway address. Same rule as in Docker's bridge driver. */
  GwAllocCheck: async (body, core) => {
    const request = decodeGwAllocCheck(body);
    const { generic, internal } = request;
    const options = parseOptions(generic);
    const { driver, list, parented } = options;
    assertFamilies(request, options);
    if (list !== undefined) {
      const { gatewaysToSkip } = await import('./lists/list-network.ts');
      return await gatewaysToSkip(core, list);
    }
    // The gateway of a parent's network is a router of others: only the user knows its address.
    const isNone = driver === 'null' || parented !== undefined;
    const without = (family: Family): boolean => isNone || modeOf(options, family) === 'isolated';
    return { SkipIPv4: without(4) || (options.inhibit4 === true && internal), SkipIPv6: without(6) };
  },
};

/** Methods that need no state. dockerd keeps a record of networks of each host, whether or not they span hosts. */
export const networkDriverFacts = (spansHosts: boolean): Readonly<Record<string, (body: unknown) => object>> => ({
  GetCapabilities: () => ({
    ...{ Scope: 'local', ConnectivityScope: spansHosts ? 'global' : 'local' },
    GwAllocChecker: true,
  }),

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

/** The keys of the user's options that mean nothing on this network. */
function ignoredBy({ store }: Core, { networkId, ignored }: CreateEndpointRequest): readonly string[] {
  const isListed = store.dockerNetworks.get(networkId)?.list !== undefined;
  return isListed ? ignored.filter((key) => key !== 'ip') : ignored;
}

/** Says once which of the user's options mean nothing here. */
function tellIgnored({ log }: Core, subject: LogFields, options: readonly string[]): void {
  if (options.length > 0) log.warn('docker.ignored', { ...subject, options: options.join(' ') });
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
