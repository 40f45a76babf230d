import type { Family } from '../../../../src/shared/model/addr.ts';
import type { Prefix } from '../../../../src/shared/model/prefix.ts';
import {
  asFlag,
  asInteger,
  asList,
  asMac,
  asPrefix,
  asTextMap,
  bodyPart,
  idAt,
  objectAt,
  optionPart,
  type Part,
  part,
  refusal,
  type TextMap,
  textAt,
} from './messages-fields.ts';
import { type EndpointPorts, EXPOSED_PORTS, PORT_MAP, portsOf } from './messages-ports.ts';

// Requests of dockerd as they are meant: libnetwork's drivers/remote/api and ipams/remote/api. Fields that nobody here
// knows are ignored, since every version of Docker adds some. Strings that are empty are absent. Every decoder throws
// NetError `invalid-config` that names key, value and rule.

export * from './messages-ipam.ts';
export type { EndpointPorts, ExposedPort, PortMapRequest } from './messages-ports.ts';
export type { TextMap };

/** What an IPAM driver, ours or Docker's own, has given a network in one family. */
export interface IpamData {
  /** Whose addresses they are: one of ours, or `LocalDefault` and the like. Empty where Docker does not say. */
  readonly addressSpace: string;
  readonly pool: Prefix;
  readonly gateway?: Prefix;
  readonly auxAddresses: Readonly<Record<string, Prefix>>;
}

/** The options of CreateNetwork and GwAllocCheck. */
export interface NetworkOptions {
  /** Everything that the user gave by `-o`. */
  readonly generic: TextMap;
  readonly internal: boolean;
  /** True where Docker, before version 28, does not say. */
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
}

export interface CreateNetworkRequest extends NetworkOptions {
  readonly networkId: string;
  readonly ipv4: readonly IpamData[];
  readonly ipv6: readonly IpamData[];
}

export interface AllocateNetworkRequest {
  readonly networkId: string;
  readonly options: TextMap;
  readonly ipv4: readonly IpamData[];
  readonly ipv6: readonly IpamData[];
}

export interface NetworkIdentity {
  readonly networkId: string;
}

export interface EndpointIdentity extends NetworkIdentity {
  readonly endpointId: string;
}

export interface CreateEndpointRequest extends EndpointIdentity, EndpointPorts {
  readonly address?: Prefix;
  readonly addressIPv6?: Prefix;
  readonly mac?: string;
  /** What the user gave by `--driver-opt`, and what Docker adds to it as strings. */
  readonly driverOptions: TextMap;
}

export interface JoinRequest extends EndpointIdentity, EndpointPorts {
  /** Where the sandbox is going to be; nothing may be there yet. */
  readonly sandboxKey?: string;
}

export interface ProgramRequest extends EndpointIdentity, EndpointPorts {}

export interface DiscoverRequest {
  /** 1: a node. */
  readonly type: number;
}

export function decodeCreateNetwork(body: unknown): CreateNetworkRequest {
  const whole = bodyPart(body);
  return { networkId: idAt(whole, 'NetworkID'), ...networkOptions(whole), ...pools(whole) };
}

export function decodeGwAllocCheck(body: unknown): NetworkOptions {
  return networkOptions(bodyPart(body));
}

export function decodeAllocateNetwork(body: unknown): AllocateNetworkRequest {
  const whole = bodyPart(body);
  return { networkId: idAt(whole, 'NetworkID'), options: asTextMap(part(whole, 'Options')), ...pools(whole) };
}

/** DeleteNetwork, FreeNetwork. */
export function decodeNetworkIdentity(body: unknown): NetworkIdentity {
  return { networkId: idAt(bodyPart(body), 'NetworkID') };
}

/** EndpointOperInfo, DeleteEndpoint, Leave, RevokeExternalConnectivity. */
export function decodeEndpointIdentity(body: unknown): EndpointIdentity {
  return identityOf(bodyPart(body));
}

