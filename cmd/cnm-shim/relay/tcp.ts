import { connect, createServer, type Socket } from 'node:net';
import type { RelayEnd, RelayOptions } from './ends.ts';

/** Connections of one port at a time: each takes two descriptors, and buffers of 128 kB at most. */
export const MAX_CONNECTIONS = 512;
/** Milliseconds without traffic until the kernel asks whether the other end is still there. */
const KEEP_ALIVE_MS = 60_000;
/** Milliseconds that the container may take to accept a connection. */
const CONNECT_MS = 30_000;

/**
 * Accepts connections at `from` and joins each to one to `to`. An end that sends no more may still receive. An error of
 * one side resets the other. Refuses connections beyond the limits.
 */
export function relayTcp({ host, port }: RelayEnd, to: RelayEnd, { budget, failed }: RelayOptions): Disposable {
  const open = new Set<Socket>();
  const server = createServer(
    { allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
    (client) => {
      if (!budget.take()) {
        client.resetAndDestroy();
        return;
      }
      client.once('close', () => budget.give());
      join(client, to, open);
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  server.on('error', () => {
    server.close();
    failed();
  });
  server.listen({ host, port, ipv6Only: true, exclusive: true });
  server.unref();
  return {
    [Symbol.dispose]: () => {
      server.removeAllListeners('error');
      server.on('error', () => {});
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

function join(client: Socket, to: RelayEnd, open: Set<Socket>): void {
  const target = connect({ ...to, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
  target.setTimeout(CONNECT_MS, () => target.destroy());
  target.on('connect', () => target.setTimeout(0));
  for (const [socket, other] of [
    [client, target],
    [target, client],
  ] as const) {
    open.add(socket);
    socket.unref();
    socket.setNoDelay(true);
    socket.on('error', () => other.resetAndDestroy());
    socket.on('close', () => {
      open.delete(socket);
      // Both are closed once each has ended. Closed earlier, one was cut off.
      if (!socket.readableEnded || !socket.writableFinished) other.destroy();
    });
    // Reads no faster than the other end takes it.
    socket.pipe(other);
  }
}
