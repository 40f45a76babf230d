import { LIMITS } from '../../../../src/shared/config/limits.ts';
import type { Family } from '../../../../src/shared/model/addr.ts';
import { given } from '../../../../src/shared/model/given.ts';
import { ifNameFault } from '../../../../src/shared/model/link.ts';
import type { Prefix } from '../../../../src/shared/model/prefix.ts';
import {
  asFlag,
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
import { type EndpointPorts, portsOf } from './messages-ports.ts';

// dockerd's requests, decoded: libnetwork's drivers/remote/api and ipams/remote/api. Unknown fields are ignored, since
// every Docker version adds some. Empty strings count as absent. Every decoder throws NetError `invalid-config` that
// names key, value and rule.

export * from './messages-ipam.ts';
export type { EndpointPorts, PortMapRequest } from './messages-ports.ts';
export type { TextMap };

/** What an IPAM driver, ours or Docker's, gave a network in one family. */
export interface IpamData {
  /** Address space: one of ours, or `LocalDefault` and the like. Empty if Docker does not say. */
  readonly addressSpace: string;
  readonly pool: Prefix;
  readonly gateway?: Prefix;
  readonly auxAddresses: Readonly<Record<string, Prefix>>;
}

/** The options of CreateNetwork and GwAllocCheck. */
export interface NetworkOptions {
  /** All `-o` options of the user. */
  readonly generic: TextMap;
  readonly internal: boolean;
  /** Docker before version 28 does not say whether a network has IPv4: every one has. */
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  /** Docker says whether the network has IPv4: it is of version 28 or later. */
  readonly completes?: true;
}

export interface CreateNetworkRequest extends NetworkOptions {
  readonly networkId: string;
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
  /** The interface's name in the container, if the user gives one. */
  readonly ifName?: string;
  /** The address that the user asks for where Docker's IPAM chooses none (`driver-opt=ip=…`). */
  readonly ip?: string;
  /** Keys of the user's options that mean nothing here. */
  readonly ignored: readonly string[];
  readonly address?: Prefix;
  readonly addressIPv6?: Prefix;
  readonly mac?: string;
}

export interface JoinRequest extends EndpointIdentity {
  /** Path of the container's namespace. Docker before 28 makes it later. */
  readonly sandboxKey?: string;
}

export interface ProgramRequest extends EndpointIdentity, EndpointPorts {}

export function decodeCreateNetwork(body: unknown): CreateNetworkRequest {
  const whole = bodyPart(body);
  return { networkId: idAt(whole, 'NetworkID'), ...networkOptions(whole), ...pools(whole) };
}

export function decodeGwAllocCheck(body: unknown): NetworkOptions {
  return networkOptions(bodyPart(body));
}

/** DeleteNetwork, FreeNetwork, AllocateNetwork. */
export function decodeNetworkIdentity(body: unknown): NetworkIdentity {
  return { networkId: idAt(bodyPart(body), 'NetworkID') };
}

/** EndpointOperInfo, DeleteEndpoint, Leave, RevokeExternalConnectivity. */
export function decodeEndpointIdentity(body: unknown): EndpointIdentity {
  return identityOf(bodyPart(body));
}

export function decodeJoin(body: unknown): JoinRequest {
  const whole = bodyPart(body);
  return { ...identityOf(whole), sandboxKey: textAt(whole, 'SandboxKey') ?? '' };
}

export function decodeCreateEndpoint(body: unknown): CreateEndpointRequest {
  const whole = bodyPart(body);
  const wanted = objectAt(whole, 'Interface');
  const address = asPrefix(part(wanted, 'Address'), 4);
  const addressIPv6 = asPrefix(part(wanted, 'AddressIPv6'), 6);
  const mac = asMac(part(wanted, 'MacAddress'));
  const options = objectAt(whole, 'Options');
  const ifName = ifNameAt(options);
  const { value: ip } = optionPart(options, 'ip');
  return {
    ...identityOf(whole),
    ...given({ address, addressIPv6, mac, ifName }),
    ...(typeof ip === 'string' && ip !== '' ? { ip } : {}),
    ...portsOf(options),
    ignored: Object.keys(options.value).filter((key) => !ENDPOINT_OPTIONS.test(key)),
  };
}

const IF_NAME = 'com.docker.network.endpoint.ifname';
/** Options of an endpoint that dockerd or this driver honours. */
const ENDPOINT_OPTIONS =
  /^com\.docker\.network\.(portmap|endpoint\.(exposedports|macaddress|sysctls|dnsservers|name|ifname|advertise_addr_\w+))$/;

function ifNameAt(options: Part): string | undefined {
  const given = optionPart(options, IF_NAME);
  const { value } = given;
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string' && ifNameFault(value) === undefined) return value;
  throw refusal(
    given,
    'no interface can be called this',
    'Give 1 to 15 bytes without "/", ":", "%", quotes and white space',
  );
}

/** DiscoverNew, DiscoverDelete: the contents are ignored. */
export function assertRequest(body: unknown): void {
  bodyPart(body);
}

/** ProgramExternalConnectivity. */
export function decodeProgram(body: unknown): ProgramRequest {
  const whole = bodyPart(body);
  return { ...identityOf(whole), ...portsOf(objectAt(whole, 'Options')) };
}

function identityOf(whole: Part): EndpointIdentity {
  return { networkId: idAt(whole, 'NetworkID'), endpointId: idAt(whole, 'EndpointID') };
}

const ENABLE_IPV4 = 'com.docker.network.enable_ipv4';

function networkOptions(whole: Part): NetworkOptions {
  const options = objectAt(whole, 'Options');
  return {
    generic: asTextMap(optionPart(options, 'com.docker.network.generic')),
    internal: asFlag(optionPart(options, 'com.docker.network.internal')),
    enableIPv4: asFlag(optionPart(options, ENABLE_IPV4), true),
    ...(optionPart(options, ENABLE_IPV4).value === undefined ? {} : { completes: true }),
    enableIPv6: asFlag(optionPart(options, 'com.docker.network.enable_ipv6')),
  };
}

function pools(whole: Part): Pick<CreateNetworkRequest, 'ipv4' | 'ipv6'> {
  return {
    ipv4: asList(part(whole, 'IPv4Data'), LIMITS.dockerSubnets).map((item) => ipamData(item, 4)),
    ipv6: asList(part(whole, 'IPv6Data'), LIMITS.dockerSubnets).map((item) => ipamData(item, 6)),
  };
}

function ipamData(data: Part, family: Family): IpamData {
  const pool = asPrefix(part(data, 'Pool'), family);
  if (pool === undefined) throw refusal(part(data, 'Pool'), 'it is missing', 'Every entry has a subnet');
  const gateway = asPrefix(part(data, 'Gateway'), family);
  return {
    addressSpace: textAt(data, 'AddressSpace') ?? '',
    pool,
    ...given({ gateway }),
    auxAddresses: auxAddresses(objectAt(data, 'AuxAddresses'), family),
  };
}

function auxAddresses(data: Part & { readonly value: object }, family: Family): IpamData['auxAddresses'] {
  const found = Object.entries(data.value).flatMap(([name, value]) => {
    const prefix = asPrefix({ path: `${data.path}["${name}"]`, value: value ?? undefined }, family);
    return prefix === undefined ? [] : [[name, prefix] as const];
  });
  return Object.fromEntries(found);
}
