import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { type Branch, formatTree } from '../../../src/shared/ui/tree.ts';
import { reportTopology } from '../topology/describe.ts';
import type { Listen, TopologyReport } from '../topology/report.ts';
import { addOutput, type OutputOptions, printJson } from './output.ts';
import { addStateDir, openState, type StateOptions } from './state.ts';
import { writeOut } from './stdout.ts';

const EXAMPLES = `
Examples:
  isthmus topology                      a tree of networks, containers and ports
  isthmus topology --web                the same as a live page in a browser, on 127.0.0.1:8190
  isthmus topology --web --listen 127.0.0.1:0
  isthmus topology -o json | jq -r '.networks[].endpoints[].problem // empty'
`;

interface Options extends OutputOptions, StateOptions {
  readonly web?: boolean;
  readonly listen: Listen;
}

/** Adds the verb `topology` to `program`. */
export function addTopology(program: Command): void {
  const command = program
    .command('topology')
    .summary('show networks, containers and ports as a tree, or as a web page');
  const listen = new Option('--listen <address:port>', 'where the page is served').argParser(parseListen);
  addStateDir(addOutput(command))
    .option('--web', 'serve a live page until Ctrl-C')
    .addOption(listen.default(parseListen('127.0.0.1:8190'), '127.0.0.1:8190'))
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      if (options.web === true) {
        const { servePage } = await import('../topology/serve.ts');
        return await servePage(options);
      }
      await using core = openState(options);
      const report = await reportTopology(core);
      if ((options.format ?? options.output) === 'json') printJson(report);
      else writeOut(formatTree(treeOf(report)));
    });
}

function treeOf({ host, networks }: TopologyReport): Branch {
  const mark = (problem: string | undefined): string[] => (problem === undefined ? [] : [`! ${problem}`]);
  const below = networks.map(({ name, driver, device = '', overlay = '', subnets, problem, endpoints }): Branch => {
    const words = [name, `${driver} ${device}`.trim(), overlay, ...subnets, ...mark(problem)];
    const leaves = endpoints.map((one): Branch => {
      const { title, camp, interface: inside = '', hostInterface = '', addresses, ports } = one;
      const ends = [inside, hostInterface].filter((end) => end !== '').join(' ⇄ ');
      return { text: join([title, camp, ...addresses, ends, ...ports, ...mark(one.problem)]) };
    });
    return { text: join(words), below: leaves };
  });
  return { text: host, below };
}

const join = (words: readonly string[]): string => words.filter((word) => word !== '').join('  ');

/** Throws InvalidArgumentError unless it is `ADDRESS:PORT`, with an IPv6 address in brackets. */
function parseListen(text: string): Listen {
  const [, v6, v4, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+|localhost)):(\d{1,5})$/.exec(text) ?? [];
  const host = v6 ?? v4;
  const port = Number(digits);
  if (host === undefined || port > 65_535)
    throw new InvalidArgumentError('Write ADDRESS:PORT, for example 127.0.0.1:8190 or [::1]:8190.');
  return { host, port };
}
