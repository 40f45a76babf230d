import type { Addr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { ifNameFault } from '../model/link.ts';
import { networkOf, type Prefix } from '../model/prefix.ts';
import { Answer } from './answer.ts';
import { isLacking } from './failures.ts';
import type { CallOptions, RemotePlugin } from './plugin.ts';

// libnetwork's NetworkDriver: one function for each method. Each throws what RemotePlugin.call throws, and NetError
// `delegate` for an answer with a value that cannot be used. Key names are those of the protocol.

const MOST_ROUTES = 1024;

export interface EndpointIds {
  /** 64 hex digits. */
  readonly networkId: string;
  readonly endpointId: string;
}

export interface DriverCapabilities {
  readonly scope: 'local' | 'global';
  readonly connectivityScope: 'local' | 'global';
  /** The driver answers GwAllocCheck. */
  readonly gatewayCheck: boolean;
}

/** A pool as the driver gets it. */
export interface IpamData {
  readonly AddressSpace: string;
  /** `10.88.7.0/24`. */
  readonly Pool: string;
  /** With prefix length. */
  readonly Gateway?: string;
  readonly AuxAddresses: Readonly<Record<string, string>>;
}

export interface CreateNetworkRequest {
  readonly NetworkID: string;
  readonly Options: Readonly<Record<string, unknown>>;
  readonly IPv4Data: readonly IpamData[];
  readonly IPv6Data: readonly IpamData[];
}

/** Fields of an endpoint's interface. */
export interface EndpointInterface {
  readonly address?: Prefix;
  readonly address6?: Prefix;
  readonly mac?: string;
}

/** Empty texts for what the driver shall choose. */
export interface CreateEndpointRequest {
  readonly NetworkID: string;
  readonly EndpointID: string;
  readonly Interface: { readonly Address: string; readonly AddressIPv6: string; readonly MacAddress: string };
  readonly Options: Readonly<Record<string, unknown>>;
}

export interface StaticRoute {
  readonly dst: Prefix;
  /** Absent: the destination is on the link. */
  readonly nextHop?: Addr;
}

/** What an endpoint needs in its sandbox. */
export interface Joined {
  /** The interface in the plugin's namespace; absent if the plugin put it into the sandbox itself. */
  readonly srcName?: string;
  /** Docker appends a number to it. */
  readonly dstPrefix?: string;
  readonly gateway?: Addr;
  readonly gateway6?: Addr;
  /** In the order of the answer. Routes to the link first: next hops may need them. */
  readonly staticRoutes: readonly StaticRoute[];
  readonly disableGatewayService: boolean;
}

export async function driverCapabilities(plugin: RemotePlugin, options?: CallOptions): Promise<DriverCapabilities> {
  const answer = await ask(plugin, 'GetCapabilities', undefined, options);
  const scopeOf = (key: string): 'local' | 'global' | undefined => {
    const text = answer.text(key);
    if (text === undefined || text === 'local' || text === 'global') return text;
    throw answer.wrong(key, 'is neither local nor global');
  };
  const scope = scopeOf('Scope');
  if (scope === undefined) throw answer.wrong('Scope', 'is missing');
  const connectivityScope = scopeOf('ConnectivityScope') ?? scope;
  return { scope, connectivityScope, gatewayCheck: answer.flag('GwAllocChecker') };
}

export async function createNetwork(plugin: RemotePlugin, body: CreateNetworkRequest, options?: CallOptions) {
  await ask(plugin, 'CreateNetwork', body, options);
}

export async function deleteNetwork(plugin: RemotePlugin, networkId: string, options?: CallOptions): Promise<void> {
  await ask(plugin, 'DeleteNetwork', { NetworkID: networkId }, options);
}

/** The fields that the driver chose. */
export async function createEndpoint(
  plugin: RemotePlugin,
  body: CreateEndpointRequest,
  options?: CallOptions,
): Promise<EndpointInterface> {
  const chosen = (await ask(plugin, 'CreateEndpoint', body, options)).inner('Interface');
  return given({
    address: chosen.prefix('Address', 4),
    address6: chosen.prefix('AddressIPv6', 6),
    mac: chosen.mac('MacAddress'),
  });
}

/** What the driver tells of an endpoint; undefined if it does not implement this. */
export async function endpointInfo(
  plugin: RemotePlugin,
  ids: EndpointIds,
  options?: CallOptions,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  try {
    return (await ask(plugin, 'EndpointOperInfo', idsBody(ids), options)).values('Value');
  } catch (thrown) {
    if (isLacking(thrown)) return undefined;
    throw thrown;
  }
}

export async function deleteEndpoint(plugin: RemotePlugin, ids: EndpointIds, options?: CallOptions): Promise<void> {
  await ask(plugin, 'DeleteEndpoint', idsBody(ids), options);
}

/** `sandboxKey`: path of the sandbox's network namespace. */
export async function join(
  plugin: RemotePlugin,
  ids: EndpointIds,
  sandboxKey: string,
  driverOptions: Readonly<Record<string, unknown>> = {},
  options?: CallOptions,
): Promise<Joined> {
  const body = { ...idsBody(ids), SandboxKey: sandboxKey, Options: driverOptions };
  const answer = await ask(plugin, 'Join', body, options);
  const names = answer.inner('InterfaceName');
  return {
    ...given({
      srcName: ifNameOf(names, 'SrcName'),
      dstPrefix: ifNameOf(names, 'DstPrefix'),
      gateway: answer.addr('Gateway', 4),
      gateway6: answer.addr('GatewayIPv6', 6),
    }),
    staticRoutes: answer.list('StaticRoutes', MOST_ROUTES).map(routeOf),
    disableGatewayService: answer.flag('DisableGatewayService'),
  };
}

export async function leave(plugin: RemotePlugin, ids: EndpointIds, options?: CallOptions): Promise<void> {
  await ask(plugin, 'Leave', idsBody(ids), options);
}

/** Publishes the ports in `driverOptions`; a driver without this method has nothing to do. */
export async function programConnectivity(
  plugin: RemotePlugin,
  ids: EndpointIds,
  driverOptions: Readonly<Record<string, unknown>> = {},
  options?: CallOptions,
): Promise<void> {
  await ifImplemented(ask(plugin, 'ProgramExternalConnectivity', { ...idsBody(ids), Options: driverOptions }, options));
}

export async function revokeConnectivity(plugin: RemotePlugin, ids: EndpointIds, options?: CallOptions): Promise<void> {
  await ifImplemented(ask(plugin, 'RevokeExternalConnectivity', idsBody(ids), options));
}

async function ifImplemented(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (thrown) {
    if (!isLacking(thrown)) throw thrown;
  }
}

async function ask(
  plugin: RemotePlugin,
  name: string,
  body: object | undefined,
  options?: CallOptions,
): Promise<Answer> {
  const method = `NetworkDriver.${name}` as const;
  return new Answer({ plugin: plugin.name, method }, await plugin.call(method, body, options));
}

function idsBody({ networkId, endpointId }: EndpointIds): { NetworkID: string; EndpointID: string } {
  return { NetworkID: networkId, EndpointID: endpointId };
}

function ifNameOf(answer: Answer, key: string): string | undefined {
  const name = answer.text(key);
  const fault = name === undefined ? undefined : ifNameFault(name);
  if (fault !== undefined) throw answer.wrong(key, fault);
  return name;
}

/** RouteType of the protocol: 0 goes by NextHop, 1 is on the link. */
function routeOf(answer: Answer): StaticRoute {
  const dst = answer.prefix('Destination');
  if (dst === undefined) throw answer.wrong('Destination', 'is missing');
  const type = answer.integer('RouteType') ?? 0;
  if (type === 1) return { dst: networkOf(dst) };
  if (type !== 0) throw answer.wrong('RouteType', 'is neither 0 (by a next hop) nor 1 (on the link)');
  const nextHop = answer.addr('NextHop', dst.addr.family);
  if (nextHop === undefined) throw answer.wrong('NextHop', 'is missing');
  return { dst: networkOf(dst), nextHop };
}
