import type { Core } from '../../core/core.ts';
import type { Packet, PacketLink } from '../../firewall/packet-match.ts';
import {
  type Decision,
  decisionsOf,
  type RuleSource,
  readRuleSource,
  sees,
  surelyDrops,
} from '../../firewall/packet-path.ts';
import type { View } from '../../host/host.ts';
import { LinuxNamespace } from '../../host/linux-namespace.ts';
import { formatAddr } from '../../model/addr.ts';
import { type Endpoint, publishedOf } from '../../model/endpoint.ts';
import type { AdmitEntry, FirewallBackend } from '../../model/firewall.ts';
import { lastOf, parsePrefix } from '../../model/prefix.ts';
import { type BaseChain, readBaseChains } from '../../netlink/base-chains.ts';
import { NF_INET_FORWARD, NF_INET_POST_ROUTING, NF_INET_PRE_ROUTING } from '../../netlink/netfilter.ts';
import { openNetfilter } from '../../netlink/nfnetlink.ts';
import { chainText, isOurs, jumpsOf, ruleHandle } from '../chains.ts';
import type { DropFacts, NetworkFacts } from './facts.ts';
import { BRIDGE_CALLS } from './rules/kernel.ts';

const HOOKS: readonly number[] = [NF_INET_PRE_ROUTING, NF_INET_FORWARD, NF_INET_POST_ROUTING];

interface Seen {
  readonly view: View;
  readonly endpoints: readonly Endpoint[];
  readonly uplinks: readonly string[];
}

/** Returns what chains of other programs drop of the traffic that networks need. Looks at rules; sends nothing. */
export async function observeDrops(
  core: Core,
  networks: readonly NetworkFacts[],
  seen: Seen,
): Promise<readonly DropFacts[]> {
  const open = networks.filter(({ row }) => row.device !== '' && seen.view.links.has(row.device) && needsOthers(row));
  const byChains = inChains(core, open, seen);
  const shut = await unadmitted(core, open);
  const known = new Set(byChains.map(({ device }) => device));
  return [
    ...byChains.map((one) => ({ ...one, reloads: one.reloads && shut.has(one.device) })),
    ...open.flatMap(({ row: { name: network, device } }): DropFacts[] => {
      if (!shut.has(device) || known.has(device)) return [];
      const place = 'table filter of iptables-legacy, chain FORWARD, or a zone of firewalld';
      return [
        {
          ...{ network, device, place, owner: 'another program', packets: 'what the network sends out' },
          ...{ cure: 'isthmus reload', reloads: true },
        },
      ];
    }),
  ];
}

function needsOthers({ spec }: NetworkFacts['row']): boolean {
  return spec?.rules !== undefined && spec.rules.backend !== 'none' && spec.rules.options.policy !== 'internal';
}

/** The devices that some table drops, and that our own rules do not accept there. */
async function unadmitted(core: Core, networks: readonly NetworkFacts[]): Promise<ReadonlySet<string>> {
  const byBackend = new Map<FirewallBackend, AdmitEntry[]>();
  for (const { row } of networks)
    for (const one of row.owned)
      if (one.kind === 'entry' && one.entry.kind === 'admit')
        byBackend.set(one.backend, [...(byBackend.get(one.backend) ?? []), one.entry]);
  const found = new Set<string>();
  for (const [backend, entries] of byBackend)
    for (const entry of await core.firewall(backend).missing(entries, true))
      if (entry.kind === 'admit') found.add(entry.device);
  return found;
}

function inChains({ host }: Core, networks: readonly NetworkFacts[], seen: Seen): DropFacts[] {
  const { own } = host;
  using socket = own instanceof LinuxNamespace ? own.within(openNetfilter) : undefined;
  if (socket === undefined) return [];
  const bases = readBaseChains(socket).filter((base) => HOOKS.includes(base.hook) && !isOurs(base));
  const source = readRuleSource(socket);
  return networks.flatMap((network) => dropsOf(network, { bases, source }, seen));
}

interface Ruleset {
  readonly bases: readonly BaseChain[];
  readonly source: RuleSource;
}

