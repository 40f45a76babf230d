import { renameSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { PluginDirectories } from '../../src/shared/remote/discovery.ts';
import { lacking, refused } from '../../src/shared/remote/failures.ts';
import type { RemotePlugin } from '../../src/shared/remote/plugin.ts';
import { makeTempDir } from './temp.ts';

export interface Received {
  readonly method: string;
  /** Undefined: empty. */
  readonly body: unknown;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** Answers a request in place of the plugin; false leaves it to the plugin. */
export type Instead = (method: string, response: ServerResponse, body: Body) => boolean | undefined;
type Body = Readonly<Record<string, unknown>>;

/** A plugin in this process: it answers as one that is made with docker/go-plugins-helpers. */
export interface PluginServer extends AsyncDisposable {
  readonly name: string;
  readonly directories: PluginDirectories;
  readonly socket: string;
  /** Calls, in order, without Activate. */
  readonly received: Received[];
  /** Methods of `received`, without their interface. */
  readonly methods: () => string[];
  readonly connections: () => number;
  readonly state: PluginState;
  instead: Instead | undefined;
  listen(): Promise<void>;
  /** As SIGKILL would: cuts every connection, and leaves the socket. */
  kill(): Promise<void>;
}

export interface PluginState {
  readonly networks: Set<string>;
  readonly endpoints: Set<string>;
  readonly joined: Set<string>;
  readonly pools: Set<string>;
  readonly addresses: Set<string>;
}

export function answerWith(response: ServerResponse, body: unknown, status = 200): true {
  const isText = typeof body === 'string';
  response.writeHead(status, { 'Content-Type': isText ? 'text/plain' : 'application/vnd.docker.plugins.v1.1+json' });
  response.end(isText ? body : `${JSON.stringify(body)}\n`);
  return true;
}

/** Makes a plugin in directories of its own. It listens unless `listens` is false. */
export async function startPlugin(name = 'gp', listens = true): Promise<PluginServer> {
  const temp = makeTempDir();
  const socket = join(temp.path, `${name}.sock`);
  const received: Received[] = [];
  const open = new Set<Socket>();
  let connections = 0;
  const state = emptyState();
  const server = createServer((request, response) => void serve(request, response));
  server.keepAliveTimeout = 0;
  server.on('connection', (connection) => {
    connections++;
    open.add(connection);
    connection.on('close', () => open.delete(connection));
  });
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = (await request.setEncoding('utf8').toArray()).join('');
    const method = (request.url ?? '').slice(1);
    const body = text === '' ? undefined : JSON.parse(text);
    if (method !== 'Plugin.Activate') received.push({ method, body, headers: request.headers });
    if (plugin.instead?.(method, response, body ?? {})) return;
    const answer = answerOf(method, body ?? {}, state);
    if (answer === undefined) answerWith(response, '404 page not found\n', 404);
    else answerWith(response, answer, isRefusal(answer) ? 500 : 200);
  };
  const plugin: PluginServer = {
    name,
    socket,
    received,
    state,
    directories: { sockets: [temp.path], specs: [join(temp.path, 'etc')] },
    methods: () => received.map(({ method }) => method.split('.')[1] ?? ''),
    connections: () => connections,
    instead: undefined,
    listen: () => {
      rmSync(socket, { force: true });
      return new Promise((resolve) => server.listen(socket, resolve));
    },
    kill: async () => {
      for (const connection of open) connection.destroy();
      if (!server.listening) return;
      // Closing removes the file of the socket.
      renameSync(socket, `${socket}.kept`);
      await new Promise((resolve) => server.close(resolve));
      renameSync(`${socket}.kept`, socket);
    },
    [Symbol.asyncDispose]: async () => {
      await plugin.kill();
      temp[Symbol.dispose]();
    },
  };
  if (listens) await plugin.listen();
  return plugin;
}

/** The same plugin without a socket: `before` runs ahead of each call, `after` before its answer. */
export function memoryPlugin(
  state: PluginState,
  before: (method: string) => Promise<void> | void = () => undefined,
  after: (method: string) => Promise<void> | void = () => undefined,
): RemotePlugin {
  const name = 'gp';
  return {
    name,
    call: async (method, body) => {
      await before(method);
      const answer = answerOf(method, JSON.parse(JSON.stringify(body ?? {})), state);
      await after(method);
      if (answer === undefined) throw lacking(method, name, 'does not implement this method');
      if (isRefusal(answer)) throw refused(method, name, answer.Err);
      return answer ?? {};
    },
  };
}

export function emptyState(): PluginState {
  return { networks: new Set(), endpoints: new Set(), joined: new Set(), pools: new Set(), addresses: new Set() };
}

const SUBNET = '10.88.7';

/** Undefined: not implemented. `null` is what a Go handler returns that returns nothing. */
function answerOf(method: string, body: Body, state: PluginState): unknown {
  const { networks, endpoints, joined, pools, addresses } = state;
  const id = String(body.EndpointID ?? '');
  switch (method) {
    case 'Plugin.Activate':
      return { Implements: ['NetworkDriver', 'IpamDriver'] };
    case 'NetworkDriver.GetCapabilities':
      return { Scope: 'local', ConnectivityScope: '' };
    case 'NetworkDriver.CreateNetwork':
      networks.add(String(body.NetworkID));
      return {};
    case 'NetworkDriver.DeleteNetwork':
      return networks.delete(String(body.NetworkID)) ? {} : { Err: 'network not found' };
    case 'NetworkDriver.CreateEndpoint':
      if (endpoints.has(id)) return { Err: `endpoint ${id} already exists` };
      endpoints.add(id);
      return { Interface: { Address: '', AddressIPv6: '', MacAddress: '02:99:34:5e:81:01' } };
    case 'NetworkDriver.DeleteEndpoint':
      return endpoints.delete(id) ? {} : { Err: `ip link del v${id.slice(0, 8)}: Cannot find device\n` };
    case 'NetworkDriver.Join':
      joined.add(id);
      return {
        InterfaceName: { SrcName: `p${id.slice(0, 8)}`, DstPrefix: 'eth' },
        ...{ Gateway: `${SUBNET}.1`, GatewayIPv6: '', StaticRoutes: null, DisableGatewayService: false },
      };
    case 'NetworkDriver.Leave':
      return joined.delete(id) ? null : { Err: `endpoint ${id} not found` };
    case 'NetworkDriver.EndpointOperInfo':
      return { Value: null };
    case 'IpamDriver.GetCapabilities':
      return { RequiresMACAddress: false };
    case 'IpamDriver.GetDefaultAddressSpaces':
      return { LocalDefaultAddressSpace: 'gpl', GlobalDefaultAddressSpace: 'gpg' };
    case 'IpamDriver.RequestPool': {
      const pool = String(body.Pool || (body.V6 ? 'fd00:88::/64' : `${SUBNET}.0/24`));
      pools.add(`pool-${pool}`);
      return { PoolID: `pool-${pool}`, Pool: pool, Data: null };
    }
    case 'IpamDriver.ReleasePool':
      return pools.delete(String(body.PoolID)) ? {} : { Err: 'no such pool' };
    case 'IpamDriver.RequestAddress':
      return requestAddress(body, addresses);
    case 'IpamDriver.ReleaseAddress':
      return addresses.delete(String(body.Address)) ? {} : { Err: `address ${body.Address} is not allocated` };
    default:
      return undefined;
  }
}

function requestAddress({ PoolID, Address }: Body, addresses: Set<string>): unknown {
  const [, first = '', length = ''] = /^pool-(.*?)0?\/(\d+)$/.exec(String(PoolID)) ?? [];
  const free = (): string => {
    for (let i = 1; ; i++) if (!addresses.has(`${first}${i}`)) return `${first}${i}`;
  };
  const address = String(Address || free());
  if (addresses.has(address)) return { Err: `address ${address} is taken` };
  addresses.add(address);
  return { Address: `${address}/${length}`, Data: null };
}

function isRefusal(answer: unknown): answer is { readonly Err: string } {
  return typeof answer === 'object' && answer !== null && 'Err' in answer;
}
