import { closeSync, openSync, readSync } from 'node:fs';
import { isExhaustion } from '../errors/net-error.ts';

/** More open files than this are closed, the oldest first. */
const MAX_FILES = 64;
const MAX_BYTES = 4096;

/**
 * Files of /proc, kept open: reading one from its start again is one system call, and the kernel makes the content anew.
 * A file whose object is gone (a deleted or renamed device) fails to be read, and is opened by its path again.
 */
export class KeptFiles implements Disposable {
  readonly #opened = new Map<string, number>();
  readonly #bytes = Buffer.alloc(MAX_BYTES);

  /** The content up to 4 KiB; undefined where it does not exist or cannot be read. Throws where descriptors run out. */
  read(path: string): string | undefined {
    const kept = this.#opened.get(path);
    if (kept !== undefined) {
      const text = this.#attempt(kept);
      if (text !== undefined) return text;
      this.#opened.delete(path);
      closeSync(kept);
    }
    const fd = openOrNot(path);
    if (fd === undefined) return undefined;
    this.#keep(path, fd);
    return this.#attempt(fd);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#opened.values()) closeSync(fd);
    this.#opened.clear();
  }

  #attempt(fd: number): string | undefined {
    try {
      return this.#bytes.toString('latin1', 0, readSync(fd, this.#bytes, 0, MAX_BYTES, 0));
    } catch {
      return undefined;
    }
  }

  #keep(path: string, fd: number): void {
    for (const [oldest, other] of this.#opened) {
      if (this.#opened.size < MAX_FILES) break;
      this.#opened.delete(oldest);
      closeSync(other);
    }
    this.#opened.set(path, fd);
  }
}

function openOrNot(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (isExhaustion(error)) throw error;
    return undefined;
  }
}
