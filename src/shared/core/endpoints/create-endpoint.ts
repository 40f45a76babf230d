import { limits } from '../../config/bandwidth.ts';
import { planShaping } from '../../drivers/bandwidth/shaping.ts';
import type { Addressing, EndpointNames } from '../../drivers/driver.ts';
import { insideQuery, planInside } from '../../drivers/inside.ts';
import { planLink } from '../../drivers/link.ts';
import { planPorts, portEntries } from '../../drivers/rules.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { Namespace, View } from '../../host/host.ts';
import { formatAlias } from '../../model/alias.ts';
import { attachmentDigest, digest, hostIfName, ifbName } from '../../model/attachment.ts';
import type { CniEndpoint, LinkFacts, ShapingFacts } from '../../model/endpoint.ts';
import { given } from '../../model/given.ts';
import { macOfAddr, macOfDigest } from '../../model/mac.ts';
import type { Op, Plan } from '../../model/op.ts';
import type { LocalStore } from '../../store/store.ts';
import { assertOther } from '../ambient.ts';
import { attachmentKey, transition } from '../apply.ts';
import { type Core, type Dns, type IpamResult, NO_ADDRESSES } from '../core.ts';
import { execute } from '../execute.ts';
import { ensureNetwork, recordSpec } from '../networks/network.ts';
import { assertPortsFree, claimPorts, describePorts, promotePartners } from '../ports/publish.ts';
import type { EndpointReport, EndpointRequest, RemovalRequest } from '../requests.ts';
import { EMPTY_VIEW } from '../view.ts';
import { awaitAddresses } from './await-addresses.ts';
import { removeEndpoint } from './delete-endpoint.ts';
import { reportEndpoint } from './report.ts';

/**
 * Creates and records the endpoint with its network, addresses and routes. On an error, reverts everything before
 * throwing.
 */
export async function createEndpoint(core: Core, request: EndpointRequest): Promise<EndpointReport> {
  using sandbox = core.host.open(request.netns);
  assertOther(core.host, sandbox, request);
  try {
    using _lock = await core.lock(attachmentKey(request.attachment));
    core.mark?.('lock');
    await clearWay(core, request, sandbox);
    return await attach(core, request, sandbox);
  } catch (error) {
    for (const failure of await promotePartners(core, request.attachment)) {
      core.log.warn('revert.failed', { error: failure.message });
    }
    throw error;
  }
}

/** The caller holds the attachment's lock. */
async function attach(core: Core, request: EndpointRequest, sandbox: Namespace): Promise<EndpointReport> {
  const { source } = request;
  let acquired = NO_ADDRESSES;
  let built: Built | undefined;
  await transition(core, 'ADD', {
    begin: (store) => {
      if (source?.kind === 'local') acquired = source.acquire(store);
      const addressing = request.driver.complete(acquired);
      claim(core, store, request, addressing);
      return withJournal(core, sandbox, factsOf(core, request, sandbox, { addressing, view: EMPTY_VIEW }));
    },
    apply: async () => {
      built = await build(core, request, sandbox, acquired);
      return built.facts;
    },
    commit: () => {
      if (built?.isRenewed) recordSpec(core, request);
    },
    revert: () => removeEndpoint(core, asRemoval(request), sandbox),
  });
  if (built === undefined) throw new Error('a transition ended without facts');
  return reportEndpoint(core.host, request, built.facts.link, built.addressing, built.dns);
}

interface Built {
  readonly facts: CniEndpoint;
  readonly addressing: Addressing;
  readonly dns: Dns;
  readonly isRenewed: boolean;
}

/** Creates network, link, addresses and ports in the kernel. Asks a delegate for addresses once the link is up. */
async function build(core: Core, request: EndpointRequest, sandbox: Namespace, acquired: IpamResult): Promise<Built> {
  const { driver, source, attachment } = request;
  const namespaces = { host: core.host.own, sandbox };
  let result = acquired;
  let addressing = driver.complete(result);
  const { view, isRenewed } = await ensureNetwork(core, request, addressing);
  core.mark?.('network');
  let facts = factsOf(core, request, sandbox, { addressing, view });
  let ops = planLink(facts.link).ops;
  if (source?.kind === 'delegate') {
    const up: Op = { op: 'link.set', ns: 'sandbox', name: attachment.ifName, set: { up: true } };
    await execute(core, [...ops, up], namespaces);
    core.mark?.('kernel');
    result = await source.acquire();
    core.mark?.('delegate');
    addressing = driver.complete(result);
    await ensureNetwork(core, request, addressing);
    core.mark?.('network');
    // The link is there: its MAC does not follow the addresses any more.
    facts = { ...factsOf(core, request, sandbox, { addressing, view }), link: facts.link };
    core.store.transaction(() => core.store.endpoints.put(withJournal(core, sandbox, facts)));
    ops = [];
  }
  ops = [...ops, ...insideOf(core, sandbox, facts).ops, ...planRest(facts)];
  await execute(core, ops, namespaces);
  core.mark?.('kernel');
  await awaitAddresses(core.host, sandbox, ops);
  return { facts, addressing, dns: result.dns, isRenewed };
}

/**
 * Claims the host ports. Checks claims before listeners: the other endpoint's name tells more than the process that
 * holds the port for it.
 */
