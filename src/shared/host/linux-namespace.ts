import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import { fault } from '../errors/fault.ts';
import { hasCode, isExhaustion, NetError } from '../errors/net-error.ts';
import { type SandboxId, sandboxId } from '../model/attachment.ts';
import { given } from '../model/given.ts';
import { NETLINK_ROUTE, NETLINK_XFRM } from '../netlink/constants.ts';
import { isNetns, netnsCookie, withinNetns } from '../netlink/netns.ts';
import { NetlinkSocket } from '../netlink/socket.ts';
import type { Namespace } from './host.ts';
import { readBootId } from './identity.ts';
import { KeptFiles } from './kept-files.ts';

/** The calling thread's; /proc/self is the main thread's. */
const OWN_PATH = '/proc/thread-self/ns/net';

/** A network namespace held open by a descriptor. Opens its sockets on first use. */
export class LinuxNamespace implements Namespace {
  readonly path: string;
  readonly fd: number;
  readonly #home: LinuxNamespace | undefined;
  readonly #isBorrowed: boolean;
  #id: SandboxId | undefined;
  #route: NetlinkSocket | undefined;
  #xfrm: NetlinkSocket | undefined;
  #files: KeptFiles | undefined;
  #open = true;

  /**
   * `home` is the calling thread's own namespace; absent if this is that namespace. `isBorrowed`: the descriptor is the
   * caller's, who closes it later.
   */
  constructor(path: string, fd: number, home?: LinuxNamespace, isBorrowed = false) {
    this.path = path;
    this.fd = fd;
    this.#home = home;
    this.#isBorrowed = isBorrowed;
  }

  get id(): SandboxId {
    this.#id ??= sandboxId(readBootId(), netnsCookie(this.route.fd));
    return this.#id;
  }

  /** The rtnetlink socket of this namespace. */
  get route(): NetlinkSocket {
    this.#route ??= this.within(() => new NetlinkSocket(NETLINK_ROUTE));
    return this.#route;
  }

  /** The socket for IPsec. Throws NetError `kernel` EPROTONOSUPPORT on a kernel without it. */
  get xfrm(): NetlinkSocket {
    this.#xfrm ??= this.within(() => new NetlinkSocket(NETLINK_XFRM));
    return this.#xfrm;
  }

  /** Runs `work`, which must be synchronous, on this thread inside the namespace, and returns its result. */
  within<T>(work: () => T): T {
    if (!this.#open) {
      const what = 'it was used after it had been closed';
      throw fault.internal('namespace', this.path, what);
    }
    return this.#home === undefined ? work() : withinNetns(this.fd, this.#home.fd, work);
  }

  /** Content of a file of /proc, as a thread in this namespace reads it; undefined if the file does not exist. */
  readProc(path: string): string | undefined {
    if (this.#home !== undefined) return this.within(() => readOrNot(path));
    this.#files ??= new KeptFiles();
    return this.#files.read(path);
  }

  /** The caller's own namespace stays open until its host is closed. */
  [Symbol.dispose](): void {
    if (this.#home !== undefined) this.close();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#route?.[Symbol.dispose]();
    this.#xfrm?.[Symbol.dispose]();
    this.#files?.[Symbol.dispose]();
    if (!this.#isBorrowed) closeSync(this.fd);
  }
}

/** Throws where descriptors run out. */
function readOrNot(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (isExhaustion(error)) throw error;
    return undefined;
  }
}

/** Opens the calling thread's namespace. */
export function openOwnNamespace(): LinuxNamespace {
  return new LinuxNamespace('', openSync(OWN_PATH, constants.O_RDONLY));
}

/** Uses the descriptor of a network namespace at `path`, and leaves it open. Throws like `openNamespace`. */
export function borrowNamespace(path: string, fd: number, home: LinuxNamespace): LinuxNamespace {
  assertNetns(path, fd);
  return new LinuxNamespace(path, fd, home, true);
}

/** Opens the network namespace at `path`. Throws NetError `invalid-namespace` naming what is there instead. */
export function openNamespace(path: string, home: LinuxNamespace): LinuxNamespace {
  let fd: number;
  try {
    // O_NONBLOCK: opening a FIFO would wait for its writer. Node adds O_CLOEXEC.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw unopened(path, cause);
  }
  try {
    assertNetns(path, fd);
    return new LinuxNamespace(path, fd, home);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function assertNetns(path: string, fd: number): void {
  // Every nsfs file has the device number of our own namespace file; the ioctl is safe on such files only.
  if (fstatSync(fd).dev !== nsfsDevice()) {
    const hint = 'The namespace was unmounted, or the path is another file';
    throw invalid(path, 'it is not a namespace', hint);
  }
  if (!isNetns(fd)) throw invalid(path, 'it is a namespace of another kind, not of the network kind');
}

let nsfs: number | undefined;

/** Constant for all namespaces while the kernel runs. */
function nsfsDevice(): number {
  nsfs ??= statSync(OWN_PATH).dev;
  return nsfs;
}

function unopened(path: string, cause: unknown): NetError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return invalid(
      path,
      'there is no such file',
      'The sandbox is gone, or the path is misspelt: ip netns list shows what ip netns add made',
      cause,
    );
  if (code === 'EACCES' || code === 'EPERM') return invalid(path, 'opening it is not permitted', 'Run as root', cause);
  const what = `opening it failed: ${String(code ?? cause)}`;
  if (!hasCode(cause, SHORTAGES)) return invalid(path, what, undefined, cause);
  return fault.io('open', `namespace ${path}`, what, 'Try again', { cause });
}

/** These errors say nothing about the file at the path. */
const SHORTAGES = ['EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'EINTR', 'EAGAIN'];

function invalid(path: string, what: string, hint?: string, cause?: unknown): NetError {
  return new NetError({
    kind: 'invalid-namespace',
    op: 'open',
    subject: `namespace ${path}`,
    what,
    ...given({ hint, cause }),
  });
}
