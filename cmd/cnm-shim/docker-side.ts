import { defaultCandidates } from '../../src/shared/core/pools/candidates.ts';
import type { PoolCandidate } from '../../src/shared/core/pools/pools.ts';
import { asNetError } from '../../src/shared/errors/net-error.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import type { Environment } from '../../src/shared/runtime/environment.ts';
import { listListedEndpoints } from '../../src/shared/store/listed-endpoints.ts';
import type { Recorder } from './control/operations.ts';
import { DockerService } from './docker/docker-service.ts';
import { dockerApiOf } from './docker/engine/api.ts';
import { inDockersWords } from './docker/engine/names.ts';
import { Reconciler } from './docker/engine/reconcile.ts';
import { DockerServer } from './docker/wire/server.ts';
import { listen } from './listen.ts';
import type { ResidentCore } from './resident-core.ts';
import { ensureSocketDir } from './run-dir.ts';

export interface DockerOptions {
  readonly socket: string;
  /** Docker's name for this plugin. */
  readonly name: string;
  /** Pools to take subnets from; absent: the default ones. */
  readonly addressPools?: readonly PoolCandidate[];
  /** True on a member of a cluster. */
  readonly spansHosts?: boolean;
}

export interface DockerParts {
  readonly env: Environment;
  readonly cores: ResidentCore;
  readonly log: Logger;
  /** Called after each answered call. */
  readonly called: () => void;
  readonly recorder: Recorder;
}

/** The daemon's side that dockerd talks to. */
export interface DockerSide {
  /** Path of the socket. */
  readonly socket: string;
  /** Calls in progress. */
  readonly running: () => number;
  /** Takes no new calls; resolves when the calls in progress are answered, or after `limitMs`. */
  drain(limitMs: number): Promise<void>;
}

/** Where dockerd discovers plugins. */
const PLUGINS = /^(\/var)?\/run\/docker\/plugins\//;

/**
 * Listens for dockerd, and keeps the records in line with what dockerd knows. `fd` is a socket that systemd opened.
 * Throws NetError `io` if the socket cannot be opened, `busy` if another daemon has it.
 */
export async function openDocker(
  { socket: path, name, addressPools, spansHosts = false }: DockerOptions,
  fd: number | undefined,
  { env, cores, log, called, recorder }: DockerParts,
): Promise<DockerSide> {
  const api = dockerApiOf(env);
  let reconciler: Reconciler | undefined;
  const service = new DockerService({
    ...{ cores, log, spansHosts },
    candidates: addressPools ?? defaultCandidates(cores.host.identity.hostId),
    avoid: () => reconciler?.avoid ?? [],
    activated: () => reconciler?.activated(),
    changed: () => reconciler?.changed(),
    worded: (error) => inDockersWords(error, env),
  });
  const routes = service.routes();
  const server = new DockerServer({ routes, log, called, recorder });
  if (fd === undefined) ensureSocketDir(path, '--docker-socket names another one, or "none"');
  const socket = await listen(server, { path, fd, instead: '--docker-socket another path' });
  if (api !== undefined && isOurs(env, socket.name)) {
    reconciler = new Reconciler({ api, open: () => cores.open({ log }), routes, log, recorder, drivers: [name] });
    reconciler.start();
  }
  const expiry = service.start();
  const sweeps = startSweeps(cores, log);
  return {
    socket: socket.name,
    running: () => server.running,
    drain: async (limitMs) => {
      socket.remove();
      expiry[Symbol.dispose]();
      await Promise.all([server.drain(limitMs), reconciler?.stop(), sweeps.stop()]);
    },
  };
}

const SWEEP_MS = 600_000;

/** Finishes what interrupted calls of CNI lists left: now, and every ten minutes. `stop` waits for a sweep under way. */
function startSweeps(cores: ResidentCore, log: Logger): { stop(): Promise<void> } {
  let sweep: Promise<void> = Promise.resolve();
  let isEnding = false;
  const run = (): void => {
    sweep = sweep.then(async () => {
      try {
        using core = cores.open({ log });
        if (listListedEndpoints(core.store.notes).length === 0) return;
        const { sweepListed } = await import('./docker/lists/sweep.ts');
        for (const { message } of await sweepListed(core, () => isEnding)) log.warn('docker.sweep', { error: message });
      } catch (thrown) {
        log.warn('docker.sweep', { error: asNetError(thrown, 'docker').message });
      }
    });
  };
  run();
  const timer = setInterval(run, SWEEP_MS).unref();
  return {
    stop: async () => {
      isEnding = true;
      clearInterval(timer);
      await sweep;
    },
  };
}

/**
 * True if this host's dockerd is the one that calls here: it is configured, or it discovers the socket by itself. What
 * another dockerd does not know must not be deleted.
 */
function isOurs({ ISTHMUS_DOCKER_HOST: host = '' }: Environment, socket: string): boolean {
  return host !== '' || PLUGINS.test(socket);
}