export function decodeCreateEndpoint(body: unknown): CreateEndpointRequest {
  const whole = bodyPart(body);
  const wanted = objectAt(whole, 'Interface');
  const options = objectAt(whole, 'Options');
  const address = asPrefix(part(wanted, 'Address'), 4);
  const addressIPv6 = asPrefix(part(wanted, 'AddressIPv6'), 6);
  const mac = asMac(part(wanted, 'MacAddress'));
  return {
    ...identityOf(whole),
    ...(address === undefined ? {} : { address }),
    ...(addressIPv6 === undefined ? {} : { addressIPv6 }),
    ...(mac === undefined ? {} : { mac }),
    ...portsOf(options),
    driverOptions: driverOptions(options),
  };
}

export function decodeJoin(body: unknown): JoinRequest {
  const whole = bodyPart(body);
  const sandboxKey = textAt(whole, 'SandboxKey');
  return {
    ...identityOf(whole),
    ...(sandboxKey === undefined ? {} : { sandboxKey }),
    ...portsOf(objectAt(whole, 'Options')),
  };
}

/** ProgramExternalConnectivity. */
export function decodeProgram(body: unknown): ProgramRequest {
  const whole = bodyPart(body);
  return { ...identityOf(whole), ...portsOf(objectAt(whole, 'Options')) };
}

/** DiscoverNew, DiscoverDelete. */
export function decodeDiscover(body: unknown): DiscoverRequest {
  return { type: asInteger(part(bodyPart(body), 'DiscoveryType'), 0, Number.MAX_SAFE_INTEGER) };
}

function identityOf(whole: Part): EndpointIdentity {
  return { networkId: idAt(whole, 'NetworkID'), endpointId: idAt(whole, 'EndpointID') };
}

function networkOptions(whole: Part): NetworkOptions {
  const options = objectAt(whole, 'Options');
  return {
    generic: asTextMap(optionPart(options, 'com.docker.network.generic')),
    internal: asFlag(optionPart(options, 'com.docker.network.internal')),
    enableIPv4: asFlag(optionPart(options, 'com.docker.network.enable_ipv4'), true),
    enableIPv6: asFlag(optionPart(options, 'com.docker.network.enable_ipv6')),
  };
}

function pools(whole: Part): Pick<CreateNetworkRequest, 'ipv4' | 'ipv6'> {
  return {
    ipv4: asList(part(whole, 'IPv4Data')).map((item) => ipamData(item, 4)),
    ipv6: asList(part(whole, 'IPv6Data')).map((item) => ipamData(item, 6)),
  };
}

function ipamData(given: Part, family: Family): IpamData {
  const pool = asPrefix(part(given, 'Pool'), family);
  if (pool === undefined) throw refusal(part(given, 'Pool'), 'it is missing', 'Every entry has a subnet');
  const gateway = asPrefix(part(given, 'Gateway'), family);
  return {
    addressSpace: textAt(given, 'AddressSpace') ?? '',
    pool,
    ...(gateway === undefined ? {} : { gateway }),
    auxAddresses: auxAddresses(objectAt(given, 'AuxAddresses'), family),
  };
}

function auxAddresses(given: Part & { readonly value: object }, family: Family): IpamData['auxAddresses'] {
  const found = Object.entries(given.value).flatMap(([name, value]) => {
    const prefix = asPrefix({ path: `${given.path}["${name}"]`, value: value ?? undefined }, family);
    return prefix === undefined ? [] : [[name, prefix] as const];
  });
  return Object.fromEntries(found);
}

/** Docker's own options may be anything; those of a user are strings. */
function driverOptions(options: Part & { readonly value: object }): TextMap {
  const found = Object.entries(options.value).flatMap(([key, value]) => {
    if (key === EXPOSED_PORTS || key === PORT_MAP) return [];
    if (typeof value === 'string') return [[key, value] as const];
    if (key.startsWith('com.docker.')) return [];
    throw refusal({ path: `${options.path}["${key}"]`, value }, 'it is not a string', 'Options are strings');
  });
  return Object.fromEntries(found);
}
