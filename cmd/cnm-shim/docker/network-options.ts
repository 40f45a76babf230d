import { type BridgeOptions, bridgeName } from '../../../src/shared/config/bridge.ts';
import type { FirewallOptions, MasqueradeOptions } from '../../../src/shared/config/firewall.ts';
import type { RangeConfig } from '../../../src/shared/config/ipam-ranges.ts';
import { unassignable } from '../../../src/shared/config/ipam-values.ts';
import type { NetworkRules, NetworkSpec } from '../../../src/shared/config/network-spec.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import { guardsBridges } from '../../../src/shared/firewall/open.ts';
import { type Family, formatAddr } from '../../../src/shared/model/addr.ts';
import type { FirewallBackend } from '../../../src/shared/model/firewall.ts';
import { given } from '../../../src/shared/model/given.ts';
import {
  contains,
  firstOf,
  formatPrefix,
  lastOf,
  networkOf,
  type Prefix,
  parsePrefix,
} from '../../../src/shared/model/prefix.ts';
import type { GatewayMode } from '../../../src/shared/store/store.ts';
import { refusedOption } from './given-option.ts';
import { DOCKER_KEYS, type DockerOptions } from './options.ts';
import { parentedOptions } from './parent-options.ts';
import type { CreateNetworkRequest, IpamData } from './wire/messages.ts';

/** The subnets that Docker's IPAM drivers gave a network: at most one per family. */
export type Subnets = Readonly<Partial<Record<Family, IpamData>>>;

export interface SpecInput {
  readonly request: CreateNetworkRequest;
  readonly options: DockerOptions;
  readonly subnets: Subnets;
  /** The host's packet filter. */
  readonly backend: FirewallBackend;
  /** Where our own IPAM leases the addresses; absent if Docker's IPAM assigns them. */
  readonly scope?: string;
  /** The part of a subnet to choose addresses from. */
  readonly range?: (family: Family) => string | undefined;
  /** The name of the Network, if others may share it. */
  readonly shared?: string;
}

const FAMILIES: readonly Family[] = [4, 6];
/** Names of networks and interfaces contain as much of an id as Docker shows. */
const ID_SHOWN = 12;

/** Characters of an id that Docker shows. */
export function shortId(id: string): string {
  return id.slice(0, ID_SHOWN);
}

/**
 * The subnets of a network. A subnet of all addresses (from Docker's `null` IPAM) counts as none. Throws NetError
 * `unsupported-field` for a second subnet of a family, as Docker's bridge driver does.
 */
export function subnetsOf({ ipv4, ipv6 }: CreateNetworkRequest): Subnets {
  const [four, six] = [ipv4, ipv6].map((list) => list.filter(({ pool }) => pool.length > 0)) as [
    IpamData[],
    IpamData[],
  ];
  for (const [family, [first, second]] of [[4, four] as const, [6, six] as const]) {
    if (second !== undefined) {
      throw fault.unsupportedField(
        'network',
        `--subnet ${formatPrefix(second.pool)}`,
        `the network has an IPv${family} subnet already, ${formatPrefix(first?.pool ?? second.pool)}`,
        'Give one subnet of each family',
      );
    }
    if (first !== undefined) assertInside(first);
  }
  return { ...(four[0] === undefined ? {} : { 4: four[0] }), ...(six[0] === undefined ? {} : { 6: six[0] }) };
}

/** Builds a network's spec from Docker's options and defaults. Throws NetError for contradictory options. */
export function specOfDocker(input: SpecInput): NetworkSpec {
  const { request, options, subnets, backend, scope, shared } = input;
  assertModes(options, request.internal);
  if (options.driver === 'null') return { options: { driver: 'null' }, ranges: [], routes: [] };
  const families = FAMILIES.filter((family) => subnets[family] !== undefined);
  const addressed = {
    ranges: families.map((family) => rangesOf(input, family)),
    ...given({ scope }),
    ...(scope === undefined && families.length > 0 ? { allocator: 'docker' } : {}),
    routes: [],
  };
  const { parented, mtu } = options;
  if (parented !== undefined)
    return { options: parentedOptions(parented, request, { mtu, ranges: addressed.ranges }), ...addressed };
  assertFilter(backend);
  const rules: NetworkRules = { backend, options: firewallOf(input), admit: true };
  return {
    options: bridgeOf(
      options,
      families.filter((family) => hasGateway(input, family)),
      families,
      bridgeNameOf(request, shared),
    ),
    ...addressed,
    rules,
  };
}

/** Names of auxiliary addresses that containers use as their gateway, instead of the bridge's address. */
export const AUX_GATEWAYS = ['DefaultGatewayIPv4', 'DefaultGatewayIPv6'] as const;

/** The gateway of a family's containers. */
export function containersGateway({ pool, gateway, auxAddresses }: IpamData): Prefix | undefined {
  return auxAddresses[AUX_GATEWAYS[pool.addr.family === 4 ? 0 : 1]] ?? gateway;
}

