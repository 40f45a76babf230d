import {
  type BigIntStats,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fault } from '../errors/fault.ts';
import { hasCode, type NetError } from '../errors/net-error.ts';
import type { HostIdentity } from '../host/host.ts';
import { type Addr, formatAddr, parseAddr } from '../model/addr.ts';
import type { Attachment } from '../model/attachment.ts';
import type { Lease, LocalStore } from '../store/store.ts';
import { directoryKey } from './scope-notes.ts';

/** A container id and an interface name are far shorter. */
const LONGEST_FILE = 1024;
/** host-local creates a file, then fills it. A crash leaves one that stays empty for longer than this. */
const FILLING_MS = 10_000;
/** Kernels before 6.13 stamp changes by the timer tick; within one, a second change leaves the same time. */
const TICK_MS = 20;
/** Neither waits nor follows a link if the file was replaced since it was looked at. */
const { O_RDONLY, O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK, O_NOFOLLOW } = constants;
const READ = O_RDONLY | O_NONBLOCK | O_NOFOLLOW;
const WRITE = O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOFOLLOW;

type Booted = Pick<HostIdentity, 'bootId' | 'bootedAt'>;

/** A file of the directory whose name is an address. A file without an owner is void. */
interface Entry {
  readonly name: string;
  readonly address: Addr;
  readonly owner: Attachment | undefined;
  /** Empty, and perhaps about to be filled. */
  readonly unfinished: boolean;
}

/**
 * Imports the addresses that the reference's host-local recorded in the directory `scope` (`<dataDir>/<network>`): they
 * become leases with source `file`, and leases whose file is gone are released. Costs one stat if the directory has not
 * changed or does not exist. Each file `<address>` contains `<container id>\r
 * <interface>`; old ones only the container id. Ignores void files: empty or malformed ones (a crash, a full disk), and
 * ones older than the boot. Throws NetError `io` if the directory cannot be read.
 */
export function importDirectory(store: LocalStore, scope: string, booted: Booted): void {
  const stat = statOf(scope);
  const noted = store.notes.get(directoryKey(scope));
  if (stat === undefined && noted === undefined) return;
  const now = stat === undefined ? `absent ${booted.bootId}` : noteOf(stat, booted);
  if (now === noted) return;
  store.transaction(() => {
    const entries = stat === undefined ? [] : readEntries(scope, booted.bootedAt);
    reconcile(store, scope, entries);
    const settled = stat === undefined || Date.now() - Number(stat.mtimeMs) > TICK_MS;
    store.notes.put(directoryKey(scope), settled && !entries.some((entry) => entry.unfinished) ? now : 'changing');
  });
}

/** Deletes the file of an address. Other changes of the directory are still noticed later. */
export function removeFile(store: LocalStore, scope: string, address: Addr): void {
  unnoticed(store, scope, () => unlink(join(scope, formatAddr(address))));
}

/**
 * Writes the files that the reference's host-local would have for these leases, for programs that read them. Throws
 * NetError `conflict` if host-local has leased one of the addresses to another container meanwhile, or if something
 * else has the name of a file.
 */
export function writeFiles(store: LocalStore, scope: string, leases: readonly Lease[], { bootedAt }: Booted): void {
  onDisk(scope, () => mkdirSync(scope, { recursive: true, mode: 0o755 }));
  unnoticed(store, scope, () => {
    for (const lease of leases) writeFile(scope, lease, bootedAt);
  });
}

function writeFile(scope: string, lease: Lease, bootedAt: number): void {
  const name = formatAddr(lease.address);
  const path = join(scope, name);
  const { containerId, ifName } = lease.owner;
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false)
    throw fault.conflict('ipam', path, 'it is not a regular file', 'Move it away, then run ADD again');
  // Void files are what a crash or the former boot left.
  const owner = readEntry(scope, name, lease.address, bootedAt)?.owner;
  if (owner !== undefined && !sameOwner(lease, owner)) {
    const what = `host-local has given it to ${JSON.stringify(owner.containerId)} meanwhile`;
    throw fault.conflict('ipam', path, what, 'Run ADD again, or let one plugin give the addresses of this network');
  }
  onDisk(path, () => {
    const fd = openSync(path, WRITE, 0o600);
    try {
      writeFileSync(fd, `${containerId}\r\n${ifName}`);
    } finally {
      closeSync(fd);
    }
  });
}

/** True if the lease has a file of its owner. */
export function hasFile(scope: string, lease: Lease): boolean {
  // Scopes of Docker's pools are no directories.
  if (!scope.startsWith('/')) return false;
  const text = readIfThere(join(scope, formatAddr(lease.address)));
  const owner = text === undefined ? undefined : parseOwner(text, basename(scope));
  return owner !== undefined && sameOwner(lease, owner);
}

