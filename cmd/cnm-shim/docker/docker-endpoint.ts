import type { NetworkSpec } from '../../../src/shared/config/network-spec.ts';
import { type Core, nameInDocker } from '../../../src/shared/core/core.ts';
import { deleteOffered, offerEndpoint } from '../../../src/shared/core/endpoints/offer-endpoint.ts';
import { offeringDriverOf } from '../../../src/shared/core/networks/record.ts';
import { publishPorts, unpublishPorts } from '../../../src/shared/core/ports/publish-ports.ts';
import type { Addressing, Assigned } from '../../../src/shared/drivers/driver.ts';
import type { Rules } from '../../../src/shared/drivers/rules.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import { NetError } from '../../../src/shared/errors/net-error.ts';
import type { Attachment } from '../../../src/shared/model/attachment.ts';
import { dockerFactsOf, type Endpoint } from '../../../src/shared/model/endpoint.ts';
import { given } from '../../../src/shared/model/given.ts';
import { contains, formatPrefix, type Prefix, parsePrefix } from '../../../src/shared/model/prefix.ts';
import { listedEndpoint } from '../../../src/shared/store/listed-endpoints.ts';
import type { DockerNetworkRow, LocalStore } from '../../../src/shared/store/store.ts';
import { deleteGone } from './gone.ts';
import { recordOnly } from './interfaceless.ts';
import type { InterfaceAnswer } from './lists/list-endpoint.ts';
import { shortId } from './network-options.ts';
import { ownName } from './network-plan.ts';
import { announce } from './overlay-network.ts';
import { assertMac } from './parent-options.ts';
import { portRequests, tellUnpublished } from './port-options.ts';
import { firstGateway } from './shared-network.ts';
import type { CreateEndpointRequest, EndpointIdentity, ProgramRequest } from './wire/messages.ts';
import type { EndpointPorts } from './wire/messages-ports.ts';

const role = 'interface';
/** An interface's name has 15 characters: `peer` and this much of the EndpointID. */
const ID_IN_NAME = 11;

/** The subject of a call on an endpoint. */
export interface Place {
  readonly network: DockerNetworkRow;
  readonly spec: NetworkSpec;
  readonly attachment: Attachment;
}

/** Throws NetError `unknown-container` if the network does not exist. */
export function placeOf(core: Core, { networkId, endpointId }: EndpointIdentity): Place {
  const { store } = core;
  const network = store.dockerNetworks.get(networkId);
  const spec = network === undefined ? undefined : store.networks.get(network.network)?.spec;
  if (network !== undefined && spec !== undefined) {
    return { network, spec, attachment: attachmentOf(network.network, endpointId) };
  }
  throw fault.unknownContainer(
    'find',
    `network ${shortId(networkId)}`,
    'is not known here: there is no record of it',
    `Remove it and create it again: docker network rm, docker network create -d ${nameInDocker(core)}`,
  );
}

/**
 * Creates the endpoint, with its interface in the host's namespace; dockerd moves it into the container. Returns what
 * dockerd does not know of it. On a network without interfaces, creates only the record.
 */
export async function createDockerEndpoint(
  core: Core,
  request: CreateEndpointRequest,
  now: number,
): Promise<InterfaceAnswer> {
  const { network, spec, attachment } = placeOf(core, request);
  const { list } = network;
  if (list !== undefined) {
    const { createListed } = await import('./lists/list-endpoint.ts');
    return await createListed(core, { network, list, attachment }, request, now);
  }
  const addressing = addressingOf(spec, addressesOf(request), attachment);
  assertMac(spec.options, request);
  const driver = offeringDriverOf(spec.options, network.network);
  if (driver === undefined) {
    await recordOnly(core, { network, attachment }, addressing, now);
    return {};
  }
  const rules = rulesOf(spec);
  const { options } = spec;
  const offer = await retried(core, async () => {
    // Within a try: one that failed has released the addresses, and then the next one has to fail too.
    const isShared = options.driver === 'overlay' && options.mode === 'shared';
    const mac = isShared ? await announce(core, options, attachment, addressing, request.mac) : request.mac;
    return await offerEndpoint(core, {
      ...{ attachment, driver, addressing, now },
      driverName: options.driver,
      dockerNetwork: network.id,
      ...given({ scope: network.scope, mac, rules, nameInside: request.ifName }),
    });
  });
  if (options.driver === 'overlay') await core.cluster?.mirror(network.network);
  // dockerd rejects an answer that repeats the MAC address it supplied.
  return request.mac === undefined ? given({ MacAddress: offer.mac }) : {};
}

/** Publishes exactly the ports of the request. */
export async function programPorts(core: Core, request: ProgramRequest): Promise<void> {
  const { network, spec, attachment } = placeOf(core, request);
  const { addresses = [] } = dockerFactsOf(endpointRow(core.store, attachment));
  const rules = rulesOf(spec, request);
  tellUnpublished(core, spec.options, request);
  if (spec.options.driver === 'null' || rules === undefined) return;
  const prefixes = addresses.flatMap((text) => parsePrefix(text) ?? []);
  const addressing = addressingOf(spec, prefixes, attachment);
  const ports = portRequests(network, request.portMap);
  const publish = () => retried(core, () => publishPorts(core, attachment, rules, addressing, ports));
  if (network.list === undefined || ports.length === 0) return void (await publish());
  const { admitPorts } = await import('./lists/list-rules.ts');
  await admitPorts(core, attachment, publish);
}

