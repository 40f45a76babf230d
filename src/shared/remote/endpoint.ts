import { type Addr, type Family, formatAddr } from '../model/addr.ts';
import { given } from '../model/given.ts';
import { macOfDigest } from '../model/mac.ts';
import { formatPrefix, type Prefix, parsePrefix, samePrefix } from '../model/prefix.ts';
import { exactly } from './ask-address.ts';
import { isLacking, isPresent, isRefusal, unreadable } from './failures.ts';
import { releaseAddress } from './ipam-driver.ts';
import type { NetworkFacts, NetworkPlugins } from './network.ts';
import {
  createEndpoint,
  deleteEndpoint,
  type EndpointIds,
  type EndpointInterface,
  type Joined,
  join,
  leave,
} from './network-driver.ts';
import { macForAddress, macOption, portOptions, type RemotePort } from './options.ts';
import type { CallOptions, RemotePlugin } from './plugin.ts';
import { type Note, Steps } from './steps.ts';

export interface EndpointSpec {
  readonly network: NetworkFacts;
  /** From `endpointIdOf`. */
  readonly endpointId: string;
  /** Path of the sandbox's network namespace. */
  readonly sandboxKey: string;
  readonly mac?: string;
  /** Requested from the IPAM plugin; or, without one, given by another IPAM with the prefix length. */
  readonly addresses: readonly (Addr | Prefix)[];
  readonly ports: readonly RemotePort[];
  /** Of CreateEndpoint, besides ports and MAC. */
  readonly options: Readonly<Record<string, string>>;
}

/** An address that IPAM holds for an endpoint. */
export interface HeldAddress {
  readonly family: Family;
  readonly poolId: string;
  /** With prefix length. */
  readonly address: string;
}

/** What a host records of an endpoint. */
export interface EndpointFacts extends EndpointIds {
  readonly addresses: readonly HeldAddress[];
  /** Addresses without prefix length that were asked for; a call may have got them. */
  readonly asked: readonly string[];
  /** `asked`: a call of CreateEndpoint may have succeeded. */
  readonly created: 'no' | 'asked' | 'yes';
  /** The same for Join. */
  readonly joined: 'no' | 'asked' | 'yes';
}

export interface AttachedEndpoint extends Joined, EndpointInterface {
  readonly facts: EndpointFacts;
}

/**
 * The endpoint exists and has joined its sandbox; its interface `srcName` is yet to be moved. Where `known` is what an
 * earlier call noted, keeps its addresses and replaces its endpoint. Undoes everything if a step fails. Hold the
 * attachment's lock.
 */
export async function attachEndpoint(
  plugins: NetworkPlugins,
  spec: EndpointSpec,
  known: EndpointFacts | undefined,
  note: Note<EndpointFacts>,
  options: CallOptions = {},
): Promise<AttachedEndpoint> {
  const { driver, ipam } = plugins;
  const ids = { networkId: spec.network.networkId, endpointId: spec.endpointId };
  const before = known?.endpointId === ids.endpointId ? known : undefined;
  const steps = new Steps<EndpointFacts>(
    before ?? { ...ids, addresses: [], asked: [], created: 'no', joined: 'no' },
    note,
  );
  try {
    const mac = spec.mac ?? (spec.network.requiresMac ? macOfDigest(spec.endpointId) : undefined);
    if (ipam !== undefined) await holdAddresses(ipam, spec, mac, steps, options);
    const addressed = ipam === undefined ? givenAddresses(spec) : heldAddresses(steps.facts);
    const chosen = await create(driver, spec, { ...addressed, ...given({ mac }) }, steps, options);
    steps.set({ ...steps.facts, joined: 'asked' });
    try {
      const joined = await join(driver, ids, spec.sandboxKey, portOptions(spec.ports), options);
      steps.set({ ...steps.facts, joined: 'yes' });
      return { ...joined, ...chosen, facts: steps.facts };
    } catch (thrown) {
      const notJoined = (facts: EndpointFacts): EndpointFacts => ({ ...facts, joined: 'no' });
      if (isRefusal(thrown)) steps.set(notJoined(steps.facts));
      else steps.push((undo) => leave(driver, ids, undo), notJoined);
      throw thrown;
    }
  } catch (thrown) {
    throw await steps.revert(thrown, 'endpoint.create');
  }
}

