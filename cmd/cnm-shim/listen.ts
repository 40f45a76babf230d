import { fault } from '../../src/shared/errors/fault.ts';
import { clearSocket, guardSocket } from './run-dir.ts';
import type { Listening } from './serving.ts';
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