function claim(core: Core, store: LocalStore, { rules, attachment }: EndpointRequest, addressing: Addressing): void {
  if (rules === undefined) return;
  claimPorts(store, rules, attachment);
  const gateways = addressing.addresses.flatMap(({ gateway }) => gateway ?? []);
  assertPortsFree(core, rules, attachment, gateways);
}

/** The new endpoint as an intent. Its MTU is a guess until the network exists; no removal needs it. */
function factsOf(
  { store, stamp }: Core,
  request: EndpointRequest,
  sandbox: Namespace,
  { addressing, view }: { readonly addressing: Addressing; readonly view: View },
): CniEndpoint {
  const { attachment, driver, source, rules, netns, aliases } = request;
  const scope = source?.kind === 'local' ? source.scope : undefined;
  const link = driver.describeLink(view, namesOf(request, addressing));
  const ports = rules === undefined ? {} : describePorts(store, rules, attachment, portEntries(rules, addressing));
  const shaping = shapingOf(request, link);
  return {
    kind: 'cni',
    role: 'interface',
    attachment,
    progress: 'intent',
    sandbox: { path: netns, id: sandbox.id },
    // Hairpin: a pod may reach itself through an address of the host.
    link: (rules?.mappings.length ?? 0) > 0 && rules?.options.ports.snat ? { ...link, hairpin: true } : link,
    inside: driver.describeInside(addressing),
    aliases,
    ...ports,
    ...given({ scope, shaping, stamp }),
    ...(source?.kind === 'delegate' ? { delegate: { type: source.type, config: source.config } } : {}),
  };
}

function insideOf({ host }: Core, sandbox: Namespace, { inside, link }: CniEndpoint): Plan {
  return planInside(host.observe(sandbox, insideQuery(inside)), link, inside);
}

/**
 * Adds the sandbox's current values to the facts. The values stay changed on removal, since another endpoint may need
 * them.
 */
function withJournal(core: Core, sandbox: Namespace, facts: CniEndpoint): CniEndpoint {
  const { undo } = insideOf(core, sandbox, facts);
  return undo.length === 0 ? facts : { ...facts, journal: undo };
}

/** Ops for published ports and limits. */
function planRest({ published, shaping }: CniEndpoint): Op[] {
  return [
    ...(published === undefined ? [] : planPorts(published.backend, published.entries).ops),
    ...(shaping === undefined ? [] : planShaping(shaping, { hostIfGoes: true }).ops),
  ];
}

/** The limits that the runtime requests, on the host side of the pair. */
function shapingOf({ rates, attachment }: EndpointRequest, { hostIf, mtu }: LinkFacts): ShapingFacts | undefined {
  if (rates === undefined || !limits(rates)) return undefined;
  return { hostIf, ifb: ifbName(attachment), mtu, alias: formatAlias({ attachment, addresses: [] }), ...rates };
}

/**
 * Removes what an interrupted ADD or DEL, or a sandbox that is gone, left. Throws if the endpoint is live, or if a
 * foreign interface has its name.
 */
async function clearWay(core: Core, request: EndpointRequest, sandbox: Namespace): Promise<void> {
  const { ifName } = request.attachment;
  const isTaken = (): boolean => core.host.observe(sandbox, { links: [ifName] }).links.has(ifName);
  const row = core.store.endpoints.get(request.attachment, request.role);
  if (row !== undefined) {
    const same = row.sandbox.id === sandbox.id || (row.sandbox.id === '' && isTaken());
    if (row.progress === 'ready' && same) throw alreadyAttached(request);
    const failures = await removeEndpoint(core, asRemoval(request), same ? sandbox : undefined);
    if (failures[0] !== undefined) throw failures[0];
  }
  if (isTaken()) throw interfaceExists(request);
}

/** The removal of the same attachment. Its record says what exists. */
function asRemoval(request: EndpointRequest): RemovalRequest {
  return { ...request, orphans: 'own', guarded: false };
}

function namesOf({ attachment, source, mac }: EndpointRequest, { addresses }: Addressing): EndpointNames {
  const first = addresses[0]?.address.addr;
  const derived =
    first === undefined
      ? macOfDigest(digest('mac', attachmentDigest(attachment)))
      : macOfAddr(first, attachment.network);
  const scope = source?.kind === 'local' ? source.scope : undefined;
  return {
    hostIf: hostIfName(attachment),
    ifName: attachment.ifName,
    mac: mac ?? derived,
    alias: formatAlias({
      attachment,
      ...given({ scope }),
      addresses: scope === undefined ? [] : addresses.map(({ address }) => address.addr),
    }),
  };
}

function interfaceExists({ attachment, netns }: EndpointRequest): NetError {
  return fault.badEnvironment(
    'ADD',
    `CNI_IFNAME=${attachment.ifName}`,
    `an interface of this name already exists in ${netns}`,
    'Choose another name, or remove it (DEL for an attachment, ip link delete for anything else)',
  );
}

function alreadyAttached({ attachment }: EndpointRequest): NetError {
  return fault.badEnvironment(
    'ADD',
    `CNI_CONTAINERID=${attachment.containerId}, CNI_IFNAME=${attachment.ifName}`,
    `is already attached to network ${attachment.network}`,
    'Call DEL first, or choose another CNI_IFNAME',
  );
}
