import { fault } from '../../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../../src/shared/errors/net-error.ts';
import { given } from '../../../../src/shared/model/given.ts';
import { field, isObject, textField } from '../../../../src/shared/model/json.ts';
import type { TextMap } from '../wire/messages.ts';

// Answers of the Docker Engine API, versions 1.24 and later. A field that decides what exists is required, so that an
// answer we do not understand never passes for an empty one. Every other field is optional.

/** One pool of a network: given by the user, or chosen by the IPAM driver. */
export interface IpamConfig {
  /** `10.61.0.0/16`. */
  readonly subnet: string;
  /** `--ip-range`. */
  readonly range?: string;
  /** With or without a prefix length. Absent if the user gave a subnet only: Docker does not report the chosen one. */
  readonly gateway?: string;
  /** Addresses without prefix length, by name. */
  readonly aux: TextMap;
}

/** A network of dockerd, whatever its driver. */
export interface DockerNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /** `local`, `swarm` or `global`. */
  readonly scope: string;
  readonly internal: boolean;
  readonly enableIPv4: boolean;
  readonly enableIPv6: boolean;
  /** The network only provides its configuration to others. */
  readonly configOnly: boolean;
  readonly options: TextMap;
  readonly labels: TextMap;
  readonly ipamDriver: string;
  readonly ipamOptions: TextMap;
  readonly pools: readonly IpamConfig[];
}

/** An endpoint of a network. */
export interface DockerEndpoint {
  readonly id: string;
  /** The container's name, or the endpoint's own before a container has it. */
  readonly name: string;
  /** With prefix lengths. */
  readonly addresses: readonly string[];
}

/** A network and a running container on it. */
export interface ContainerEndpoint {
  readonly id: string;
  readonly networkId: string;
  readonly containerId: string;
  readonly containerName: string;
  readonly labels: TextMap;
  readonly gateways: readonly string[];
}

export interface Engine {
  readonly version: string;
  readonly api: string;
  readonly minApi: string;
}

/** GET /version. Throws NetError `decode` unless Docker's engine answers. */
export function decodeEngine(answer: unknown): Engine {
  const components = field(answer, 'Components');
  const names = Array.isArray(components) ? components.map((component) => textField(component, 'Name')) : [];
  if (names.length > 0 && !names.includes('Engine'))
    throw unreadable('/version', `it is not a Docker engine: ${names.join(', ')}`);
  const version = textField(answer, 'Version');
  const api = textField(answer, 'ApiVersion');
  if (version === undefined || api === undefined) throw unreadable('/version', 'it tells no version');
  return { version, api, minApi: textField(answer, 'MinAPIVersion') ?? api };
}

/** GET /networks. Throws NetError `decode`. */
export function decodeNetworks(answer: unknown): DockerNetwork[] {
  if (!Array.isArray(answer)) throw unreadable('/networks', 'it is not a list');
  if (answer.length === 0) throw unreadable('/networks', 'it has no network, not even those that Docker always has');
  return answer.map(decodeNetwork);
}

/** GET /networks/<id>: its endpoints; undefined if the answer omits them. */
export function decodeEndpoints(answer: unknown): DockerEndpoint[] | undefined {
  const containers = field(answer, 'Containers');
  if (!isObject(containers)) return undefined;
  const found = Object.values(containers).flatMap((endpoint): DockerEndpoint[] => {
    const id = textField(endpoint, 'EndpointID');
    if (id === undefined) return [];
    const addresses = ['IPv4Address', 'IPv6Address'].flatMap((key) => textField(endpoint, key) ?? []);
    return [{ id, name: textField(endpoint, 'Name') ?? '', addresses }];
  });
  return found.length === Object.keys(containers).length ? found : undefined;
}

/** GET /containers/json. Throws NetError `decode`. */
export function decodeContainers(answer: unknown): ContainerEndpoint[] {
  if (!Array.isArray(answer)) throw unreadable('/containers/json', 'it is not a list');
  return answer.flatMap((container): ContainerEndpoint[] => {
    const containerId = textField(container, 'Id') ?? '';
    const containerName = nameOf(field(container, 'Names')) ?? containerId.slice(0, 12);
    const labels = texts(field(container, 'Labels'));
    const networks = field(field(container, 'NetworkSettings'), 'Networks');
    return Object.values(isObject(networks) ? networks : {}).flatMap((endpoint): ContainerEndpoint[] => {
      const id = textField(endpoint, 'EndpointID');
      if (id === undefined) return [];
      const gateways = ['Gateway', 'IPv6Gateway'].flatMap((key) => textField(endpoint, key) ?? []);
      return [{ id, networkId: textField(endpoint, 'NetworkID') ?? '', containerId, containerName, labels, gateways }];
    });
  });
}

/** GET /containers/json?all=1: names of all containers. Throws NetError `decode`. */
export function decodeContainerNames(answer: unknown): { readonly id: string; readonly name: string }[] {
  if (!Array.isArray(answer)) throw unreadable('/containers/json', 'it is not a list');
  return answer.map((container) => {
    const id = textField(container, 'Id') ?? '';
    return { id, name: nameOf(field(container, 'Names')) ?? id.slice(0, 12) };
  });
}

function decodeNetwork(network: unknown): DockerNetwork {
  const id = textField(network, 'Id');
  const driver = textField(network, 'Driver');
  if (id === undefined || driver === undefined) throw unreadable('/networks', 'a network has no id or no driver');
  const ipam = field(network, 'IPAM');
  const pools = field(ipam, 'Config');
  return {
    id,
    driver,
    name: textField(network, 'Name') ?? id.slice(0, 12),
    scope: textField(network, 'Scope') ?? 'local',
    internal: field(network, 'Internal') === true,
    // Docker before version 28 omits this field; every network had it.
    enableIPv4: field(network, 'EnableIPv4') !== false,
    enableIPv6: field(network, 'EnableIPv6') === true,
    configOnly: field(network, 'ConfigOnly') === true,
    options: texts(field(network, 'Options')),
    labels: texts(field(network, 'Labels')),
    ipamDriver: textField(ipam, 'Driver') ?? 'default',
    ipamOptions: texts(field(ipam, 'Options')),
    pools: (Array.isArray(pools) ? pools : []).flatMap(ipamConfig),
  };
}

function ipamConfig(config: unknown): IpamConfig[] {
  const subnet = textField(config, 'Subnet');
  if (subnet === undefined) return [];
  const range = textField(config, 'IPRange');
  const gateway = textField(config, 'Gateway');
  const aux = texts(field(config, 'AuxiliaryAddresses'));
  return [{ subnet, aux, ...given({ range, gateway }) }];
}

/** A container has one name of its own, `/web`; `/other/web` is another container's link to it. */
function nameOf(names: unknown): string | undefined {
  const own = (Array.isArray(names) ? names : []).find((name) => /^\/[^/]+$/.test(String(name)));
  return own === undefined ? undefined : String(own).slice(1);
}

function texts(value: unknown): TextMap {
  return Object.fromEntries(
    Object.entries(isObject(value) ? value : {}).flatMap(([key, text]) =>
      typeof text === 'string' ? [[key, text] as const] : [],
    ),
  );
}

function unreadable(path: string, what: string): NetError {
  return fault.decode('docker', `answer to GET ${path}`, what);
}
