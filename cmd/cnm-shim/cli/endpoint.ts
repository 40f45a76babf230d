import type { Command } from 'commander';
import type { Core } from '../../../src/shared/core/core.ts';
import { asNetError, type NetError } from '../../../src/shared/errors/net-error.ts';
import { given } from '../../../src/shared/model/given.ts';
import { withInterfaces } from '../../../src/shared/ops/docker-interfaces.ts';
import { type EndpointInfo, listEndpoints } from '../../../src/shared/ops/endpoints.ts';
import { inspectNetwork, listNetworks } from '../../../src/shared/ops/networks.ts';
import { endpointProblem, readLinks } from '../../../src/shared/ops/topology.ts';
import { addEndpointRemove } from './endpoint-remove.ts';
import { dockerNames, type Named, networkOf, ofContainer, titleOf, withName } from './names.ts';
import {
  addListOutput,
  addOutput,
  hasLabel,
  type ListOptions,
  type ListShape,
  type OutputOptions,
  print,
  printList,
  raise,
} from './output.ts';
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

/** `problem`: what the links of the host tell, in the verbs for endpoints alone. */
export type NamedEndpoint = Named<EndpointInfo> & { readonly problem?: string };

export const ENDPOINTS: ListShape<NamedEndpoint> = {
  headings: ['NETWORK', 'CONTAINER', 'INTERFACE', 'HOST SIDE', 'ADDRESSES', 'MAC', 'CAMP', 'STATE'],
  row: (info) => {
    const { interface: inside = '', hostInterface = '', addresses, mac = '', camp, ready, problem } = info;
    const sides = [inside, hostInterface];
    return [
      networkOf(info),
      titleOf(info),
      ...sides,
      addresses.join(' '),
      mac,
      camp,
      ready ? (problem ?? 'ready') : 'half-done',
    ];
  },
  name: titleOf,
  filters: {
    container: (info, value) => titleOf(info) === value,
    network: (info, value) => [networkOf(info), info.network].includes(value),
    camp: ({ camp }, value) => camp === value,
    label: ({ container }, value) => hasLabel(container?.labels ?? {}, value),
  },
};

/** Adds the verbs for endpoints to `program`. */
export function addEndpoint(program: Command): void {
  const endpoint = program.command('endpoint').summary('list, show and remove endpoints');
  const ls = endpoint.command('ls').alias('list').argument('[network]', 'name or id').summary('list endpoints');
  addStateDir(addListOutput(ls, ENDPOINTS))
    .addHelpText('after', LS_EXAMPLES)
    .action(async (network: string | undefined, options: ListOptions & StateOptions) => {
      await using core = openState(options);
      const names = await dockerNames(core);
      const found = withInterfaces(
        core,
        network === undefined ? listEndpoints(core) : (await inspectNetwork(core, network, names.networks)).endpoints,
      );
      printList(
        options,
        (await withProblems(core, found)).map((info) => withName(info, names)),
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
      const every = await withProblems(core, withInterfaces(core, listEndpoints(core)));
      const all = every.map((info) => withName(info, names));
      const errors: NetError[] = [];
      const found = wanted.flatMap((text) => {
        try {
          return ofContainer(all, text);
        } catch (thrown) {
          errors.push(asNetError(thrown, 'container'));
          return [];
        }
      });
      if (found.length > 0) print(options, [...new Set(found)], ENDPOINTS);
      raise(errors);
    });
  addEndpointRemove(endpoint);
}

/** Adds what is wrong with each interface on the host: a deleted link does not change its record. */
async function withProblems(core: Core, endpoints: readonly EndpointInfo[]): Promise<readonly WithProblem[]> {
  if (endpoints.length === 0) return [];
  const links = readLinks(core);
  const networks = new Map((await listNetworks(core)).map((network) => [network.name, network]));
  return endpoints.map((info) => {
    const problem = endpointProblem(info, networks.get(info.network) ?? {}, links);
    return { ...info, ...given({ problem }) };
  });
}

type WithProblem = EndpointInfo & { readonly problem?: string };
