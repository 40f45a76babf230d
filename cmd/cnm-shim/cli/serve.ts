import { type Command, InvalidArgumentError, Option } from 'commander';
import type { LogLevel } from '../../../src/shared/log/log.ts';
import type { LogFormat } from '../logger.ts';

interface ServeOptions {
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly runDir: string;
  readonly stateDir: string;
}

const LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];
const FORMATS: readonly LogFormat[] = ['logfmt', 'json'];

const EXAMPLES = `
Examples:
  isthmus serve                               as the systemd unit runs it
  isthmus serve --log-format json             one JSON object a line, for a log collector
  isthmus serve --log-level debug             also why a call was left to the stand-alone plugin
  isthmus serve --run-dir /tmp/a --state-dir /tmp/b
                                              beside another daemon; launchers find it by ISTHMUS_RUN_DIR=/tmp/a

Signals:
  SIGTERM, SIGINT   finish the calls under way (30 s at most) and end; a second one ends at once
  SIGHUP            put the packet filter back as it belongs
`;

/** `program` knows the verb `serve`. The daemon itself is loaded when it is to run. */
export function addServe(program: Command): void {
  program
    .command('serve')
    .summary('run the daemon')
    .description('Runs the daemon: answers the CNI calls that launchers hand over. Logs to stderr.')
    .addOption(
      new Option('--log-level <level>', 'the least important events to log')
        .choices(LEVELS)
        .default('info')
        .env('ISTHMUS_LOG'),
    )
    .addOption(new Option('--log-format <format>', 'how a line looks').choices(FORMATS).default('logfmt'))
    .addOption(
      new Option('--run-dir <dir>', 'directory of the socket cni.sock')
        .default('/run/isthmus')
        .env('ISTHMUS_RUN_DIR')
        .argParser(absolutePath),
    )
    .addOption(
      new Option('--state-dir <dir>', 'directory of the state, shared with the stand-alone plugin')
        .default('/var/lib/isthmus')
        .env('ISTHMUS_STATE_DIR')
        .argParser(absolutePath),
    )
    .addHelpText('after', EXAMPLES)
    .action(async ({ logLevel, logFormat, runDir, stateDir }: ServeOptions) => {
      const { runDaemon } = await import('../daemon.ts');
      process.exitCode = await runDaemon({ runDir, stateDir, log: { level: logLevel, format: logFormat } });
    });
}

function absolutePath(path: string): string {
  if (path.startsWith('/')) return path;
  throw new InvalidArgumentError('It is no absolute path.');
}
