import {
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_NETCONF,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_IPV6_NETCONF,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_LINK,
} from '../netlink/constants.ts';
import { linkName } from '../netlink/link.ts';
import { listenTo } from '../netlink/listener.ts';
import { NFNLGRP_NFTABLES } from '../netlink/netfilter.ts';
import { type KernelChange, type NftInterest, NftTransactions, routeChange } from './changes.ts';
import type { LinuxNamespace } from './linux-namespace.ts';
import { isOwnProcess } from './tool.ts';
import { LINK_FILTER } from './watch-filter.ts';

export interface WatchOptions {
  readonly nft: NftInterest;
  /** Processes whose nftables transactions are not reported. Default: this process and the tools that it runs. */
  readonly isOwn?: (pid: number) => boolean;
  /** Called on the event loop soon after the change; never with an empty list. */
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
 * Reports deletions and shutdowns in a namespace until disposed; the kernel itself drops irrelevant messages
 * (`watch-filter.ts`). Also reports the caller's own changes of links, addresses and routes. Does not keep the process
 * alive. Throws NetError `kernel` if the kernel refuses. iptables-legacy sends no notifications.
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
