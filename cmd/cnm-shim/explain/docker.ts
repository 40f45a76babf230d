import type { Core } from '../../../src/shared/core/core.ts';
import { defaultCandidates } from '../../../src/shared/core/pools/candidates.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { LinuxHost } from '../../../src/shared/host/linux-host.ts';
import { type Family, formatAddr } from '../../../src/shared/model/addr.ts';
import { digest } from '../../../src/shared/model/attachment.ts';
import { given } from '../../../src/shared/model/given.ts';
import type { Op } from '../../../src/shared/model/op.ts';
import { firstHost, formatPrefix, type Prefix, parsePrefix } from '../../../src/shared/model/prefix.ts';
import { configuredNetworks } from '../../../src/shared/runtime/configured-network.ts';
import { dryRun } from '../../../src/shared/runtime/explain/dry-run.ts';
import { ipamDriver } from '../docker/ipam-driver.ts';
import { networkDriver } from '../docker/network-driver.ts';
import { ADDRESS_SPACES } from '../docker/network-plan.ts';
import { type DockerCommand, parseDockerCommand } from './docker-command.ts';
import type { Explained, ExplainOptions, PublishedPort } from './options.ts';

/** Stands for the subnet that dockerd chooses: the first of its own that is free, next to docker0's. */
const STAND_INS: Readonly<Record<Family, string>> = { 4: '172.18.0.0/16', 6: 'fd00:0:0:1::/64' };
/** IPPROTO_*. */
const PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** The subnet of one family, as dockerd tells it to the network driver. */
interface Pool {
  readonly family: Family;
  readonly space: string;
  readonly subnet: Prefix;
  readonly gateway: Prefix;
  /** With prefix length. */
  readonly address: string;
}

/** Plans what dockerd asks of the drivers for a new network and its first container. */
export async function explainDocker(host: LinuxHost, text: string, options: ExplainOptions): Promise<Explained> {
  const command = parseDockerCommand(text);
  const { container, publish = [] } = options;
  const netns = options.netns ?? `/run/netns/${container}`;
  const run = dryRun(host, { netns, configured: configuredNetworks(process.env), answer: [] });
  const networkId = digest('docker', command.name);
  const endpointId = digest('docker endpoint', container);
  run.begin('docker network create');
  const isOurs = command.ipamDriver !== 'default' && command.ipamDriver !== 'null';
  const families: Family[] = command.ipv6 ? [4, 6] : [4];
  const pools: Pool[] = [];
  for (const family of command.ipamDriver === 'null' ? [] : families)
    pools.push(isOurs ? await ourPool(run.core, command, family) : dockerPool(command, family, options));
  await call(run.core, 'CreateNetwork', {
    NetworkID: networkId,
    Options: {
      'com.docker.network.generic': command.opt,
      'com.docker.network.internal': command.internal,
      'com.docker.network.enable_ipv4': true,
      'com.docker.network.enable_ipv6': command.ipv6,
    },
    IPv4Data: pools.filter(({ family }) => family === 4).map((pool) => dataOf(pool, command)),
    IPv6Data: pools.filter(({ family }) => family === 6).map((pool) => dataOf(pool, command)),
  });
  run.begin('docker run: the interface');
  const identity = { NetworkID: networkId, EndpointID: endpointId };
  const addressOf = (family: Family): string => pools.find((pool) => pool.family === family)?.address ?? '';
  const ports = { 'com.docker.network.portmap': publish.map(portOf) };
  const Interface = { Address: addressOf(4), AddressIPv6: addressOf(6), MacAddress: '' };
  await call(run.core, 'CreateEndpoint', { ...identity, Interface, Options: ports });
  run.begin('docker run: dockerd itself, in the container');
  const joined = new Map(Object.entries(await call(run.core, 'Join', identity)));
  placeInterface(run.core, netns, options.ifname, joined, pools);
  run.begin('docker run: published ports');
  await call(run.core, 'ProgramExternalConnectivity', { ...identity, Options: ports });
  const isChosen =
    !isOurs && run.steps.length > 0 && families.some((family) => subnetIn(command, family) === undefined);
  return {
    ...{ run, netns },
    head: [`docker network create ${command.name}, and docker run of container ${container}`],
    notes: isChosen
      ? [`dockerd chooses the subnet: ${pools.map(({ subnet }) => formatPrefix(subnet)).join(', ')} stands for it`]
      : [],
  };
}

async function call(core: Core, method: string, body: object): Promise<object> {
  const handle = networkDriver[method];
  if (handle === undefined) throw fault.internal('explain', method, 'is no method of the driver');
  return await handle(body, core);
}

