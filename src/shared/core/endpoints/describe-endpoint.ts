import { limits } from '../../config/bandwidth.ts';
import type { Addressing, EndpointNames } from '../../drivers/driver.ts';
import { insideQuery, planInside } from '../../drivers/inside.ts';
import { relaysOf } from '../../drivers/relays.ts';
import { deviceRules, portEntries } from '../../drivers/rules.ts';
import type { Namespace, View } from '../../host/host.ts';
import { formatAlias } from '../../model/alias.ts';
import { type Attachment, attachmentDigest, digest, hostIfName, ifbName } from '../../model/attachment.ts';
import { addressesOf, type CniEndpoint, type ShapingFacts } from '../../model/endpoint.ts';
import { given } from '../../model/given.ts';
import type { LinkFacts, PortFacts } from '../../model/interface-facts.ts';
import { macOfAddr, macOfDigest } from '../../model/mac.ts';
import type { Plan } from '../../model/op.ts';
import type { LocalStore } from '../../store/store.ts';
import type { Core, IpamResult } from '../core.ts';
import { staleAddresses } from '../known-macs.ts';
import { describePorts } from '../ports/publish.ts';
import type { EndpointRequest } from '../requests.ts';
import { EMPTY_VIEW } from '../view.ts';

/** An endpoint as it is journaled. */
export interface Begun {
  readonly result: IpamResult;
  readonly facts: CniEndpoint;
  /** What the facts lack in the sandbox. */
  readonly inside: Plan;
}

/**
 * The endpoint with what IPAM gave it, and the sandbox's prior values. They stay changed on removal, since another
 * endpoint may need them. Part of the transaction that journals it, so that its ports are not another attachment's.
 */
export function describeEndpoint(
  core: Core,
  request: EndpointRequest,
  sandbox: Namespace,
  result: IpamResult,
  link?: LinkFacts,
): Begun {
  const described = factsOf(core, request, sandbox, request.driver.complete(result));
  const host = described.link.host;
  const facts = link === undefined ? described : { ...described, link: { ...link, ...given({ host }) } };
  const stale = staleAddresses(core, {
    link: facts.link,
    network: request.attachment.network,
    addresses: facts.inside.addresses.map(({ address }) => address),
    // The reference announces nothing.
    assumesUplink: facts.inside.ipv6 !== undefined,
  });
  const inside = planInside(core.host.observe(sandbox, insideQuery(facts.inside)), facts.link, facts.inside, stale);
  return { result, inside, facts: inside.undo.length === 0 ? facts : { ...facts, journal: inside.undo } };
}

/** The facts with the MTU of the network, which `view` tells once it is there. */
export function fitted({ driver }: EndpointRequest, facts: CniEndpoint, view: View): CniEndpoint {
  const link = { ...driver.describeLink(view, facts.link), ...given({ host: facts.link.host }) };
  return { ...facts, link, ...(facts.shaping && { shaping: { ...facts.shaping, mtu: link.mtu } }) };
}

/** The new endpoint as an intent. Its MTU is a guess until the network exists; no removal needs it. */
function factsOf(
  { store, stamp }: Core,
  request: EndpointRequest,
  sandbox: Namespace,
  addressing: Addressing,
): CniEndpoint {
  const { attachment, driver, source, rules, netns, aliases } = request;
  const scope = source?.kind === 'local' ? source.scope : undefined;
  const described = driver.describeLink(EMPTY_VIEW, namesOf(request, addressing));
  const host = source === undefined ? undefined : driver.describeHost?.(addressing, described.hostMac);
  const link = { ...described, ...given({ host, partners: described.spoofGuard && partnersOf(store, attachment) }) };
  const ports =
    rules === undefined
      ? {}
      : describePorts(store, rules, attachment, portEntries(rules, addressing), relaysOf(rules, addressing));
  const shaping = shapingOf(request, link);
  const own =
    link.bridge === undefined && rules !== undefined ? deviceRules(rules, link.hostIf, addressing) : undefined;
  const isHairpin = link.bridge !== undefined && (rules?.mappings.length ?? 0) > 0 && rules?.options.ports.snat;
  return {
    kind: 'cni',
    role: 'interface',
    attachment,
    progress: 'intent',
    sandbox: { path: netns, id: sandbox.id },
    // Hairpin: a pod may reach itself through an address of the host.
    link: isHairpin ? { ...link, hairpin: true } : link,
    inside: driver.describeInside(addressing, source?.kind !== 'delegate'),
    aliases,
    ...ports,
    ...given({ scope, shaping, stamp, rules: own }),
    ...(source?.kind === 'delegate' ? { delegate: { type: source.type, config: source.config } } : {}),
  };
}

/** The other guarded ports of the container, on any network; undefined without any. */
function partnersOf({ endpoints }: LocalStore, attachment: Attachment): readonly PortFacts[] | undefined {
  const own = attachmentDigest(attachment);
  const partners = endpoints.ofContainer(attachment).flatMap((row): PortFacts[] => {
    if (row.kind !== 'cni' || !row.link.spoofGuard || attachmentDigest(row.attachment) === own) return [];
    return [{ port: row.link.hostIf, addresses: addressesOf(row) }];
  });
  return partners.length === 0 ? undefined : partners;
}

/** The limits that the runtime requests, on the host side of the pair. */
function shapingOf({ rates, attachment }: EndpointRequest, { hostIf, mtu }: LinkFacts): ShapingFacts | undefined {
  if (rates === undefined || !limits(rates)) return undefined;
  return { hostIf, ifb: ifbName(attachment), mtu, alias: formatAlias({ attachment, addresses: [] }), ...rates };
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
