import type { Dns } from '../../config/dns.ts';
import { planShaping } from '../../drivers/bandwidth/shaping.ts';
import type { Addressing, InterfaceReport } from '../../drivers/driver.ts';
import { planHostSide, planLink } from '../../drivers/link.ts';
import { planPorts } from '../../drivers/rules.ts';
import type { Host, Namespace, View } from '../../host/host.ts';
import { formatAddr } from '../../model/addr.ts';
import { parseDeviceAlias } from '../../model/alias.ts';
import type { CniEndpoint } from '../../model/endpoint.ts';
import type { Op } from '../../model/op.ts';
import type { LocalStore, NetworkRow } from '../../store/store.ts';
import { assertOther } from '../ambient.ts';
import { attachmentKey, transition } from '../apply.ts';
import { type Core, NO_ADDRESSES, restBetween } from '../core.ts';
import { planGuarded, planOwnRules } from '../desired.ts';
import { execute } from '../execute.ts';
import { ensureNetwork, recordSpec } from '../networks/network.ts';
import { relaysOf } from '../ports/holds.ts';
import { claimPorts, promotePartners, tellRelays } from '../ports/publish.ts';
import { assertPortsFree, lookAtMappings, naming, type PortsSeen } from '../ports/seen.ts';
import type { EndpointReport, EndpointRequest } from '../requests.ts';
import { awaitAddresses, awaitRunning } from './await-addresses.ts';
import { asRemoval, clearWay } from './clear-way.ts';
import { removeEndpoint } from './delete-endpoint.ts';
import { type Begun, describeEndpoint, fitted } from './describe-endpoint.ts';

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
    const { rules, attachment } = request;
    const mappings = rules?.mappings ?? [];
    await restBetween(core, mappings.length);
    const seen = await lookAtMappings(core, mappings, attachment);
    await restBetween(core, mappings.length);
    return await naming(core, seen, () => attach(core, request, sandbox, seen));
  } catch (error) {
    for (const failure of await promotePartners(core, request.attachment)) {
      core.log.warn('revert.failed', { error: failure.message });
    }
    throw error;
  }
}

/** The caller holds the attachment's lock. */
async function attach(
  core: Core,
  request: EndpointRequest,
  sandbox: Namespace,
  seen: PortsSeen,
): Promise<EndpointReport> {
  const { source } = request;
  let begun: Begun | undefined;
  let network: NetworkRow | undefined;
  let built: Built | undefined;
  await transition(core, 'ADD', {
    begin: (store) => {
      const result = source?.kind === 'local' ? source.acquire(store) : NO_ADDRESSES;
      claim(store, request, request.driver.complete(result), seen);
      begun = describeEndpoint(core, request, sandbox, result);
      network = store.networks.get(request.attachment.network);
      return begun.facts;
    },
    apply: async () => {
      if (begun === undefined) throw new Error('a transition began without facts');
      if (source?.kind === 'local') source.record?.(core.store);
      built = await build(core, request, sandbox, begun, network);
      return built.facts;
    },
    commit: () => {
      if (built?.isRenewed) recordSpec(core, request);
    },
    revert: () => removeEndpoint(core, asRemoval(request), sandbox),
  });
  if (built === undefined) throw new Error('a transition ended without facts');
  tellRelays(core, request.attachment, relaysOf(built.facts));
  return reportEndpoint(core.host, request, built);
}

interface Built {
  readonly facts: CniEndpoint;
  readonly addressing: Addressing;
  readonly dns: Dns;
  readonly isRenewed: boolean;
  /** The host before the call. */
  readonly view: View;
}

/** Creates network, link, addresses and ports in the kernel. Asks a delegate for addresses once the link is up. */
async function build(
  core: Core,
  request: EndpointRequest,
  sandbox: Namespace,
  begun: Begun,
  network: NetworkRow | undefined,
): Promise<Built> {
  const { driver, source, attachment } = request;
  const namespaces = { host: core.host.own, sandbox };
  let { result, inside } = begun;
  let addressing = driver.complete(result);
  const { view, isRenewed } = await ensureNetwork(core, request, addressing, network);
  core.mark?.('network');
  let facts = fitted(request, begun.facts, view);
  let ops = [...planGuarded(facts).ops, ...planLink(facts.link).ops];
  if (source?.kind === 'delegate') {
    const up: Op = { op: 'link.set', ns: 'sandbox', name: attachment.ifName, set: { up: true } };
    await execute(core, [...ops, up], namespaces);
    core.mark?.('kernel');
    result = await source.acquire();
    core.mark?.('delegate');
    addressing = driver.complete(result);
    await ensureNetwork(core, request, addressing);
    core.mark?.('network');
    const { link } = facts;
    const next = core.store.transaction(() => {
      const described = describeEndpoint(core, request, sandbox, result, link);
      core.store.endpoints.put(described.facts);
      return described;
    });
    ({ inside } = next);
    facts = fitted(request, next.facts, view);
    // Now the port's addresses are known.
    ops = [...planGuarded(facts).ops, ...planHostSide(facts.link)];
  }
  ops = [...ops, ...planOwnRules(facts).ops, ...inside.ops, ...planRest(facts)];
  await execute(core, ops, namespaces);
  core.mark?.('kernel');
  await awaitAddresses(core.host, sandbox, ops);
  if (facts.inside.up) await awaitRunning(core.host, sandbox, attachment.ifName);
  return { facts, addressing, dns: result.dns, isRenewed, view };
}

/**
 * Claims the host ports. Checks claims before listeners: the other endpoint's name tells more than the process that
 * holds the port for it.
 */
function claim(
  store: LocalStore,
  { rules, attachment }: EndpointRequest,
  addressing: Addressing,
  seen: PortsSeen,
): void {
  if (rules === undefined) return;
  claimPorts(store, rules, attachment);
  const gateways = addressing.addresses.flatMap(({ gateway }) => (gateway === undefined ? [] : [formatAddr(gateway)]));
  assertPortsFree(seen, rules.mappings, gateways);
}

/** Ops for published ports and limits. */
function planRest({ published, shaping }: CniEndpoint): Op[] {
  return [
    ...(published === undefined ? [] : planPorts(published.backend, published.entries).ops),
    ...(shaping === undefined ? [] : planShaping(shaping, { hostIfGoes: true }).ops),
  ];
}

/**
 * The endpoint's report for its caller, with the MACs and MTUs of the kernel: those of the pair are as the call set
 * them. Order: bridge, host side, sandbox side, others.
 */
function reportEndpoint(
  host: Host,
  { driver }: EndpointRequest,
  { facts, addressing, dns, view }: Built,
): EndpointReport {
  const [device = '', ...others] = driver.devices;
  const { hostIf, hostMac, ifName, mac, mtu } = facts.link;
  const before = view.links.get(device);
  // The MAC of a bridge of others may follow its ports'.
  const isFixed = device === '' || (others.length === 0 && parseDeviceAlias(before?.alias) !== undefined);
  const { links } = isFixed ? view : host.observe(host.own, { links: driver.devices });
  const ofHost = (name: string): InterfaceReport => {
    const link = links.get(name);
    return { name, mac: link?.mac ?? '', mtu: link?.mtu ?? 0, inSandbox: false };
  };
  const pair = [
    { name: hostIf, mac: hostMac, mtu, inSandbox: false },
    { name: ifName, mac, mtu, inSandbox: true },
  ];
  const { addresses, routes } = addressing;
  const first = device === '' ? [] : [ofHost(device)];
  return { interfaces: [...first, ...pair, ...others.map(ofHost)], addresses, routes, dns };
}
