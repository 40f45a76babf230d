import type { Addressing, Driver, EndpointNames, ParentedDriver } from '../../drivers/driver.ts';
import type { Rules } from '../../drivers/rules.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { View } from '../../host/host.ts';
import { formatAlias } from '../../model/alias.ts';
import { type Attachment, attachmentDigest, digest, hostIfName } from '../../model/attachment.ts';
import { type DockerEndpoint, type Endpoint, hostIfOf } from '../../model/endpoint.ts';
import { given } from '../../model/given.ts';
import { macOfAddr, macOfDigest } from '../../model/mac.ts';
import { formatPrefix } from '../../model/prefix.ts';
import type { LocalStore } from '../../store/store.ts';
import { attachmentKey, transition } from '../apply.ts';
import type { Core } from '../core.ts';
import { desired } from '../desired.ts';
import { execute, reverse } from '../execute.ts';
import { staleAddresses } from '../known-macs.ts';
import { ensureNetwork } from '../networks/network.ts';
import { claimAddress } from '../pools/pools.ts';
import { removePorts } from '../ports/publish-ports.ts';
import type { RemovalRequest } from '../requests.ts';
import { EMPTY_VIEW } from '../view.ts';
import { removeAnyway } from './delete-endpoint.ts';
import { assertMacFree, deletionOf, isOffered } from './offered-link.ts';
import { isThere } from './placed-offers.ts';

const role = 'interface';

