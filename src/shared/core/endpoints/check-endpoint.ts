import type { Addressing, NetworkDriver } from '../../drivers/driver.ts';
import { networkEntries, type Rules } from '../../drivers/rules.ts';
import { fault } from '../../errors/fault.ts';
import { asNetError, type NetError } from '../../errors/net-error.ts';
import type { View, ViewQuery } from '../../host/host.ts';
import { type Endpoint, hostIfOf, hostSideOf } from '../../model/endpoint.ts';
import type { LinkState, RouteSpec } from '../../model/link.ts';
import type { Op } from '../../model/op.ts';
import { formatPrefix } from '../../model/prefix.ts';
import { formatRoute } from '../../model/route.ts';
import type { Core } from '../core.ts';
import { desired } from '../desired.ts';
import { drift, entriesDrift, lackOf, opDrift, routeDrift } from '../diff.ts';
import { planFor } from '../networks/network.ts';
import { rulesFor } from '../networks/record.ts';
import type { AttachRequest, EndpointRequest, Expectation } from '../requests.ts';
import { hostSideDrift } from './host-side.ts';
import { isPeer } from './orphans.ts';

/**
 * Checks that the endpoint is as ADD created it and as `expected` (prevResult) describes it: record, leases, network,
 * links, addresses, routes, sysctls, guards. Throws NetError `drift` for the first difference. Ignores what later
 * plugins added.
 */
export async function checkEndpoint(core: Core, request: EndpointRequest, expected: Expectation): Promise<void> {
  const { host, store } = core;
  using sandbox = host.open(request.netns);
  const row = store.endpoints.get(request.attachment, request.role);
  if (row === undefined || row.progress !== 'ready' || row.role !== 'interface') throw unknownAttachment(request);
  if (row.sandbox.id !== '' && row.sandbox.id !== sandbox.id) throw otherNamespace(request);
  await checkSource(core, request, expected);
  const addressing: Addressing = { addresses: expected.addresses, routes: [] };
  await checkNetwork(core, request, addressing);
  const { ops } = desired(row);
  const hostIf = hostIfOf(row);
  const side = hostSideOf(row);
  const ofSide = side === undefined ? {} : { addresses: [side.hostIf], routes: true };
  const outside = host.observe(host.own, { ...hostQuery(hostIf, request, ops), ...ofSide });
  const inside = host.observe(sandbox, sandboxQueryOf(request.attachment.ifName, ops));
  const routes = expected.routes.map(formatRoute);
  const found =
    missingInterface(row, hostIf, { outside, inside }, expected) ??
    missingAddress(row, inside, expected) ??
    (side && hostSideDrift(side, outside)) ??
    firstOf(ops, (op) => opDrift(op, outside, inside, routes)) ??
    firstOf(routes, (route) => missingRoute(route, ops, inside));
  if (found !== undefined) throw found;
  for (const op of ops) {
    if (op.op !== 'firewall.add') continue;
    // Each op may have hundreds of ports; other calls come in between.
    await core.rest?.();
    const missing = await entriesDrift(core, op);
    if (missing !== undefined) throw missing;
  }
}

