import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import type { TestNetns } from './netns.ts';

type Json = Readonly<Record<string, unknown>>;

/** A plugin's refusal, as dockerd gets it. */
export class Refusal extends Error {}

export interface Creation {
  /** `-o`. */
  readonly o?: Readonly<Record<string, string>>;
  readonly internal?: boolean;
  /** Subnets by family; absent ones of family 4 are chosen by the IPAM driver. */
  readonly subnet?: string;
  readonly subnet6?: string;
  /** `--aux-address`, by family; of Docker's own IPAM none. */
  readonly aux?: Readonly<Record<string, string>>;
  readonly aux6?: Readonly<Record<string, string>>;
  readonly ipamOpt?: Readonly<Record<string, string>>;
  /** Docker's own IPAM: nobody is asked, and `subnet` has to be given. */
  readonly ownIpam?: boolean;
}

export interface CalledPool {
  readonly id: string;
  readonly gateway: string;
  readonly pool: string;
  readonly aux: Readonly<Record<string, string>>;
}

/** A network as dockerd remembers it. */
export interface CalledNetwork {
  readonly id: string;
  readonly pools: readonly CalledPool[];
}

export interface Port {
  readonly container: number;
  readonly host: number;
  readonly hostIp?: string;
  readonly protocol?: 'tcp' | 'udp';
}

export interface Start {
  readonly ports?: readonly Port[];
  readonly ip?: string;
  readonly mac?: string;
  /** Path of the container's namespace; absent: one that dockerd has not made. */
  readonly sandboxKey?: string;
  /** For networks of Docker's own IPAM, which does not run here. */
  readonly addresses?: readonly string[];
}

/** An endpoint as dockerd remembers it. */
export interface CalledEndpoint {
  readonly id: string;
  readonly network: CalledNetwork;
  /** With prefix length, IPv4's first. */
  readonly addresses: readonly string[];
  readonly srcName: string;
  readonly mac: string;
  readonly join: Json;
  readonly options: Json;
}

/** dockerd's side of the protocol, call by call and in its order. Throws Refusal where a call fails. */
export class DockerCaller implements Disposable {
  readonly #socket: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent = new Agent({ keepAlive: true });

  /** `headers` go with each call. */
  constructor(socket: string, headers: Readonly<Record<string, string>> = {}) {
    this.#socket = socket;
    this.#headers = headers;
  }

  async call(method: string, body: Json | null = {}): Promise<Json> {
    const options = {
      socketPath: this.#socket,
      path: `/${method}`,
      method: 'POST',
      agent: this.#agent,
      headers: this.#headers,
    };
    const request = httpRequest(options);
    request.end(body === null ? '' : JSON.stringify(body));
    const [response] = await once(request, 'response');
    let text = '';
    for await (const piece of response.setEncoding('utf8')) text += piece;
    const answer: Json = JSON.parse(text);
    if (response.statusCode === 200) return answer;
    throw new Refusal(String(method.startsWith('Ipam') ? answer.Error : answer.Err));
  }

