import type { Server } from 'node:net';
import { fault } from '../../src/shared/errors/fault.ts';
import { clearSocket, guardSocket } from './run-dir.ts';
import { nameOfListener } from './systemd.ts';

export interface Listener {
  /** Rejects with the socket's error. */
  listen(where: Listening): Promise<void>;
}

export interface Place {
  readonly path: string;
  /** Socket that systemd opened; used instead of the path. */
  readonly fd: number | undefined;
  /** Option that sets another path, if that is not `--run-dir`. */
  readonly instead?: string;
}

/** A listening socket. */
export interface OpenSocket {
  /** Its path, or systemd's name for it. */
  readonly name: string;
  /** Removes the socket's file, so no client can connect. Keeps a socket of systemd. */
  remove(): void;
}

/** Lets peers connect to the server: at the path, or through the socket that systemd opened. */
export async function listen(server: Listener, { path, fd, instead }: Place): Promise<OpenSocket> {
  if (fd !== undefined) {
    await server.listen({ fd });
    return { name: nameOfListener(fd), remove: () => {} };
  }
  await clearSocket(path, instead);
  try {
    await server.listen({ path });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = 'cannot listen on it';
    throw fault.io('serve', `socket ${path}`, what, undefined, { reason, cause });
  }
  const { remove } = guardSocket(path);
  process.on('exit', remove);
  return { name: path, remove };
}

/** Where to listen: a path, a descriptor that systemd opened, or a port. */
export type Listening =
  | { readonly path: string }
  | { readonly fd: number }
  | { readonly host: string; readonly port: number };

/** Connections that may wait to be accepted. */
const BACKLOG = 4096;

/** Starts to listen. Rejects with the socket's error; calls `failed` for later ones. */
export function startListening(server: Server, where: Listening, failed: (error: Error) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...where, backlog: BACKLOG }, () => {
      server.off('error', reject);
      server.on('error', failed);
      resolve();
    });
  });
}

/** Resolves with `ended`, or after the given milliseconds. */
export async function atMost(limitMs: number, ended: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([ended, limit]);
  clearTimeout(timer);
}
