import { digest } from '../model/attachment.ts';
import type { Request } from '../netlink/socket.ts';
import { MESSAGES } from './nft-table.generated.ts';
import { tableLines } from './nft-table.ts';

/** Identifies the table's lines: the messages are made from them. */
export function tableDigest(): string {
  return digest('table', ...tableLines());
}

let requests: readonly Request[] | undefined;

/**
 * The messages that nft sends for `tableLines`. They have registers in the byte order of a little-endian machine;
 * undefined on any other.
 */
export function tableRequests(): readonly Request[] | undefined {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) return undefined;
  requests ??= decodeRequests(inflate(MESSAGES));
  return requests;
}

/** The deflated text is a tenth as long, and every start of the plugin loads it. Only few calls load zlib. */
function inflate(text: string): Buffer {
  const { inflateRawSync } = process.getBuiltinModule('node:zlib');
  return inflateRawSync(Buffer.from(text, 'base64'));
}

function decodeRequests(bytes: Buffer): Request[] {
  const requests: Request[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [type, flags, length] = [bytes.readUInt16BE(at), bytes.readUInt16BE(at + 2), bytes.readUInt32BE(at + 4)];
    requests.push({ type, flags, payload: bytes.subarray(at + 8, at + 8 + length) });
    at += 8 + length;
  }
  return requests;
}
