import { close, write } from 'node:fs';
import { NetError } from '../errors/net-error.ts';
import { encodeAnnouncement, openFrameSocket } from '../netlink/arp.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

/** A link that has just come up, and the IPv4 addresses to announce to its neighbours. */
export interface Announced {
  readonly index: number;
  readonly mac: string;
  readonly addresses: readonly string[];
}

/**
 * Announces the addresses to the neighbours on a thread of libuv's pool, while the caller continues: a bridge copies
 * the frame to each of its ports before the sender returns, 3 ms with a thousand ports. If sending fails (no
 * CAP_NET_RAW, or the link is gone), neighbours resolve the address themselves.
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
    // Closing waits for RCU, so it also runs on the pool.
    if (frame === undefined) close(fd, () => {});
    else write(fd, frame, 0, frame.length, null, next);
  };
  next();
}
