import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { networkTitle } from '../../../src/shared/model/attachment.ts';
import { given } from '../../../src/shared/model/given.ts';
import { formatSize } from '../../../src/shared/ops/networks.ts';
import { readStatus } from '../../../src/shared/ops/status.ts';
import type { EndpointCount, NetworkStatus, StatusInfo } from '../../../src/shared/ops/status-info.ts';
import { readCniFacts } from '../../../src/shared/runtime/configuration-files.ts';
import { PROGRAM_VERSION } from '../../../src/shared/runtime/program-version.ts';
import { formatPairs, terminalWidth, wrap } from '../../../src/shared/ui/lines.ts';
import { formatTable } from '../../../src/shared/ui/table.ts';
import { askDaemon } from '../control/ask.ts';
import { looking, openLook } from './look.ts';
import { dockerNames, ownName } from './names.ts';
import { addOutput, type OutputOptions, printJson } from './output.ts';
import { addStateDir, runDirOption, type StateOptions } from './state.ts';
import { writeOut } from './stdout.ts';

const EXAMPLES = `
Shows the daemon, the packet filter, the networks with their addresses, the endpoints, and the last errors.
isthmus doctor tells the causes of what is listed as a problem, and how to mend them.
Exit codes: 0 all is well, 1 there is a problem, 2 wrong usage.

Examples:
  isthmus status
  isthmus status --watch                again every two seconds, until Ctrl-C
  isthmus status -o json | jq '.networks[] | {name, free: .subnets[].free}'
`;

interface StatusOptions extends OutputOptions, StateOptions {
  readonly runDir: string;
  readonly watch?: boolean;
  readonly interval: number;
}

/** A file of the directory of CNI configurations. */
interface ConfiguredFile {
  readonly file: string;
  /** Absent if the file names none. */
  readonly network?: string;
  /** Why a runtime, or the plugin, would refuse it. */
  readonly problem?: string;
}

/** With what only the verb knows: Docker's names, and the networks of files that nothing has used yet. */
interface Shown extends StatusInfo {
  readonly networks: readonly (NetworkStatus & { readonly dockerName?: string })[];
  readonly configured: readonly ConfiguredFile[];
}

/** Adds the verb `status` to `program`. */
export function addStatus(program: Command): void {
  addStateDir(addOutput(program.command('status').summary('show how this host is, on one screen')))
    .addOption(runDirOption("the daemon's directory"))
    .option('-w, --watch', 'show it again and again')
    .option('--interval <seconds>', 'seconds between two looks of --watch', parseSeconds, 2)
    .addHelpText('after', EXAMPLES)
    .action(async (options: StatusOptions) => {
      for (;;) {
        const info = await looking('status', () => look(options));
        process.exitCode = info.ok ? 0 : 1;
        const isRead = show(info, options);
        if (options.watch !== true || !isRead) return;
        await sleep(options.interval * 1000);
      }
    });
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && seconds >= 0.1 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError('Give seconds from 0.1 to 86400.');
}

async function look(options: StatusOptions): Promise<Shown> {
  await using core = openLook(options);
  const control = await askDaemon(options.runDir);
  const info = await readStatus(core, { version: PROGRAM_VERSION, stateDir: options.stateDir, control });
  // A state that cannot be read has no networks here.
  const isDockerUsed = info.networks.some(({ name }) => name.startsWith('docker-'));
  const names = isDockerUsed ? await dockerNames(core) : undefined;
  return {
    ...info,
    networks: info.networks.map((network) => {
      const dockerName = names && ownName(network.name, names.networks);
      return { ...network, ...given({ dockerName }) };
    }),
    configured: readCniFacts(process.env).files.map(({ path, network, problem }) => ({
      file: path,
      ...given({ network, problem }),
    })),
  };
}

/** Moves a terminal's cursor to its first line, and clears it from there. */
const CLEAR = '\u001b[H\u001b[2J';

/** Returns false if the reader has closed the pipe. */
function show(info: Shown, { output, format = output, watch = false }: StatusOptions): boolean {
  if (format === 'json') return printJson(info);
  const text = textOf(info, terminalWidth());
  if (!watch) return writeOut(text);
  return writeOut(process.stdout.isTTY ? `${CLEAR}${text}` : `${text}\n`);
}

