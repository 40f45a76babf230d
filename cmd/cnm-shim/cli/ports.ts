import { type Command, InvalidArgumentError } from 'commander';
import type { Core } from '../../../src/shared/core/core.ts';
import { listens } from '../../../src/shared/core/ports/seen.ts';
import { asNetError } from '../../../src/shared/errors/net-error.ts';
import { formatPorts, type Protocol } from '../../../src/shared/model/firewall.ts';
import { listEndpoints } from '../../../src/shared/ops/endpoints.ts';
import { listPorts, type PublishedPort } from '../../../src/shared/ops/ports.ts';
import { containerCalled } from '../docker/engine/names.ts';
import { type DockerNames, dockerNames, type Named, networkOf, ofContainer, titleOf, withName } from './names.ts';
import { addListOutput, type ListOptions, type ListShape, printList } from './output.ts';
import { addStateDir, openState, type StateOptions } from './state.ts';

const EXAMPLES = `
docker ps and docker port do not show the published ports of plugin networks; this command does.
HOST is the address to connect to; * is every address of the host. Ports of routed networks have no HOST: connect to
the address in LEADS TO. Consecutive ports are one row; in JSON, count tells how many. [::] is the daemon's relay to a container with IPv4 only.
While the daemon runs, it holds the ports: no other program can bind them.

Examples:
  isthmus ports                         every published port, Docker's and CNI's
  isthmus ports web1                    those of one container, by its name or an id prefix
  isthmus ports --port 8080             who has this port of the host
  isthmus ports -o json web1 | jq '.[0].hostPort'
`;

const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'sctp'];

interface HostPort {
  readonly port: number;
  readonly protocols: readonly Protocol[];
}

interface PortsOptions extends ListOptions, StateOptions {
  readonly port?: HostPort;
}

const PORTS: ListShape<Named<PublishedPort>> = {
  headings: ['CONTAINER', 'NETWORK', 'HOST', 'LEADS TO'],
  row: (port) => {
    const targets = port.addresses.map((address) => `${bracketed(address)}:${formatPorts(port.port, port)}`);
    return [titleOf(port), networkOf(port), `${hostOf(port)}/${port.protocol}`, targets.join(' ')];
  },
  name: (port) => `${hostOf(port)}/${port.protocol}`,
  filters: {
    container: (port, value) => titleOf(port) === value,
    network: (port, value) => [networkOf(port), port.network].includes(value),
    protocol: (port, value) => port.protocol === value,
  },
};

/** Adds the verb `ports` to `program`. */
export function addPorts(program: Command): void {
  const ports = program.command('ports').argument('[container]', 'name or id').summary('list published ports');
  addStateDir(addListOutput(ports, PORTS))
    .option('--port <port>', 'a port of the host: 8080, or 53/udp', parsePort)
    .addHelpText('after', EXAMPLES)
    .action(async (container: string | undefined, options: PortsOptions) => {
      await using core = openState(options);
      const names = await dockerNames(core);
      const all = listPorts(core).map((port) => withName(port, names));
      const ids = container === undefined ? undefined : await endpointsOf(core, names, container);
      const { port: asked } = options;
      const found = all.filter(
        (port) => (ids === undefined || ids.has(port.id)) && (asked === undefined || covers(port, asked)),
      );
      printList(options, found, PORTS);
      if (asked !== undefined && found.length === 0) tellListeners(core, asked);
    });
}

/**
 * The ids of a container's endpoints. A container without published ports gives an empty list, and so does a stopped
 * one, which has none; throws NetError `unknown-container` for an unknown one.
 */
async function endpointsOf(core: Core, names: DockerNames, text: string): Promise<ReadonlySet<string>> {
  try {
    const endpoints = listEndpoints(core).map((info) => withName(info, names));
    return new Set(ofContainer(endpoints, text).map(({ id }) => id));
  } catch (thrown) {
    const stopped = asNetError(thrown, 'container').kind === 'unknown-container' && (await containerCalled(text));
    if (stopped === undefined || stopped === false) throw thrown;
    console.error(`isthmus: container ${stopped} has no endpoint here: its ports are published while it runs`);
    return new Set();
  }
}

function parsePort(text: string): HostPort {
  const [, digits, protocol] = /^(\d{1,5})(?:\/(\w+))?$/.exec(text) ?? [];
  const port = Number(digits);
  const protocols = PROTOCOLS.filter((name) => protocol === undefined || name === protocol);
  if (port >= 1 && port <= 65_535 && protocols.length > 0) return { port, protocols };
  throw new InvalidArgumentError('Write it as in 8080 or 53/udp.');
}

function covers({ hostPort, count = 1, protocol }: PublishedPort, { port, protocols }: HostPort): boolean {
  return hostPort !== undefined && hostPort <= port && port < hostPort + count && protocols.includes(protocol);
}

/** Returns the names of the processes that listen on a port that is not published. */
function tellListeners({ host }: Core, { port, protocols }: HostPort): void {
  const { listeners } = host.observe(host.own, { listeners: protocols.map((protocol) => ({ protocol, port })) });
  const { holders } = host.observe(host.own, { holders: listeners.map(({ inode }) => inode) });
  for (const { protocol, inode } of listeners) {
    console.error(`isthmus: host port ${port}/${protocol}: ${listens(holders.get(inode))}`);
  }
}

function hostOf(port: PublishedPort): string {
  const { hostIp, hostPort } = port;
  if (hostPort === undefined) return 'routed';
  return `${hostIp === undefined || hostIp === '' ? '*' : bracketed(hostIp)}:${formatPorts(hostPort, port)}`;
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
