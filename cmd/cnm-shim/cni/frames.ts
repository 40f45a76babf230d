import {
  ANSWER,
  ANSWER_BYTES,
  DECLINE,
  type LauncherRequest,
  MAGIC,
  MAX_BODY,
  PROTOCOL_VERSION,
  REQUEST_BYTES,
} from '../../../src/shared/runtime/cni/protocol.ts';

/** What a launcher has sent so far: part of a request, a request, or data that no launcher of ours sends. */
export type Received =
  | { readonly kind: 'partial' }
  | { readonly kind: 'request'; readonly request: LauncherRequest }
  | { readonly kind: 'refused'; readonly why: string };

const PARTIAL: Received = { kind: 'partial' };

/** Assembles a request from the pieces in which it arrives. Never holds more than the largest request. */
export class RequestReader {
  #pieces: Buffer[] = [];
  #length = 0;

  push(piece: Buffer): Received {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length < REQUEST_BYTES) return PARTIAL;
    const bytes = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces, this.#length);
    const fault = headerFault(bytes);
    if (fault !== undefined) return { kind: 'refused', why: fault };
    const end = REQUEST_BYTES + bytes.readUInt32LE(8);
    if (bytes.length > end) return { kind: 'refused', why: `${bytes.length - end} bytes too many` };
    if (bytes.length === end) return decodeRequest(bytes);
    // Joins only now and then: a megabyte arrives in some twenty pieces.
    if (this.#pieces.length > 8) this.#pieces = [bytes];
    return PARTIAL;
  }
}

/** Encodes an answer. */
export function encodeAnswer(code: number, stdout: string, stderr: string | Uint8Array): Buffer {
  const [out, err] = [Buffer.from(stdout), Buffer.from(stderr)];
  const frame = Buffer.alloc(ANSWER_BYTES + out.length + err.length);
  frame[0] = ANSWER;
  frame[1] = code;
  frame.writeUInt32LE(out.length, 4);
  frame.writeUInt32LE(err.length, 8);
  out.copy(frame, ANSWER_BYTES);
  err.copy(frame, ANSWER_BYTES + out.length);
  return frame;
}

/** Encodes the refusal that leaves a call to the stand-alone plugin. */
export function encodeDecline(why: string): Buffer {
  return Buffer.concat([Buffer.of(DECLINE), Buffer.from(why)]);
}

function headerFault(bytes: Buffer): string | undefined {
  if (bytes.readUInt32LE(0) !== MAGIC) return 'this is no request';
  const version = bytes.readUInt16LE(4);
  if (version !== PROTOCOL_VERSION) return `the launcher speaks version ${version}, the daemon ${PROTOCOL_VERSION}`;
  const length = bytes.readUInt32LE(8);
  return length > MAX_BODY ? `a request of ${length} bytes; ${MAX_BODY} are the limit` : undefined;
}

function decodeRequest(bytes: Buffer): Received {
  const end = bytes.indexOf('\0\0', REQUEST_BYTES);
  if (end < 0) return { kind: 'refused', why: 'the environment does not end' };
  const [argv0 = '', ...entries] = bytes.toString('utf8', REQUEST_BYTES, end).split('\0');
  const variables = new Map<string, string>();
  for (const entry of entries) {
    const at = entry.indexOf('=');
    const name = entry.slice(0, at);
    // Of two variables with one name, takes the first, as getenv(3) does.
    if (at > 0 && !variables.has(name)) variables.set(name, entry.slice(at + 1));
  }
  const [dev, ino] = [bytes.readBigUInt64LE(32), bytes.readBigUInt64LE(40)];
  const request: LauncherRequest = {
    argv0,
    env: Object.fromEntries(variables),
    stdin: bytes.toString('utf8', end + 2),
    netnsFd: bytes.readInt32LE(12),
    stateDir: ino === 0n ? undefined : `${dev}:${ino}`,
  };
  return { kind: 'request', request };
}
