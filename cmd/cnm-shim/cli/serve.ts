import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { PoolCandidate } from '../../../src/shared/core/pools/pools.ts';
import type { LogLevel } from '../../../src/shared/log/log.ts';
import { given } from '../../../src/shared/model/given.ts';
import { reloadVerb } from '../../../src/shared/runtime/reload.ts';
import { type LoopbackPort, parseLoopbackPort } from '../control/loopback.ts';
import type { DockerOptions } from '../docker-side.ts';
import type { LogFormat } from '../logger.ts';
import { parseAddressPools } from './network-options.ts';
import {
  absolutePath,
  addStateDir,
  assertState,
  CLUSTER_FILE,
  RUN_DIR,
  runDirOption,
  type StateOptions,
} from './state.ts';
import { writeOut } from './stdout.ts';

interface ServeOptions {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly runDir: string;
  readonly stateDir: string;
  /** A path, or `none`. */
  readonly dockerSocket?: string;
  readonly dockerName: string;
  readonly addressPool?: readonly PoolCandidate[];
  /** A path, or `none`. */
  readonly cluster?: string;
  readonly metrics?: LoopbackPort;
}

/** Where dockerd looks for a plugin named isthmus. */
const DOCKER_SOCKET = '/run/docker/plugins/isthmus.sock';
const NO_SOCKET = 'none';

const LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];
const FORMATS: readonly LogFormat[] = ['logfmt', 'json'];

/**
 * Threads of libuv's pool, which has four by default. The kernel keeps a thread waiting for 20 ms where it deletes an
 * interface in a sandbox, and lets many wait at once: a hundred take 0.2 s, instead of 0.9 s.
 */
const POOL_THREADS = '32';

const EXAMPLES = `
Examples:
  isthmus serve                               as the systemd unit runs it
  isthmus serve --log-format json             one JSON object a line, for a log collector
  isthmus serve --log-level debug             also why a call was left to the stand-alone plugin
  isthmus serve --docker-socket none          no Docker, CNI only
  isthmus serve --address-pool base=10.99.0.0/16,size=24    subnets for "docker network create" without --subnet
  isthmus serve --metrics 127.0.0.1:9464      for Prometheus; the control socket has them anyway
  isthmus serve --run-dir /tmp/a --state-dir /tmp/b    beside another daemon; launchers find it by ISTHMUS_RUN_DIR=/tmp/a

Signals:
  SIGTERM, SIGINT   finish the calls in progress (30 s at most) and end; a second one ends at once
  SIGHUP            restore missing packet filter entries
`;

/** Adds the verb `serve` to `program`. Loads the daemon's code only to run it. */
export function addServe(program: Command): void {
  program
    .command('serve')
    .summary('run the daemon')
    .description('Runs the daemon: answers the CNI calls that launchers hand over, and dockerd. Logs to stderr.')
    .addOption(
      new Option('--log-level <level>', 'the least important events to log')
        .choices(LEVELS)
        .default('info')
        .env('ISTHMUS_LOG'),
    )
    .addOption(new Option('--log-format <format>', 'format of a line').choices(FORMATS).default('logfmt'))
    .addOption(runDirOption('directory of the socket cni.sock'))
    .addOption(
      new Option('--state-dir <dir>', 'directory of the state, shared with the stand-alone plugin')
        .default('/var/lib/isthmus')
        .env('ISTHMUS_STATE_DIR')
        .argParser(absolutePath),
    )
    .addOption(
      new Option(
        '--docker-socket <path>',
        `socket for dockerd, or "${NO_SOCKET}" (default: "${DOCKER_SOCKET}", or docker.sock in another run directory)`,
      )
        .env('ISTHMUS_DOCKER_SOCKET')
        .argParser((path) => (path === NO_SOCKET ? path : absolutePath(path))),
    )
    .addOption(
      new Option('--docker-name <name>', 'name of the plugin in Docker').default('isthmus').env('ISTHMUS_DOCKER_NAME'),
    )
    .addOption(
      new Option('--address-pool <pool>', 'pool of subnets for Docker networks; can be repeated')
        .env('ISTHMUS_ADDRESS_POOLS')
        .argParser(parseAddressPools),
    )
    .addOption(
      new Option(
        '--cluster <file>',
        `file of the cluster that this host belongs to, or "none" (default: "${CLUSTER_FILE}", if it exists)`,
      )
        .env('ISTHMUS_CLUSTER')
        .argParser((path) => (path === NO_SOCKET ? path : absolutePath(path))),
    )
    .addOption(
      new Option('--metrics <address>', 'loopback address and port to serve metrics on')
        .env('ISTHMUS_METRICS')
        .argParser(loopbackPort),
    )
    .addHelpText('after', EXAMPLES)
    .action(async ({ logLevel, logFormat, addressPool, cluster: asked, ...options }: ServeOptions) => {
      // The pool reads it at its first use.
      process.env.UV_THREADPOOL_SIZE ??= POOL_THREADS;
      const { runDaemon } = await import('../daemon.ts');
      const log = { level: logLevel, format: logFormat };
      const docker = dockerOptions(options, addressPool);
      const cluster = clusterFile(asked);
      process.exitCode = await runDaemon({ ...options, log, ...given({ docker, cluster }) });
    });
}

function loopbackPort(text: string): LoopbackPort {
  const found = parseLoopbackPort(text);
  if (found !== undefined) return found;
  throw new InvalidArgumentError(
    'It is no address of loopback with a port, such as 127.0.0.1:9464 or [::1]:9464. Other hosts must not read names.',
  );
}

function clusterFile(asked: string | undefined): string | undefined {
  if (asked === undefined) return existsSync(CLUSTER_FILE) ? CLUSTER_FILE : undefined;
  return asked === NO_SOCKET ? undefined : asked;
}

/** Undefined if Docker is switched off. */
function dockerOptions(
  { runDir, dockerSocket, dockerName }: Pick<ServeOptions, 'runDir' | 'dockerSocket' | 'dockerName'>,
  addressPools: readonly PoolCandidate[] | undefined,
): DockerOptions | undefined {
  if (dockerSocket === NO_SOCKET) return undefined;
  const socket = dockerSocket ?? (runDir === RUN_DIR ? DOCKER_SOCKET : join(runDir, 'docker.sock'));
  return { socket, name: dockerName, ...given({ addressPools }) };
}

const RELOAD_EXAMPLES = `
Restores what the records need and the host lacks, and deletes packet filter entries of ours that no record needs. The
daemon does so by itself when it starts, on SIGHUP, and when something of ours is changed.

Examples:
  isthmus reload                        after nft flush ruleset, with or without a daemon
`;

/** Adds the verb `reload` to `program`. */
export function addReload(program: Command): void {
  addStateDir(program.command('reload').summary('restore what the host lacks'))
    .addHelpText('after', RELOAD_EXAMPLES)
    .action(async ({ stateDir }: StateOptions) => {
      assertState({ stateDir });
      writeOut(await reloadVerb({ ...process.env, ISTHMUS_STATE_DIR: stateDir }));
    });
}