export function firstOf<T>(all: readonly T[], differs: (one: T) => NetError | undefined): NetError | undefined {
  for (const one of all) {
    const found = differs(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

function missingInterface(
  { attachment: { ifName } }: Endpoint,
  hostIf: string | undefined,
  { outside, inside }: { readonly outside: View; readonly inside: View },
  expected: Expectation,
): NetError | undefined {
  const link = inside.links.get(ifName);
  if (link === undefined) return drift(`link ${ifName}`, 'is gone from the container');
  const port = outside.links.get(hostIf ?? '');
  if (port === undefined) return drift(`link ${hostIf}`, 'the host side of the container interface is gone');
  if (!isPeer(port, link)) return drift(`link ${ifName}`, `is not the peer of ${hostIf}`);
  return unexpected(link, expected);
}

/** What differs from the interface of the same name in prevResult. */
export function unexpected(link: LinkState, expected: Expectation): NetError | undefined {
  const ifName = link.name;
  const wanted = expected.interfaces.find(({ name }) => name === ifName);
  if (wanted?.mac !== undefined && wanted.mac.toLowerCase() !== link.mac) {
    return drift(`link ${ifName}`, `has MAC ${link.mac}, expected ${wanted.mac}`);
  }
  if (wanted?.mtu !== undefined && wanted.mtu !== 0 && wanted.mtu !== link.mtu) {
    return drift(`link ${ifName}`, `has MTU ${link.mtu}, expected ${wanted.mtu}`);
  }
  return undefined;
}

export function missingAddress({ attachment }: Endpoint, inside: View, expected: Expectation): NetError | undefined {
  const present = new Set(inside.addresses.map(({ address }) => address));
  const missing = expected.addresses.map(({ address }) => formatPrefix(address)).find((text) => !present.has(text));
  return missing === undefined ? undefined : drift(`link ${attachment.ifName}`, `lacks the address ${missing}`);
}

/** Checks a route of prevResult that a later plugin added. Only its destination and gateway are known. */
export function missingRoute(route: RouteSpec, ops: readonly Op[], inside: View): NetError | undefined {
  if (ops.some((op) => op.op === 'route.add' && op.route.dst === route.dst)) return undefined;
  return routeDrift(route, inside);
}

export async function checkSource(core: Core, { source }: AttachRequest, { addresses }: Expectation): Promise<void> {
  if (source?.kind === 'delegate') await source.check();
  source?.kind === 'local' &&
    source.check(
      core.store,
      addresses.map(({ address }) => address.addr),
    );
}

/** Throws `drift` if planning the network again yields a step, or if an administrator shut its bridge. */
async function checkNetwork(core: Core, request: EndpointRequest, addressing: Addressing): Promise<void> {
  const { attachment, driver } = request;
  const rules = rulesFor(core.store.networks.get(attachment.network), request.rules);
  const [first] = await missingOps(core, attachment.network, driver, rules, addressing);
  if (first === undefined) return await checkZone(core, request, addressing);
  const { what, hint } = lackOf(first);
  throw fault.drift('CHECK', `network ${request.attachment.network}`, what, hint);
}

async function checkZone(core: Core, { attachment, rules }: EndpointRequest, addressing: Addressing): Promise<void> {
  const device = core.store.networks.get(attachment.network)?.device;
  if (rules === undefined || device === undefined) return;
  const admission = networkEntries(rules, device, addressing).filter(({ kind }) => kind === 'admit');
  if ((await core.firewall(rules.backend).missing(admission, true)).length === 0) return;
  const what = `${device} is in a zone of firewalld that does not accept its connections`;
  throw fault.drift('CHECK', `network ${attachment.network}`, what, 'Move it to the zone trusted, or out of its zone');
}

/** The steps that the network still needs on the host. Throws NetError `drift` if it cannot have them. */
export async function missingOps(
  core: Core,
  network: string,
  driver: NetworkDriver,
  rules: Rules | undefined,
  addressing: Addressing,
): Promise<readonly Op[]> {
  try {
    return (await planFor(core, network, driver, rules, addressing)).plan.ops;
  } catch (thrown) {
    const { subject, what, hint } = asNetError(thrown, 'CHECK');
    throw fault.drift('CHECK', subject, what, hint, { cause: thrown });
  }
}

function hostQuery(hostIf: string | undefined, { driver }: EndpointRequest, ops: readonly Op[]): ViewQuery {
  const made = ops.flatMap((op) => (op.op === 'link.create' && op.ns === 'host' ? [op.name] : []));
  const shaping = ops.flatMap((op) => (op.op === 'tbf.add' || op.op === 'redirect.add' ? [op.dev] : []));
  const own = hostIf === undefined ? [] : [hostIf];
  const links = [...new Set([...own, ...driver.devices, ...made])];
  return { links, shaping: [...new Set(shaping)], ...(hasRules(ops, 'host') && { rules: true }) };
}

export function sandboxQueryOf(ifName: string, ops: readonly Op[]): ViewQuery {
  const sysctls = ops.flatMap((op) => (op.op === 'sysctl.set' && op.ns === 'sandbox' ? [op.key] : []));
  const rules = hasRules(ops, 'sandbox') && { rules: true };
  return { links: [ifName], addresses: [ifName], routes: true, sysctls, ...rules };
}

function hasRules(ops: readonly Op[], ns: Op['ns']): boolean {
  return ops.some((op) => op.op === 'rule.add' && op.ns === ns);
}

export function unknownAttachment({ attachment }: AttachRequest): NetError {
  return fault.drift(
    'CHECK',
    `container ${attachment.containerId} interface ${attachment.ifName}`,
    `is not attached to network ${attachment.network}: there is no record of it`,
    'Run DEL, then ADD',
  );
}

export function otherNamespace({ attachment, netns }: AttachRequest): NetError {
  return fault.drift(
    'CHECK',
    `CNI_NETNS=${netns}`,
    `is another namespace than the one that ${attachment.containerId} was attached in`,
    'Run DEL, then ADD',
  );
}
