import { type Command, InvalidArgumentError, Option } from 'commander';
import { ifNameFault } from '../../../src/shared/model/link.ts';
import { BACKENDS, type ExplainOptions, FORMATS, type PublishedPort } from '../explain/options.ts';
import { absolutePath, addStateDir, collected } from './state.ts';

const EXAMPLES = `
Prints what ADD would do, as a shell script of ip, bridge, sysctl, tc and nft
commands in their order, each with what undoes it. Changes nothing.

The script has every step, as on a host without Isthmus's devices and rules.
With --diff, each step is compared with the host as it is now, and with the
container's recorded addresses; the exit code is 1 if anything is missing.

Examples:
  isthmus explain /etc/cni/net.d/10-web.conflist
  isthmus explain --publish 8080:80 <10-web.conflist
  isthmus explain --diff --container 3f2a9c1b 10-web.conflist
  isthmus explain --docker 'network create -d isthmus --internal db'
  isthmus explain -o json 10-web.conflist | jq -r '.steps[].commands[]'
`;

/** Adds the verb `explain` to `program`. */
export function addExplain(program: Command): void {
  const explain = program
    .command('explain')
    .argument('[file]', 'a CNI configuration; default: standard input')
    .summary('print what ADD would do, as commands');
  addStateDir(explain)
    .option('--docker <command>', 'explain "network create …" of docker in place of a file')
    .addOption(new Option('--container <id>', 'id of the container').default('explain').env('CNI_CONTAINERID'))
    .addOption(new Option('--ifname <name>', 'its interface').default('eth0').env('CNI_IFNAME').argParser(ifName))
    .addOption(
      new Option('--netns <path>', 'its namespace (default: /run/netns/<id>)').env('CNI_NETNS').argParser(absolutePath),
    )
    .addOption(new Option('--args <list>', "the runtime's arguments: KEY=VALUE;…").default('').env('CNI_ARGS'))
    .option('--address <cidr>', 'its address; default: the first free one of an empty pool', collected)
    .option('--gateway <address>', "the address's gateway, where another program gives both", collected)
    .option('-p, --publish <ports>', 'a port to publish: 8080:80, 127.0.0.1:53:53/udp', published)
    .addOption(new Option('--firewall <backend>', 'packet filter in place of the configured one').choices(BACKENDS))
    .option('--diff', 'compare with the host as it is now')
    .addOption(new Option('-o, --output <format>', 'a script, or JSON').choices(FORMATS).default('script'))
    .addHelpText('after', EXAMPLES)
    .action(async (file: string | undefined, options: ExplainOptions) => {
      // The verbs that run most often need none of it.
      const { explain: run } = await import('../explain/explain.ts');
      process.exitCode = await run(file, options);
    });
}

function ifName(text: string): string {
  const wrong = ifNameFault(text);
  if (wrong === undefined) return text;
  throw new InvalidArgumentError(`It ${wrong}.`);
}

const PORTS = /^(?:(?:\[([0-9a-fA-F:]+)\]|([\d.]+)):)?(\d{1,5}):(\d{1,5})(?:\/(tcp|udp|sctp))?$/;

function published(text: string, before: readonly PublishedPort[] = []): readonly PublishedPort[] {
  const [, v6, v4, host, container, protocol = 'tcp'] = PORTS.exec(text) ?? [];
  const hostIP = v6 ?? v4;
  const [hostPort, containerPort] = [Number(host), Number(container)];
  const isPort = (port: number): boolean => port >= 1 && port <= 65_535;
  if (!isPort(hostPort) || !isPort(containerPort))
    throw new InvalidArgumentError('Write it as in 8080:80 or 127.0.0.1:53:53/udp.');
  return [...before, { hostPort, containerPort, protocol, ...(hostIP === undefined ? {} : { hostIP }) }];
}
