import { planShaping } from '../../drivers/bandwidth/shaping.ts';
import { type Addressing, type EndpointFacts, sandboxQuery } from '../../drivers/driver.ts';
import { asNetError, NetError } from '../../errors/net-error.ts';
import type { Namespace, Namespaces } from '../../host/host.ts';
import { formatAlias } from '../../model/alias.ts';
import { attachmentDigest, digest, hostIfName, ifbName } from '../../model/attachment.ts';
import { macOfAddr, macOfDigest } from '../../model/mac.ts';
import { EMPTY_PLAN, joinPlans, type Plan } from '../../model/op.ts';
import type { EndpointRow } from '../../store/store.ts';
import { assertOther } from '../ambient.ts';
import { type Core, type IpamResult, NO_ADDRESSES } from '../core.ts';
import { execute } from '../execute.ts';
import { ensureNetwork, recordSpec } from '../networks/network.ts';
import { assertPortsFree, claimPorts, planPublishing } from '../ports/publish.ts';
import { countChange } from '../rebuild.ts';
import type { EndpointReport, EndpointRequest, RemovalRequest } from '../requests.ts';
import { attachmentKey, removeEndpoint } from './delete-endpoint.ts';
import { reportEndpoint } from './report.ts';
import { settleAddresses } from './settle.ts';

/**
 * The endpoint is there, with its network, its addresses and its routes, and on record. Either all of it, or after an
 * error none: what was done is reversed before the error is thrown.
 */
export async function createEndpoint(core: Core, request: EndpointRequest): Promise<EndpointReport> {
  const { host } = core;
  using sandbox = host.open(request.netns);
  assertOther(host, sandbox, request);
  using _lock = await core.lock(attachmentKey(request.attachment));
  core.mark?.('lock');
  await clearWay(core, request, sandbox);
  const { row, acquired } = begin(core, request, sandbox);
  core.mark?.('lease');
  try {
    return await build(core, request, { host: host.own, sandbox }, row, acquired);
  } catch (thrown) {
    const error = asNetError(thrown, 'ADD');
    const failures = await removeEndpoint(core, asRemoval(request), sandbox).catch((also) => [asNetError(also, 'ADD')]);
    for (const failure of failures) core.log.warn('reverse.failed', { error: failure.message });
    throw error;
  }
}

/** The intent is on record, with the addresses that the built-in IPAM gave it, before the kernel is touched. */
function begin(core: Core, request: EndpointRequest, sandbox: Namespace): { row: EndpointRow; acquired?: IpamResult } {
  const { attachment, role, source, rules } = request;
  const row: EndpointRow = {
    attachment,
    role,
    progress: 'intent',
    sandbox: { path: request.netns, id: sandbox.id },
    hostIf: hostIfName(attachment),
    plan: EMPTY_PLAN,
    aliases: request.aliases,
    ...(source?.kind === 'local' && source.scope !== undefined ? { scope: source.scope } : {}),
    ...((rules?.mappings.length ?? 0) > 0 ? { claimsPorts: true } : {}),
    ...(source?.kind === 'delegate' ? { delegate: { type: source.type, config: source.config } } : {}),
  };
  return core.store.transaction(() => {
    const acquired = source?.kind === 'local' ? source.acquire(core.store) : undefined;
    if (rules !== undefined) {
      // Another endpoint's name says more than that of a process which holds the port for it.
      claimPorts(core.store, rules, attachment);
      const gateways = request.driver
        .complete(acquired ?? NO_ADDRESSES)
        .addresses.flatMap(({ gateway }) => gateway ?? []);
      assertPortsFree(core, rules, attachment, gateways);
    }
    core.store.endpoints.put(row);
    countChange(core);
    return acquired === undefined ? { row } : { row, acquired };
  });
}

