import { ALL_LINKS, address, netconf } from '../netlink/address.ts';
import {
  AF_BRIDGE,
  AF_UNSPEC,
  IFF_UP,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELROUTE,
  RTM_NEWLINK,
  RTM_NEWNETCONF,
} from '../netlink/constants.ts';
import { bridgeLink, link } from '../netlink/link.ts';
import type { Message } from '../netlink/message.ts';
import { NFPROTO_BRIDGE, NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6 } from '../netlink/netfilter.ts';
import { nftEvent, tableBytes } from '../netlink/nft-events.ts';
import { route } from '../netlink/route.ts';

/** A change that deletes or disables something in the kernel. */
export type KernelChange =
  /** `down`: administratively. `detached`: up, but no bridge port. */
  | { readonly kind: 'link'; readonly event: 'delete' | 'down' | 'detached'; readonly name: string }
  /** A bridge of others is up; it may have been before. */
  | { readonly kind: 'bridge'; readonly event: 'up'; readonly name: string }
  /** A bridge has a port that is no container's, which may have been there before; or such a port has left it. */
  | { readonly kind: 'port'; readonly event: 'add' | 'delete'; readonly name: string; readonly bridge: string }
  | { readonly kind: 'address'; readonly event: 'delete'; readonly name: string; readonly address: string }
  /** `destination` is `default` or `10.88.0.0/16`. */
  | { readonly kind: 'route'; readonly event: 'delete'; readonly name: string; readonly destination: string }
  /** `net.ipv4.ip_forward`, or IPv6's `all/forwarding`, is 0. */
  | { readonly kind: 'forwarding'; readonly event: 'off'; readonly family: string }
  /** `policy`: the chain now drops packets that no rule decides. `chain` is absent for a table of ours. */
  | {
      readonly kind: 'nft';
      readonly event: 'delete' | 'policy';
      readonly family: string;
      readonly table: string;
      readonly chain?: string;
    }
  /** A rule of a chain that `NftInterest.chains` names was written or deleted. */
  | { readonly kind: 'chain'; readonly table: string }
  /** The kernel's buffer overflowed: anything may have changed. */
  | { readonly kind: 'lost' };

/** Selects the packet filter changes to report. */
export interface NftInterest {
  /** Our tables: every deletion in them is reported. */
  readonly tables: readonly string[];
  /** A rule or chain elsewhere is ours if it contains one of these texts: a comment, a chain's name. */
  readonly marks: readonly string[];
  /** Chains of others, in a table of this name: every change of their rules is reported. */
  readonly chains?: { readonly table: string; readonly names: readonly string[] };
}

/** The change in one line: `link isth0 deleted`. Two changes with equal text are the same damage. */
export function formatChange(change: KernelChange): string {
  switch (change.kind) {
    case 'link':
      return `link ${change.name} ${change.event === 'delete' ? 'deleted' : change.event}`;
    case 'bridge':
      return `bridge ${change.name} of others`;
    case 'port':
      return `port ${change.name} of ${change.bridge}${change.event === 'delete' ? ' deleted' : ''}`;
    case 'address':
      return `address ${change.address} of ${change.name} deleted`;
    case 'route':
      return `route ${change.destination} by ${change.name} deleted`;
    case 'forwarding':
      return `forwarding of ${change.family} off`;
    case 'nft': {
      const { family, table, chain, event } = change;
      const where = `${family} ${table}${chain === undefined ? '' : ` ${chain}`}`;
      return `nftables ${where}: ${event === 'policy' ? 'policy drop' : 'something deleted'}`;
    }
    case 'chain':
      return `chain of ${change.table} changed`;
    case 'lost':
      return 'unknown changes';
  }
}

/**
 * Decodes an rtnetlink message to a change; undefined for every other message. `nameOf` is undefined for a deleted
 * link.
 */
export function routeChange(
  { type, payload }: Message,
  nameOf: (index: number) => string | undefined,
): KernelChange | undefined {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return linkChange(type, payload) ?? portChange(type, payload, nameOf);
    case RTM_DELADDR: {
      const found = address.decode(payload, true);
      const name = found && nameOf(found.header.index);
      const own = found?.attrs.local ?? found?.attrs.address;
      if (found === undefined || name === undefined || own === undefined) return undefined;
      return { kind: 'address', event: 'delete', name, address: `${own}/${found.header.length}` };
    }
    case RTM_DELROUTE: {
      const found = route.decode(payload, true);
      const name = found?.attrs.oif === undefined ? undefined : nameOf(found.attrs.oif);
      if (found === undefined || name === undefined) return undefined;
      const { dst } = found.attrs;
      const destination = dst === undefined ? 'default' : `${dst}/${found.header.dstLength}`;
      return { kind: 'route', event: 'delete', name, destination };
    }
    case RTM_NEWNETCONF: {
      const found = netconf.decode(payload, true);
      if (found?.attrs.index !== ALL_LINKS || found.attrs.forwarding !== 0) return undefined;
      return { kind: 'forwarding', event: 'off', family: familyName(found.header.family) };
    }
    default:
      return undefined;
  }
}

