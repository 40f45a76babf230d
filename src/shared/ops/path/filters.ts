import type { Packet } from '../../firewall/packet-match.ts';
import { type Decision, decisionsOf, readRuleSource, sees } from '../../firewall/packet-path.ts';
import type { LinuxNamespace } from '../../host/linux-namespace.ts';
import { readBaseChains } from '../../netlink/base-chains.ts';
import {
  NF_INET_FORWARD,
  NF_INET_LOCAL_IN,
  NF_INET_LOCAL_OUT,
  NF_INET_POST_ROUTING,
  NF_INET_PRE_ROUTING,
} from '../../netlink/netfilter.ts';
import { openNetfilter } from '../../netlink/nfnetlink.ts';
import { chainText, isOurs } from '../chains.ts';
import type { Hop } from './hops.ts';
import { extractRules } from './rule-text.ts';

/** The hooks that a packet passes: forwarded by this host, for a program of it, or from one. */
export const WAYS = {
  forwarded: [NF_INET_PRE_ROUTING, NF_INET_FORWARD, NF_INET_POST_ROUTING],
  received: [NF_INET_PRE_ROUTING, NF_INET_LOCAL_IN],
  sent: [NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING],
} as const;

/** What the base chains of nftables and iptables-nft in a namespace do with the packet, ours and those of others. */
export async function filterHops(
  ns: LinuxNamespace,
  at: string,
  packet: Packet,
  way: keyof typeof WAYS,
): Promise<readonly Hop[]> {
  using socket = ns.within(openNetfilter);
  if (socket === undefined) return [];
  const source = readRuleSource(socket);
  const hooks: readonly number[] = WAYS[way];
  const bases = readBaseChains(socket).filter((base) => base.type === 'filter' && sees(base, packet));
  const hops: Hop[] = [];
  for (const hook of hooks) {
    for (const base of bases.filter((one) => one.hook === hook)) {
      const decisions = decisionsOf(base, packet, source);
      const hop = await hopOf(ns, at, `${isOurs(base) ? 'our ' : ''}${chainText(base)}`, decisions);
      hops.push(hop);
      if (hop.state === 'lost') return hops;
    }
  }
  return hops;
}

async function hopOf(ns: LinuxNamespace, at: string, title: string, decisions: readonly Decision[]): Promise<Hop> {
  const drops = decisions.filter(({ does }) => does === 'drop');
  const last = decisions.at(-1);
  if (drops.length === decisions.length && last !== undefined) {
    const [text = ''] = await extractRules(ns, [last]);
    return { at, what: `${title} drops it: ${text}`, state: 'lost' };
  }
  if (drops.length > 0 && decisions.some(({ sure, does }) => does === 'drop' && !sure)) {
    const texts = await extractRules(ns, drops);
    return { at, what: `${title} may drop it: ${texts.join('; ')}`, state: 'maybe' };
  }
  const sure = decisions.find(({ sure: isSure, handle }) => isSure && handle !== undefined);
  const [text] = sure === undefined ? [] : await extractRules(ns, [sure]);
  return { at, what: `${title} accepts it${text === undefined ? '' : `: ${text}`}`, state: 'passes' };
}
