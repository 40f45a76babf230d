import { fault } from '../../src/shared/errors/fault.ts';
import { clearSocket, guardSocket } from './run-dir.ts';
import type { Listening } from './serving.ts';
import { nameOfListener } from './systemd.ts';

export interface Listener {
  /** Rejects with the error of the socket. */
  listen(where: Listening): Promise<void>;
}

export interface Place {
  readonly path: string;
  /** What systemd has opened, which is used instead of the path. */
  readonly fd: number | undefined;
  /** What to give to have another path, where that is not `--run-dir`. */
  readonly instead?: string;
}

/** A socket that takes connections. */
export interface OpenSocket {
  /** Its path, or what else systemd calls it. */
  readonly name: string;
  /** Nobody can connect any more: its file is gone. That of systemd stays. */
  remove(): void;
}

/** Peers can connect to the server: at the path, or to the socket that systemd has opened. */
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
    const what = 'nothing can listen there';
    throw fault.io('serve', `socket ${path}`, what, undefined, { reason, cause });
  }
  const { remove } = guardSocket(path);
  process.on('exit', remove);
  return { name: path, remove };
}
