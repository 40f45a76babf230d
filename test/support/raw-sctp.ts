import { Worker } from 'node:worker_threads';
import { addrToBytes, type Family, parseAddr } from '../../src/shared/model/addr.ts';
import { loadLibrary, setsockopt, socket } from '../../src/shared/netlink/sys.ts';
import { decodeSctp, encodeSctp, type SctpPacket } from './sctp-packets.ts';
import type { Received } from './sctp-receiver.ts';

/** Domain, length of the address's structure, and where the address is in it. */
const KINDS = { 4: { domain: 2, size: 16, at: 4 }, 6: { domain: 10, size: 28, at: 8 } } as const;
const SOCK_RAW = 3;
const IPPROTO_SCTP = 132;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;

const libc = loadLibrary(null, {
  sendto: { return: 'i64', arguments: ['i32', 'pointer', 'u64', 'i32', 'pointer', 'u32'] },
});

/**
 * One end that speaks just enough SCTP to open an association, by raw sockets: for kernels that filter and translate
 * it without having it themselves. `hear` gets every packet with its sender's address.
 */
export class RawSctp {
  readonly #family: Family;
  readonly #fd: number;
  readonly #hear = new Set<(packet: SctpPacket, peer: string) => void>();
  readonly #ready = Promise.withResolvers<void>();

  constructor(family: Family) {
    this.#family = family;
    this.#fd = socket(KINDS[family].domain, SOCK_RAW, IPPROTO_SCTP);
    // The receiver wakes once a second, so that the process can end.
    setsockopt(this.#fd, SOL_SOCKET, SO_RCVTIMEO, new Uint8Array(new BigInt64Array([1n, 0n]).buffer));
    // Node cannot watch a raw socket. A thread that waits costs nothing; a look every 4 ms costs 4 % of a processor.
    const receiver = new Worker(new URL('./sctp-receiver.ts', import.meta.url), {
      workerData: { family, fd: this.#fd },
    });
    receiver.on('message', (received: Received | 'ready') => {
      if (received === 'ready') this.#ready.resolve();
      else this.#receive(received);
    });
    receiver.on('error', this.#ready.reject);
    receiver.unref();
  }

  /** Resolves once packets are heard as they come. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Calls back for each packet until the returned function is called. */
  listen(hear: (packet: SctpPacket, peer: string) => void): () => void {
    this.#hear.add(hear);
    return () => void this.#hear.delete(hear);
  }

  send(packet: SctpPacket, address: string): void {
    const bytes = encodeSctp(packet);
    const target = encodeAddress(this.#family, address);
    const sent = libc.sendto(this.#fd, bytes, BigInt(bytes.length), 0, target, target.length);
    if (Number(sent) < 0) throw new Error(`SCTP to ${address} could not be sent`);
  }

  #receive({ bytes, peer }: Received): void {
    // IPv4 comes with its header, IPv6 without.
    const start = this.#family === 4 ? ((bytes[0] ?? 0) & 15) * 4 : 0;
    const packet = decodeSctp(Buffer.from(bytes.subarray(start)));
    if (packet === undefined) return;
    for (const hear of this.#hear) hear(packet, peer);
  }
}

function encodeAddress(family: Family, text: string): Buffer {
  const { domain, size, at } = KINDS[family];
  const address = parseAddr(text);
  if (address?.family !== family) throw new Error(`${text} is not an IPv${family} address`);
  const encoded = Buffer.alloc(size);
  encoded.writeUInt16LE(domain, 0);
  encoded.set(addrToBytes(address), at);
  return encoded;
}
