import { planShaping } from '../drivers/bandwidth/shaping.ts';
import { planInside } from '../drivers/inside.ts';
import { guardsOf, planEntries, planGuard, planLink } from '../drivers/link.ts';
import { planLoneLink } from '../drivers/lone/link.ts';
import { planDeviceRules, planPorts } from '../drivers/rules.ts';
import { planSbr } from '../drivers/sbr/sbr.ts';
import { planTuning } from '../drivers/tuning/tuning.ts';
import { planVrf } from '../drivers/vrf/vrf.ts';
import type { View } from '../host/host.ts';
import { type Attachment, ifbName } from '../model/attachment.ts';
import {
  addressesOf,
  type CniEndpoint,
  type DockerEndpoint,
  type Endpoint,
  type FirewallPart,
  publishedOf,
  rulesOf,
  type TuningPart,
} from '../model/endpoint.ts';
import {
  type BridgeEntry,
  entryKey,
  type FirewallBackend,
  type FirewallEntry,
  type MacEntry,
  type SourceEntry,
} from '../model/firewall.ts';
import { given } from '../model/given.ts';
import { isWithoutInterface, type LinkFacts } from '../model/interface-facts.ts';
import { EMPTY_PLAN, joinPlans, type Op, type Plan } from '../model/op.ts';
import type { NetworkRow } from '../store/store.ts';
import { driverOf } from './networks/record.ts';
import { withStrictest } from './networks/shared-policy.ts';
import { EMPTY_VIEW } from './view.ts';

/**
 * The desired state of one part of an attachment: `ops` create it in this order, `undo` deletes it. Pure. Prior values
 * that only the kernel knows are not in it: the journal of an interrupted call has them.
 */
export function desired(endpoint: Endpoint): Plan {
  const { attachment } = endpoint;
  switch (endpoint.kind) {
    case 'cni': {
      const inside = { ops: planInside(EMPTY_VIEW, endpoint.link, endpoint.inside).ops, undo: endpoint.journal ?? [] };
      return [
        planOwnRules(endpoint),
        inside,
        planPublished(endpoint),
        endpoint.shaping === undefined ? EMPTY_PLAN : planShaping(endpoint.shaping, { hostIfGoes: true }),
      ].reduce(joinPlans, joinPlans(planGuarded(endpoint), planLink(endpoint.link)));
    }
    case 'lone': {
      const { ifName, link, mac = '' } = endpoint.link;
      if (isWithoutInterface(link)) return EMPTY_PLAN;
      const inside = planInside(EMPTY_VIEW, { ifName, mac }, endpoint.inside);
      return joinPlans(planLoneLink(endpoint.link), { ops: inside.ops, undo: endpoint.journal ?? [] });
    }
    case 'docker':
      if (endpoint.lone !== undefined) return planLoneLink(endpoint.lone, 'host');
      return endpoint.link === undefined ? EMPTY_PLAN : joinPlans(planGuarded(endpoint), planLink(endpoint.link));
    case 'recalled':
      return { ops: [], undo: removalByName(attachment, endpoint.hostIf) };
    case 'ports':
      return joinPlans(planOwnRules(endpoint), planPublished(endpoint));
    case 'bandwidth':
      return planShaping(endpoint.shaping, { hostIfGoes: false });
    case 'tuning':
      return joinPlans(planEntries('bridge', macsOf(endpoint)), planTuning(attachment.ifName, endpoint));
    case 'sbr':
      return planSbr(endpoint.sbr);
    case 'vrf':
      return planVrf(attachment.ifName, endpoint.vrf);
    case 'firewall':
      return joinPlans(planEntries('firewalld', sourcesOf(endpoint)), planOwnRules(endpoint));
  }
}

/** Ops that delete an endpoint's devices by name: its interface, and the ifb of its limits. */
export function removalByName(attachment: Attachment, hostIf: string): Op[] {
  return [
    { op: 'link.delete', ns: 'host', name: hostIf, kind: 'veth' },
    { op: 'link.delete', ns: 'host', name: ifbName(attachment), kind: 'ifb' },
  ];
}

/** The entries about the endpoint's own device. */
export function planOwnRules(endpoint: Endpoint): Plan {
  const rules = rulesOf(endpoint);
  return rules === undefined ? EMPTY_PLAN : planDeviceRules(rules);
}

