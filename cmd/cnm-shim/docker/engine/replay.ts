import { isOnParent } from '../../../../src/shared/config/parented.ts';
import { fault } from '../../../../src/shared/errors/fault.ts';
import { asNetError } from '../../../../src/shared/errors/net-error.ts';
import { type Addr, type Family, formatAddr, parseAddr, sameAddr } from '../../../../src/shared/model/addr.ts';
import { given } from '../../../../src/shared/model/given.ts';
import { field, textField } from '../../../../src/shared/model/json.ts';
import {
  contains,
  firstOf,
  formatPrefix,
  networkOf,
  type Prefix,
  parsePrefix,
} from '../../../../src/shared/model/prefix.ts';
import { AUX_GATEWAYS } from '../network-options.ts';
import { ADDRESS_SPACES } from '../network-plan.ts';
import type { DockerNetwork, IpamConfig } from './api-answers.ts';

/** Calls one method of the plugin. Rejects with NetError. */
export type Call = (method: string, body: object) => Promise<unknown>;

/** IPAMData of CreateNetwork, in dockerd's spelling. */
interface IpamData {
  readonly AddressSpace: string;
  readonly Pool: string;
  readonly Gateway?: string;
  readonly AuxAddresses?: Readonly<Record<string, string>>;
}

/**
 * Restores a network by making dockerd's own calls in dockerd's order, from what dockerd reports about it. If an IPAM
 * driver of `drivers` assigned the pools, requests them first and releases them on failure. `gateways` are the
 * containers' gateways, for pools whose gateway dockerd does not report.
 */
export async function replayNetwork(
  network: DockerNetwork,
  drivers: ReadonlySet<string>,
  gateways: readonly string[],
  call: Call,
): Promise<void> {
  const ours = drivers.has(network.ipamDriver);
  const taken: { readonly method: string; readonly body: object }[] = [];
  const data: Record<Family, IpamData[]> = { 4: [], 6: [] };
  try {
    for (const config of network.pools) {
      const subnet = subnetOf(config, network);
      const known = gatewayOf(config, subnet, gateways);
      const pool = { subnet, config, aux: auxOf(config, subnet) };
      const given = ours ? await requestPool(network, pool, known, call, taken) : dockersPool(network, pool, known);
      data[subnet.addr.family].push(given);
    }
    await call('NetworkDriver.CreateNetwork', {
      NetworkID: network.id,
      Options: {
        'com.docker.network.enable_ipv4': network.enableIPv4,
        'com.docker.network.enable_ipv6': network.enableIPv6,
        ...(network.internal ? { 'com.docker.network.internal': true } : {}),
        'com.docker.network.generic': network.options,
      },
      IPv4Data: data[4],
      IPv6Data: data[6],
    });
  } catch (thrown) {
    for (const { method, body } of taken.reverse()) await call(method, body).catch(() => undefined);
    throw asNetError(thrown, 'docker');
  }
}

interface Pool {
  readonly subnet: Prefix;
  readonly config: IpamConfig;
  /** With prefix lengths. */
  readonly aux: Readonly<Record<string, string>>;
}

/** Requests pool, gateway and auxiliary addresses from our IPAM, and notes what to release on failure. */
async function requestPool(
  network: DockerNetwork,
  { subnet, config, aux }: Pool,
  known: Addr | undefined,
  call: Call,
  taken: { readonly method: string; readonly body: object }[],
): Promise<IpamData> {
  const pool = await call('IpamDriver.RequestPool', {
    AddressSpace: ADDRESS_SPACES.local,
    // "All addresses" stands for those of the shared Network.
    Pool: subnet.length === 0 ? '' : config.subnet,
    SubPool: config.range ?? '',
    Options: network.ipamOptions,
    V6: subnet.addr.family === 6,
  });
  const PoolID = textField(pool, 'PoolID') ?? '';
  taken.push({ method: 'IpamDriver.ReleasePool', body: { PoolID } });
  const reserve = async (address: string, options: object | null): Promise<string | undefined> => {
    const answer = await call('IpamDriver.RequestAddress', { PoolID, Address: address, Options: options });
    const given = textField(answer, 'Address');
    const Address = given?.split('/')[0] ?? address;
    taken.push({ method: 'IpamDriver.ReleaseAddress', body: { PoolID, Address } });
    return given;
  };
  const own = textField(field(pool, 'Data'), 'com.docker.network.gateway');
  const Gateway =
    known === undefined && (own !== undefined || hasNoGateway(network))
      ? own
      : await reserve(known === undefined ? '' : formatAddr(known), {
          RequestAddressType: 'com.docker.network.gateway',
        });
  for (const address of Object.values(aux)) await reserve(address.split('/')[0] ?? '', null);
  return {
    AddressSpace: ADDRESS_SPACES.local,
    Pool: textField(pool, 'Pool') ?? config.subnet,
    ...given({ Gateway }),
    ...auxData(aux),
  };
}

/**
 * Docker's own IPAM still has the pool. If nothing names its gateway, it is the first address that this IPAM assigns.
 */
function dockersPool(network: DockerNetwork, { subnet, config, aux }: Pool, known: Addr | undefined): IpamData {
  const AddressSpace = network.ipamDriver === 'default' ? 'LocalDefault' : network.ipamDriver;
  const isChosen = network.ipamDriver === 'default' && !hasNoGateway(network);
  const gateway = known ?? (isChosen ? firstGiven(subnet, config, aux) : undefined);
  return {
    AddressSpace,
    Pool: formatPrefix(subnet),
    ...(gateway === undefined ? {} : { Gateway: formatPrefix({ addr: gateway, length: subnet.length }) }),
    ...auxData(aux),
  };
}

/** A gateway of a parent's network is one that the user has named. */
function hasNoGateway({ options: { driver = '' } }: DockerNetwork): boolean {
  return isOnParent(driver);
}

/** The first address of the range that is not the network's own and that the user has not reserved. */
function firstGiven(subnet: Prefix, config: IpamConfig, aux: Readonly<Record<string, string>>): Addr | undefined {
  const range = parsePrefix(config.range ?? '') ?? subnet;
  const used = [firstOf(subnet), ...Object.values(aux).flatMap((text) => parsePrefix(text)?.addr ?? [])];
  let addr = firstOf(range);
  while (used.some((one) => sameAddr(one, addr))) addr = { ...addr, value: addr.value + 1n };
  return contains(range, addr) ? addr : undefined;
}

/** The network's value, else that of its containers. */
function gatewayOf({ gateway, aux }: IpamConfig, subnet: Prefix, gateways: readonly string[]): Addr | undefined {
  const others = AUX_GATEWAYS.flatMap((key) => aux[key] ?? []);
  const told = [...(gateway === undefined ? [] : [gateway]), ...gateways.filter((one) => !others.includes(one))];
  return told.flatMap((text) => parseAddr(text.split('/')[0] ?? '') ?? []).find((addr) => contains(subnet, addr));
}

function subnetOf({ subnet }: IpamConfig, network: DockerNetwork): Prefix {
  const prefix = parsePrefix(subnet);
  if (prefix !== undefined) return networkOf(prefix);
  throw fault.decode('docker', `network ${network.name}, subnet ${subnet}`, 'it is not a prefix');
}

function auxOf({ aux }: IpamConfig, { length }: Prefix): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(aux).map(([name, address]) => [name, `${address}/${length}`]));
}

function auxData(aux: Readonly<Record<string, string>>): Pick<IpamData, 'AuxAddresses'> {
  return Object.keys(aux).length === 0 ? {} : { AuxAddresses: aux };
}