  /** The body of CreateNetwork, once pools and gateways have been asked for. */
  async pools({
    subnet = '',
    subnet6,
    aux = {},
    aux6 = {},
    ipamOpt = {},
    ownIpam = false,
  }: Creation): Promise<CalledNetwork['pools']> {
    const wanted = [subnet, ...(subnet6 === undefined ? [] : [subnet6])];
    const found: CalledNetwork['pools'][number][] = [];
    for (const [i, Pool] of wanted.entries()) {
      if (ownIpam) {
        found.push({ id: '', pool: Pool, gateway: Pool.replace(/::\//, '::1/').replace(/\.0\//, '.1/'), aux: {} });
        continue;
      }
      const asked = { AddressSpace: 'isthmus', Pool, SubPool: '', Options: ipamOpt, V6: i > 0 };
      const pool = await this.call('IpamDriver.RequestPool', asked);
      const Options = { RequestAddressType: 'com.docker.network.gateway' };
      const data = pool.Data as Readonly<Record<string, string>>;
      const Address = data['com.docker.network.gateway']?.split('/')[0] ?? '';
      const gateway = await this.call('IpamDriver.RequestAddress', { PoolID: pool.PoolID, Address, Options });
      const wantedAux = i === 0 ? aux : aux6;
      for (const Address of Object.values(wantedAux))
        await this.call('IpamDriver.RequestAddress', { PoolID: pool.PoolID, Address, Options: null });
      const [id, subnetOfPool] = [String(pool.PoolID), String(pool.Pool)];
      found.push({ id, pool: subnetOfPool, gateway: String(gateway.Address), aux: wantedAux });
    }
    return found;
  }

  networkBody(id: string, creation: Creation, pools: CalledNetwork['pools']): Json {
    const data = pools.map(({ pool, gateway, aux }) => ({
      AddressSpace: creation.ownIpam === true ? 'LocalDefault' : 'isthmus',
      Gateway: gateway,
      Pool: pool,
      ...(Object.keys(aux).length === 0 ? {} : { AuxAddresses: withLength(aux, pool) }),
    }));
    return {
      NetworkID: id,
      Options: {
        'com.docker.network.enable_ipv6': creation.subnet6 !== undefined,
        'com.docker.network.generic': creation.o ?? {},
        ...(creation.internal === true ? { 'com.docker.network.internal': true } : {}),
      },
      IPv4Data: data.slice(0, 1),
      IPv6Data: data.slice(1),
    };
  }

  async createNetwork(creation: Creation = {}): Promise<CalledNetwork> {
    const id = randomBytes(32).toString('hex');
    const pools = await this.pools(creation);
    try {
      await this.call('NetworkDriver.CreateNetwork', this.networkBody(id, creation, pools));
    } catch (error) {
      await this.releasePools({ id, pools });
      throw error;
    }
    return { id, pools };
  }

  async removeNetwork(network: CalledNetwork): Promise<void> {
    await this.releasePools(network);
    await this.call('NetworkDriver.DeleteNetwork', { NetworkID: network.id });
  }

  async releasePools({ pools }: CalledNetwork): Promise<void> {
    for (const { id, gateway, aux } of pools.filter((pool) => pool.id !== '')) {
      for (const address of [gateway.split('/')[0], ...Object.values(aux)])
        await this.call('IpamDriver.ReleaseAddress', { PoolID: id, Address: address });
      await this.call('IpamDriver.ReleasePool', { PoolID: id });
    }
  }

  async requestAddresses({ pools }: CalledNetwork, ip = ''): Promise<string[]> {
    const found: string[] = [];
    for (const [i, { id }] of pools.entries()) {
      const asked = { PoolID: id, Address: i === 0 ? ip : '', Options: null };
      found.push(String((await this.call('IpamDriver.RequestAddress', asked)).Address));
    }
    return found;
  }

  /** Up to Join; the interface waits in the host's namespace. */
  async connect(
    network: CalledNetwork,
    { ports = [], ip, mac, sandboxKey = '/run/docker/netns/none', addresses: given }: Start = {},
  ): Promise<CalledEndpoint> {
    const addresses = given ?? (await this.requestAddresses(network, ip));
    const id = randomBytes(32).toString('hex');
    const ids = { NetworkID: network.id, EndpointID: id };
    const options = portOptions(ports);
    const of = (family: 4 | 6): string => addresses.find((text) => text.includes(':') === (family === 6)) ?? '';
    const wanted = { Address: of(4), AddressIPv6: of(6), MacAddress: mac ?? '' };
    const created = await this.call('NetworkDriver.CreateEndpoint', { ...ids, Interface: wanted, Options: options });
    const made = created.Interface as Json;
    if (mac !== undefined) assert.equal(made.MacAddress, undefined, 'dockerd refuses what it gave itself');
    const join = await this.call('NetworkDriver.Join', {
      ...ids,
      SandboxKey: sandboxKey,
      Options: options,
    });
    const srcName = String((join.InterfaceName as Json | undefined)?.SrcName ?? '');
    // Without an IPAM, the driver gives the addresses.
    const own = [made.Address, made.AddressIPv6].flatMap((one) => (typeof one === 'string' ? [one] : []));
    const all = addresses.length > 0 ? addresses : own;
    return { id, network, addresses: all, srcName, mac: mac ?? String(made.MacAddress ?? ''), join, options };
  }

  async program({ id, network, options }: CalledEndpoint, ports?: readonly Port[]): Promise<void> {
    const Options = ports === undefined ? options : portOptions(ports);
    await this.call('NetworkDriver.ProgramExternalConnectivity', { NetworkID: network.id, EndpointID: id, Options });
    await this.call('NetworkDriver.EndpointOperInfo', { NetworkID: network.id, EndpointID: id });
  }

  /** The whole of `docker start`. */
  async start(
    network: CalledNetwork,
    host: TestNetns,
    container: TestNetns,
    start: Start = {},
  ): Promise<CalledEndpoint> {
    const endpoint = await this.connect(network, start);
    enter(host, container, endpoint);
    await this.program(endpoint);
    return endpoint;
  }

  /** The whole of `docker stop`. */
  async stop(endpoint: CalledEndpoint, host: TestNetns, container: TestNetns): Promise<void> {
    const ids = { NetworkID: endpoint.network.id, EndpointID: endpoint.id };
    await this.call('NetworkDriver.RevokeExternalConnectivity', ids);
    await this.call('NetworkDriver.Leave', ids);
    leave(host, container, endpoint);
    await this.call('NetworkDriver.DeleteEndpoint', ids);
    for (const [i, { id }] of endpoint.network.pools.entries()) {
      if (id === '') continue;
      await this.call('IpamDriver.ReleaseAddress', { PoolID: id, Address: endpoint.addresses[i]?.split('/')[0] });
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function portOptions(ports: readonly Port[]): Json {
  const protos = { tcp: 6, udp: 17 } as const;
  return {
    'com.docker.network.endpoint.exposedports': ports.map(({ container, protocol = 'tcp' }) => ({
      Proto: protos[protocol],
      Port: container,
    })),
    'com.docker.network.portmap': ports.map(({ container, host, hostIp = '', protocol = 'tcp' }) => ({
      ...{ Proto: protos[protocol], IP: '', Port: container, HostIP: hostIp },
      ...{ HostPort: host, HostPortEnd: host },
    })),
  };
}

/** Does what dockerd does after Join: moves the interface into the container and applies the answers. */
export function enter(host: TestNetns, container: TestNetns, { srcName, mac, addresses, join }: CalledEndpoint): void {
  const name = `${(join.InterfaceName as Json).DstPrefix}0`;
  host.ip('link', 'set', srcName, 'netns', container.name);
  container.ip('link', 'set', srcName, 'name', name);
  if (mac !== '') container.ip('link', 'set', name, 'address', mac);
  for (const address of addresses) {
    container.ip('addr', 'add', address, 'dev', name, ...(address.includes(':') ? ['nodad'] : []));
  }
  container.ip('link', 'set', name, 'up');
  const routes = (join.StaticRoutes ?? []) as readonly StaticRoute[];
  for (const { Destination, RouteType, NextHop = '' } of routes.toSorted((a, b) => b.RouteType - a.RouteType))
    container.ip('route', 'add', Destination, ...(RouteType === 0 ? ['via', NextHop] : ['dev', name]));
  for (const gateway of [join.Gateway, join.GatewayIPv6].flatMap((one) => (typeof one === 'string' ? [one] : []))) {
    container.ip(gateway.includes(':') ? '-6' : '-4', 'route', 'add', 'default', 'via', gateway);
  }
}

interface StaticRoute {
  readonly Destination: string;
  /** 0: by the next hop; 1: on the link. */
  readonly RouteType: number;
  readonly NextHop?: string;
}

/** Does what dockerd does after Leave: moves the interface back to the host, under its original name. */
export function leave(host: TestNetns, container: TestNetns, { srcName, join }: CalledEndpoint): void {
  const name = `${(join.InterfaceName as Json).DstPrefix}0`;
  container.ip('link', 'set', name, 'down');
  container.ip('link', 'set', name, 'name', srcName);
  container.ip('link', 'set', srcName, 'netns', host.name);
}

/** The addresses as dockerd tells them: with the prefix length of their pool. */
function withLength(aux: CalledPool['aux'], pool: string): CalledPool['aux'] {
  return Object.fromEntries(Object.entries(aux).map(([name, address]) => [name, `${address}/${pool.split('/')[1]}`]));
}
