import type { Command } from 'commander';
import { asNetError, type NetError } from '../../../src/shared/errors/net-error.ts';
import { given } from '../../../src/shared/model/given.ts';
import { inspectNetwork, listNetworks, type NetworkInfo } from '../../../src/shared/ops/networks.ts';
import { ENDPOINTS, type NamedEndpoint } from './endpoint.ts';
import { type DockerNames, dockerNames, ownName, shortId, withName } from './names.ts';
import { addCreate } from './network-create.ts';
import { addRemove } from './network-remove.ts';
import {
  addListOutput,
  addOutput,
  hasLabel,
  type ListOptions,
  type ListShape,
  type OutputOptions,
  printJson,
  printList,
  printTable,
  raise,
} from './output.ts';
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

interface DockerNetwork {
  readonly id: string;
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A network with its Docker names and the containers on it. */
interface NamedNetwork extends Omit<NetworkInfo, 'holders'> {
  /** `docker:<NetworkID>`, `operator`. */
  readonly holders: readonly string[];
  /** The Docker networks that share it. */
  readonly docker: readonly DockerNetwork[];
  /** Docker's name of a Network that only one Docker network uses. */
  readonly dockerName?: string;
  readonly endpoints: readonly NamedEndpoint[];
}

const NETWORKS: ListShape<NamedNetwork> = {
  headings: ['NAME', 'DRIVER', 'DEVICE', 'SUBNETS', 'ENDPOINTS', 'USED BY'],
  row: (network) => {
    const { driver, device = '', present, subnets, endpoints, predefined, docker, holders } = network;
    const others = holders.filter((holder) => !holder.startsWith(DOCKER));
    const users = [...docker.map((of) => `docker ${of.name ?? shortId(of.id)}`), ...others];
    return [
      nameOf(network),
      driver,
      present ? device : `${device} (missing)`,
      subnets.map(({ subnet }) => subnet).join(' '),
      predefined ? '' : String(endpoints.length),
      predefined ? 'predefined' : users.join(', '),
    ];
  },
  name: nameOf,
  filters: {
    name: (network, value) => nameOf(network).includes(value),
    driver: ({ driver }, value) => driver === value,
    id: ({ docker }, value) => docker.some(({ id }) => id.startsWith(value)),
    label: ({ docker }, value) => docker.some(({ labels = {} }) => hasLabel(labels, value)),
  },
};

function nameOf({ dockerName, name }: NamedNetwork): string {
  return dockerName ?? name;
}

/** Prefix of holders that are Docker networks, in output. */
const DOCKER = 'docker:';

/** Adds the verbs for networks to `program`. */
export function addNetwork(program: Command): void {
  const network = program.command('network').summary('list, show, create and remove networks');
  addStateDir(addListOutput(network.command('ls').alias('list').summary('list networks'), NETWORKS))
    .addHelpText('after', LS_EXAMPLES)
    .action(async (options: ListOptions & StateOptions) => {
      await using core = openState(options);
      const names = await dockerNames(core);
      const all = await listNetworks(core);
      printList(
        options,
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
      const errors: NetError[] = [];
      const networks: NamedNetwork[] = [];
      for (const text of wanted) {
        try {
          networks.push(named(await inspectNetwork(core, text, names.networks), names));
        } catch (thrown) {
          errors.push(asNetError(thrown, 'network'));
        }
      }
      if (networks.length > 0) show(options, networks);
      raise(errors);
    });
  addCreate(network);
  addRemove(network);
}

function show({ output, format = output }: OutputOptions, networks: readonly NamedNetwork[]): void {
  if (format === 'json') {
    printJson(networks);
    return;
  }
  printTable(networks, NETWORKS);
  console.log();
  printTable(
    networks.flatMap(({ endpoints }) => endpoints),
    ENDPOINTS,
  );
}

function named(info: NetworkInfo, names: DockerNames): NamedNetwork {
  const ids = info.holders.flatMap((holder) => (holder.kind === 'docker' ? [holder.id] : []));
  const holders = info.holders.map((holder) => (holder.kind === 'docker' ? `${DOCKER}${holder.id}` : holder.kind));
  const docker = ids.map((id) => {
    return { id, ...given({ name: names.networks.get(id), labels: names.labels.get(id) }) };
  });
  const dockerName = ownName(info.name, names.networks);
  return {
    ...info,
    holders,
    docker,
    ...given({ dockerName }),
    endpoints: info.endpoints.map((endpoint) => withName(endpoint, names)),
  };
}
