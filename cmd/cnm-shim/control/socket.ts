import type { createServer, Server } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { asNetError } from '../../../src/shared/errors/net-error.ts';
import type { Logger } from '../../../src/shared/log/log.ts';
import { peerOf } from '../../../src/shared/netlink/unix.ts';
import { fdOf } from '../connection.ts';
import { listen, startListening } from '../listen.ts';
import type { DaemonFacts } from './status.ts';

/** The socket where root asks the daemon what it does, in its run directory. */
export const controlSocket = (runDir: string): string => join(runDir, 'control.sock');

/** Milliseconds in which a request must arrive, and without any byte on a connection until it is closed. */
const IDLE_MS = 10_000;
const MOST_CONNECTIONS = 256;
const MOST_HEADERS = 8192;

/** Answers HTTP on the socket at the path, to root and to the daemon's own user, until it is disposed of. */
export async function serveControl(path: string, facts: DaemonFacts): Promise<Disposable> {
  const server = makeServer(async (request, response) => {
    const { answerControl } = await import('./answers.ts');
    await answerControl(request, response, facts);
  }, facts.log);
  server.prependListener('connection', (connection: Socket) => {
    if (!isTrusted(connection)) connection.destroy();
  });
  const failed = ({ message }: Error): void => facts.log.warn('control.socket', { error: message });
  const { remove } = await listen(
    { listen: (where) => startListening(server, where, failed) },
    { path, fd: undefined },
  );
  return {
    [Symbol.dispose]: () => {
      close(server);
      remove();
    },
  };
}

type Answer = (...[request, response]: Parameters<Parameters<typeof createServer>[1] & object>) => Promise<void>;

/** A server for small questions, which no client can make wait or grow. */
export function makeServer(answer: Answer, log: Logger): Server {
  const limits = {
    ...{ headersTimeout: IDLE_MS, requestTimeout: IDLE_MS, keepAliveTimeout: IDLE_MS },
    ...{ connectionsCheckingInterval: IDLE_MS / 2, maxHeaderSize: MOST_HEADERS },
  };
  const server = process.getBuiltinModule('node:http').createServer(limits, (request, response) => {
    response.on('error', () => {});
    answer(request, response).catch((thrown: unknown) => {
      log.warn('control.failed', { error: asNetError(thrown, 'control').message });
      response.destroy();
    });
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.timeout = IDLE_MS;
  return server;
}

/** Ends the answers in progress too: one that follows has no end of its own. */
export function close(server: Server): void {
  server.close();
  server.closeAllConnections();
}

function isTrusted(connection: Socket): boolean {
  try {
    const { uid } = peerOf(fdOf(connection));
    return uid === 0 || uid === process.getuid?.();
  } catch {
    return false;
  }
}
