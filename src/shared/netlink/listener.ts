import { closeSync } from 'node:fs';
import { attachFilter, type Step } from './bpf.ts';
import {
  AF_NETLINK,
  NETLINK_ADD_MEMBERSHIP,
  SO_RCVBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
} from './constants.ts';
import { pollSocket } from './event-loop.ts';
import { decodeMessages, type Message } from './message.ts';
import { connect, setsockopt, socket } from './sys.ts';

export interface Listening {
  /** NETLINK_ROUTE, NETLINK_NETFILTER, … */
  readonly protocol: number;
  /** Multicast groups by number: RTNLGRP_*, NFNLGRP_*. */
  readonly groups: readonly number[];
  /** Default: every message of the groups. */
  readonly filter?: readonly Step[];
  /** Receives the messages of one datagram, in order. */
  readonly messages: (messages: readonly Message[]) => void;
  /** Called when the kernel had no room for some messages, or receiving failed. */
  readonly lost: () => void;
}

/** Bytes that may wait for reading; the kernel counts about 500 more for each datagram. */
const RECEIVE_BYTES = 4 * 1024 * 1024;

/**
 * Reports the messages of multicast groups, in the thread's current network namespace, until disposed. The event loop
 * polls the socket, so it needs neither a thread nor a timer. Does not keep the process alive. Throws NetError `kernel`
 * with the errno, EPERM if it is not permitted.
 */
export function listenTo({ protocol, groups, filter, messages, lost }: Listening): Disposable {
  const netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  try {
    if (filter !== undefined) attachFilter(netlink, filter);
    setsockopt(netlink, SOL_SOCKET, SO_RCVBUFFORCE, integer(RECEIVE_BYTES));
    // Connected to the kernel (struct sockaddr_nl with port 0): receives no other sender's messages.
    connect(netlink, Uint8Array.from([AF_NETLINK, ...new Uint8Array(11)]));
    for (const group of groups) setsockopt(netlink, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, integer(group));
  } catch (error) {
    closeSync(netlink);
    throw error;
  }
  return pollSocket(netlink, (bytes) => messages(decodeMessages(bytes)), lost);
}

function integer(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}
