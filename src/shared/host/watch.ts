import {
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  NFNLGRP_NFTABLES,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_NETCONF,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_NETCONF,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_LINK,
} from '../netlink/constants.ts';
import { linkName } from '../netlink/link-name.ts';
import { listenTo } from '../netlink/listener.ts';
import { type KernelChange, type NftInterest, NftTransactions, routeChange } from './changes.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import { isOwnProcess } from './own-children.ts';
import { LINK_FILTER } from './watch-filter.ts';

export interface WatchOptions {
  readonly nft: NftInterest;
  /** Whose transactions of nftables are not told. Default: this process and the tools that it runs. */
  readonly isOwn?: (pid: number) => boolean;
  /** Told on the event loop soon after the kernel did it; never with an empty list. */
  readonly changed: (changes: readonly KernelChange[]) => void;
}

const ROUTE_GROUPS = [
  RTNLGRP_LINK,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_IPV4_NETCONF,
  RTNLGRP_IPV6_NETCONF,
];
const LOST: readonly KernelChange[] = [{ kind: 'lost' }];

/**
 * Tells what is taken from the kernel in a namespace, until disposed; the kernel itself drops what is not of interest
 * (`watch-filter.ts`). Changes of links, addresses and routes by the caller are told as well. Does not keep the process
 * alive. Throws NetError `kernel` where the kernel refuses. iptables-legacy tells nobody of its changes.
 */
export function watchHost(ns: LinuxNamespace, { nft, isOwn = isOwnProcess, changed }: WatchOptions): Disposable {
  using opened = new DisposableStack();
  const lost = (): void => changed(LOST);
  const nameOf = (index: number): string | undefined => linkName(ns.route.fd, index);
  const transactions = new NftTransactions(nft, isOwn);
  const tell = (changes: readonly KernelChange[]): void => {
    if (changes.length > 0) changed(changes);
  };
  const listen = (listening: Parameters<typeof listenTo>[0]): void => {
    opened.use(ns.within(() => listenTo(listening)));
  };
  listen({
    protocol: NETLINK_ROUTE,
    groups: ROUTE_GROUPS,
    filter: LINK_FILTER,
    messages: (messages) => tell(messages.flatMap((message) => routeChange(message, nameOf) ?? [])),
    lost,
  });
  listen({
    protocol: NETLINK_NETFILTER,
    groups: [NFNLGRP_NFTABLES],
    messages: (messages) => tell(transactions.take(messages)),
    lost,
  });
  return opened.move();
}
