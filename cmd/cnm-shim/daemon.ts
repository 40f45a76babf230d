import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import manifest from '../../package.json' with { type: 'json' };
import { CATALOG } from '../../src/shared/errors/catalog.ts';
import { asNetError } from '../../src/shared/errors/net-error.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import { releaseExecutable } from '../../src/shared/netlink/memory.ts';
import { CniServer } from './cni/server.ts';
import { CniService } from './cni/service.ts';
import { type DockerOptions, openDocker } from './docker-side.ts';
import { LineSink } from './line-sink.ts';
import { atMost, listen } from './listen.ts';
import { droppedLine, type LogOptions, openLogger } from './logger.ts';
import { startMending } from './mending.ts';
import { claimRunDir } from './run-dir.ts';
import { type ServiceManager, takeListeners, takeServiceManager } from './systemd.ts';
import { makeTrimmer } from './trimmer.ts';

export interface DaemonOptions {
  readonly runDir: string;
  readonly stateDir: string;
  readonly log: LogOptions;
  /** Absent: no socket for Docker. */
  readonly docker?: DockerOptions;
}

/** Milliseconds that calls in progress may take when the daemon ends. */
const DRAIN_MS = 30_000;
/** Milliseconds that the end waits for a reader of the log. */
const FLUSH_MS = 1000;
const STDERR = 2;
const NOT_SERVED =
  'systemd listens for Docker, but --docker-socket is none: calls would hang. Disable isthmus-docker.socket';

/** Runs the daemon from start to end. Resolves with the exit code; errors are in the log. */
export async function runDaemon({ log: logOptions, ...options }: DaemonOptions): Promise<number> {
  const sink = new LineSink(STDERR, droppedLine(logOptions.format));
  process.on('exit', () => sink.flush(FLUSH_MS));
  const log = await openLogger(logOptions, sink);
  for (const event of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(event, (thrown: unknown) => {
      log.error('daemon.failed', { error: asNetError(thrown, 'serve').message, stack: stackOf(thrown) });
      process.exit(1);
    });
  try {
    await serve({ ...options, log });
    return 0;
  } catch (thrown) {
    const error = asNetError(thrown, 'serve');
    log.error('daemon.failed', { error: error.message });
    return CATALOG[error.kind].exit;
  }
}

interface Parts extends Omit<DaemonOptions, 'log'> {
  readonly log: Logger;
}

/** Resolves after a signal has ended the daemon and the calls in progress are answered. */
async function serve({ runDir, stateDir, docker: dockerOptions, log }: Parts): Promise<void> {
  // Its code and its work would take 8 MB and more, to make calls a tenth faster.
  setFlagsFromString('--no-turbofan');
  await startThreads();
  const manager = takeServiceManager(process.env, (error) =>
    log.warn('systemd.notify', { error: asNetError(error, 'notify').message }),
  );
  const listeners = takeListeners(process.env);
  const stop = onStopSignal();
  // Until there is something to reload.
  process.on('SIGHUP', () => {});
  using run = claimRunDir(runDir);
  const named = dockerOptions === undefined ? {} : { ISTHMUS_DOCKER_NAME: dockerOptions.name };
  using service = new CniService({ stateDir, env: { ...process.env, ...named }, log });
  const { called } = makeTrimmer();
  const parts = { env: process.env, cores: service.resident, log, called };
  const dockerFd = listeners.get('docker');
  const docker = dockerOptions && (await openDocker(dockerOptions, dockerFd, parts));
  if (docker === undefined && dockerFd !== undefined) log.warn('docker.socket', { error: NOT_SERVED });
  const server = new CniServer(service, log, called);
  const { name: socket } = await listen(server, { path: join(run.path, 'cni.sock'), fd: listeners.get('cni') });
  const status = `Serving CNI calls on ${socket}${docker === undefined ? '' : `, and Docker on ${docker.socket}`}`;
  const passes = makePasses(service, log);
  process.on('SIGHUP', () => void reload(passes, manager, status));
  await using _mending = startMending({
    ns: service.resident.host.own,
    log,
    core: () => service.resident.open({ log }),
    pass: () => passes.run('change'),
  });
  releaseExecutable();
  manager.ready(status);
  log.info('daemon.start', {
    version: manifest.version,
    cni: socket,
    docker: docker?.socket,
    stateDir,
    ms: Math.round(performance.now()),
  });

  // Beside the calls: it takes no part that a call has locked.
  void passes.run('start');

  const signal = await stop;
  manager.stopping('Finishing the calls under way');
  const since = performance.now();
  await Promise.all([server.drain(DRAIN_MS), docker?.drain(DRAIN_MS), atMost(DRAIN_MS, passes.idle())]);
  log.info('daemon.stop', { signal, ms: Math.round(performance.now() - since) });
}

/**
 * Starts all threads of libuv's pool. A thread lives in the network namespace of the thread that started it, so none
 * may start while a sandbox is entered.
 */
async function startThreads(): Promise<void> {
  await Promise.all([1, 2, 3, 4].map(() => stat('/')));
}

/** Resolves with the first SIGTERM or SIGINT; the second one ends the process at once. */
function onStopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.on(signal, () => {
        if (asked) process.exit(1);
        asked = true;
        resolve(signal);
      });
  });
}

interface Passes {
  run(reason: 'start' | 'SIGHUP' | 'change'): Promise<void>;
  /** Resolves once no pass is under way. */
  idle(): Promise<void>;
}

/** Reconciles, one pass at a time, and logs what a pass has done. Never rejects. */
function makePasses(service: CniService, log: Logger): Passes {
  let last: Promise<void> = Promise.resolve();
  const run = async (reason: string): Promise<void> => {
    const since = performance.now();
    try {
      const { errors, mended, endpoints, networks, entries } = await service.reconcile({ sweep: reason !== 'change' });
      for (const error of errors) log.warn('reconcile.failed', { error: error.message });
      for (const command of mended) log.info('mended', { command });
      const removed = { removedEndpoints: endpoints, removedNetworks: networks };
      const there = reason === 'change' ? {} : service.counts();
      const ms = Math.round(performance.now() - since);
      log.info('reconciled', { reason, ...there, ...removed, entries, mended: mended.length, ms });
    } catch (thrown) {
      log.warn('reconcile.failed', { error: asNetError(thrown, 'reconcile').message });
    }
  };
  return {
    run: (reason) => {
      last = last.then(() => run(reason));
      return last;
    },
    idle: () => last,
  };
}

async function reload(passes: Passes, manager: ServiceManager, status: string): Promise<void> {
  manager.reloading();
  await passes.run('SIGHUP');
  manager.ready(status);
}

function stackOf(thrown: unknown): string | undefined {
  return thrown instanceof Error ? thrown.stack : undefined;
}
