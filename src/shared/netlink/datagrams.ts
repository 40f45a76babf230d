import { EAGAIN, EINTR, ENOBUFS, MSG_DONTWAIT, MSG_TRUNC } from './constants.ts';
import { socketError } from './message.ts';
import { addressOf, errnoOfCall, loadLibrary, systemError } from './sys.ts';

/** Datagrams of one call; an ADD's longest batch has fewer. */
export const MAX_DATAGRAMS = 16;
/** The kernel fills a dump's datagram up to 32 KiB if the reader has offered a buffer of that size. */
const BUFFER_BYTES = 64 * 1024;
/** struct mmsghdr: a struct msghdr of 56 bytes, and the length of the datagram (recvmmsg(2), 64-bit). */
const [MMSGHDR, IOV, IOV_LENGTH, LENGTH] = [64, 16, 24, 56];
/** struct iovec: address and length. */
const IOVEC = 16;

interface Memory {
  readonly buffers: Buffer;
  readonly headers: DataView<ArrayBuffer>;
  readonly address: bigint;
  /** Its addresses are in the headers. */
  readonly vectors: DataView<ArrayBuffer>;
}

/** Shared by all sockets: the content is copied before the next call. Pages that nothing was received in cost nothing. */
let memory: Memory | undefined;
let libc:
  | { readonly recvmmsg: (fd: number, to: bigint, count: number, flags: number, time: bigint) => number }
  | undefined;

/**
 * Returns the datagrams that wait at the socket, `MAX_DATAGRAMS` at most, in order; never waits. One call instead of one
 * for each: the kernel acknowledges each request of a batch by a datagram of its own. Throws NetError `kernel`.
 */
export function receiveAll(fd: number): Uint8Array[] {
  memory ??= prepare();
  // Addresses as numbers: a pointer costs the call more than the call itself.
  const args = ['i32', 'u64', 'u32', 'i32', 'u64'] as const;
  libc ??= loadLibrary(null, { recvmmsg: { return: 'i32', arguments: args } });
  const { buffers, headers, address } = memory;
  for (;;) {
    const count = libc.recvmmsg(fd, address, MAX_DATAGRAMS, MSG_DONTWAIT | MSG_TRUNC, 0n);
    if (count >= 0) return Array.from({ length: count }, (_, i) => copyOf(buffers, i, headers));
    const error = errnoOfCall();
    if (error === EAGAIN) return [];
    if (error !== EINTR) throw systemError('recvmmsg', error);
  }
}

function copyOf(buffers: Buffer, i: number, headers: DataView<ArrayBuffer>): Uint8Array {
  const length = headers.getUint32(i * MMSGHDR + LENGTH, true);
  if (length > BUFFER_BYTES) throw socketError(ENOBUFS, `a datagram of ${length} bytes does not fit`);
  return Uint8Array.prototype.slice.call(buffers, i * BUFFER_BYTES, i * BUFFER_BYTES + length);
}

function prepare(): Memory {
  const buffers = Buffer.allocUnsafeSlow(MAX_DATAGRAMS * BUFFER_BYTES);
  const headers = new DataView(new ArrayBuffer(MAX_DATAGRAMS * MMSGHDR));
  const vectors = new DataView(new ArrayBuffer(MAX_DATAGRAMS * IOVEC));
  const [bufferAt, vectorAt] = [buffers, new Uint8Array(vectors.buffer)].map((bytes) =>
    addressOf(bytes as Uint8Array<ArrayBuffer>),
  ) as [bigint, bigint];
  for (let i = 0; i < MAX_DATAGRAMS; i++) {
    vectors.setBigUint64(i * IOVEC, bufferAt + BigInt(i * BUFFER_BYTES), true);
    vectors.setBigUint64(i * IOVEC + 8, BigInt(BUFFER_BYTES), true);
    headers.setBigUint64(i * MMSGHDR + IOV, vectorAt + BigInt(i * IOVEC), true);
    headers.setBigUint64(i * MMSGHDR + IOV_LENGTH, 1n, true);
  }
  return { buffers, headers, vectors, address: addressOf(new Uint8Array(headers.buffer)) };
}
