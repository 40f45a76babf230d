import type { Dns } from '../../config/dns.ts';
import type { Addressing } from '../../drivers/driver.ts';
import { insideQuery, planInside } from '../../drivers/inside.ts';
import { planLoneLink } from '../../drivers/lone/link.ts';
import type { Namespace } from '../../host/host.ts';
import { formatAlias } from '../../model/alias.ts';
import { attachmentDigest, digest } from '../../model/attachment.ts';
import { addressesOf, type LoneEndpoint } from '../../model/endpoint.ts';
import { given } from '../../model/given.ts';
import type { LoneLinkFacts } from '../../model/interface-facts.ts';
import { macOfDigest } from '../../model/mac.ts';
import { EMPTY_PLAN, type Op, type Plan } from '../../model/op.ts';
import { type Core, type IpamResult, NO_ADDRESSES } from '../core.ts';
import { execute } from '../execute.ts';
import { ensureNetwork, recordSpec } from '../networks/network.ts';
import type { EndpointReport, LoneRequest } from '../requests.ts';
import { observeStepwise } from '../view.ts';
import { type Alone, attachAlone } from './attach-alone.ts';
import { awaitAddresses, awaitRunning } from './await-addresses.ts';
import { assertFree, isSameDevice } from './devices.ts';

interface Begun extends Alone {
  /** What the facts lack in the sandbox. */
  readonly inside: Plan;
}

/** Creates an interface that has no side on the host, with its addresses and routes. As `attachAlone`. */
export async function createLone(core: Core, request: LoneRequest): Promise<EndpointReport> {
  const { source, attachment } = request;
  let isRenewed = false;
  return await attachAlone<Begun>(core, request, {
    begin: (store, sandbox) => {
      const result = source?.kind === 'local' ? source.acquire(store) : NO_ADDRESSES;
      return describe(core, request, sandbox, result);
    },
    build: async (begun, sandbox) => {
      if (source?.kind === 'local') source.record?.(core.store);
      isRenewed = await ensureHostPart(core, request);
      return await build(core, request, sandbox, begun);
    },
    commit: () => {
      if (isRenewed && request.onHost !== undefined) recordSpec(core, { ...request.onHost, attachment });
    },
    report: (result, sandbox) => report(core, request, sandbox, result),
  });
}

/** Ensures what the network has on the host. True if its spec differs from the recorded one. */
async function ensureHostPart(core: Core, { attachment, onHost }: LoneRequest): Promise<boolean> {
  if (onHost === undefined) return false;
  const { isRenewed } = await ensureNetwork(core, { attachment, ...onHost }, NO_ADDRESSES);
  core.mark?.('network');
  return isRenewed;
}

/** Creates the interface in the kernel. Asks a delegate for addresses once it is up. */
async function build(core: Core, request: LoneRequest, sandbox: Namespace, begun: Begun): Promise<Begun> {
  const { source, attachment, driver } = request;
  const namespaces = { host: core.host.own, sandbox };
  let built = begun;
  const { link } = begun.facts;
  const create = planLoneLink(link).ops;
  const isUserspace = link.link.kind === 'userspace';
  if (source?.kind === 'delegate') {
    const up: Op = { op: 'link.set', ns: 'sandbox', name: attachment.ifName, set: { up: true } };
    await execute(core, isUserspace ? [] : [...create, up], namespaces);
    core.mark?.('kernel');
    const result = await source.acquire();
    core.mark?.('delegate');
    const mtu = smallerMtu(core, attachment.ifName, sandbox, result);
    built = core.store.transaction(() => {
      const described = describe(core, request, sandbox, result, { ...link, ...given({ mtu }) });
      core.store.endpoints.put(described.facts);
      return described;
    });
    const resized: Op[] =
      mtu === undefined ? [] : [{ op: 'link.set', ns: 'sandbox', name: attachment.ifName, set: { mtu } }];
    await execute(core, [...resized, ...built.inside.ops], namespaces);
  } else if (driver.announces && link.mac === undefined && !isUserspace) {
    // The kernel chooses the MAC that the neighbours are told.
    await execute(core, create, namespaces);
    built = describe(core, request, sandbox, begun.result, link);
    await execute(core, built.inside.ops, namespaces);
  } else await execute(core, [...create, ...begun.inside.ops], namespaces);
  core.mark?.('kernel');
  await awaitAddresses(core.host, sandbox, built.inside.ops);
  if (built.facts.inside.up && !isUserspace) await awaitRunning(core.host, sandbox, attachment.ifName);
  return built;
}

