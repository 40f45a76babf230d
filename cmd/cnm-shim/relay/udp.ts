import { createSocket, type Socket } from 'node:dgram';
import type { RelayEnd, RelayOptions } from './ends.ts';

/** Maximum number of clients of one port. A new one replaces the one that was silent longest. */
export const MAX_CLIENTS = 512;
/** Milliseconds without a datagram after which a client's socket is closed: docker-proxy's. */
export const IDLE_MS = 90_000;
/** Bytes that may wait until they are sent; more are dropped, as networks do. */
const QUEUE_BYTES = 256 * 1024;

interface Client {
  readonly socket: Socket;
  readonly idle: NodeJS.Timeout;
}

/**
 * Passes datagrams at `from` on to `to`, each client's by a socket of its own, and the answers back. Drops those of
 * clients beyond the limits.
 */
export function relayUdp({ host, port }: RelayEnd, to: RelayEnd, { budget, failed }: RelayOptions): Disposable {
  const clients = new Map<string, Client>();
  const server = createSocket({ type: 'udp6', ipv6Only: true });
  const forget = (name: string): void => {
    const client = clients.get(name);
    if (client === undefined) return;
    clients.delete(name);
    budget.give();
    clearTimeout(client.idle);
    client.socket.close();
  };
  const welcome = (name: string, toPort: number, toAddress: string): Client | undefined => {
    const [oldest] = clients.keys();
    if (clients.size >= MAX_CLIENTS && oldest !== undefined) forget(oldest);
    if (!budget.take()) return undefined;
    const socket = createSocket('udp4');
    // No program in the container listens on that port now (ECONNREFUSED).
    socket.on('error', () => {});
    socket.on('message', (bytes, { address, port: source }) => {
      if (address !== to.host || source !== to.port || server.getSendQueueSize() > QUEUE_BYTES) return;
      clients.get(name)?.idle.refresh();
      server.send(bytes, toPort, toAddress, () => {});
    });
    socket.unref();
    return { socket, idle: setTimeout(() => forget(name), IDLE_MS).unref() };
  };
  const close = (): void => {
    for (const name of clients.keys()) forget(name);
    server.close();
  };
  server.on('message', (bytes, { address, port: source }) => {
    const name = `${source} ${address}`;
    const client = clients.get(name) ?? welcome(name, source, address);
    if (client === undefined) return;
    // The map's order is that of the last datagrams.
    clients.delete(name);
    clients.set(name, client);
    client.idle.refresh();
    if (client.socket.getSendQueueSize() <= QUEUE_BYTES) client.socket.send(bytes, to.port, to.host, () => {});
  });
  server.once('error', () => {
    server.on('error', () => {});
    close();
    failed();
  });
  server.bind({ address: host, port, exclusive: true });
  server.unref();
  return {
    [Symbol.dispose]: () => {
      server.removeAllListeners('error');
      server.on('error', () => {});
      try {
        close();
      } catch {
        // It failed, and has been closed.
      }
    },
  };
}