/** Unpublishes all ports of the endpoint. Accepts absence. */
export function revokePorts(core: Core, identity: EndpointIdentity): Promise<NetError[]> {
  return forEach(core, identity, (attachment) => unpublishPorts(core, attachment));
}

/** Deletes the endpoint. Accepts absence. */
export function deleteDockerEndpoint(core: Core, identity: EndpointIdentity): Promise<NetError[]> {
  const network = core.store.dockerNetworks.get(identity.networkId);
  return forEach(core, identity, (attachment) => removeEndpoint(core, attachment, network));
}

/** Sets in the container's namespace what dockerd does not, after Join; or deletes it, at Leave. */
export async function completeDockerEndpoint(
  core: Core,
  { networkId, endpointId }: EndpointIdentity,
  step: 'join' | 'leave' = 'join',
): Promise<void> {
  const network = core.store.dockerNetworks.get(networkId);
  if (network?.list === undefined) return;
  const { completeListed, withdrawListed } = await import('./lists/list-join.ts');
  const work = step === 'join' ? completeListed : withdrawListed;
  await work(core, attachmentOf(network.network, endpointId));
}

/** Returns an endpoint's record. Throws NetError `unknown-container` unless CreateEndpoint has been answered. */
export function endpointRow(store: LocalStore, attachment: Attachment): Endpoint {
  const row = store.endpoints.get(attachment, role);
  if (row?.progress === 'ready') return row;
  throw fault.unknownContainer(
    'find',
    `endpoint ${shortId(attachment.containerId)}`,
    `is not on network ${attachment.network}: there is no record of it`,
    'Disconnect the container from the network and connect it again',
  );
}

function attachmentOf(network: string, endpointId: string): Attachment {
  return { camp: 'cnm', network, containerId: endpointId, ifName: `peer${endpointId.slice(0, ID_IN_NAME)}` };
}

/**
 * The attachments that an id may mean: the recorded ones if the network is unknown, else the one with the usual name.
 */
async function forEach(
  { store }: Core,
  { networkId, endpointId }: EndpointIdentity,
  work: (attachment: Attachment) => Promise<NetError[]>,
): Promise<NetError[]> {
  const network = store.dockerNetworks.get(networkId);
  const usual = attachmentOf(network?.network ?? ownName(networkId), endpointId);
  const known = network === undefined ? store.endpoints.list().map(({ attachment }) => attachment) : [];
  const meant = known.filter(({ camp, containerId }) => camp === 'cnm' && containerId === endpointId);
  const errors: NetError[] = [];
  for (const attachment of meant.length > 0 ? meant : [usual]) errors.push(...(await work(attachment)));
  return errors;
}

/** A killed dockerd loses endpoints silently: delete those whose interface is gone, to free their addresses. */
async function retried<T>(core: Core, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof NetError && thrown.kind === 'conflict')) throw thrown;
    for (const failure of await deleteGone(core)) core.log.warn('delete.failed', { error: failure.message });
  }
  return await work();
}

/** Deletes the endpoint, of whichever driver. Accepts absence. Returns all failures. */
export async function removeEndpoint(
  core: Core,
  attachment: Attachment,
  network?: DockerNetworkRow,
): Promise<NetError[]> {
  if (network?.list === undefined && listedEndpoint(core.store.notes, attachment) === undefined)
    return await deleteOffered(core, attachment);
  const { deleteListed } = await import('./lists/list-removal.ts');
  return (await deleteListed(core, attachment, network)) ?? (await deleteOffered(core, attachment));
}

function addressesOf({ address, addressIPv6 }: CreateEndpointRequest): Prefix[] {
  return [address, addressIPv6].flatMap((one) => one ?? []);
}

/** The addresses that dockerd assigned to the endpoint, with the gateways of their subnets. */
export function addressingOf(spec: NetworkSpec, addresses: readonly Prefix[], { containerId }: Attachment): Addressing {
  const subnets = spec.ranges.flatMap((set) => set.map(({ subnet }) => subnet));
  if (subnets.length > 0 && addresses.length === 0) {
    throw refused(
      containerId,
      '.Interface.Address',
      'it is missing',
      'The network has addresses, so its endpoints have',
    );
  }
  const assigned = addresses.map((address): Assigned => {
    if (subnets.length > 0 && !subnets.some((subnet) => contains(subnet, address.addr))) {
      const key = `.Interface.Address${address.addr.family === 6 ? 'IPv6' : ''}=${formatPrefix(address)}`;
      throw refused(
        containerId,
        key,
        'it is in no subnet of the network',
        `Give one of ${subnets.map(formatPrefix).join(', ')}`,
      );
    }
    const gateway = firstGateway(spec, address.addr.family);
    return { address, ...given({ gateway }) };
  });
  return { addresses: assigned, routes: [] };
}

function rulesOf({ rules }: NetworkSpec, { noProxy6to4 }: Partial<EndpointPorts> = {}): Rules | undefined {
  if (rules === undefined || !noProxy6to4) return rules && { ...rules, mappings: [] };
  const { proxy6to4: _, ...ports } = rules.options.ports;
  return { ...rules, options: { ...rules.options, ports }, mappings: [] };
}

function refused(endpointId: string, key: string, what: string, hint: string): NetError {
  return fault.invalidConfig('endpoint', `${shortId(endpointId)} ${key}`, what, hint);
}
