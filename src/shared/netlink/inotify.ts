import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { SOCK_CLOEXEC } from './constants.ts';
import { loadLibrary, systemErrorOfCall } from './sys.ts';

/** linux/inotify.h; IN_CLOEXEC and IN_NONBLOCK are O_CLOEXEC and O_NONBLOCK. */
const IN_CLOSE_WRITE = 0x8;
const IN_FLAGS = 0o2000000 | 0o4000;
/** struct inotify_event: its last field is the length of the name that follows. */
const EVENT_BYTES = 16;
const LENGTH = 12;

let libc:
  | {
      readonly inotify_init1: (flags: number) => number;
      readonly inotify_add_watch: (fd: number, path: Uint8Array, mask: number) => number;
      readonly pipe2: (pair: Int32Array, flags: number) => number;
      readonly dup3: (from: number, to: number, flags: number) => number;
    }
  | undefined;

/**
 * Calls `closed` with the name of each file in the directory that a process has closed which could write to it, until
 * disposed. A process that keeps its descriptor open is not noticed. The event loop polls, so it needs neither a thread
 * nor a timer. Does not keep the process alive. Throws NetError `kernel`. Source: inotify(7).
 */
export function watchClosed(directory: string, closed: (names: readonly string[]) => void): Disposable {
  libc ??= loadLibrary(null, {
    inotify_init1: { return: 'i32', arguments: ['i32'] },
    inotify_add_watch: { return: 'i32', arguments: ['i32', 'pointer', 'u32'] },
    pipe2: { return: 'i32', arguments: ['pointer', 'i32'] },
    dup3: { return: 'i32', arguments: ['i32', 'i32', 'i32'] },
  });
  const inotify = libc.inotify_init1(IN_FLAGS);
  if (inotify < 0) throw systemErrorOfCall('inotify_init1');
  try {
    if (libc.inotify_add_watch(inotify, Buffer.from(`${directory}\0`), IN_CLOSE_WRITE) < 0)
      throw systemErrorOfCall('inotify_add_watch');
    return onEventLoop(inotify, libc, closed);
  } finally {
    closeSync(inotify);
  }
}

/**
 * Node has no handle for it, but libuv reads a pipe with plain read(2) on whatever its descriptor refers to: see
 * `listener.ts`.
 */
function onEventLoop(
  inotify: number,
  { pipe2, dup3 }: NonNullable<typeof libc>,
  closed: (names: readonly string[]) => void,
): Disposable {
  const pair = new Int32Array(2);
  if (pipe2(pair, SOCK_CLOEXEC) < 0) throw systemErrorOfCall('pipe2');
  const [fd = -1, other = -1] = pair;
  closeSync(other);
  const reader = new Socket({ fd, readable: true, writable: false });
  if (dup3(inotify, fd, SOCK_CLOEXEC) < 0) {
    const error = systemErrorOfCall('dup3');
    reader.destroy();
    throw error;
  }
  reader.on('data', (bytes: Buffer) => closed(namesOf(bytes)));
  reader.on('error', () => reader.destroy());
  reader.unref();
  return { [Symbol.dispose]: () => reader.destroy() };
}

function namesOf(bytes: Buffer): string[] {
  const names: string[] = [];
  for (let at = 0; at + EVENT_BYTES <= bytes.length; ) {
    const length = bytes.readUInt32LE(at + LENGTH);
    const name = bytes.toString('utf8', at + EVENT_BYTES, at + EVENT_BYTES + length);
    names.push(name.replace(/\0.*$/s, ''));
    at += EVENT_BYTES + length;
  }
  return names;
}