/** The MTU that the network demands, if the interface has a larger one. */
function smallerMtu({ host }: Core, ifName: string, sandbox: Namespace, { mtu }: IpamResult): number | undefined {
  const state = mtu === undefined ? undefined : host.observe(sandbox, { links: [ifName] }).links.get(ifName);
  return state !== undefined && mtu !== undefined && mtu < state.mtu ? mtu : undefined;
}

/** The endpoint as an intent, with what IPAM gave it. `link`: it has been created so. */
function describe(
  core: Core,
  request: LoneRequest,
  sandbox: Namespace,
  result: IpamResult,
  link = linkOf(core, request, sandbox, result),
): Begun {
  const { attachment, driver, source, netns, aliases } = request;
  const scope = source?.kind === 'local' ? source.scope : undefined;
  const facts: LoneEndpoint = {
    kind: 'lone',
    role: 'interface',
    attachment,
    progress: 'intent',
    sandbox: { path: netns, id: sandbox.id },
    link,
    inside: driver.describeInside(driver.complete(result)),
    aliases,
    ...given({ scope, stamp: core.stamp }),
    ...(source?.kind === 'delegate' ? { delegate: { type: source.type, config: source.config } } : {}),
  };
  if (link.link.kind === 'userspace') return { result, facts, inside: EMPTY_PLAN };
  const { ifName } = link;
  const before = core.host.observe(sandbox, { ...insideQuery(facts.inside), links: [ifName] });
  const mac = link.mac ?? before.links.get(ifName)?.mac ?? '';
  const announced = driver.announces && mac !== '' ? addressesOf(facts) : [];
  const inside = planInside(before, { ifName, mac }, facts.inside, announced);
  return { result, inside, facts: inside.undo.length === 0 ? facts : { ...facts, journal: inside.undo } };
}

/** Its MAC is of the attachment: a successor with the same address may come before its predecessor goes. */
function linkOf(core: Core, request: LoneRequest, sandbox: Namespace, { addresses }: Addressing): LoneLinkFacts {
  const { attachment, driver, source } = request;
  const { host } = core;
  // Before the driver looks for the device: where another attachment has it, it is not on the host.
  if (driver.takes !== undefined) assertFree(core, attachment, driver.takes);
  const mac = request.mac ?? macOfDigest(digest('mac', attachmentDigest(attachment)));
  const view = observeStepwise(host, driver.parentNs === 'host' ? host.own : sandbox, (seen, looks) =>
    driver.query(seen, looks),
  );
  const scope = source?.kind === 'local' ? source.scope : undefined;
  const alias = formatAlias({
    attachment,
    ...given({ scope }),
    addresses: scope === undefined ? [] : addresses.map(({ address }) => address.addr),
  });
  const { ifName } = attachment;
  const facts = driver.describeLink(view, { attachment, ifName, mac, isRequested: request.mac !== undefined, alias });
  const { link } = facts;
  if (link.kind === 'moved') assertFree(core, attachment, (other) => isSameDevice(other, link));
  return facts;
}

/** MAC and MTU are as the kernel has them: the driver may leave either to it. */
function report(
  core: Core,
  { attachment, driver }: LoneRequest,
  sandbox: Namespace,
  result: IpamResult,
): EndpointReport {
  const name = attachment.ifName;
  const link = core.host.observe(sandbox, { links: [name] }).links.get(name);
  const { addresses, routes } = driver.complete(result);
  const dns: Dns = result.dns;
  return {
    interfaces: [{ name, mac: link?.mac ?? '', mtu: link?.mtu ?? 0, inSandbox: true }],
    addresses,
    routes,
    dns,
  };
}
