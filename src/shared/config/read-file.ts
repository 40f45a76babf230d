import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { LIMITS } from './limits.ts';

export interface ReadOptions {
  /** True: also reads what is no file, as the shell makes one of a command. Default: false. */
  readonly streams?: boolean;
}

/**
 * Returns the text of a configuration. Throws an Error that says why it is refused: a FIFO or a device, for which one
 * would wait without end, or more than `LIMITS.stdin` bytes. Throws node's own errors too.
 */
export function readConfiguration(path: string, { streams = false }: ReadOptions = {}): string {
  // A FIFO without a writer blocks already here.
  const fd = openSync(path, streams ? constants.O_RDONLY : constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = fstatSync(fd);
    if (!streams && !found.isFile() && !found.isDirectory()) throw new Error('it is neither a file nor a directory');
    return textOf(fd, Math.min(found.isFile() ? found.size + 1 : CHUNK, LIMITS.stdin + 1));
  } finally {
    closeSync(fd);
  }
}

const CHUNK = 64 << 10;

function textOf(fd: number, size: number): string {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const piece = Buffer.allocUnsafe(size);
    const length = readSync(fd, piece);
    if (length === 0) return Buffer.concat(pieces).toString();
    bytes += length;
    if (bytes > LIMITS.stdin) throw new Error(`it has more than ${LIMITS.stdin} bytes`);
    pieces.push(piece.subarray(0, length));
  }
}
