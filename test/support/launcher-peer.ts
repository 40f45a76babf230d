import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  ANSWER,
  ANSWER_BYTES,
  CLAIM,
  DECLINE,
  MAGIC,
  PROTOCOL_VERSION,
  REQUEST_BYTES,
} from '../../src/shared/runtime/cni/protocol.ts';

/** A request as a launcher has sent it, taken apart by the table in protocol.ts. */
export interface PeerRequest {
  /** The whole of it. */
  readonly bytes: Buffer;
  readonly argv0: string;
  /** `NAME=value`, in the order in which they came. */
  readonly env: readonly string[];
  readonly stdin: Buffer;
  readonly netnsFd: number;
  readonly stateDir: { readonly dev: bigint; readonly ino: bigint };
}

/** One connection of a launcher, on which the whole request has come. */
export interface PeerCall {
  readonly request: PeerRequest;
  readonly socket: Socket;
}

/** Takes the daemon's place at the other end of the socket. */
export interface Peer extends Disposable {
  readonly requests: readonly PeerRequest[];
  /** How many have connected. */
  readonly connections: number;
  /** Bytes that came behind requests. */
  readonly surplus: number;
}

/** Answers with DECLINE. */
export const decline = ({ socket }: PeerCall): void => void socket.end(Buffer.of(DECLINE));

/** Answers with CLAIM and then this. */
export function answering(code: number, stdout: string | Buffer, stderr = ''): (call: PeerCall) => void {
  return ({ socket }) => {
    socket.write(Buffer.of(CLAIM));
    socket.end(answerFrame(code, stdout, stderr));
  };
}

/** The frame of an answer. */
export function answerFrame(code: number, stdout: string | Buffer, stderr = ''): Buffer {
  const [out, err] = [Buffer.from(stdout), Buffer.from(stderr)];
  return Buffer.concat([answerHeader(code, out.length, err.length), out, err]);
}

export function answerHeader(code: number, out: number, err: number): Buffer {
  const header = Buffer.alloc(ANSWER_BYTES);
  header[0] = ANSWER;
  header[1] = code;
  header.writeUInt32LE(out, 4);
  header.writeUInt32LE(err, 8);
  return header;
}

export interface PeerOptions {
  /** Called with each connection, before anything has come. */
  readonly connected?: (socket: Socket) => void;
  readonly backlog?: number;
}

/** Listens in `dir`; `serve` is called with each whole request. */
export function startPeer(
  dir: string,
  serve: (call: PeerCall) => void,
  { connected = () => {}, backlog = 16 }: PeerOptions = {},
): Promise<Peer> {
  const path = join(dir, 'cni.sock');
  const requests: PeerRequest[] = [];
  const sockets: Socket[] = [];
  let surplus = 0;
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    const pieces: Buffer[] = [];
    let whole = false;
    socket.on('data', (piece: Buffer) => {
      if (whole) surplus += piece.length;
      if (whole) return;
      pieces.push(piece);
      const request = decode(Buffer.concat(pieces));
      if (request === undefined) return;
      whole = true;
      requests.push(request);
      serve({ request, socket });
    });
    connected(socket);
  });
  rmSync(path, { force: true });
  const peer: Peer = {
    requests,
    get connections() {
      return sockets.length;
    },
    get surplus() {
      return surplus;
    },
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      rmSync(path, { force: true });
    },
  };
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen({ path, backlog }, () => resolve(peer));
  });
}

/** Undefined while something is missing. Throws where it is not a request. */
function decode(bytes: Buffer): PeerRequest | undefined {
  if (bytes.length < REQUEST_BYTES) return undefined;
  if (bytes.readUInt32LE(0) !== MAGIC || bytes.readUInt32LE(4) !== PROTOCOL_VERSION) throw new Error('no request');
  const body = bytes.subarray(REQUEST_BYTES);
  const length = bytes.readUInt32LE(8);
  if (body.length > length) throw new Error(`${body.length - length} bytes too many`);
  if (body.length < length) return undefined;
  const end = body.indexOf('\0\0');
  if (end < 0) throw new Error('the environment does not end');
  const [argv0 = '', ...env] = body.toString('utf8', 0, end).split('\0');
  return {
    ...{ bytes, argv0, env, stdin: body.subarray(end + 2) },
    netnsFd: bytes.readInt32LE(12),
    stateDir: { dev: bytes.readBigUInt64LE(32), ino: bytes.readBigUInt64LE(40) },
  };
}