/** A bridge reports its ports in messages of family AF_BRIDGE: a port that leaves the bridge is `deleted`. */
function linkChange(type: number, payload: Uint8Array): KernelChange | undefined {
  const found = link.decode(payload, true);
  const name = found?.attrs.name;
  if (found === undefined || name === undefined || found.header.family !== AF_UNSPEC) return undefined;
  if (type === RTM_DELLINK) return { kind: 'link', event: 'delete', name };
  if ((found.header.flags & IFF_UP) === 0) return { kind: 'link', event: 'down', name };
  const { info, alias } = found.attrs;
  if (info?.kind === 'bridge' && alias === undefined) return { kind: 'bridge', event: 'up', name };
  return info?.kind === 'veth' && found.attrs.master === undefined
    ? { kind: 'link', event: 'detached', name }
    : undefined;
}

function portChange(
  type: number,
  payload: Uint8Array,
  nameOf: (index: number) => string | undefined,
): KernelChange | undefined {
  const found = bridgeLink.decode(payload, true);
  if (found?.header.family !== AF_BRIDGE || found.attrs.name === undefined) return undefined;
  const bridge = found.attrs.master === undefined ? undefined : nameOf(found.attrs.master);
  const event = type === RTM_NEWLINK ? 'add' : 'delete';
  return bridge === undefined ? undefined : { kind: 'port', event, name: found.attrs.name, bridge };
}

/** Groups nftables messages into transactions, and skips those of processes for which `isOwn` returns true. */
export class NftTransactions {
  readonly #interest: NftInterest;
  readonly #isOwn: (pid: number) => boolean;
  readonly #watched: readonly Uint8Array[];
  readonly #changes = new Map<string, KernelChange>();

  constructor(interest: NftInterest, isOwn: (pid: number) => boolean) {
    this.#interest = interest;
    this.#watched = interest.chains === undefined ? [] : [tableBytes(interest.chains.table)];
    this.#isOwn = isOwn;
  }

  /** Returns the relevant changes of the transactions that these messages complete, each change once. */
  take(messages: readonly Message[]): readonly KernelChange[] {
    const told: KernelChange[] = [];
    for (const message of messages) {
      const event = nftEvent(message, this.#watched);
      if (event === undefined) continue;
      if (event.is === 'generation') {
        if (!this.#isOwn(event.pid)) told.push(...this.#changes.values());
        this.#changes.clear();
        continue;
      }
      const { where } = event;
      const { chains } = this.#interest;
      if (where.table === chains?.table && chains.names.includes(where.chain ?? ''))
        this.#keep({ kind: 'chain', table: where.table });
      if (event.is === 'rule') continue;
      if (event.is === 'deletion' && !this.#isOurs(where, event.of === 'rule' ? message.payload : undefined)) continue;
      this.#keep({
        kind: 'nft',
        event: event.is === 'deletion' ? 'delete' : 'policy',
        family: familyName(where.family),
        table: where.table,
        ...(where.chain === undefined || this.#interest.tables.includes(where.table) ? {} : { chain: where.chain }),
      });
    }
    return told;
  }

  #keep(change: KernelChange): void {
    this.#changes.set(formatChange(change), change);
  }

  #isOurs(where: { readonly table: string; readonly chain?: string }, rule: Uint8Array | undefined): boolean {
    const { tables, marks } = this.#interest;
    if (tables.includes(where.table)) return true;
    if (marks.some((mark) => where.chain?.includes(mark))) return true;
    return rule !== undefined && marks.some((mark) => Buffer.from(rule).includes(mark));
  }
}

const FAMILIES: ReadonlyMap<number, string> = new Map([
  [NFPROTO_INET, 'inet'],
  [NFPROTO_IPV4, 'ip'],
  [NFPROTO_BRIDGE, 'bridge'],
  [NFPROTO_IPV6, 'ip6'],
]);

/** The family as nft names it; AF_INET and AF_INET6 equal NFPROTO_IPV4 and NFPROTO_IPV6. */
function familyName(family: number): string {
  return FAMILIES.get(family) ?? String(family);
}