/** How a family is reached from outside. */
export function modeOf({ mode }: DockerOptions, family: Family): GatewayMode {
  return mode[family] ?? 'nat';
}

function bridgeNameOf({ networkId }: CreateNetworkRequest, shared: string | undefined): string {
  return shared === undefined ? `br-${shortId(networkId)}` : bridgeName({ name: shared }, true);
}

function bridgeOf(
  options: DockerOptions,
  gateways: readonly Family[],
  families: readonly Family[],
  name: string,
): BridgeOptions {
  return {
    driver: 'bridge',
    bridge: options.bridge ?? name,
    isGateway: gateways.length > 0,
    isDefaultGateway: false,
    forceAddress: false,
    ...given({ mtu: options.mtu }),
    // A container reaches its own published ports through the host's address, even if br_netfilter translates on the
    // bridge.
    hairpin: true,
    promisc: false,
    trunk: [],
    preserveDefaultVlan: false,
    macspoofchk: options.macspoofchk === true,
    ...((options.spoofGuard ?? guardsBridges()) ? { spoofGuard: true } : {}),
    enabledad: false,
    disableContainerInterface: false,
    portIsolation: options.icc === false,
    ...(options.icc === false && !guardsBridges() ? { isolatesByFlag: true } : {}),
    ...(options.inhibit4 === true ? { inhibit4: true } : {}),
    ...(gateways.length > 0 && gateways.length < families.length ? { gatewayFamilies: gateways } : {}),
  };
}

/** True if the bridge has a gateway address of this family. */
function hasGateway({ options, subnets }: SpecInput, family: Family): boolean {
  return subnets[family]?.gateway !== undefined && modeOf(options, family) !== 'isolated';
}

function rangesOf(input: SpecInput, family: Family): RangeConfig[] {
  const { subnets, range } = input;
  const data = subnets[family];
  if (data === undefined) return [];
  const part = parsePrefix(range?.(family) ?? '');
  const gateway = hasGateway(input, family) ? data.gateway : undefined;
  return [
    {
      subnet: networkOf(data.pool),
      ...(part === undefined ? {} : { rangeStart: firstOf(part), rangeEnd: lastOf(part) }),
      ...given({ gateway: gateway?.addr }),
    },
  ];
}

/** A shared network is open to others, like a CNI network, unless a gateway mode restricts it. */
function firewallOf({ request, options, shared }: SpecInput): FirewallOptions {
  const isOpen = shared !== undefined && Object.keys(options.mode).length === 0;
  const inMode = (...modes: readonly GatewayMode[]) =>
    FAMILIES.filter((family) => modes.includes(modeOf(options, family)));
  const [routed, unprotected] = [inMode('routed'), inMode('nat-unprotected')];
  const proxy6to4 = options.proxy6to4 === true ? ({ proxy6to4: true } as const) : {};
  const ports = { snat: true, masqAll: false, conditions: { 4: [], 6: [] }, ...proxy6to4 };
  if (request.internal) return { backend: 'auto', policy: 'internal', ports };
  const translated = options.masquerade === false ? [] : inMode('nat', 'nat-unprotected');
  const masquerade: MasqueradeOptions = {
    ...(translated.length < FAMILIES.length ? { families: translated } : {}),
    except: [],
    to: options.source,
  };
  return {
    backend: 'auto',
    policy: isOpen ? 'open' : 'closed',
    ...(unprotected.length > 0 ? { unprotected } : {}),
    ...given({ trusted: options.trusted }),
    ...(translated.length > 0 ? { masquerade } : {}),
    ports: { ...ports, ...(routed.length > 0 ? { routed } : {}) },
  };
}

function assertModes(options: DockerOptions, internal: boolean): void {
  if (internal) return;
  const family = FAMILIES.find((one) => options.mode[one] === 'isolated');
  if (family === undefined) return;
  const given = { key: family === 4 ? DOCKER_KEYS.mode4 : DOCKER_KEYS.mode6, value: 'isolated' };
  throw refusedOption(given, 'only an internal network can be isolated', 'Add --internal, or choose another mode');
}

function assertInside({ pool, gateway, auxAddresses }: IpamData): void {
  const what = unassignable(pool);
  if (what !== undefined)
    throw fault.invalidConfig('network', `--subnet ${formatPrefix(pool)}`, what, 'Give addresses of hosts');
  const gateways = AUX_GATEWAYS.map((key) => [`--aux-address ${key}=`, auxAddresses[key]] as const);
  for (const [option, given] of [['--gateway ', gateway] as const, ...gateways]) {
    if (given === undefined || contains(pool, given.addr)) continue;
    throw fault.invalidConfig(
      'network',
      `${option}${formatAddr(given.addr)}`,
      `it is not in the subnet ${formatPrefix(pool)}`,
      'Give an address of the subnet',
    );
  }
}

function assertFilter(backend: FirewallBackend): void {
  if (backend !== 'none') return;
  throw fault.unsupported(
    'network',
    'packet filter',
    'this host has neither nftables nor iptables, which keep networks apart and publish ports',
    'Install nftables or iptables',
  );
}
