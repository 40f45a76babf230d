import type { Addressing } from '../../drivers/driver.ts';
import { asNetError, NetError } from '../../errors/net-error.ts';
import type { ViewQuery } from '../../host/host.ts';
import { renderOp } from '../../host/render.ts';
import type { Op } from '../../model/op.ts';
import { formatPrefix } from '../../model/prefix.ts';
import type { Core } from '../core.ts';
import { planFor } from '../networks/network.ts';
import { rulesFor } from '../networks/record.ts';
import type { EndpointRequest, Expectation } from '../requests.ts';
import { findDrift } from '../verify.ts';
import { firewallDrift } from '../verify-ops.ts';

/**
 * Returns where the endpoint is as ADD left it and as `expected` (prevResult) has it: record, leases, network, links,
 * addresses, routes, sysctls, guards. Throws NetError `drift` for the first difference. What later plugins added is
 * no difference.
 */
export async function checkEndpoint(core: Core, request: EndpointRequest, expected: Expectation): Promise<void> {
  const { host, store } = core;
  using sandbox = host.open(request.netns);
  const row = store.endpoints.get(request.attachment, request.role);
  if (row === undefined || row.progress !== 'ready') throw unknownAttachment(request);
  if (row.sandbox.id !== '' && row.sandbox.id !== sandbox.id) throw otherNamespace(request);
  await checkSource(core, request, expected);
  const addressing: Addressing = { addresses: expected.addresses, routes: [] };
  await checkNetwork(core, request, addressing);
  const outside = host.observe(host.own, hostQuery(row.hostIf, request, row.plan.ops));
  const inside = host.observe(sandbox, sandboxQueryOf(request.attachment.ifName, row.plan.ops));
  const drift = findDrift(row, outside, inside, expected);
  if (drift !== undefined) throw drift;
  for (const op of row.plan.ops) {
    const missing = op.op === 'firewall.add' ? await firewallDrift(core, op) : undefined;
    if (missing !== undefined) throw missing;
  }
}

async function checkSource(core: Core, { source }: EndpointRequest, { addresses }: Expectation): Promise<void> {
  if (source?.kind === 'delegate') await source.check();
  source?.kind === 'local' &&
    source.check(
      core.store,
      addresses.map(({ address }) => formatPrefix(address)),
    );
}

/** The network lacks nothing: planning it again plans no step. */
async function checkNetwork(core: Core, request: EndpointRequest, addressing: Addressing): Promise<void> {
  const [first] = await missingOps(core, request, addressing);
  if (first === undefined) return;
  throw new NetError({
    kind: 'drift',
    op: 'CHECK',
    subject: `network ${request.attachment.network}`,
    what: `the host lacks what the network needs: ${renderOp(first, { sandbox: request.attachment.containerId })}`,
    hint: 'Run ADD for a new endpoint, or that command, to put it back',
  });
}

async function missingOps(
  core: Core,
  { attachment, driver, rules }: EndpointRequest,
  addressing: Addressing,
): Promise<readonly Op[]> {
  try {
    const known = core.store.networks.get(attachment.network);
    return (await planFor(core, driver, rulesFor(known, rules), addressing)).plan.ops;
  } catch (thrown) {
    const { subject, what, hint } = asNetError(thrown, 'CHECK');
    throw new NetError({ kind: 'drift', op: 'CHECK', subject, what, hint, cause: thrown });
  }
}

function hostQuery(hostIf: string, { driver }: EndpointRequest, ops: readonly Op[]): ViewQuery {
  const nftSets = ops.flatMap((op) => (op.op === 'nft.element.add' ? [{ table: op.table, set: op.set }] : []));
  const made = ops.flatMap((op) => (op.op === 'link.create' && op.ns === 'host' ? [op.name] : []));
  const shaping = ops.flatMap((op) => (op.op === 'tbf.add' || op.op === 'redirect.add' ? [op.dev] : []));
  const links = [...new Set([hostIf, ...driver.devices, ...made])];
  return { links, nftSets, shaping: [...new Set(shaping)] };
}

function sandboxQueryOf(ifName: string, ops: readonly Op[]): ViewQuery {
  const sysctls = ops.flatMap((op) => (op.op === 'sysctl.set' && op.ns === 'sandbox' ? [op.key] : []));
  return { links: [ifName], addresses: [ifName], routes: true, sysctls };
}

function unknownAttachment({ attachment }: EndpointRequest): NetError {
  return new NetError({
    kind: 'drift',
    op: 'CHECK',
    subject: `container ${attachment.containerId} interface ${attachment.ifName}`,
    what: `is not attached to network ${attachment.network}: there is no record of it`,
    hint: 'Run DEL, then ADD',
  });
}

function otherNamespace({ attachment, netns }: EndpointRequest): NetError {
  return new NetError({
    kind: 'drift',
    op: 'CHECK',
    subject: `CNI_NETNS=${netns}`,
    what: `is another namespace than the one that ${attachment.containerId} was attached in`,
    hint: 'Run DEL, then ADD',
  });
}
