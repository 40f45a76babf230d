/** The SCTP packets of the tests (RFC 9260): the first packet of an association, and the answer to it. */
export interface SctpPacket {
  readonly kind: 'INIT' | 'INIT ACK';
  readonly from: number;
  readonly to: number;
  /** Initiate tag of the sender; the answer carries that of the INIT as its verification tag. */
  readonly tag: number;
  readonly verification: number;
  /** The state cookie of an INIT ACK. */
  readonly cookie: string;
}

const INIT = 1;
const INIT_ACK = 2;
const COOKIE_PARAMETER = 7;
const HEADER = 12;
const CHUNK = 20;
const WINDOW = 65_536;

/** With its checksum. */
export function encodeSctp({ kind, from, to, tag, verification, cookie }: SctpPacket): Buffer {
  const text = Buffer.from(cookie);
  const parameter = kind === 'INIT' ? 0 : 4 + text.length;
  const packet = Buffer.alloc(HEADER + CHUNK + Math.ceil(parameter / 4) * 4);
  packet.writeUInt16BE(from, 0);
  packet.writeUInt16BE(to, 2);
  packet.writeUInt32BE(verification, 4);
  packet.writeUInt8(kind === 'INIT' ? INIT : INIT_ACK, HEADER);
  packet.writeUInt16BE(CHUNK + parameter, HEADER + 2);
  packet.writeUInt32BE(tag, HEADER + 4);
  packet.writeUInt32BE(WINDOW, HEADER + 8);
  packet.writeUInt16BE(1, HEADER + 12);
  packet.writeUInt16BE(1, HEADER + 14);
  packet.writeUInt32BE(tag, HEADER + 16);
  if (parameter > 0) {
    packet.writeUInt16BE(COOKIE_PARAMETER, HEADER + CHUNK);
    packet.writeUInt16BE(parameter, HEADER + CHUNK + 2);
    packet.set(text, HEADER + CHUNK + 4);
  }
  // Section 6.8: the checksum is sent least significant byte first.
  packet.writeUInt32LE(crc32c(packet), 8);
  return packet;
}

/** Undefined for any other packet, and for one whose checksum is wrong. */
export function decodeSctp(packet: Buffer): SctpPacket | undefined {
  if (packet.length < HEADER + CHUNK) return undefined;
  const type = packet.readUInt8(HEADER);
  if (type !== INIT && type !== INIT_ACK) return undefined;
  const unsummed = Buffer.from(packet);
  unsummed.writeUInt32LE(0, 8);
  if (crc32c(unsummed) !== packet.readUInt32LE(8)) return undefined;
  const end = HEADER + packet.readUInt16BE(HEADER + 2);
  return {
    kind: type === INIT ? 'INIT' : 'INIT ACK',
    from: packet.readUInt16BE(0),
    to: packet.readUInt16BE(2),
    verification: packet.readUInt32BE(4),
    tag: packet.readUInt32BE(HEADER + 4),
    cookie: packet.toString('utf8', HEADER + CHUNK + 4, end),
  };
}

/** Polynomial of Castagnoli, reflected. */
const POLYNOMIAL = 0x82f63b78;

function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  }
  return ~crc >>> 0;
}