/** An endpoint whose interface dockerd moves into the container and configures there. */
export interface OfferRequest {
  /** `ifName` is the interface's name in the host's namespace. */
  readonly attachment: Attachment;
  readonly driver: Driver | ParentedDriver;
  readonly driverName: string;
  /** Its addresses, which IPAM has already chosen, with the network's gateways. */
  readonly addressing: Addressing;
  /** Scope of the built-in IPAM's leases; absent if another IPAM allocates the addresses. */
  readonly scope?: string;
  /** The MAC that the user requests; absent: derived from the first address, or that of the parent. */
  readonly mac?: string;
  /** The network's packet filter rules; absent: none. */
  readonly rules?: Rules;
  /** NetworkID of its Docker network. */
  readonly dockerNetwork?: string;
  /** The interface's name in the container, if the user gives one. */
  readonly nameInside?: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Offer {
  /** Name of the interface in the host's namespace, down and without addresses. */
  readonly srcName: string;
  /** Absent where the interface has the MAC of its parent. */
  readonly mac?: string;
}

/**
 * Creates and records an endpoint whose interface waits in the host's namespace for the caller to move it into a
 * container. Creates the network, connects the other end to the driver's device and claims the addresses. On an error,
 * reverts everything. The same request again succeeds. Throws NetError `conflict` for a different request of the same
 * attachment, or for an address that another endpoint has.
 */
export async function offerEndpoint(core: Core, request: OfferRequest): Promise<Offer> {
  const { attachment, addressing, driver } = request;
  using _lock = await core.lock(attachmentKey(attachment));
  core.mark?.('lock');
  const before = core.store.endpoints.get(attachment, role);
  if (before !== undefined && isWhole(core, before)) return sameOffer(request, before);
  if (before !== undefined) {
    const [failure] = await removeOffered(core, attachment);
    if (failure !== undefined) throw failure;
  }
  let endpoint = factsOf(core, request, EMPTY_VIEW);
  await transition(core, 'offer', {
    begin: (store) => {
      claimAll(store, request);
      // dockerd announces the addresses once the interface is in the container.
      if (endpoint.link !== undefined)
        staleAddresses(core, { link: endpoint.link, network: attachment.network, addresses: endpoint.addresses });
      return endpoint;
    },
    apply: async () => {
      const { view } = await ensureNetwork(core, request, driver.complete(addressing));
      core.mark?.('network');
      endpoint = factsOf(core, request, view);
      // One of its own address may be that of a predecessor which dockerd has lost.
      if (isOffered(endpoint) && request.mac !== undefined) assertMacFree(core, endpoint, view);
      // Both ends start in the host's namespace.
      await execute(core, desired(endpoint).ops, { host: core.host.own, sandbox: core.host.own });
      core.mark?.('kernel');
      return endpoint;
    },
    revert: () => removeOffered(core, attachment),
  });
  return { srcName: attachment.ifName, ...given({ mac: macOf(endpoint) }) };
}

/**
 * Records an endpoint whose interface, which is in a container, was on a record that was lost. Nothing but a container's
 * namespace tells its MAC. Does nothing if it is on record. Throws NetError `conflict` for an address that another has.
 */
export async function recordOffered(core: Core, request: OfferRequest): Promise<void> {
  const { attachment } = request;
  using _lock = await core.lock(attachmentKey(attachment));
  core.store.transaction(() => {
    if (core.store.endpoints.get(attachment, role) !== undefined) return;
    claimAll(core.store, request);
    const row = factsOf(core, request, EMPTY_VIEW);
    if (!isOffered(row)) return;
    const { mac: _, ...lone } = row.lone;
    core.store.endpoints.put({ ...row, lone, progress: 'ready' });
  });
}

function claimAll(store: LocalStore, { attachment, addressing, scope }: OfferRequest): void {
  if (scope === undefined) return;
  for (const { address } of addressing.addresses) claimAddress(store, scope, address.addr, attachment);
}

/**
 * Deletes the endpoint: its published ports, its interface wherever it is, and its leases. Deletes its network too if
 * it was the last endpoint and the network has no holder. Accepts absence. Returns all failures; what failed stays on
 * record for the next call.
 */
export async function deleteOffered(
  core: Core,
  attachment: Attachment,
  when?: RemovalRequest['when'],
): Promise<NetError[]> {
  using _lock = await core.lock(attachmentKey(attachment));
  core.mark?.('lock');
  if (when?.(core.store.endpoints.get(attachment, role)) === false) return [];
  return await removeOffered(core, attachment);
}

/** Like `deleteOffered`. The caller holds the attachment's lock. */
export async function removeOffered(core: Core, attachment: Attachment): Promise<NetError[]> {
  const errors = await removePorts(core, attachment);
  const known = core.store.endpoints.get(attachment, role) !== undefined;
  errors.push(...(await removeAnyway(core, { attachment, role, netns: '', orphans: 'own' }, undefined)));
  if (known) return errors;
  const lone = deletionOf(core, attachment);
  const stray = { op: 'link.delete', ns: 'host', name: attachment.ifName, kind: 'veth' } as const;
  return [...errors, ...(await reverse(core, lone.length > 0 ? lone : [stray], { host: core.host.own }))];
}

/** True for an endpoint that is `ready` on record and still has its interface. */
function isWhole(core: Core, row: Endpoint): boolean {
  if (isOffered(row)) return row.progress === 'ready' && isThere(core, row);
  const { host } = core;
  const hostIf = hostIfOf(row);
  if (row.progress !== 'ready' || hostIf === undefined) return false;
  return host.observe(host.own, { links: [hostIf] }).links.has(hostIf);
}

function sameOffer(request: OfferRequest, row: Endpoint): Offer {
  const { attachment, scope, dockerNetwork, mac = macOf(row) } = request;
  const docker = row.kind === 'docker' || row.kind === 'recalled' ? row : undefined;
  const same =
    docker?.addresses?.join() === textsOf(request.addressing).join() &&
    docker.scope === scope &&
    docker.dockerNetwork === dockerNetwork &&
    macOf(row) === mac;
  if (same) return { srcName: attachment.ifName, ...given({ mac }) };
  const addresses = docker?.addresses?.join(', ') || 'no address';
  throw fault.conflict(
    'offer',
    `endpoint ${attachment.containerId}`,
    `is on network ${attachment.network} already, with ${addresses} and MAC ${macOf(row) ?? 'of its parent'}`,
    'Delete it first',
  );
}

/** The endpoint as an intent. Its MTU is a guess until the network exists; no removal needs it. */
function factsOf({ host }: Core, request: OfferRequest, view: View): DockerEndpoint {
  const { attachment, addressing, scope, dockerNetwork, nameInside, now } = request;
  return {
    kind: 'docker',
    role,
    attachment,
    progress: 'intent',
    sandbox: { path: '', id: host.own.id },
    ...interfaceOf(request, view),
    addresses: textsOf(addressing),
    createdAt: now,
    ...given({ scope, dockerNetwork, ifName: nameInside }),
  };
}

function interfaceOf(request: OfferRequest, view: View): Pick<DockerEndpoint, 'link' | 'lone'> {
  const { driver, mac } = request;
  const names = namesOf(request);
  if ('describeLone' in driver) return { lone: driver.describeLone({ ...names, isRequested: mac !== undefined }) };
  return { link: driver.describeLink(view, names) };
}

function namesOf({ attachment, addressing, scope, mac }: OfferRequest): EndpointNames {
  const addresses = addressing.addresses.map(({ address }) => address.addr);
  const [first] = addresses;
  const derived =
    first === undefined
      ? macOfDigest(digest('mac', attachmentDigest(attachment)))
      : macOfAddr(first, attachment.network);
  return {
    hostIf: hostIfName(attachment),
    ifName: attachment.ifName,
    mac: mac ?? derived,
    alias: formatAlias({ attachment, ...(scope === undefined ? { addresses: [] } : { scope, addresses }) }),
  };
}

/** MAC of the container's end; empty if the record was rebuilt from the other end; undefined if it is the parent's. */
function macOf(row: Endpoint): string | undefined {
  if (isOffered(row)) return row.lone.mac;
  return (row.kind === 'docker' ? row.link?.mac : undefined) ?? '';
}

function textsOf({ addresses }: Addressing): string[] {
  return addresses.map(({ address }) => formatPrefix(address));
}
