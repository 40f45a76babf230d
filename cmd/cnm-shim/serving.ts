import type { Server } from 'node:net';

/** Where to listen: a path, or a descriptor that systemd opened. */
export type Listening = { readonly path: string } | { readonly fd: number };

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
