import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { MAGIC, PROTOCOL_VERSION, REQUEST_BYTES } from '../../src/shared/runtime/cni/protocol.ts';

/** The header of a request with a body of so many bytes, without a namespace. */
export function header(length: number): Buffer {
  const bytes = Buffer.alloc(REQUEST_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt16LE(PROTOCOL_VERSION, 4);
  bytes.writeUInt32LE(length, 8);
  bytes.writeInt32LE(-1, 12);
  return bytes;
}

/** A request with this body. The daemon declines it: the tests run in another network namespace. */
export function request(body: string): Buffer {
  const bytes = Buffer.from(body, 'latin1');
  return Buffer.concat([header(bytes.length), bytes]);
}

/** Reads the request of a launcher, byte for byte, and makes it one without a namespace. */
export async function wholeRequest(socket: Socket): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    bytes = Buffer.concat([bytes, piece]);
    if (bytes.length >= REQUEST_BYTES && bytes.length === REQUEST_BYTES + bytes.readUInt32LE(8)) break;
  }
  bytes.writeInt32LE(-1, 12);
  return bytes;
}

/** The first bytes from the daemon; empty if it closes the connection. */
export async function firstByte(socket: Socket): Promise<string> {
  let said = '';
  socket.on('data', (piece: Buffer) => {
    said += piece.toString('latin1');
  });
  if (!socket.closed) await once(socket, 'close');
  return said.slice(0, 1);
}

/** `count` MB after `first`, or as much as the daemon lets in. */
export async function flood(socket: Socket, first: Buffer, count: number): Promise<void> {
  const piece = Buffer.alloc(1 << 20, 'x');
  socket.write(first);
  for (let i = 0; i < count && !socket.destroyed; i++) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {});
  }
  socket.end();
}

/**
 * A client that connects `count` times. Sends each daemon the request in a file, with a descriptor of `sandbox`: `slow`
 * byte by byte, and prints the first byte of the answer; `deaf` at once, and never reads. Ends with its stdin.
 */
const PEER = `
const { openSync, readFileSync } = require('node:fs');
const [path, file, sandbox, how, count] = process.argv.slice(1);
const bytes = readFileSync(file);
if (sandbox !== '') bytes.writeInt32LE(openSync(sandbox, 'r'), 12);
for (let i = 0; i < Number(count); i++) {
  const socket = require('node:net').connect(path);
  socket.on('error', () => {});
  if (how === 'deaf') { socket.pause(); socket.write(bytes); continue; }
  socket.once('data', (piece) => { console.log(piece.toString('latin1', 0, 1)); process.exit(0); });
  socket.once('close', () => { console.log(''); process.exit(0); });
  const step = (at) => socket.write(bytes.subarray(at, at + (at < 60 ? 1 : bytes.length)), () => at < 60 && setImmediate(step, at + 1));
  step(0);
}
process.stdin.resume().on('end', () => process.exit(0));
`;

export interface PeerOptions {
  readonly socket: string;
  /** File with the request. */
  readonly file: string;
  /** Path of a network namespace. */
  readonly sandbox?: string;
  readonly how: 'slow' | 'deaf';
  readonly count?: number;
  /** Commands in front of it: the daemon serves callers in its own network namespace. */
  readonly prefix: readonly string[];
}

/** Starts a client that is not a launcher. */
export function startClient({ socket, file, sandbox = '', how, count = 1, prefix }: PeerOptions): ChildProcess {
  const [command = '', ...words] = [...prefix, process.execPath, '-e', PEER, socket, file, sandbox, how, `${count}`];
  return spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] });
}

/** The first byte that the client got; empty if the daemon closed the connection. */
export async function saidTo(client: ChildProcess): Promise<string> {
  let said = '';
  client.stdout?.on('data', (piece: Buffer) => {
    said += piece.toString('latin1');
  });
  await once(client, 'close');
  return said.trim();
}

/** A client of the socket: sends a STATUS, and prints the number of bytes it received. */
export const STRANGER = `
let bytes = 0;
const socket = require('node:net').connect(process.argv[1], () => {
  process.stdout.write('connected; ');
  socket.write(Buffer.from('${request('isthmus\0CNI_COMMAND=STATUS\0\0{}').toString('hex')}', 'hex'));
});
socket.on('error', () => {});
socket.on('data', (piece) => { bytes += piece.length; });
socket.on('close', () => console.log('closed after ' + bytes + ' bytes'));
`;
