import dgram from 'node:dgram';
import { closeSync } from 'node:fs';
import { AF_INET, SOCK_CLOEXEC, SOCK_DGRAM } from './constants.ts';
import { loadLibrary, socket, systemErrorOfCall } from './sys.ts';

/** A socket that the event loop reads, until disposed. */
export interface PolledSocket extends Disposable {
  readonly fd: number;
}

let libc: { readonly dup3: (from: number, to: number, flags: number) => number } | undefined;

/**
 * Has the event loop read the datagrams of `given`, a socket with O_NONBLOCK, and closes that descriptor: the returned
 * one has taken its place. Needs neither a thread nor a timer, and does not keep the process alive. Throws NetError
 * `kernel`.
 *
 * Node has no handle for such a socket, but libuv reads a UDP socket with plain recvmsg(2) on whatever its descriptor
 * refers to. So a UDP socket is handed to Node, and its descriptor replaced by dup3(2) before the loop has seen it:
 * libuv adds descriptors to epoll when it next waits. O_NONBLOCK is the socket's own, so it is set when that is made.
 */
export function pollSocket(given: number, received: (bytes: Buffer) => void, failed: () => void): PolledSocket {
  try {
    return onEventLoop(given, received, failed);
  } finally {
    closeSync(given);
  }
}

function onEventLoop(given: number, received: (bytes: Buffer) => void, failed: () => void): PolledSocket {
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const reader = dgram.createSocket('udp4');
  try {
    reader.bind({ fd });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  libc ??= loadLibrary(null, { dup3: { return: 'i32', arguments: ['i32', 'i32', 'i32'] } });
  if (libc.dup3(given, fd, SOCK_CLOEXEC) < 0) {
    const error = systemErrorOfCall('dup3');
    reader.close();
    throw error;
  }
  reader.on('message', received);
  reader.on('error', failed);
  reader.unref();
  return { fd, [Symbol.dispose]: () => reader.close() };
}
