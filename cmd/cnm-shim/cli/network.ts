import type { Command } from 'commander';
import { inspectNetwork, listNetworks, type NetworkInfo } from '../../../src/shared/ops/networks.ts';
import { withName } from './containers.ts';
import { type DockerNames, dockerNames } from './docker-names.ts';
import { ENDPOINTS, type NamedEndpoint } from './endpoint.ts';
import { shortId } from './ids.ts';
import { addCreate } from './network-create.ts';
import { addRemove } from './network-remove.ts';
import { addOutput, type OutputOptions, print, printJson, printTable, type TableShape } from './output.ts';
import { addStateDir, openState, type StateOptions } from './state.ts';

const LS_EXAMPLES = `
Examples:
  isthmus network ls
  isthmus network ls -o json | jq -r '.[] | select(.internal) | .name'

USED BY tells who keeps a network while it has no endpoint: networks of Docker by their names there, operator for
those of isthmus network create. A network of a CNI configuration lives as long as its endpoints.
`;

const INSPECT_EXAMPLES = `
Examples:
  isthmus network inspect web           subnets, addresses in use, endpoints of both camps
  isthmus network inspect 1f5d9ab0c2e4  by the id of a Docker network, or by its name there
  isthmus network inspect -o table web  for people
`;

type Options = OutputOptions & StateOptions;

/** A network with its Docker names and the containers on it. */
interface NamedNetwork extends NetworkInfo {
  /** The Docker networks that share it. */
  readonly docker: readonly { readonly id: string; readonly name?: string }[];
  readonly endpoints: readonly NamedEndpoint[];
}

const NETWORKS: TableShape<NamedNetwork> = {
  headings: ['NAME', 'DRIVER', 'DEVICE', 'SUBNETS', 'ENDPOINTS', 'USED BY'],
  row: ({ name, driver, device = '', present, subnets, endpoints, predefined, docker, holders }) => {
    const others = holders.filter((holder) => !holder.startsWith(DOCKER));
    const users = [...docker.map((of) => `docker ${of.name ?? shortId(of.id)}`), ...others];
    return [
      name,
      driver,
      present ? device : `${device} (missing)`,
      subnets.map(({ subnet }) => subnet).join(' '),
      predefined ? '' : String(endpoints.length),
      predefined ? 'predefined' : users.join(', '),
    ];
  },
};

/** Prefix of holders that are Docker networks. */
const DOCKER = 'docker:';

/** Adds the verbs for networks to `program`. */
export function addNetwork(program: Command): void {
  const network = program.command('network').summary('list, show, create and remove networks');
  addStateDir(addOutput(network.command('ls').alias('list').summary('list networks')))
    .addHelpText('after', LS_EXAMPLES)
    .action(async (options: Options) => {
      await using core = openState(options);
      const names = await dockerNames(core);
      const all = await listNetworks(core);
      print(
        options.output,
        all.map((info) => named(info, names)),
        NETWORKS,
      );
    });
  const inspect = network
    .command('inspect')
    .argument('<network...>', 'names or ids')
    .summary('show networks in detail');
  addStateDir(addOutput(inspect, 'json'))
    .addHelpText('after', INSPECT_EXAMPLES)
    .action(async (wanted: readonly string[], options: Options) => {
      await using core = openState(options);
      const names = await dockerNames(core);
      const found = await Promise.all(wanted.map((text) => inspectNetwork(core, text, names.networks)));
      const networks = found.map((info) => named(info, names));
      if (options.output === 'json') return printJson(networks);
      printTable(networks, NETWORKS);
      console.log();
      printTable(
        networks.flatMap(({ endpoints }) => endpoints),
        ENDPOINTS,
      );
    });
  addCreate(network);
  addRemove(network);
}

function named(info: NetworkInfo, names: DockerNames): NamedNetwork {
  const ids = info.holders.flatMap((holder) => (holder.startsWith(DOCKER) ? [holder.slice(DOCKER.length)] : []));
  const docker = ids.map((id) => {
    const name = names.networks.get(id);
    return name === undefined ? { id } : { id, name };
  });
  return { ...info, docker, endpoints: info.endpoints.map((endpoint) => withName(endpoint, names)) };
}
