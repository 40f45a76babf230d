import type { Command } from 'commander';
import { type EndpointInfo, listEndpoints } from '../../../src/shared/ops/endpoints.ts';
import { inspectNetwork } from '../../../src/shared/ops/networks.ts';
import { type Named, ofContainer, titleOf, withName } from './containers.ts';
import { dockerNames } from './docker-names.ts';
import { addOutput, type OutputOptions, print, type TableShape } from './output.ts';
import { addStateDir, openState, type StateOptions } from './state.ts';

const LS_EXAMPLES = `
Examples:
  isthmus endpoint ls                   all of them, Docker's and CNI's
  isthmus endpoint ls web               those of one network
  isthmus endpoint ls -o json | jq -r '.[].addresses[]'
`;

const INSPECT_EXAMPLES = `
Examples:
  isthmus endpoint inspect web1         of a container, by its name in Docker
  isthmus endpoint inspect 4f1c         by the beginning of a container's or an endpoint's id
`;

type Options = OutputOptions & StateOptions;

export type NamedEndpoint = Named<EndpointInfo>;

export const ENDPOINTS: TableShape<NamedEndpoint> = {
  headings: ['NETWORK', 'CONTAINER', 'INTERFACE', 'ADDRESSES', 'MAC', 'CAMP', 'STATE'],
  row: (info) => {
    const { network, addresses, mac = '', camp, ready } = info;
    return [network, titleOf(info), info.interface, addresses.join(' '), mac, camp, ready ? 'ready' : 'half-done'];
  },
};

/** Adds the verbs for endpoints to `program`. */
export function addEndpoint(program: Command): void {
  const endpoint = program.command('endpoint').summary('list and show endpoints');
  const ls = endpoint.command('ls').alias('list').argument('[network]', 'name or id').summary('list endpoints');
  addStateDir(addOutput(ls))
    .addHelpText('after', LS_EXAMPLES)
    .action(async (network: string | undefined, options: Options) => {
      await using core = openState(options);
      const names = await dockerNames(core);
      const found =
        network === undefined ? listEndpoints(core) : (await inspectNetwork(core, network, names.networks)).endpoints;
      print(
        options.output,
        found.map((info) => withName(info, names)),
        ENDPOINTS,
      );
    });
  const inspect = endpoint
    .command('inspect')
    .argument('<container...>', 'names or ids')
    .summary('show the endpoints of containers in detail');
  addStateDir(addOutput(inspect, 'json'))
    .addHelpText('after', INSPECT_EXAMPLES)
    .action(async (wanted: readonly string[], options: Options) => {
      await using core = openState(options);
      const names = await dockerNames(core);
      const all = listEndpoints(core).map((info) => withName(info, names));
      const found = new Set(wanted.flatMap((text) => ofContainer(all, text)));
      print(options.output, [...found], ENDPOINTS);
    });
}
