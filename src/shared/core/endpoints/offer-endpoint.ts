import type { Addressing, Driver, EndpointFacts } from '../../drivers/driver.ts';
import type { Rules } from '../../drivers/rules.ts';
import { asNetError, NetError } from '../../errors/net-error.ts';
import { formatAlias } from '../../model/alias.ts';
import { type Attachment, attachmentDigest, digest, hostIfName } from '../../model/attachment.ts';
import { macOfAddr, macOfDigest } from '../../model/mac.ts';
import { EMPTY_PLAN } from '../../model/op.ts';
import { formatPrefix } from '../../model/prefix.ts';
import type { EndpointRow } from '../../store/store.ts';
import type { Core } from '../core.ts';
import { execute, reverse } from '../execute.ts';
import { ensureNetwork } from '../networks/network.ts';
import { claimAddress } from '../pools/pools.ts';
import { withdrawPorts } from '../ports/publish-ports.ts';
import { countChange } from '../rebuild.ts';
import { attachmentKey, removeAnyway } from './delete-endpoint.ts';

const role = 'interface';

/** An endpoint that somebody else (dockerd) puts into the container, and gives its addresses and routes there. */
export interface OfferRequest {
  /** Its `ifName` is the name under which the interface is offered in the host's namespace. */
  readonly attachment: Attachment;
  readonly driver: Driver;
  readonly driverName: string;
  /** Its addresses, decided already, with the gateways that the network has. */
  readonly addressing: Addressing;
  /** Where the built-in IPAM leases them; absent where somebody else hands them out. */
  readonly scope?: string;
  /** Asked for by the user; absent: derived from the first address. */
  readonly mac?: string;
  /** What the packet filter does for the network; absent: nothing. */
  readonly rules?: Rules;
  /** NetworkID of the Docker network whose endpoint it is. */
  readonly dockerNetwork?: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface Offer {
  /** Name of the interface in the host's namespace, down and without addresses. */
  readonly srcName: string;
  readonly mac: string;
}

/**
 * The endpoint's interface is in the host's namespace for somebody to move it into a container; its other end is where
 * the driver wants it, the network is there, the addresses are the endpoint's, and all of it is on record. After an
 * error nothing of it is left. The same request again is success. Throws NetError `conflict` for another request of the
 * same attachment, or an address that somebody else has.
 */
export async function offerEndpoint(core: Core, request: OfferRequest): Promise<Offer> {
  const { attachment } = request;
  using _lock = await core.lock(attachmentKey(attachment));
  core.mark?.('lock');
  const before = core.store.endpoints.get(attachment, role);
  if (before !== undefined && isWhole(core, before)) return sameOffer(request, before);
  if (before !== undefined) {
    const [failure] = await withdraw(core, attachment);
    if (failure !== undefined) throw failure;
  }
  const row = begin(core, request);
  core.mark?.('lease');
  try {
    return await build(core, request, row);
  } catch (thrown) {
    const error = asNetError(thrown, 'offer');
    for (const failure of await withdraw(core, attachment)) {
      core.log.warn('reverse.failed', { error: failure.message });
    }
    throw error;
  }
}

/**
 * Nothing of the endpoint is left: neither its published ports nor its interface, wherever that is, nor its leases; nor
 * of its network, if it was the last and nobody holds that. Absence is success; all that fails is returned, and stays on
 * record for the next call.
 */
export async function withdrawEndpoint(core: Core, attachment: Attachment): Promise<NetError[]> {
  using _lock = await core.lock(attachmentKey(attachment));
  core.mark?.('lock');
  return await withdraw(core, attachment);
}

/** For a caller that holds the lock. */
async function withdraw(core: Core, attachment: Attachment): Promise<NetError[]> {
  const errors = await withdrawPorts(core, attachment);
  const known = core.store.endpoints.get(attachment, role) !== undefined;
  errors.push(...(await removeAnyway(core, { attachment, role, netns: '', orphans: 'own', guarded: true }, undefined)));
  if (known) return errors;
  const stray = { op: 'link.delete', ns: 'host', name: attachment.ifName, kind: 'veth' } as const;
  return [...errors, ...(await reverse(core, [stray], { host: core.host.own }))];
}

/** True for an endpoint that is on record as complete, and has its interface still. */
function isWhole({ host }: Core, { progress, hostIf }: EndpointRow): boolean {
  return progress === 'ready' && host.observe(host.own, { links: [hostIf] }).links.has(hostIf);
}

function sameOffer(request: OfferRequest, row: EndpointRow): Offer {
  const { attachment, mac = macOf(row) } = request;
  const same =
    row.addresses?.join() === textsOf(request.addressing).join() &&
    row.scope === request.scope &&
    row.dockerNetwork === request.dockerNetwork &&
    macOf(row) === mac;
  if (same) return { srcName: attachment.ifName, mac };
  throw new NetError({
    kind: 'conflict',
    op: 'offer',
    subject: `endpoint ${attachment.containerId}`,
    what: `is on network ${attachment.network} already, with ${row.addresses?.join(', ') || 'no address'} and MAC ${macOf(row)}`,
    hint: 'Delete it first',
  });
}

/** The intent is on record, and the addresses are its own, before the kernel is touched. */
function begin(core: Core, request: OfferRequest): EndpointRow {
  const { host, store } = core;
  const { attachment, scope, addressing, dockerNetwork, now } = request;
  const row: EndpointRow = {
    attachment,
    role,
    progress: 'intent',
    // Both ends begin in the host's namespace.
    sandbox: { path: '', id: host.own.id },
    hostIf: hostIfName(attachment),
    plan: EMPTY_PLAN,
    addresses: textsOf(addressing),
    createdAt: now,
    ...(scope === undefined ? {} : { scope }),
    ...(dockerNetwork === undefined ? {} : { dockerNetwork }),
  };
  store.transaction(() => {
    for (const { address } of scope === undefined ? [] : addressing.addresses) {
      claimAddress(store, scope ?? '', address.addr, attachment);
    }
    store.endpoints.put(row);
    countChange(core);
  });
  return row;
}

async function build(core: Core, request: OfferRequest, row: EndpointRow): Promise<Offer> {
  const { host, store } = core;
  const { attachment, driver } = request;
  const { view } = await ensureNetwork(core, request, driver.complete(request.addressing));
  core.mark?.('network');
  const facts = factsOf(request, row);
  const plan = driver.planLink(view, facts);
  const record = { ...row, plan };
  store.transaction(() => store.endpoints.put(record));
  execute(core, plan.ops, { host: host.own, sandbox: host.own });
  core.mark?.('kernel');
  store.transaction(() => store.endpoints.put({ ...record, progress: 'ready' }));
  core.mark?.('commit');
  return { srcName: attachment.ifName, mac: facts.mac };
}

function factsOf({ attachment, addressing, scope, mac }: OfferRequest, { hostIf }: EndpointRow): EndpointFacts {
  const addresses = addressing.addresses.map(({ address }) => address.addr);
  const [first] = addresses;
  const derived =
    first === undefined
      ? macOfDigest(digest('mac', attachmentDigest(attachment)))
      : macOfAddr(first, attachment.network);
  return {
    hostIf,
    ifName: attachment.ifName,
    mac: mac ?? derived,
    alias: formatAlias({ attachment, ...(scope === undefined ? { addresses: [] } : { scope, addresses }) }),
  };
}

/** The MAC of the end that goes into the container; empty where the record was rebuilt from the other end. */
function macOf({ plan, hostIf }: EndpointRow): string {
  const made = plan.ops.find((op) => op.op === 'link.create' && op.name === hostIf);
  return made?.op === 'link.create' && made.link.kind === 'veth' ? (made.link.peer.mac ?? '') : '';
}

function textsOf({ addresses }: Addressing): string[] {
  return addresses.map(({ address }) => formatPrefix(address));
}