/** Link plan → addresses → address plan; the two plans are one where the addresses are known before the link. */
async function build(
  core: Core,
  request: EndpointRequest,
  namespaces: Required<Namespaces>,
  row: EndpointRow,
  acquired: IpamResult | undefined,
): Promise<EndpointReport> {
  const { driver, source } = request;
  let result = acquired ?? NO_ADDRESSES;
  let addressing = driver.complete(result);
  const { view, isRenewed } = await ensureNetwork(core, request, addressing);
  core.mark?.('network');
  const facts = factsOf(request, row, addressing);
  let plan = driver.planLink(view, facts);
  if (source?.kind === 'delegate') {
    plan = joinPlans(plan, {
      ops: [{ op: 'link.set', ns: 'sandbox', name: facts.ifName, set: { up: true } }],
      undo: [],
    });
    perform(core, { ...row, plan }, plan, namespaces);
    core.mark?.('kernel');
    result = await source.acquire();
    core.mark?.('delegate');
    addressing = driver.complete(result);
    await ensureNetwork(core, request, addressing);
    core.mark?.('network');
  }
  const publishing = planPublishing(core, request, facts.hostIf, addressing);
  const inside = core.host.observe(namespaces.sandbox, sandboxQuery(addressing));
  const addresses = joinPlans(
    driver.planAddresses(inside, facts, addressing),
    joinPlans(publishing.plan, planLimits(request, facts, plan)),
  );
  const record = { ...row, ...publishing.standby };
  const whole = joinPlans(plan, addresses);
  plan = source?.kind === 'delegate' ? addresses : whole;
  perform(core, { ...record, plan: whole }, plan, namespaces);
  core.mark?.('kernel');
  await settleAddresses(core.host, namespaces.sandbox, addresses);
  core.store.transaction(() => {
    core.store.endpoints.put({ ...record, plan: lasting(whole), progress: 'ready' });
    if (isRenewed) recordSpec(core, request);
  });
  core.mark?.('commit');
  return reportEndpoint(core.host, request, facts, addressing, result.dns);
}

/** A sandbox keeps the sysctls that an attachment changed in it: another one may live by them, or it goes anyway. */
function lasting({ ops, undo }: Plan): Plan {
  return { ops, undo: undo.filter((op) => op.op !== 'sysctl.set' || op.ns !== 'sandbox') };
}

/** The limits that the runtime asks for, on the host side of what `link` makes. */
function planLimits({ rates, attachment }: EndpointRequest, { hostIf }: EndpointFacts, link: Plan): Plan {
  if (rates === undefined) return EMPTY_PLAN;
  const mtu =
    link.ops.flatMap((op) => (op.op === 'link.create' && op.name === hostIf ? (op.mtu ?? []) : []))[0] ?? 1500;
  const alias = formatAlias({ attachment, addresses: [] });
  return planShaping({ hostIf, ifbName: ifbName(attachment), rates, mtu, alias, hostIfGoes: true });
}

/** The plan is on record with what takes it back, then in the kernel. */
function perform(core: Core, row: EndpointRow, plan: Plan, namespaces: Namespaces): void {
  core.store.transaction(() => core.store.endpoints.put(row));
  execute(core, plan.ops, namespaces);
}

/**
 * Leftovers of an ADD or DEL that died, and of a sandbox that is gone, are removed; a live endpoint is in the way, and
 * so is somebody else's interface of this name.
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

/** The same attachment, to be taken away; its record says what there is. */
function asRemoval(request: EndpointRequest): RemovalRequest {
  return { ...request, orphans: 'own', guarded: false };
}

function factsOf(request: EndpointRequest, row: EndpointRow, addressing: Addressing): EndpointFacts {
  const { attachment, source } = request;
  const first = addressing.addresses[0]?.address.addr;
  const derived =
    first === undefined
      ? macOfDigest(digest('mac', attachmentDigest(attachment)))
      : macOfAddr(first, attachment.network);
  const leased = source?.kind === 'local' && source.scope !== undefined;
  return {
    hostIf: row.hostIf,
    ifName: attachment.ifName,
    mac: request.mac ?? derived,
    alias: formatAlias({
      attachment,
      ...(row.scope === undefined ? {} : { scope: row.scope }),
      addresses: leased ? addressing.addresses.map(({ address }) => address.addr) : [],
    }),
  };
}

function interfaceExists({ attachment, netns }: EndpointRequest): NetError {
  return new NetError({
    kind: 'bad-environment',
    op: 'ADD',
    subject: `CNI_IFNAME=${attachment.ifName}`,
    what: `an interface of this name already exists in ${netns}`,
    hint: 'Choose another name, or remove it (DEL for an attachment, ip link delete for anything else)',
  });
}

function alreadyAttached({ attachment }: EndpointRequest): NetError {
  return new NetError({
    kind: 'bad-environment',
    op: 'ADD',
    subject: `CNI_CONTAINERID=${attachment.containerId}, CNI_IFNAME=${attachment.ifName}`,
    what: `is already attached to network ${attachment.network}`,
    hint: 'Call DEL first, or choose another CNI_IFNAME',
  });
}
