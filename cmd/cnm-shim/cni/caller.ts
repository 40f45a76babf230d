import { closeSync, openSync, readlinkSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { asNetError } from '../../../src/shared/errors/net-error.ts';
import { assertUnreaped, peerOf, peerPidfd, pidfdGetfd } from '../../../src/shared/netlink/unix.ts';

/** Bits of CapEff, linux/capability.h. A caller without them could not attach anything by itself. */
const CAPABILITIES = { CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n } as const;

/** What the kernel says of a calling process. */
export interface CallerFacts {
  /** True if its paths lead to the same files as the daemon's: same mount namespace, same root. */
  readonly sameFiles: boolean;
  /** Why the daemon must not act for it; undefined if it may. */
  readonly refusal?: string;
  /** True if the runtime that started it binds the published ports itself after the call. */
  readonly bindsPorts?: true;
}

/** The process that connected. Nothing in it comes from what that process sent. */
export interface Caller extends Disposable {
  /** Looks at the process in /proc. Throws NetError `kernel` if it has ended. */
  facts(): CallerFacts;
  /** Duplicates its descriptor. Throws NetError `kernel`, with EBADF if it has closed the descriptor. */
  take(fd: number): number;
}

/** Undefined unless root, or the daemon's own user, connected. */
export function callerAt(connection: number): Caller | undefined {
  const { pid, uid } = peerOf(connection);
  if (uid !== 0 && uid !== process.getuid?.()) return undefined;
  const pidfd = peerPidfd(connection);
  return {
    facts: () => {
      const facts = look(pid);
      // The pid stayed the caller's until here: everything above was its own.
      assertUnreaped(pidfd);
      return facts;
    },
    take: (fd) => pidfdGetfd(pidfd, fd),
    [Symbol.dispose]: () => closeSync(pidfd),
  };
}

/** This process, by the same files. */
const own = placeOf('/proc/self');

function look(pid: number): CallerFacts {
  const proc = `/proc/${pid}`;
  try {
    const place = placeOf(proc);
    const sameFiles = place.mnt === own.mnt && place.root === own.root;
    const status = readOnce(`${proc}/status`);
    const refusal = refusalOf(place, status);
    if (refusal !== undefined) return { sameFiles, refusal };
    return isStartedByBinder(status) ? { sameFiles, bindsPorts: true } : { sameFiles };
  } catch (thrown) {
    // No pid here (the caller is in another pid namespace), or no permission to trace it.
    return { sameFiles: false, refusal: `the caller cannot be looked at: ${asNetError(thrown, 'call').message}` };
  }
}

/** Enough for a `status` of any process: it has a line of masks for the processors and one for the memory nodes. */
const pages = Buffer.alloc(64 * 1024);

/** The kernel gives a file of /proc whole if the buffer is large enough: no second read, and no size is asked for. */
function readOnce(path: string): string {
  const fd = openSync(path, 'r');
  try {
    return pages.toString('latin1', 0, readSync(fd, pages, 0, pages.length, null));
  } finally {
    closeSync(fd);
  }
}

/** Namespaces as namespaces(7) names them in /proc, `net:[4026531840]`, and a file. */
interface Place {
  readonly mnt: string;
  readonly net: string;
  readonly user: string;
  readonly root: string;
}

function placeOf(proc: string): Place {
  const [mnt, net, user] = ['mnt', 'net', 'user'].map((name) => readlinkSync(`${proc}/ns/${name}`));
  return { mnt, net, user, root: identity(`${proc}/root`) } as Place;
}

function refusalOf(place: Place, status: string): string | undefined {
  if (place.net !== own.net) return 'the caller is in another network namespace';
  // Root of a user namespace of its own has every capability there, and none here.
  if (place.user !== own.user) return 'the caller is in another user namespace';
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const missing = Object.entries(CAPABILITIES).find(([, bit]) => ((effective >> bit) & 1n) === 0n);
  return missing === undefined ? undefined : `the caller lacks ${missing[0]}`;
}

/** podman binds the ports for conmon, and CRI-O binds those of its own hostport manager. */
const BINDERS: ReadonlySet<string> = new Set(['podman', 'netavark', 'crio']);

function isStartedByBinder(status: string): boolean {
  const [, parent] = /^PPid:\s*(\d+)$/m.exec(status) ?? [];
  try {
    return BINDERS.has(basename(readlinkSync(`/proc/${parent}/exe`)).replace(/ \(deleted\)$/, ''));
  } catch {
    // It has ended, or is in another pid namespace.
    return false;
  }
}

/** Tells one file from every other that exists at the same time. */
function identity(path: string): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}
