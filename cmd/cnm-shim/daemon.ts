import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { CATALOG } from '../../src/shared/errors/catalog.ts';
import { asNetError } from '../../src/shared/errors/net-error.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import { given } from '../../src/shared/model/given.ts';
import { releaseExecutable } from '../../src/shared/netlink/memory.ts';
import type { CallCore } from '../../src/shared/runtime/make-core.ts';
import { PROGRAM_VERSION } from '../../src/shared/runtime/program-version.ts';
import { CniServer } from './cni/server.ts';
import { CniService } from './cni/service.ts';
import { LoopWatch } from './control/loop-delay.ts';
import type { LoopbackPort } from './control/loopback.ts';
import { openControl } from './control/open.ts';
import { type EndedOperation, Operations } from './control/operations.ts';
import { controlSocket } from './control/socket.ts';
import { type DockerOptions, openDocker } from './docker-side.ts';
import { LineSink } from './line-sink.ts';
import { atMost, listen } from './listen.ts';
import { droppedLine, type LogOptions, openLogger } from './logger.ts';
import { startMending } from './mending.ts';
import { makePasses, type Passes } from './passes.ts';
import { claimRunDir } from './run-dir.ts';
import { watchState } from './state-watch.ts';
import { type ServiceManager, takeListeners, takeServiceManager } from './systemd.ts';
import { makeTrimmer } from './trimmer.ts';

export interface DaemonOptions {
  readonly runDir: string;
  readonly stateDir: string;
  readonly log: LogOptions;
  /** Absent: no socket for Docker. */
  readonly docker?: DockerOptions;
  /** File of the cluster; absent: none. */
  readonly cluster?: string;
  /** Where to serve metrics besides the control socket. */
  readonly metrics?: LoopbackPort;
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
async function serve({
  runDir,
  stateDir,
  docker: dockerOptions,
  cluster: clusterFile,
  metrics,
  log,
}: Parts): Promise<void> {
  // Its code and its work would take 8 MB and more, to make calls a tenth faster.
  setFlagsFromString('--no-turbofan');
  // Percent of what lives. V8 would let garbage grow to 30 MB and more under load, and collecting it earlier costs no
  // more: with 60,000 changes of a cluster the daemon took 90 MB, and takes 64.
  setFlagsFromString('--heap-growing-percent=25');
  await startThreads();
  const manager = takeServiceManager(process.env, (error) =>
    log.warn('systemd.notify', { error: asNetError(error, 'notify').message }),
  );
  const listeners = takeListeners(process.env);
  const stop = onStopSignal();
  // Until there is something to reload.
  process.on('SIGHUP', () => {});
  using run = claimRunDir(runDir);
  const startedAt = new Date();
  const operations = new Operations();
  using loop = new LoopWatch();
  const recorder = {
    begun: () => loop.busy(),
    ended: (operation: EndedOperation) => operations.record(operation),
  };
  const named = dockerOptions === undefined ? {} : { ISTHMUS_DOCKER_NAME: dockerOptions.name };
  using service = new CniService({ stateDir, env: { ...process.env, ...named }, log, recorder });
  const { called } = makeTrimmer();
  const parts = { env: process.env, cores: service.resident, log, called, recorder };
  const passes = makePasses(service, recorder, log);
  // Before the sockets: no call finds the daemon without its cluster.
  const clusterParts = { file: clusterFile ?? '', runDir: run.path, service, passes, called, log };
  await using _cluster = clusterFile === undefined ? undefined : await joinCluster(clusterParts);
  void resumeLeases(service, log);
  const dockerFd = listeners.get('docker');
  const spansHosts = clusterFile !== undefined;
  const docker = dockerOptions && (await openDocker({ ...dockerOptions, spansHosts }, dockerFd, parts));
  if (docker === undefined && dockerFd !== undefined) log.warn('docker.socket', { error: NOT_SERVED });
  const server = new CniServer(service, log, called);
  const { name: socket } = await listen(server, { path: join(run.path, 'cni.sock'), fd: listeners.get('cni') });
  const control = controlSocket(run.path);
  const facts = {
    ...{ startedAt, operations, loop, log },
    sockets: { cni: socket, ...given({ docker: docker?.socket }), control },
    calls: () => ({ ...server.calls, running: server.calls.running + (docker?.running() ?? 0) }),
    missingRules: () => passes.missing(),
    core: () => service.resident.open({ log }),
  };
  using _control = await openControl(facts, metrics);
  const status = `Serving CNI calls on ${socket}${docker === undefined ? '' : `, and Docker on ${docker.socket}`}`;
  process.on('SIGHUP', () => void reload(passes, manager, status));
  await using _mending = startMending({
    ns: service.resident.host.own,
    log,
    core: () => service.resident.open({ log }),
    uplinks: service.resident.uplinks,
    pass: () => passes.run('change'),
  });
  using _state = watchState({ stateDir, log, changed: () => service.resident.settlePorts() });
  releaseExecutable();
  manager.ready(status);
  log.info('daemon.start', {
    version: PROGRAM_VERSION,
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

/** Before the sockets: no ADD comes between. A failure costs renewals, and no call. */
async function resumeLeases({ resident }: CniService, log: Logger): Promise<void> {
  try {
    await resident.dhcp.resume();
  } catch (thrown) {
    log.warn('dhcp.failed', { error: asNetError(thrown, 'dhcp').message });
  }
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

interface JoinParts {
  /** cluster.json. */
  readonly file: string;
  readonly runDir: string;
  readonly service: CniService;
  readonly passes: Passes;
  /** Of the trimmer. */
  readonly called: () => void;
  readonly log: Logger;
}

/**
 * Joins the cluster that the file names. A wrong file or a kernel without VXLAN stops only overlay networks: the log and
 * `cluster status` give the reason.
 */
async function joinCluster(join: JoinParts): Promise<AsyncDisposable> {
  const { file, runDir, passes, called, log } = join;
  const { resident } = join.service;
  const [{ openClusterSide }, { serveCluster }] = await Promise.all([
    import('./cluster-open.ts'),
    import('./cluster-control.ts'),
  ]);
  const core = (): CallCore => resident.open({ log });
  const parts = {
    ...{ log, stateDir: resident.stateDir, host: resident.host, core, called },
    pass: () => passes.run('change'),
  };
  const opened = new AsyncDisposableStack();
  const side = await openClusterSide(file, parts).catch((thrown: unknown) => asNetError(thrown, 'cluster'));
  if (side instanceof Error) log.error('cluster.failed', { file, error: side.message });
  else resident.cluster = opened.use(side);
  try {
    opened.use(await serveCluster({ runDir, file, cluster: side, core, log }));
  } catch (thrown) {
    log.warn('cluster.socket', { error: asNetError(thrown, 'cluster').message });
  }
  return opened;
}

async function reload(passes: Passes, manager: ServiceManager, status: string): Promise<void> {
  manager.reloading();
  await passes.run('SIGHUP');
  manager.ready(status);
}

function stackOf(thrown: unknown): string | undefined {
  return thrown instanceof Error ? thrown.stack : undefined;
}
