import { spawn } from 'node:child_process';
import { ANSWER, ANSWER_BYTES, CLAIM } from '../../src/shared/runtime/cni/protocol.ts';
import { header } from './daemon-client.ts';

/** Sends the request of its stdin, with a descriptor of the sandbox, and writes all that the daemon answers. */
const CLIENT = `
const { openSync, readFileSync } = require('node:fs');
const [path, sandbox] = process.argv.slice(1);
const bytes = readFileSync(0);
if (sandbox !== '') bytes.writeInt32LE(openSync(sandbox, 'r'), 12);
const socket = require('node:net').connect(path, () => socket.write(bytes));
socket.pipe(process.stdout);
`;

export interface LaunchedCall {
  /** The daemon's socket, and the namespace of the host that it serves. */
  readonly socket: string;
  readonly host: string;
  readonly plugin: string;
  readonly env: Readonly<Record<string, string>>;
  readonly config: object;
}

/** The daemon's answer to a call, as a launcher gets it. Rejects if the daemon declines the call. */
export async function launch({
  socket,
  host,
  plugin,
  env,
  config,
}: LaunchedCall): Promise<{ code: number; stdout: string }> {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}\0`);
  const body = Buffer.from(`${plugin}\0${variables.join('')}\0${JSON.stringify(config)}`);
  const command = [`--net=${host}`, process.execPath, '-e', CLIENT, socket, env.CNI_NETNS ?? ''];
  const child = spawn('nsenter', command, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(Buffer.concat([header(body.length), body]));
  const pieces: Buffer[] = [];
  for await (const piece of child.stdout) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  const [claim, answer, code = -1] = bytes;
  if (claim !== CLAIM || answer !== ANSWER) throw new Error(`the daemon answered ${bytes.toString('latin1')}`);
  const length = bytes.readUInt32LE(1 + 4);
  return { code, stdout: bytes.toString('utf8', 1 + ANSWER_BYTES, 1 + ANSWER_BYTES + length) };
}
