import { kindOf } from '../../drivers/lone/link.ts';
import { fault } from '../../errors/fault.ts';
import type { NetError } from '../../errors/net-error.ts';
import { asNetError } from '../../errors/net-error.ts';
import type { View } from '../../host/host.ts';
import type { LoneEndpoint } from '../../model/endpoint.ts';
import { formatRoute } from '../../model/route.ts';
import type { Core } from '../core.ts';
import { desired } from '../desired.ts';
import { drift, opDrift } from '../diff.ts';
import type { Expectation, LoneRequest } from '../requests.ts';
import { EMPTY_VIEW, observeStepwise } from '../view.ts';
import {
  checkSource,
  firstOf,
  missingAddress,
  missingRoute,
  otherNamespace,
  sandboxQueryOf,
  unexpected,
  unknownAttachment,
} from './check-endpoint.ts';

/** As `checkEndpoint`, for an interface without a side on the host: record, leases, parent, link, addresses, routes. */
export async function checkLone(core: Core, request: LoneRequest, expected: Expectation): Promise<void> {
  const { host, store } = core;
  const { attachment, driver } = request;
  using sandbox = host.open(request.netns);
  const row = store.endpoints.get(attachment, request.role);
  if (row?.kind !== 'lone' || row.progress !== 'ready') throw unknownAttachment(request);
  if (row.sandbox.id !== sandbox.id) throw otherNamespace(request);
  await checkSource(core, request, expected);
  const parents = observeStepwise(host, driver.parentNs === 'host' ? host.own : sandbox, (seen, looks) =>
    driver.query(seen, looks),
  );
  assertPossible(request, row, parents);
  const { ops } = desired(row);
  const inside = host.observe(sandbox, sandboxQueryOf(attachment.ifName, ops));
  const routes = expected.routes.map(formatRoute);
  const found =
    missingLink(row, inside, expected) ??
    missingAddress(row, inside, expected) ??
    firstOf(ops, (op) => opDrift(op, EMPTY_VIEW, inside, routes)) ??
    firstOf(routes, (route) => missingRoute(route, ops, inside));
  if (found !== undefined) throw found;
}

/** Throws `drift` if the driver could not make the interface any more. */
function assertPossible({ driver, attachment }: LoneRequest, { link }: LoneEndpoint, parents: View): void {
  try {
    const { mac = '', alias } = link;
    driver.describeLink(parents, { ifName: attachment.ifName, mac, isRequested: false, alias });
  } catch (thrown) {
    const { subject, what, hint } = asNetError(thrown, 'CHECK');
    throw fault.drift('CHECK', subject, what, hint, { cause: thrown });
  }
}

function missingLink({ link }: LoneEndpoint, inside: View, expected: Expectation): NetError | undefined {
  const state = inside.links.get(link.ifName);
  if (state === undefined) return drift(`link ${link.ifName}`, 'is gone from the container');
  const kind = kindOf(link.link);
  if (state.kind === kind) return unexpected(state, expected);
  return drift(`link ${link.ifName}`, `is of kind ${state.kind ?? 'none'}, expected ${kind}`);
}
