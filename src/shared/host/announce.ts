import { close, closeSync, write, writeSync } from 'node:fs';
import { NetError } from '../errors/net-error.ts';
import { type Announcement, openAnnouncement } from '../netlink/announcement.ts';
import { isRunning } from '../netlink/link.ts';
import type { LinuxNamespace } from './linux-namespace.ts';

/** Of the process that runs Ops. */
export interface RunOptions {
  /**
   * Gets what resolves once addresses are announced, in a process that does other work meanwhile. Absent: they are
   * announced before the run ends.
   */
  readonly announcing?: (sent: Promise<void>) => void;
  /** How to wait for the kernel, where it does not. */
  readonly pause?: (ms: number) => void;
}

/** A link that has just been set up, and the addresses to announce to its neighbours. */
export interface Announced {
  readonly dev: string;
  readonly index: number;
  readonly mac: string;
  readonly addresses: readonly string[];
}

/**
 * How long to wait for the kernel's own work queue, and the steps, in milliseconds. Until it has run, the bridge drops
 * what the port sends (linkwatch_event in net/core/link_watch.c).
 */
const [RUNNING_MS, STEP_MS] = [100, 1];
/** The same where the thread does other work meanwhile. On a busy machine the queue may take some hundred milliseconds. */
const RUNNING_LATER_MS = 1_000;

export interface AnnounceOptions {
  /**
   * Sets the link's MAC to the one that it has: the kernel then announces its IPv4 addresses, and no socket has to be
   * closed, which waits for RCU.
   */
  readonly setMac: () => void;
  /** How to wait for the kernel. Default: not at all. */
  readonly pause?: (ms: number) => void;
}

/**
 * Announces the addresses before it returns. Neighbours resolve what could not be sent (no CAP_NET_RAW) themselves.
 */
export function announceNow(
  ns: LinuxNamespace,
  announced: Announced,
  { setMac, pause = () => {} }: AnnounceOptions,
): void {
  const { dev, addresses } = announced;
  for (let waited = 0; waited < RUNNING_MS && !isRunning(ns.route.fd, dev); waited += STEP_MS) pause(STEP_MS);
  if (!addresses.every(isV6)) setMac();
  for (const { fd, message } of open(ns, { ...announced, addresses: addresses.filter(isV6) })) {
    try {
      writeSync(fd, message);
    } catch {
      // See above.
    } finally {
      closeSync(fd);
    }
  }
}

/**
 * Announces the addresses on a thread of libuv's pool, since a bridge copies the frame to each of its ports before the
 * sender returns: 3 ms with a thousand ports. Resolves once all are sent.
 */
export function announceLater(ns: LinuxNamespace, announced: Announced): Promise<void> {
  return send(open(ns, announced), announced.dev);
}

/** The caller may close the namespace meanwhile; the sockets are ours. */
async function send(opened: readonly Announcement[], dev: string): Promise<void> {
  const [first] = opened;
  if (first === undefined) return;
  for (let waited = 0; waited < RUNNING_LATER_MS && !isRunning(first.fd, dev); waited += STEP_MS) await sleep(STEP_MS);
  for (const { fd, message } of opened) {
    await new Promise<void>((done) => write(fd, message, 0, message.length, null, () => done()));
    // Closing waits for RCU, some ten milliseconds. It runs on the pool, and the call does not wait for it.
    close(fd, () => {});
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

function open(ns: LinuxNamespace, { index, mac, addresses }: Announced): Announcement[] {
  if (addresses.length === 0) return [];
  return ns.within(() =>
    addresses.flatMap((address) => {
      try {
        return [openAnnouncement(index, mac, address)];
      } catch (error) {
        // Also if another process has deleted the link, or the address is still being checked for duplicates.
        if (error instanceof NetError) return [];
        throw error;
      }
    }),
  );
}

function isV6(address: string): boolean {
  return address.includes(':');
}
