import { addrFromBytes, addrToBytes, type Family, formatAddr, parseAddr } from '../../src/shared/model/addr.ts';
import { loadLibrary, socket } from '../../src/shared/netlink/sys.ts';
import { decodeSctp, encodeSctp, type SctpPacket } from './sctp-packets.ts';

/** Domain, length of the address's structure, and where the address is in it. */
const KINDS = { 4: { domain: 2, size: 16, at: 4, bytes: 4 }, 6: { domain: 10, size: 28, at: 8, bytes: 16 } } as const;
const SOCK_RAW_NONBLOCK = 3 | 0o4000;
const IPPROTO_SCTP = 132;
const POLL_MS = 4;

const libc = loadLibrary(null, {
  sendto: { return: 'i64', arguments: ['i32', 'pointer', 'u64', 'i32', 'pointer', 'u32'] },
  recvfrom: { return: 'i64', arguments: ['i32', 'pointer', 'u64', 'i32', 'pointer', 'pointer'] },
});

/**
 * One end that speaks just enough SCTP to open an association, by raw sockets: for kernels that filter and translate
 * it without having it themselves. `hear` gets every packet with its sender's address.
 */
export class RawSctp {
  readonly #family: Family;
  readonly #fd: number;
  readonly #hear = new Set<(packet: SctpPacket, peer: string) => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(family: Family) {
    this.#family = family;
    this.#fd = socket(KINDS[family].domain, SOCK_RAW_NONBLOCK, IPPROTO_SCTP);
  }

  /** Calls back for each packet until the returned function is called. */
  listen(hear: (packet: SctpPacket, peer: string) => void): () => void {
    this.#hear.add(hear);
    this.#timer ??= setInterval(() => this.#receive(), POLL_MS);
    return () => {
      this.#hear.delete(hear);
      if (this.#hear.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  send(packet: SctpPacket, address: string): void {
    const bytes = encodeSctp(packet);
    const target = encodeAddress(this.#family, address);
    const sent = libc.sendto(this.#fd, bytes, BigInt(bytes.length), 0, target, target.length);
    if (Number(sent) < 0) throw new Error(`SCTP to ${address} could not be sent`);
  }

  #receive(): void {
    const { size, at, bytes } = KINDS[this.#family];
    const buffer = Buffer.alloc(2048);
    for (;;) {
      const source = Buffer.alloc(size);
      const length = Number(libc.recvfrom(this.#fd, buffer, BigInt(buffer.length), 0, source, new Uint32Array([size])));
      if (length < 0) return;
      // IPv4 comes with its header, IPv6 without.
      const start = this.#family === 4 ? (buffer.readUInt8(0) & 15) * 4 : 0;
      const packet = decodeSctp(Buffer.from(buffer.subarray(start, length)));
      if (packet === undefined) continue;
      const peer = addrFromBytes(source.subarray(at, at + bytes));
      if (peer === undefined) continue;
      for (const hear of this.#hear) hear(packet, formatAddr(peer));
    }
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
