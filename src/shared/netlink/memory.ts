import { readFileSync } from 'node:fs';
import { NetError } from '../errors/net-error.ts';
import { loadLibrary } from './sys.ts';

const MADV_DONTNEED = 4;

/** A mapping that may be read or run, not written, of a file: `from-to r-xp offset device inode file`. */
const READ_ONLY = /^([0-9a-f]+)-([0-9a-f]+) r-[-x]p \S+ \S+ [1-9]\d*\s+(.*)$/;

/** Returns free pages of the C library's heap to the kernel. Musl has no such function, and does not need it. */
export function trimHeap(): void {
  try {
    loadLibrary(null, { malloc_trim: { return: 'i32', arguments: ['u64'] } }).malloc_trim(0n);
  } catch (error) {
    if (!(error instanceof NetError && error.kind === 'unsupported')) throw error;
  }
}

/**
 * Pages of the executable are no longer this process's own: most of them were needed by the start alone. What is still
 * needed comes back from the page cache, 64 KiB at a time, without reading from disk. Mappings in which the loader has
 * written (relocations) stay, for those pages would come back as the file has them.
 * Source: madvise(2), proc_pid_smaps(5).
 */
export function releaseExecutable(): void {
  const { madvise } = loadLibrary(null, { madvise: { return: 'i32', arguments: ['u64', 'u64', 'i32'] } });
  let mapping: { readonly start: bigint; readonly end: bigint } | undefined;
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    const [, from = '', to = '', file] = READ_ONLY.exec(line) ?? [];
    if (file === process.execPath) mapping = { start: BigInt(`0x${from}`), end: BigInt(`0x${to}`) };
    else if (/^[0-9a-f]+-/.test(line)) mapping = undefined;
    else if (mapping !== undefined && /^Anonymous:\s+0 kB$/.test(line))
      madvise(mapping.start, mapping.end - mapping.start, MADV_DONTNEED);
  }
}
