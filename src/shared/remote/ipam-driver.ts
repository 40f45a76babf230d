import { type Addr, type Family, formatAddr, parseAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { formatPrefix, networkOf, type Prefix } from '../model/prefix.ts';
import { Answer } from './answer.ts';
import { isLacking } from './failures.ts';
import type { CallOptions, RemotePlugin } from './plugin.ts';

// libnetwork's IpamDriver: one function for each method. Each throws what RemotePlugin.call throws, and NetError
// `delegate` for an answer with a value that cannot be used.

const GATEWAY = 'com.docker.network.gateway';

/** Undoing does not wait for a plugin that is gone. */
const UNDO: CallOptions = { retry: false };

/** Options of RequestAddress for a gateway. */
export const FOR_GATEWAY: Readonly<Record<string, string>> = { RequestAddressType: GATEWAY };

export interface IpamCapabilities {
  /** RequestAddress needs the MAC address. */
  readonly requiresMac: boolean;
  /** The plugin forgets: it needs all requests again after it has started. */
  readonly requiresReplay: boolean;
}

export interface PoolRequest {
  readonly family: Family;
  readonly addressSpace: string;
  /** Absent: the plugin chooses. */
  readonly pool?: Prefix;
  /** A part of `pool` that addresses come from. */
  readonly subPool?: Prefix;
  readonly options: Readonly<Record<string, string>>;
}

export interface GrantedPool {
  readonly poolId: string;
  /** Without host bits. */
  readonly pool: Prefix;
  /** The plugin fixes the gateway. */
  readonly gateway?: Prefix;
}

/** A plugin without this method requires nothing. */
export async function ipamCapabilities(plugin: RemotePlugin, options?: CallOptions): Promise<IpamCapabilities> {
  try {
    const answer = await ask(plugin, 'GetCapabilities', undefined, options);
    return { requiresMac: answer.flag('RequiresMACAddress'), requiresReplay: answer.flag('RequiresRequestReplay') };
  } catch (thrown) {
    if (isLacking(thrown)) return { requiresMac: false, requiresReplay: false };
    throw thrown;
  }
}

export async function addressSpaces(
  plugin: RemotePlugin,
  options?: CallOptions,
): Promise<{ readonly local: string; readonly global: string }> {
  const answer = await ask(plugin, 'GetDefaultAddressSpaces', undefined, options);
  return {
    local: answer.text('LocalDefaultAddressSpace') ?? '',
    global: answer.text('GlobalDefaultAddressSpace') ?? '',
  };
}

export async function requestPool(
  plugin: RemotePlugin,
  { family, addressSpace, pool, subPool, options }: PoolRequest,
  callOptions?: CallOptions,
): Promise<GrantedPool> {
  const text = (prefix: Prefix | undefined): string => (prefix === undefined ? '' : formatPrefix(prefix));
  const places = { AddressSpace: addressSpace, Pool: text(pool), SubPool: text(subPool) };
  const answer = await ask(plugin, 'RequestPool', { ...places, Options: options, V6: family === 6 }, callOptions);
  const poolId = answer.required('PoolID');
  try {
    const granted = answer.prefix('Pool', family);
    if (granted === undefined) throw answer.wrong('Pool', 'is missing');
    return {
      poolId,
      pool: networkOf(granted),
      ...given({ gateway: answer.inner('Data').prefix(GATEWAY, family) }),
    };
  } catch (thrown) {
    await quietly(releasePool(plugin, poolId, UNDO));
    throw thrown;
  }
}

export async function releasePool(plugin: RemotePlugin, poolId: string, options?: CallOptions): Promise<void> {
  await ask(plugin, 'ReleasePool', { PoolID: poolId }, options);
}

/** Without `address`, the plugin chooses one. Returns it with the prefix length of its subnet. */
export async function requestAddress(
  plugin: RemotePlugin,
  request: {
    readonly family: Family;
    readonly poolId: string;
    readonly address?: Addr;
    readonly options?: Readonly<Record<string, string>>;
  },
  callOptions?: CallOptions,
): Promise<Prefix> {
  const { family, poolId, address, options = {} } = request;
  const body = { PoolID: poolId, Address: address === undefined ? '' : formatAddr(address), Options: options };
  const answer = await ask(plugin, 'RequestAddress', body, callOptions);
  const text = answer.required('Address');
  try {
    const granted = answer.prefix('Address', family);
    if (granted === undefined) throw answer.wrong('Address', 'is missing');
    return granted;
  } catch (thrown) {
    const taken = parseAddr(text.replace(/\/.*/, ''));
    if (taken !== undefined) await quietly(releaseAddress(plugin, poolId, taken, UNDO));
    throw thrown;
  }
}

export async function releaseAddress(
  plugin: RemotePlugin,
  poolId: string,
  address: Addr,
  options?: CallOptions,
): Promise<void> {
  await ask(plugin, 'ReleaseAddress', { PoolID: poolId, Address: formatAddr(address) }, options);
}

/** What an unusable answer granted is given back; the caller's error is the answer. */
async function quietly(release: Promise<void>): Promise<void> {
  await release.catch(() => undefined);
}

async function ask(
  plugin: RemotePlugin,
  name: string,
  body: object | undefined,
  options?: CallOptions,
): Promise<Answer> {
  const method = `IpamDriver.${name}` as const;
  return new Answer({ plugin: plugin.name, method }, await plugin.call(method, body, options));
}
