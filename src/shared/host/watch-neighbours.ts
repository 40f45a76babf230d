import type { Step } from '../netlink/bpf.ts';
import {
  NETLINK_ROUTE,
  NUD_FAILED,
  NUD_NOARP,
  NUD_PERMANENT,
  RTM_DELNEIGH,
  RTNLGRP_NEIGH,
} from '../netlink/constants.ts';
import { listenTo } from '../netlink/listener.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

// Offsets in a datagram of rtnetlink: struct nlmsghdr has 16 bytes, struct ndmsg its state at 8, low byte first.
const TYPE = 4;
const STATE = 24;

/**
 * Passes deletions of permanent neighbours and static FDB entries. The kernel itself adds and deletes learned ones.
 * `ip neigh del` makes a permanent neighbour a failed one first (net/core/neighbour.c, neigh_delete).
 */
const FILTER: readonly Step[] = [
  { load: 'byte', at: TYPE },
  { equals: RTM_DELNEIGH, yes: 'gone', no: 'drop' },
  { label: 'gone' },
  { load: 'byte', at: STATE },
  { anyBit: NUD_NOARP | NUD_PERMANENT | NUD_FAILED, yes: 'keep', no: 'drop' },
  { label: 'keep' },
  { keep: true },
  { label: 'drop' },
  { keep: false },
];

/**
 * Calls `changed` soon after a permanent neighbour or a static FDB entry of the namespace was deleted, by whomever, until
 * disposed. Does not keep the process alive. Throws NetError `kernel` if the kernel refuses.
 */
export function watchNeighbours(ns: LinuxNamespace, changed: () => void): Disposable {
  return ns.within(() =>
    listenTo({
      protocol: NETLINK_ROUTE,
      groups: [RTNLGRP_NEIGH],
      filter: FILTER,
      messages: changed,
      lost: changed,
    }),
  );
}
