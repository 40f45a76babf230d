import { defaultCandidates } from '../../src/shared/core/pools/candidates.ts';
import type { PoolCandidate } from '../../src/shared/core/pools/pools.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import type { Environment } from '../../src/shared/runtime/environment.ts';
import { DockerService } from './docker/docker-service.ts';
import { dockerApiOf } from './docker/engine/api.ts';
import { Reconciler } from './docker/engine/reconcile.ts';
import { DockerServer } from './docker/wire/server.ts';
import { listen } from './listen.ts';
import type { ResidentCore } from './resident-core.ts';
import { ensureSocketDir } from './run-dir.ts';

export interface DockerOptions {
  readonly socket: string;
  /** What Docker calls this plugin. */
  readonly name: string;
  /** Where subnets are taken from; absent: from the usual places. */
  readonly addressPools?: readonly PoolCandidate[];
}

export interface DockerParts {
  readonly env: Environment;
  readonly cores: ResidentCore;
  readonly log: Logger;
  /** Told of each call that has been answered. */
  readonly called: () => void;
}

/** The daemon as dockerd sees it. */
export interface DockerSide {
  /** Path of the socket. */
  readonly socket: string;
  /** No new call is taken; those that were taken have been answered, or `limitMs` have passed. */
  drain(limitMs: number): Promise<void>;
}

/** Where dockerd finds a plugin by itself. */
const PLUGINS = /^(\/var)?\/run\/docker\/plugins\//;

/**
 * dockerd can connect, and what it knows and what is on record are kept in line. `fd` is a socket that systemd has
 * opened.
 * Throws NetError `io` where there can be no socket, `busy` where another daemon has it.
 */
export async function openDocker(
  { socket: path, name, addressPools }: DockerOptions,
  fd: number | undefined,
  { env, cores, log, called }: DockerParts,
): Promise<DockerSide> {
  const api = dockerApiOf(env);
  let reconciler: Reconciler | undefined;
  const service = new DockerService({
    ...{ cores, log },
    candidates: addressPools ?? defaultCandidates(cores.host.identity.hostId),
    avoid: () => reconciler?.avoid ?? [],
    activated: () => reconciler?.activated(),
    changed: () => reconciler?.changed(),
  });
  const routes = service.routes();
  const server = new DockerServer({ routes, log, called });
  if (fd === undefined) ensureSocketDir(path, '--docker-socket names another one, or "none"');
  const socket = await listen(server, { path, fd, instead: '--docker-socket another path' });
  if (api !== undefined && isOurs(env, socket.name)) {
    reconciler = new Reconciler({ api, open: () => cores.open({ log }), routes, log, drivers: [name] });
    reconciler.start();
  }
  const expiry = service.start();
  return {
    socket: socket.name,
    drain: async (limitMs) => {
      socket.remove();
      expiry[Symbol.dispose]();
      await Promise.all([server.drain(limitMs), reconciler?.stop()]);
    },
  };
}

/**
 * True where the dockerd of this host is the one that asks here: it is named, or it finds the socket by itself. What
 * another dockerd does not know is none of its business.
 */
function isOurs({ ISTHMUS_DOCKER_HOST: host = '' }: Environment, socket: string): boolean {
  return host !== '' || PLUGINS.test(socket);
}
