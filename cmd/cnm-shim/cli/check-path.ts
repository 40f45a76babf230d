import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Core } from '../../../src/shared/core/core.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import { NetError } from '../../../src/shared/errors/net-error.ts';
import { formatAddr, parseAddr } from '../../../src/shared/model/addr.ts';
import { listEndpoints } from '../../../src/shared/ops/endpoints.ts';
import { assertOneHost, bare, containerEnd, type End, HOST } from '../../../src/shared/ops/path/ends.ts';
import { type Hop, type Question, questionText } from '../../../src/shared/ops/path/hops.ts';
import { predict } from '../../../src/shared/ops/path/predict.ts';
import { type ProbeReport, probePath } from '../../../src/shared/ops/path/probe.ts';
import { terminalWidth, wrap } from '../../../src/shared/ui/lines.ts';
import { looking, openLook } from './look.ts';
import { type DockerNames, dockerNames, ofContainer, titleOf, withName } from './names.ts';
import { addOutput, type OutputOptions, printJson } from './output.ts';
import { addStateDir, assertState, type StateOptions } from './state.ts';
import { writeOut } from './stdout.ts';

const EXAMPLES = `
FROM and TO are containers (by their names in Docker, or the beginning of an id), addresses, or "host". Tells place by
place what will happen to a packet, sends a real one, and says where it was lost: for a moment, the kernel reports the
rules of nftables that this packet meets. --port 8080 to "host" follows a published port.
Exit codes: 0 it arrives (or nothing speaks against it), 1 it is lost, 2 wrong usage.

Examples:
  isthmus check-path web1 192.0.2.7                  can the container ping this address
  isthmus check-path web1 db1 --port 5432            one container to another
  isthmus check-path web1 host --port 8080           a published port, from inside
  isthmus check-path 192.0.2.7 host --port 8080      from elsewhere: what will happen; no packet is sent
  isthmus check-path --no-probe web1 db1 --port 53 --proto udp
`;

interface PathOptions extends OutputOptions, StateOptions {
  readonly port?: number;
  readonly proto?: Question['protocol'];
  readonly probe: boolean;
}

interface Report {
  readonly from: string;
  readonly to: string;
  readonly question: Question;
  readonly ok: boolean;
  /** The addresses of the packet when it is sent. */
  readonly source: string;
  readonly destination: string;
  readonly hops: readonly Hop[];
  /** Absent with `--no-probe`. */
  readonly probe?: ProbeReport;
}

/** Adds the verb `check-path` to `program`. */
export function addCheckPath(program: Command): void {
  const verb = program
    .command('check-path')
    .argument('<from>', 'a container, an address or "host"')
    .argument('<to>', 'a container, an address or "host"')
    .summary('find out where a packet gets lost');
  addStateDir(addOutput(verb))
    .option('-p, --port <port>', 'port of TO; without one, a ping', parsePort)
    .addOption(
      new Option('--proto <protocol>', 'default: tcp with a port, icmp without').choices([
        'tcp',
        'udp',
        'sctp',
        'icmp',
      ]),
    )
    .option('--no-probe', 'send nothing')
    .addHelpText('after', EXAMPLES)
    .action(async (from: string, to: string, options: PathOptions) => {
      const report = await looking('check-path', () => check(from, to, options));
      const { output, format = output } = options;
      if (format === 'json') printJson(report);
      else writeOut(textOf(report));
      process.exitCode = report.ok ? 0 : 1;
    });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError('Give a number from 1 to 65535.');
}

function questionOf({ port, proto = port === undefined ? 'icmp' : 'tcp' }: PathOptions): Question {
  if (proto === 'icmp') {
    if (port === undefined) return { protocol: 'icmp' };
    throw fault.badEnvironment(
      'check-path',
      `--port ${port}`,
      'a ping has no port',
      'Leave out --port or --proto icmp',
    );
  }
  if (port !== undefined) return { protocol: proto, port };
  throw fault.badEnvironment('check-path', `--proto ${proto}`, 'it needs a port', 'Add --port');
}

async function check(from: string, to: string, options: PathOptions): Promise<Report> {
  const question = questionOf(options);
  assertState(options);
  await using core = openLook(options);
  const names = await dockerNames(core);
  const [source, target] = [endOf(core, from, names), endOf(core, to, names)];
  const path = await predict(core, source, target, question);
  try {
    const probe = options.probe ? await probePath(core, path, question) : undefined;
    const isLost = path.hops.some(({ state }) => state === 'lost');
    const ok = probe === undefined || probe.result === 'not-sent' ? !isLost : isArrived(probe, question, isLost);
    return {
      ...{ from: source.title, to: target.title, question, ok },
      ...{ source: formatAddr(path.from), destination: formatAddr(path.to), hops: path.hops },
      ...(probe === undefined ? {} : { probe }),
    };
  } finally {
    if (path.sender !== undefined) path.sender[Symbol.dispose]();
  }
}

/** A program that has nothing to say to a datagram is silent. */
function isArrived({ result, droppedBy }: ProbeReport, { protocol }: Question, isLost: boolean): boolean {
  if (result === 'answered') return true;
  return result === 'silent' && protocol === 'udp' && droppedBy === undefined && !isLost;
}

/** Throws NetError `unknown-container` or `conflict`. */
function endOf(core: Core, text: string, names: DockerNames): End {
  if (text === 'host') return HOST;
  const all = listEndpoints(core).map((info) => withName(info, names));
  const address = parseAddr(text);
  if (address !== undefined) {
    assertOneHost(address);
    const canonical = formatAddr(address);
    const owner = all.find((info) => info.addresses.some((one) => bare(one) === canonical));
    if (owner === undefined) return { kind: 'address', title: canonical, address };
    return { ...containerEnd(`container ${titleOf(owner)}`, owner), addresses: [address] };
  }
  try {
    const [first] = ofContainer(all, text);
    if (first !== undefined) return containerEnd(`container ${titleOf(first)}`, first);
  } catch (thrown) {
    if (!(thrown instanceof NetError && thrown.kind === 'unknown-container')) throw thrown;
  }
  const hint = 'Give "host", an address, or a container that isthmus endpoint ls shows';
  throw fault.unknownContainer('check-path', text, 'it is no address, and no container has this name or id', hint);
}

const MARKS: Readonly<Record<Hop['state'], string>> = { passes: 'ok  ', maybe: '?   ', lost: 'LOST' };
const INDENT = 7;

function textOf({ from, to, question, source, destination, hops, probe, ok }: Report): string {
  const width = terminalWidth();
  const lines = [
    wrap(`${from} (${source}) to ${to} (${destination}), ${questionText(question)}`, width),
    ...hops.flatMap(({ at, what, state, cure }) => [
      wrap(`  ${MARKS[state]} ${at}: ${what}`, width, INDENT),
      ...(cure === undefined ? [] : [wrap(`${' '.repeat(INDENT)}> ${cure}`, width, INDENT + 2)]),
    ]),
  ];
  if (probe !== undefined) {
    const { result, what, ms, droppedBy, counted } = probe;
    lines.push(wrap(`probe: ${result}${ms === undefined ? '' : ` in ${ms} ms`}: ${what}`, width, INDENT));
    if (droppedBy !== undefined) lines.push(wrap(`  LOST ${droppedBy}`, width, INDENT));
    if (!ok && counted.length > 0) lines.push(wrap(`  counted meanwhile: ${counted.join('; ')}`, width, INDENT));
  }
  return `${lines.join('\n')}\n`;
}
