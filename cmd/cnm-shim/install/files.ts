import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fault } from '../../../src/shared/errors/fault.ts';
import { hasCode, type NetError } from '../../../src/shared/errors/net-error.ts';
import type { Item } from './items.ts';

/** What is at a path. */
export interface Found {
  readonly kind: 'absent' | 'file' | 'link' | 'directory' | 'other';
  /** Of a file or link; two are the same if their sums are. */
  readonly sum?: string;
}

const CHUNK = 1 << 20;

/** Looks at the path itself, not at what a link leads to. Throws NetError `io`. */
export function lookAt(path: string): Found {
  return attempt(path, 'it cannot be read', () => {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) return { kind: 'absent' };
    if (found.isSymbolicLink()) return { kind: 'link', sum: linkSum(readlinkSync(path)) };
    if (found.isFile()) return { kind: 'file', sum: fileSum(path, found.mode & 0o7777) };
    return { kind: found.isDirectory() ? 'directory' : 'other' };
  });
}

/** Identifies what the item puts at its path: content and mode, or target. */
export function sumOf(item: Item): string {
  if (item.kind === 'link') return linkSum(item.to);
  const { content, mode } = item;
  if (typeof content !== 'string') return sumText(createHash('sha256').update(content).digest('hex'), mode);
  return attempt(content, 'it cannot be read', () => fileSum(content, mode));
}

/** The path beside `path` where its next content waits. No runtime takes a file of this name for a configuration. */
export function stagedPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.isthmus-new`);
}

/** The item waits beside its path, on disk. Its directory exists. Throws NetError `io`, and then nothing waits. */
export function stage(root: string, item: Item): void {
  const path = join(root, item.path);
  const made = stagedPath(path);
  attempt(path, 'it cannot be written', () => {
    rmSync(made, { force: true });
    try {
      if (item.kind === 'link') return symlinkSync(item.to, made);
      if (typeof item.content === 'string') copyFileSync(item.content, made);
      else writeFileSync(made, item.content);
      chmodSync(made, item.mode);
      toDisk(made);
    } catch (error) {
      rmSync(made, { force: true });
      throw error;
    }
  });
}

/** What waits beside the path has replaced it, in one step. */
export function commit(path: string): void {
  attempt(path, 'it cannot be replaced', () => renameSync(stagedPath(path), path));
}

/** A copy of the file or link is at `to`, made at once; the original stays. Costs no space on one file system. */
export function copyTo(from: string, to: string): void {
  attempt(to, 'it cannot be written', () => {
    mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
    const made = stagedPath(to);
    rmSync(made, { force: true });
    const found = lstatSync(from);
    if (found.isSymbolicLink()) symlinkSync(readlinkSync(from), made);
    else copyFile(from, made, found.mode & 0o7777);
    renameSync(made, to);
    // A rename between two links of one file does nothing.
    rmSync(made, { force: true });
  });
}

/** The file has this content, or still its former one. */
export function writeFile(path: string, content: string, mode: number): void {
  stage('/', { part: 'program', kind: 'file', path, mode, content: Buffer.from(content) });
  commit(path);
}

/** Runs `work`; throws NetError `io` with the kernel's reason and what to do about it. */
export function attempt<T>(path: string, what: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw failure(path, what, thrown);
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'Run it as root',
  EPERM: 'Run it as root; if the file is immutable, run: chattr -i',
  EROFS: 'Its file system is mounted read-only: mount it writable, or install the package in the image of this system',
  ENOSPC: 'Make room, and run it again: 130 MB are enough',
  EDQUOT: 'Make room, and run it again: 130 MB are enough',
  ENOTDIR: 'One of its directories is a file: move it away',
};

function failure(path: string, what: string, cause: unknown): NetError {
  const [code, remedy] = Object.entries(REMEDIES).find(([name]) => hasCode(cause, [name])) ?? [];
  const reason = code ?? (cause instanceof Error ? cause.message : String(cause));
  return fault.io('install', `file ${path}`, what, remedy ?? 'Run it again', { reason, cause });
}

function copyFile(from: string, made: string, mode: number): void {
  try {
    linkSync(from, made);
  } catch {
    copyFileSync(from, made);
    chmodSync(made, mode);
    toDisk(made);
  }
}

function toDisk(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function fileSum(path: string, mode: number): string {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK);
  const fd = openSync(path, 'r');
  try {
    for (let length = readSync(fd, chunk); length > 0; length = readSync(fd, chunk))
      hash.update(chunk.subarray(0, length));
  } finally {
    closeSync(fd);
  }
  return sumText(hash.digest('hex'), mode);
}

function sumText(digest: string, mode: number): string {
  return `sha256:${digest} ${mode.toString(8)}`;
}

function linkSum(target: string): string {
  return `link:${target}`;
}