function textOf(info: Shown, width: number): string {
  const { daemon, state, filters, endpoints, unfinished, problems, lastErrors } = info;
  const pairs = formatPairs(
    [
      ['Daemon', daemonText(info)],
      ['Sockets', socketText(daemon)],
      ['State', state.exists ? state.dir : `${state.dir} (none yet: nothing has used it)`],
      ['Filter', filters.map((one) => `${one.backend}: ${filterText(one)}`).join('; ') || 'no entries of ours'],
      ['Configured', info.configured.map(configuredText).join('; ') || 'no CNI network'],
      ['Endpoints', endpoints.map(countText).join('; ')],
      [
        'Half done',
        unfinished.map(({ network, id, role }) => `${role} of ${id} on ${networkTitle(network)}`).join('; '),
      ],
    ],
    width,
  );
  const lines = [
    ...(problems.length === 0 ? ['No problems.'] : problems.map((one) => wrap(`! ${one}`, width, 2))),
    ...(problems.length === 0 ? [] : [wrap('isthmus doctor tells the causes, and how to mend them.', width)]),
  ];
  const errors = lastErrors
    .slice(0, SHOWN_ERRORS)
    .map(({ at, operation, subject, message, code }) =>
      wrap(`${at} ${operation} ${subject} (${code}): ${message}`, width, 2),
    );
  return [
    pairs,
    info.networks.length === 0 ? '' : `\n${networkTable(info.networks, width)}`,
    errors.length === 0 ? '' : `\nLast errors:\n${errors.join('\n')}\n`,
    `\n${lines.join('\n')}\n`,
  ].join('');
}

const SHOWN_ERRORS = 5;

function daemonText({ daemon, version }: StatusInfo): string {
  const { state, why = '', startedAt = '', uptimeSeconds = 0, rssBytes = 0, pid, calls, eventLoopDelayMs } = daemon;
  if (state === 'absent') return `none (${why}); verbs are version ${version}`;
  if (state !== 'answers') return why;
  return [
    `version ${daemon.version}, pid ${pid}, since ${startedAt} (${duration(uptimeSeconds)})`,
    `${(rssBytes / (1 << 20)).toFixed(0)} MiB`,
    `calls: ${calls?.running ?? 0} running, ${calls?.waiting ?? 0} waiting`,
    `event loop ${(eventLoopDelayMs?.p99 ?? 0).toFixed(1)} ms (p99)`,
  ].join('; ');
}

function socketText({ sockets }: StatusInfo['daemon']): string {
  if (sockets === undefined) return '';
  return [`cni ${sockets.cni}`, ...(sockets.docker === undefined ? [] : [`docker ${sockets.docker}`])].join('; ');
}

function configuredText({ file, network, problem }: ConfiguredFile): string {
  const name = basename(file);
  return problem === undefined ? `${network} (${name})` : `${name} cannot be used: ${problem}`;
}

function filterText({ entries, checked, missing }: StatusInfo['filters'][number]): string {
  if (missing > 0) return `${missing} of ${checked} entries are missing`;
  if (checked < entries) return `${checked} of ${entries} entries were looked at, and are there`;
  return `all of ${entries} entries are there`;
}

function countText({ camp, ready, unfinished }: EndpointCount): string {
  const more = unfinished === 0 ? '' : `, ${unfinished} half done`;
  return `${camp === 'cni' ? 'CNI' : 'Docker'} ${ready}${more}`;
}

/** `2 d 3 h`, `4 min`, `12 s`. */
function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const units = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ] as const;
  const at = units.findIndex(([size]) => whole >= size);
  const [first, second] = units.slice(at < 0 ? units.length - 1 : at);
  const [size, name] = first ?? [1, 's'];
  const rest = second === undefined ? 0 : Math.floor((whole % size) / second[0]);
  return `${Math.floor(whole / size)} ${name}${second === undefined || rest === 0 ? '' : ` ${rest} ${second[1]}`}`;
}

/** Below this width each network has lines of its own, since a table would not fit. */
const TABLE_WIDTH = 80;

function networkTable(networks: Shown['networks'], width: number): string {
  const rows = networks.map((network) => {
    const { name, dockerName = name, driver, device = '', present, endpoints, subnets } = network;
    return [
      dockerName,
      driver,
      present ? device : `${device} (missing)`,
      String(endpoints),
      subnets.map(({ subnet }) => subnet).join(' '),
      subnets.map(({ used, size }) => (used === undefined ? '-' : `${used}/${formatSize(size)}`)).join(' '),
    ];
  });
  if (width >= TABLE_WIDTH) return formatTable(HEADINGS, rows);
  return rows
    .map((cells) => {
      const [name = '', ...rest] = cells.map((cell, i) =>
        i === 0 ? cell : `${HEADINGS[i]?.toLowerCase()} ${cell || '-'}`,
      );
      return `${wrap(`network ${name}: ${rest.join(', ')}`, width, 2)}\n`;
    })
    .join('');
}

const HEADINGS = ['NETWORK', 'DRIVER', 'DEVICE', 'ENDPOINTS', 'SUBNETS', 'IN USE'];