function planPublished(endpoint: Endpoint): Plan {
  const published = publishedOf(endpoint);
  return published === undefined ? EMPTY_PLAN : planPorts(published.backend, published.entries);
}

/** Binds the endpoint's bridge port to its MAC and addresses, if the network wants it. */
export function planGuarded(endpoint: CniEndpoint | DockerEndpoint): Plan {
  return endpoint.link === undefined ? EMPTY_PLAN : planGuard(endpoint.link, addressesOf(endpoint));
}

/** The MAC that a tuning gives an endpoint whose port is guarded. */
function macsOf({ guardedPort: port, wanted: { link } }: TuningPart): MacEntry[] {
  return port === undefined || link.mac === undefined ? [] : [{ kind: 'mac', port, mac: link.mac }];
}

/** The addresses that the part has put into a zone of firewalld. */
function sourcesOf({ zone }: FirewallPart): SourceEntry[] {
  if (zone === undefined) return [];
  const { name, sources, required } = zone;
  return sources.map((source) => ({ kind: 'source', zone: name, source, ...given({ required }) }));
}

/** Entries of one backend. */
export interface BackendEntries {
  readonly backend: FirewallBackend;
  readonly entries: readonly FirewallEntry[];
}

/**
 * The packet filter entries of one part: its published ports, those of its own device, the guards of its bridge port, its
 * tuned MAC. Those of a recalled one follow from its network.
 */
export function entriesOf(endpoint: Endpoint, network?: NetworkRow): BackendEntries[] {
  const published = publishedOf(endpoint);
  const rules = rulesOf(endpoint);
  const guards = portGuards(endpoint, network);
  return [
    ...(published === undefined ? [] : [published]),
    ...(rules === undefined ? [] : [rules]),
    ...(guards.length === 0 ? [] : [{ backend: 'bridge', entries: guards } as const]),
    ...(endpoint.kind === 'firewall' ? [{ backend: 'firewalld', entries: sourcesOf(endpoint) } as const] : []),
    ...(endpoint.kind === 'tuning' ? [{ backend: 'bridge', entries: macsOf(endpoint) } as const] : []),
  ];
}

function portGuards(endpoint: Endpoint, network: NetworkRow | undefined): BridgeEntry[] {
  if (endpoint.kind === 'recalled') {
    const link = recalledLink(endpoint.hostIf, network, EMPTY_VIEW);
    return link === undefined ? [] : guardsOf(link, []);
  }
  if ((endpoint.kind !== 'cni' && endpoint.kind !== 'docker') || endpoint.link === undefined) return [];
  return guardsOf(endpoint.link, addressesOf(endpoint));
}

/** Link facts of a recalled endpoint, from the settings of its network. Its MAC is unknown. */
export function recalledLink(hostIf: string, network: NetworkRow | undefined, view: View): LinkFacts | undefined {
  const driver = network?.spec === undefined ? undefined : driverOf(network.spec.options, network.name);
  return driver?.describeLink(view, { hostIf, ifName: '', mac: '', alias: '' });
}

/** Packet filter entries by backend, each once. */
export type Entries = ReadonlyMap<FirewallBackend, readonly FirewallEntry[]>;

/** The packet filter entries that these networks and endpoints need. `all` has the networks of the endpoints. */
export function desiredEntries(
  networks: readonly NetworkRow[],
  endpoints: readonly Endpoint[],
  all: readonly NetworkRow[] = networks,
): Entries {
  const found = new Map<FirewallBackend, Map<string, FirewallEntry>>();
  const want = (backend: FirewallBackend, entries: readonly FirewallEntry[]): void => {
    const known = found.get(backend) ?? new Map<string, FirewallEntry>();
    for (const entry of entries) known.set(entryKey(entry), entry);
    found.set(backend, known);
  };
  for (const { owned } of networks) {
    for (const one of owned) if (one.kind === 'entry') want(one.backend, [one.entry]);
  }
  const byName = new Map(all.map((network) => [network.name, network]));
  for (const endpoint of endpoints) {
    for (const { backend, entries } of entriesOf(endpoint, byName.get(endpoint.attachment.network)))
      if (entries.length > 0) want(backend, entries);
  }
  return new Map([...found].map(([backend, entries]) => [backend, withStrictest([...entries.values()])]));
}