/** Changes the directory without a new import of all of it. */
function unnoticed(store: LocalStore, scope: string, change: () => void): void {
  const noted = store.notes.get(directoryKey(scope));
  const [time = '', bootId = ''] = (noted ?? '').split(' ');
  const before = statOf(scope);
  change();
  const after = statOf(scope);
  if (after !== undefined && before !== undefined && String(before.mtimeNs) === time)
    store.notes.put(directoryKey(scope), noteOf(after, { bootId }));
}

/** Deletes the void files of the directory and returns their names. Part of a garbage collection. */
export function removeVoidFiles(scope: string, booted: Booted): string[] {
  if (statOf(scope) === undefined) return [];
  const names = readEntries(scope, booted.bootedAt)
    .filter(({ owner, unfinished }) => owner === undefined && !unfinished)
    .map(({ name }) => name);
  for (const name of names) unlink(join(scope, name));
  return names;
}

function reconcile(store: LocalStore, scope: string, entries: readonly Entry[]): void {
  const wanted = new Map(entries.flatMap(({ name, address, owner }) => (owner ? [[name, { address, owner }]] : [])));
  for (const lease of store.leases.list(scope)) {
    const name = formatAddr(lease.address);
    const file = wanted.get(name);
    // A lease of our own stays, whatever a file contains.
    if (lease.source === 'store' || (file !== undefined && sameOwner(lease, file.owner))) wanted.delete(name);
    else store.leases.release(scope, lease.address);
  }
  for (const { address, owner } of wanted.values()) store.leases.take({ scope, address, owner, source: 'file' });
}

function readEntries(scope: string, bootedAt: number): Entry[] {
  return onDisk(scope, () =>
    readdirSync(scope).flatMap((name) => {
      const address = parseAddr(name);
      // Other files are `lock` and `last_reserved_ip.<n>`. File names of addresses have the form of Go's net.IP.
      if (address === undefined || formatAddr(address) !== name) return [];
      const entry = readEntry(scope, name, address, bootedAt);
      return entry === undefined ? [] : [entry];
    }),
  );
}

/** Undefined if the file was deleted since the directory was listed, or is not a regular file. */
function readEntry(scope: string, name: string, address: Addr, bootedAt: number): Entry | undefined {
  const path = join(scope, name);
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile()) return undefined;
  const unfinished = stat.size === 0n && Date.now() - Number(stat.mtimeMs) < FILLING_MS;
  const stale = Number(stat.mtimeMs) < bootedAt;
  if (stale || stat.size === 0n || stat.size > BigInt(LONGEST_FILE))
    return { name, address, owner: undefined, unfinished };
  const text = readIfThere(path);
  return text === undefined ? undefined : { name, address, owner: parseOwner(text, basename(scope)), unfinished };
}

/**
 * The first bytes of a file, one more than those of the longest valid one. Undefined if there is no regular file: one
 * would wait at a FIFO, and what a link leads to is not ours.
 */
function readIfThere(path: string): string | undefined {
  try {
    if (!lstatSync(path).isFile()) return undefined;
    const fd = openSync(path, READ);
    try {
      const bytes = Buffer.alloc(LONGEST_FILE + 1);
      return bytes.toString('latin1', 0, readSync(fd, bytes));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (hasCode(error, ['ENOENT', 'ENOTDIR'])) return undefined;
    throw ioError(path, error);
  }
}

function parseOwner(text: string, network: string): Attachment | undefined {
  const match = /^[ \t]*([a-zA-Z0-9][a-zA-Z0-9_.-]*)(?:\r?\n([^/:\s\0]{0,15}))?$/.exec(text.trimEnd());
  if (match === null || text.length > LONGEST_FILE) return undefined;
  return { camp: 'cni', network, containerId: match[1] ?? '', ifName: match[2] ?? '' };
}

function sameOwner({ owner }: Lease, other: Attachment): boolean {
  return owner.containerId === other.containerId && owner.ifName === other.ifName;
}

/** Includes the boot id: leases end with the boot, the note does not. */
function noteOf(stat: BigIntStats, { bootId }: Pick<Booted, 'bootId'>): string {
  return `${stat.mtimeNs} ${bootId}`;
}

/** Undefined for a name that no directory can have, too: DEL and GC accept what ADD refuses. */
function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    // A NUL character; a name longer than the filesystem's limit.
    if (hasCode(error, ['ERR_INVALID_ARG_VALUE', 'ENAMETOOLONG'])) return undefined;
    throw ioError(path, error);
  }
}

function unlink(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!hasCode(error, ['ENOENT'])) throw ioError(path, error);
  }
}

function onDisk<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw ioError(path, error);
  }
}

function ioError(path: string, cause: unknown): NetError {
  return fault.io(
    'ipam',
    path,
    'addresses recorded by host-local cannot be read or removed',
    'ipam.dataDir names the directory above',
    { reason: cause instanceof Error ? cause.message : String(cause), cause },
  );
}