/** The pool and addresses that the built-in IPAM driver gives. */
async function ourPool(core: Core, command: DockerCommand, family: Family): Promise<Pool> {
  const ask = async (method: string, body: object): Promise<Map<string, string>> => {
    const handle = ipamDriver[method];
    if (handle === undefined) throw fault.internal('explain', method, 'is no method of the driver');
    const choice = () => ({ candidates: defaultCandidates(core.host.identity.hostId), avoid: [] });
    return new Map(Object.entries(await handle(body, core, choice)));
  };
  const of = (texts: readonly string[]): string => texts.find((one) => one.includes(':') === (family === 6)) ?? '';
  const space = ADDRESS_SPACES.local;
  const pool = await ask('RequestPool', {
    ...{ AddressSpace: space, Pool: of(command.subnet), SubPool: of(command.ipRange) },
    ...{ Options: command.ipamOpt, V6: family === 6 },
  });
  const PoolID = pool.get('PoolID') ?? '';
  const address = async (wanted: string, type: string): Promise<string> => {
    const Options = type === '' ? {} : { RequestAddressType: type };
    return (await ask('RequestAddress', { PoolID, Address: wanted, Options })).get('Address') ?? '';
  };
  const gateway = await address(of(command.gateway), 'com.docker.network.gateway');
  return {
    ...{ family, space },
    subnet: prefixOf(pool.get('Pool') ?? ''),
    gateway: prefixOf(gateway),
    address: await address('', ''),
  };
}

/** The pool and addresses that dockerd's own IPAM gives, as far as they are known before. */
function dockerPool(command: DockerCommand, family: Family, { address = [] }: ExplainOptions): Pool {
  const subnet = prefixOf(subnetIn(command, family) ?? STAND_INS[family]);
  const isOf = (text: string): boolean => text.includes(':') === (family === 6);
  const { length } = subnet;
  const gateway = command.gateway.find(isOf) ?? formatAddr(firstHost(subnet));
  const range = command.ipRange.find(isOf);
  const from = range === undefined ? subnet : prefixOf(range);
  const taken = [gateway, ...Object.values(command.auxAddress)];
  let addr = range === undefined ? firstHost(subnet) : from.addr;
  while (taken.includes(formatAddr(addr))) addr = { ...addr, value: addr.value + 1n };
  const asked = address.find(isOf);
  return {
    ...{ family, space: '', subnet },
    gateway: prefixOf(`${gateway}/${length}`),
    address: asked === undefined ? formatPrefix({ addr, length }) : `${asked.replace(/\/.*/, '')}/${length}`,
  };
}

function subnetIn({ subnet }: DockerCommand, family: Family): string | undefined {
  return subnet.find((text) => text.includes(':') === (family === 6));
}

function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix !== undefined) return prefix;
  throw fault.invalidConfig('explain', text, 'it is not a subnet', 'Write it as in 10.9.0.0/24');
}

function dataOf({ space, subnet, gateway, family }: Pool, { auxAddress }: DockerCommand): object {
  const own = Object.entries(auxAddress).filter(([, text]) => text.includes(':') === (family === 6));
  const AuxAddresses = Object.fromEntries(own.map(([name, text]) => [name, `${text}/${subnet.length}`]));
  return { AddressSpace: space, Pool: formatPrefix(subnet), Gateway: formatPrefix(gateway), AuxAddresses };
}

function portOf({ hostPort, containerPort, protocol, hostIP = '' }: PublishedPort): object {
  return { Proto: PROTOCOLS[protocol], Port: containerPort, HostIP: hostIP, HostPort: hostPort, HostPortEnd: hostPort };
}

/** What dockerd does with the interface: moves it, gives it addresses and routes. */
function placeInterface(
  { host }: Core,
  netns: string,
  ifName: string,
  joined: ReadonlyMap<string, unknown>,
  pools: readonly Pool[],
): void {
  const names = joined.get('InterfaceName');
  const source = typeof names === 'object' && names !== null && 'SrcName' in names ? String(names.SrcName) : undefined;
  if (source === undefined) return;
  using sandbox = host.open(netns);
  const gateways = [joined.get('Gateway'), joined.get('GatewayIPv6')].filter((one) => typeof one === 'string');
  const ops: Op[] = [
    { op: 'link.move', ns: 'host', name: source, to: 'sandbox', toName: ifName },
    ...pools.map(
      ({ address }): Op => ({
        op: 'addr.add',
        ns: 'sandbox',
        dev: ifName,
        address,
        ...given({ noDad: address.includes(':') || undefined }),
      }),
    ),
    { op: 'link.set', ns: 'sandbox', name: ifName, set: { up: true } },
    ...gateways.map((gateway): Op => {
      const dst = gateway.includes(':') ? '::/0' : '0.0.0.0/0';
      return { op: 'route.add', ns: 'sandbox', route: { dst, gateway, dev: ifName } };
    }),
  ];
  host.apply(ops, { host: host.own, sandbox });
}
