import { close, write } from 'node:fs';
import { NetError } from '../errors/net-error.ts';
import { encodeAnnouncement, openFrameSocket } from '../netlink/arp.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

/** A link of a namespace that has just come up, and the IPv4 addresses that its neighbours are to know it by. */
export interface Announced {
  readonly index: number;
  readonly mac: string;
  readonly addresses: readonly string[];
}

/**
 * The neighbours hear of the addresses, by a thread of libuv's pool and while the caller goes on: a bridge copies the
 * frame to each of its ports before the sender returns, 3 ms with a thousand of them. Where it cannot be sent (without
 * CAP_NET_RAW, or the link is gone), they learn by asking.
 */
export function announceLater(ns: LinuxNamespace, { index, mac, addresses }: Announced): void {
  let fd: number;
  try {
    fd = ns.within(() => openFrameSocket(index));
  } catch (error) {
    if (error instanceof NetError) return;
    throw error;
  }
  const [...frames] = addresses.map((address) => encodeAnnouncement(mac, address));
  const next = (): void => {
    const frame = frames.shift();
    // Closing waits for RCU, so a thread of the pool does that, too.
    if (frame === undefined) close(fd, () => {});
    else write(fd, frame, 0, frame.length, null, next);
  };
  next();
}
