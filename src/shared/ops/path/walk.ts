import type { Core } from '../../core/core.ts';
import type { Packet } from '../../firewall/packet-match.ts';
import type { View } from '../../host/host.ts';
import type { ChosenRoute } from '../../host/route-lookup.ts';
import { type Addr, type Family, parseAddr } from '../../model/addr.ts';
import { BRIDGE_CALLS } from '../doctor/rules/kernel.ts';
import { bare } from './ends.ts';
import { type Hop, NUMBERS, type Question } from './hops.ts';

/** A packet on its way. */
export interface Walk {
  readonly core: Core;
  readonly question: Question;
  readonly family: Family;
  readonly outside: View;
  readonly hops: Hop[];
}

export const FORWARDING = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' } as const;
export function observeHost({ host }: Core): View {
  const sysctls = [...Object.values(BRIDGE_CALLS), ...Object.values(FORWARDING)];
  return host.observe(host.own, { links: 'all', addresses: 'all', sysctls });
}

export function pass(walk: Walk, at: string, what: string): void {
  walk.hops.push({ at, what, state: 'passes' });
}

export function lose(walk: Walk, at: string, what: string, cure?: string): void {
  walk.hops.push({ at, what, state: 'lost', ...(cure === undefined ? {} : { cure }) });
}

export function isLost({ hops }: Walk): boolean {
  return hops.at(-1)?.state === 'lost';
}

export function viaText({ gateway }: ChosenRoute): string {
  return gateway === undefined ? ', on the link' : ` via ${gateway}`;
}

export function isOnHost({ addresses }: View, wanted: Addr): boolean {
  return addresses.some(({ address }) => {
    const addr = parseAddr(bare(address));
    return addr?.family === wanted.family && addr.value === wanted.value;
  });
}

export function packetOf({ family, question }: Walk, rest: Partial<Packet>): Packet {
  const { protocol, port } = question;
  return {
    family,
    state: 'new',
    translated: false,
    protocol: NUMBERS[protocol][family],
    ...(port === undefined ? {} : { port }),
    ...rest,
  };
}
