import { kindOf } from '../../drivers/lone/link.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import type { Namespace, View } from '../../host/host.ts';
import type { LoneEndpoint } from '../../model/endpoint.ts';
import { isWithoutInterface, type LoneLinkFacts } from '../../model/interface-facts.ts';
import { formatRoute } from '../../model/route.ts';
import { type Core, NO_ADDRESSES } from '../core.ts';
import { desired } from '../desired.ts';

import { drift, lackOf, opDrift } from '../diff.ts';
import type { AttachRequest, Expectation, HostPart, LoneRequest } from '../requests.ts';

import { EMPTY_VIEW } from '../view.ts';
import {
  checkSource,
  firstOf,
  missingAddress,
  missingOps,
  missingRoute,
  otherNamespace,
  sandboxQueryOf,
  unexpected,
  unknownAttachment,
} from './check-endpoint.ts';

type CheckRequest = AttachRequest & Pick<Partial<LoneRequest>, 'onHost'>;

/** As `checkEndpoint`, for an interface without a side on the host: record, leases, link and its parent, addresses, routes. */
export async function checkLone(core: Core, request: CheckRequest, expected: Expectation): Promise<void> {
  const { host, store } = core;
  const { attachment } = request;
  using sandbox = host.open(request.netns);
  const row = store.endpoints.get(attachment, request.role);
  if (row?.kind !== 'lone' || row.progress !== 'ready') throw unknownAttachment(request);
  if (row.sandbox.id !== sandbox.id) throw otherNamespace(request);
  await checkSource(core, request, expected);
  if (isWithoutInterface(row.link.link)) return;
  if (request.onHost !== undefined) await checkHostPart(core, attachment.network, request.onHost);
  const { ops } = desired(row);
  const inside = host.observe(sandbox, sandboxQueryOf(attachment.ifName, ops));
  const routes = expected.routes.map(formatRoute);
  const found =
    missingLink(core, row, sandbox, inside, expected) ??
    missingAddress(row, inside, expected) ??
    firstOf(ops, (op) => opDrift(op, EMPTY_VIEW, inside, routes)) ??
    firstOf(routes, (route) => missingRoute(route, ops, inside));
  if (found !== undefined) throw found;
}

/** Throws NetError `drift` if the host lacks what the network has on it. */
async function checkHostPart(core: Core, network: string, { driver }: HostPart): Promise<void> {
  const [first] = await missingOps(core, network, driver, undefined, NO_ADDRESSES);
  if (first === undefined) return;
  const { what, hint } = lackOf(first);
  throw fault.drift('CHECK', `network ${network}`, what, hint);
}

/** A parent that was renamed, or is in another namespace now, still carries the interface. */
function missingLink(
  core: Core,
  { link }: LoneEndpoint,
  sandbox: Namespace,
  inside: View,
  expected: Expectation,
): NetError | undefined {
  const state = inside.links.get(link.ifName);
  if (state === undefined) return goneLink(core, link, sandbox);
  const kind = kindOf(link.link);
  if (state.kind === kind) return unexpected(state, expected);
  return drift(`link ${link.ifName}`, `is of kind ${state.kind ?? 'none'}, expected ${kind ?? 'none'}`);
}

/** The kernel deletes an interface with its parent, without a word in the sandbox. */
function goneLink({ host }: Core, { ifName, link }: LoneLinkFacts, sandbox: Namespace): NetError {
  const what = 'is gone from the container';
  if (!('devNs' in link)) return drift(`link ${ifName}`, what);
  const { dev, devNs } = link;
  const { links } = host.observe(devNs === 'host' ? host.own : sandbox, { links: [dev] });
  if (!links.has(dev)) return drift(`link ${dev}`, `is gone, and ${ifName} with it, whose parent it was`);
  return drift(`link ${ifName}`, `${what}: somebody deleted it, or its parent ${dev}, and made that again`);
}
