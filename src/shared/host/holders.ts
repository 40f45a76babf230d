import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Holder } from './host.ts';

/**
 * Finds the process that has each socket open, by the socket's inode. Reads a process's descriptors once, regardless of
 * the number of sockets, and stops after finding the last socket; on a host with many processes it is still slow, so
 * call it for errors only. With a program, reads the descriptors of its processes only. A shared socket belongs to the
 * process with the lowest number.
 */
export function findHolders(inodes: readonly number[], program?: string): ReadonlyMap<number, Holder> {
  const found = new Map<number, Holder>();
  const wanted = new Map([...new Set(inodes)].map((inode) => [`socket:[${inode}]`, inode]));
  if (wanted.size === 0) return found;
  for (const pid of processes()) {
    if (program !== undefined && programOf(pid) !== program) continue;
    for (const file of openFiles(pid)) {
      const inode = wanted.get(file);
      if (inode === undefined) continue;
      found.set(inode, holderOf(pid));
      wanted.delete(file);
    }
    if (wanted.size === 0) break;
  }
  return found;
}

function processes(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(a) - Number(b));
}

function holderOf(pid: string): Holder {
  const name = readText(`/proc/${pid}/comm`).trim();
  return {
    process: `${name} (pid ${pid})`,
    program: programOf(pid) ?? name,
    words: readText(`/proc/${pid}/cmdline`).split('\0').slice(0, -1),
    isOwnUser: isOwnUser(pid),
  };
}

/** The name of the executable; the kernel appends ` (deleted)` if the file has been replaced since. */
function programOf(pid: string): string | undefined {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ''));
  } catch {
    return undefined;
  }
}

/** Empty if the process has ended or this process may not inspect it. */
function* openFiles(pid: string): Generator<string> {
  const dir = `/proc/${pid}/fd`;
  for (const fd of listed(dir)) {
    try {
      yield readlinkSync(`${dir}/${fd}`);
    } catch {
      // Closed meanwhile.
    }
  }
}

function listed(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isOwnUser(pid: string): boolean {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === process.geteuid?.();
}