async function holdAddresses(
  ipam: RemotePlugin,
  { network, addresses }: EndpointSpec,
  mac: string | undefined,
  steps: Steps<EndpointFacts>,
  options: CallOptions,
): Promise<void> {
  const release = (held: HeldAddress): void => {
    const addr = parsePrefix(held.address)?.addr;
    if (addr === undefined) return;
    steps.push(
      (undo) => releaseAddress(ipam, held.poolId, addr, undo),
      (facts) => ({ ...facts, addresses: facts.addresses.filter((other) => other.address !== held.address) }),
    );
  };
  steps.facts.addresses.forEach(release);
  for (const family of [4, 6] as const) {
    const pool = network.pools.find((other) => other.family === family);
    const poolId = pool?.poolId;
    if (pool === undefined || poolId === undefined || steps.facts.addresses.some((held) => held.family === family))
      continue;
    const wanted = addresses.map((address) => ('addr' in address ? address.addr : address));
    const address = wanted.find((addr) => addr.family === family);
    const forMac = network.requiresMac && mac !== undefined ? macForAddress(mac) : {};
    const asked = {
      now: steps.facts.asked,
      note: (now: readonly string[]) => steps.set({ ...steps.facts, asked: now }),
    };
    const request = { family, poolId, pool: pool.pool, options: forMac, ...given({ address }) };
    const granted = await exactly(ipam, request, asked, options);
    const held = { family, poolId, address: formatPrefix(granted) };
    release(held);
    const left = steps.facts.asked.filter((other) => other !== formatAddr(granted.addr));
    steps.set({ ...steps.facts, addresses: [...steps.facts.addresses, held], asked: left });
  }
}

/** Creates the endpoint. One that exists under its id is what an earlier call left, so it is replaced. */
async function create(
  driver: RemotePlugin,
  spec: EndpointSpec,
  set: EndpointInterface,
  steps: Steps<EndpointFacts>,
  options: CallOptions,
): Promise<EndpointInterface> {
  const ids = { networkId: spec.network.networkId, endpointId: spec.endpointId };
  const body = {
    NetworkID: ids.networkId,
    EndpointID: ids.endpointId,
    Interface: {
      Address: textOf(set.address),
      AddressIPv6: textOf(set.address6),
      MacAddress: set.mac ?? '',
    },
    Options: { ...spec.options, ...portOptions(spec.ports), ...(spec.mac === undefined ? {} : macOption(spec.mac)) },
  };
  const notCreated = (facts: EndpointFacts): EndpointFacts => ({ ...facts, created: 'no' });
  const mayExist = steps.facts.created !== 'no';
  steps.set({ ...steps.facts, created: 'asked' });
  try {
    if (mayExist) await clear(driver, ids, options);
    steps.set({ ...steps.facts, joined: 'no' });
    const chosen = await createEndpoint(driver, body, options).catch(async (thrown: unknown) => {
      if (!isPresent(thrown)) throw thrown;
      await clear(driver, ids, options);
      return await createEndpoint(driver, body, options);
    });
    const merged = merge(driver.name, set, chosen);
    steps.push((undo) => deleteEndpoint(driver, ids, undo), notCreated);
    steps.set({ ...steps.facts, created: 'yes' });
    return merged;
  } catch (thrown) {
    if (isRefusal(thrown)) steps.set(notCreated(steps.facts));
    else steps.push((undo) => deleteEndpoint(driver, ids, undo), notCreated);
    throw thrown;
  }
}

/** Deletes what an earlier call left. A refusal says that there is nothing. */
async function clear(driver: RemotePlugin, ids: EndpointIds, options: CallOptions): Promise<void> {
  for (const step of [leave, deleteEndpoint]) {
    await step(driver, ids, options).catch((thrown: unknown) => {
      if (!isRefusal(thrown) && !isLacking(thrown)) throw thrown;
    });
  }
}

/** A driver may choose only what was not set. */
function merge(plugin: string, set: EndpointInterface, chosen: EndpointInterface): EndpointInterface {
  const other = (key: string, was: string, is: string): never => {
    const what = `its answer has Interface.${key}="${is}", but ${was} was set, which it must not change`;
    throw unreadable('NetworkDriver.CreateEndpoint', plugin, what);
  };
  for (const [key, name] of [
    ['address', 'Address'],
    ['address6', 'AddressIPv6'],
  ] as const) {
    const [was, is] = [set[key], chosen[key]];
    if (was !== undefined && is !== undefined && !samePrefix(was, is)) other(name, formatPrefix(was), formatPrefix(is));
  }
  if (set.mac !== undefined && chosen.mac !== undefined && set.mac !== chosen.mac)
    other('MacAddress', set.mac, chosen.mac);
  return { ...chosen, ...set };
}

function heldAddresses({ addresses }: EndpointFacts): EndpointInterface {
  const of = (family: Family): Prefix | undefined =>
    parsePrefix(addresses.find((held) => held.family === family)?.address ?? '');
  return given({ address: of(4), address6: of(6) });
}

function givenAddresses({ addresses }: EndpointSpec): EndpointInterface {
  const of = (family: Family): Prefix | undefined =>
    addresses.find((address): address is Prefix => 'addr' in address && address.addr.family === family);
  return given({ address: of(4), address6: of(6) });
}

function textOf(prefix: Prefix | undefined): string {
  return prefix === undefined ? '' : formatPrefix(prefix);
}