/** The first chain that drops each kind of packet; one finding for each chain. */
function dropsOf({ row, subnets }: NetworkFacts, { bases, source }: Ruleset, seen: Seen): DropFacts[] {
  const found = new Map<string, DropFacts>();
  for (const { subnet } of subnets) {
    for (const { title, packet } of packetsOf(row, subnet, seen)) {
      for (const base of bases) {
        if (!sees(base, packet)) continue;
        const decisions = decisionsOf(base, packet, source);
        const last = decisions.at(-1);
        if (last === undefined || !surelyDrops(decisions)) continue;
        const key = `${chainText(base)} ${title}`;
        if (!found.has(key)) found.set(key, dropOf(row, title, { base, last, source }));
        break;
      }
    }
  }
  // One chain that drops several kinds: the first tells.
  return [...new Map([...found.values()].toReversed().map((one) => [one.place, one])).values()];
}

interface Named {
  readonly title: string;
  readonly packet: Packet;
}

function packetsOf({ name, device }: NetworkFacts['row'], subnet: string, { view, endpoints, uplinks }: Seen): Named[] {
  const prefix = parsePrefix(subnet);
  if (prefix === undefined) return [];
  const { family } = prefix.addr;
  const address = formatAddr(lastOf(prefix));
  const linkOf = (title: string | undefined): { readonly link?: PacketLink } => {
    const index = view.links.get(title ?? '')?.index;
    return title === undefined || index === undefined ? {} : { link: { name: title, index } };
  };
  const { link: inner } = linkOf(device);
  const { link: outer } = linkOf(uplinks[0]);
  if (inner === undefined) return [];
  const toOutside = { input: inner, ...(outer && { output: outer }), source: address };
  const toInside = { ...(outer && { input: outer }), output: inner, destination: address };
  const isPublished = endpoints.some((part) => part.attachment.network === name && publishedOf(part) !== undefined);
  const isBridged = view.sysctls.get(BRIDGE_CALLS[family]) === '1' && view.links.get(device)?.kind === 'bridge';
  const all: readonly (Named | false)[] = [
    { title: 'what the network sends out', packet: { family, ...toOutside, state: 'new', translated: false } },
    {
      title: 'the answers to its containers',
      packet: { family, ...toInside, state: 'established', translated: false },
    },
    isPublished && {
      title: 'connections to its published ports',
      packet: { family, ...toInside, state: 'new', translated: true },
    },
    isBridged && {
      title: 'what its containers send to each other (br_netfilter)',
      packet: { family, input: inner, output: inner, state: 'new', translated: false },
    },
  ];
  return all.filter((one) => one !== false);
}

function dropOf(
  { name, device }: NetworkFacts['row'],
  packets: string,
  { base, last, source }: { readonly base: BaseChain; readonly last: Decision; readonly source: RuleSource },
): DropFacts {
  const owner = ownerOf(base, last, source);
  const handle = last.handle === undefined ? `policy ${last.does}` : ruleHandle(last.handle);
  const place = `${chainText(last.chain)}, ${handle}`;
  const isTools = base.table === 'filter' && base.chain === 'FORWARD';
  const cure =
    owner === 'firewalld'
      ? `firewall-cmd --zone=trusted --change-interface=${device} (with --permanent, to keep it)`
      : isTools
        ? `isthmus reload; if a rule of its own drops the packets: iptables -I FORWARD -i ${device} -j ACCEPT; iptables -I FORWARD -o ${device} -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT`
        : acceptedBy(base, device);
  return { network: name, device, owner, place, packets, cure, reloads: isTools || owner === 'firewalld' };
}

function acceptedBy(base: BaseChain, device: string): string {
  const chain = chainText(base).replace(/^table (.*), chain (.*)$/, '$1 $2');
  return `nft insert rule ${chain} iifname ${device} accept; nft insert rule ${chain} oifname ${device} ct state established,related accept; and the same in the file that makes this table`;
}

function ownerOf(base: BaseChain, last: Decision, source: RuleSource): DropFacts['owner'] {
  if (base.table === 'firewalld') return 'firewalld';
  const names = [last.chain.chain, ...jumpsOf(source.rules(base))];
  if (names.some((name) => name.startsWith('ufw'))) return 'ufw';
  return names.some((name) => name.startsWith('DOCKER')) ? 'Docker' : 'another program';
}
