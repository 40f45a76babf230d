import type { Command } from 'commander';
import { formatPorts } from '../../../src/shared/model/firewall.ts';
import { listEndpoints } from '../../../src/shared/ops/endpoints.ts';
import { listPorts, type PublishedPort } from '../../../src/shared/ops/ports.ts';
import { type Named, ofContainer, titleOf, withName } from './containers.ts';
import { dockerNames } from './docker-names.ts';
import { addOutput, type OutputOptions, print, type TableShape } from './output.ts';
import { addStateDir, openState, type StateOptions } from './state.ts';

const EXAMPLES = `
docker ps and docker port do not show the published ports of plugin networks; this command does.
HOST is the address to connect to; * is every address of the host. Ports of routed networks have no HOST: connect to
the address in LEADS TO.

Examples:
  isthmus ports                         every published port, Docker's and CNI's
  isthmus ports web1                    those of one container, by its name or an id prefix
  isthmus ports -o json web1 | jq '.[0].hostPort'
`;

const PORTS: TableShape<Named<PublishedPort>> = {
  headings: ['CONTAINER', 'NETWORK', 'HOST', 'LEADS TO'],
  row: (port) => {
    const targets = port.addresses.map((address) => `${bracketed(address)}:${formatPorts(port.port, port)}`);
    return [titleOf(port), port.network, `${hostOf(port)}/${port.protocol}`, targets.join(' ')];
  },
};

/** Adds the verb `ports` to `program`. */
export function addPorts(program: Command): void {
  const ports = program.command('ports').argument('[container]', 'name or id').summary('list published ports');
  addStateDir(addOutput(ports))
    .addHelpText('after', EXAMPLES)
    .action(async (container: string | undefined, options: OutputOptions & StateOptions) => {
      await using core = openState(options);
      const names = await dockerNames(core);
      const all = listPorts(core).map((port) => withName(port, names));
      if (container === undefined) return print(options.output, all, PORTS);
      // A container without published ports gives an empty list; an unknown container is an error.
      const endpoints = listEndpoints(core).map((info) => withName(info, names));
      const ids = new Set(ofContainer(endpoints, container).map(({ id }) => id));
      print(
        options.output,
        all.filter(({ id }) => ids.has(id)),
        PORTS,
      );
    });
}

function hostOf(port: PublishedPort): string {
  const { hostIp, hostPort } = port;
  if (hostPort === undefined) return 'routed';
  return `${hostIp === undefined || hostIp === '' ? '*' : bracketed(hostIp)}:${formatPorts(hostPort, port)}`;
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
