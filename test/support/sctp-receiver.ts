/** The thread of raw-sctp.ts: says `ready`, then waits for packets of one raw socket and hands over each. */
import { parentPort, workerData } from 'node:worker_threads';
import { addrFromBytes, type Family, formatAddr } from '../../src/shared/model/addr.ts';
import { loadLibrary } from '../../src/shared/netlink/sys.ts';

export interface Received {
  readonly bytes: Uint8Array;
  readonly peer: string;
}

/** Length of the sender's structure, and where its address is in it. */
const SOURCES = { 4: { size: 16, from: 4, to: 8 }, 6: { size: 28, from: 8, to: 24 } } as const;

const { family, fd }: { readonly family: Family; readonly fd: number } = workerData;
const { size, from, to } = SOURCES[family];
const libc = loadLibrary(null, {
  recvfrom: { return: 'i64', arguments: ['i32', 'pointer', 'u64', 'i32', 'pointer', 'pointer'] },
});
const buffer = Buffer.alloc(2048);
const source = Buffer.alloc(size);
parentPort?.postMessage('ready');
for (;;) {
  // Negative after the socket's timeout.
  const length = Number(libc.recvfrom(fd, buffer, BigInt(buffer.length), 0, source, new Uint32Array([size])));
  const peer = length < 0 ? undefined : addrFromBytes(source.subarray(from, to));
  if (peer === undefined) continue;
  const received: Received = { bytes: new Uint8Array(buffer.subarray(0, length)), peer: formatAddr(peer) };
  parentPort?.postMessage(received);
}
