import { createServer, type Socket } from 'node:net';
import { fault } from '../../src/shared/errors/fault.ts';
import type { NetError } from '../../src/shared/errors/net-error.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import {
  assertUnused,
  type ClusterInfo,
  type ClusterView,
  clusterInfo,
  listRemote,
  overlayOptions,
} from '../../src/shared/ops/cluster.ts';
import type { CallCore } from '../../src/shared/runtime/make-core.ts';
import { type ClusterCall, clusterSocket, formatAnswer, formatFailure, parseCall } from './cluster-wire.ts';
import { listen, startListening } from './listen.ts';

/** What the verbs of `cluster` need of a daemon's cluster. */
export interface ControlledCluster extends ClusterView {
  /** Name of the cluster. */
  readonly name: string;
  forget(host: string): Promise<number>;
  leave(): Promise<void>;
  /** Throws NetError `conflict` while it is a member. */
  forceLeave(): Promise<void>;
}

export interface ControlParts {
  readonly runDir: string;
  /** cluster.json. */
  readonly file: string;
  /** The cluster, or the reason why this daemon has none. */
  readonly cluster: ControlledCluster | NetError;
  /** The caller disposes of it. */
  readonly core: () => CallCore;
  readonly log: Logger;
}

const LONGEST = 4096;
const IDLE_MS = 60_000;

/** Answers the verbs of `cluster`, until it is disposed of. */
export async function serveCluster(parts: ControlParts): Promise<Disposable> {
  const connections = new Set<Socket>();
  const server = createServer((connection) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    connection.on('error', () => connection.destroy());
    connection.setTimeout(IDLE_MS, () => connection.destroy());
    let text = '';
    connection.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      if (text.length > LONGEST) connection.destroy();
      if (!text.includes('\n')) return;
      connection.removeAllListeners('data');
      void answer(parts, text).then((line) => connection.end(line));
    });
  });
  const failed = ({ message }: Error): void => parts.log.warn('cluster.socket', { error: message });
  const path = clusterSocket(parts.runDir);
  const { remove } = await listen(
    { listen: (where) => startListening(server, where, failed) },
    { path, fd: undefined },
  );
  server.unref();
  return {
    [Symbol.dispose]: () => {
      server.close();
      for (const connection of connections) connection.destroy();
      remove();
    },
  };
}

/** The line that answers another one. */
async function answer(parts: ControlParts, line: string): Promise<string> {
  try {
    const call = parseCall(line);
    if (call === undefined) throw fault.decode('cluster', 'request', 'malformed request', 'Run isthmus cluster');
    return formatAnswer(await resultOf(parts, call));
  } catch (thrown) {
    return formatFailure(thrown);
  }
}

async function resultOf(
  { cluster, file, core: open, log }: ControlParts,
  { verb, name }: ClusterCall,
): Promise<unknown> {
  if (cluster instanceof Error) throw cluster;
  using core = open();
  switch (verb) {
    case 'status':
      return clusterInfo(core, cluster, { cluster: cluster.name, file }) satisfies ClusterInfo;
    case 'remote':
      return listRemote(cluster, overlayOptions(core, name)?.network ?? '');
    case 'forget': {
      const keys = await cluster.forget(name);
      log.info('cluster.forget', { host: name, keys });
      return keys;
    }
    case 'leave':
    case 'force-leave':
      assertUnused(core);
      await (verb === 'leave' ? cluster.leave() : cluster.forceLeave());
      // An ADD may have come meanwhile.
      assertUnused(core);
      log.info('cluster.leave', { file, forced: verb !== 'leave' });
      return file;
  }
}
