import type { Command } from 'commander';
import { asNetError, type NetError } from '../../../src/shared/errors/net-error.ts';
import { given } from '../../../src/shared/model/given.ts';
import type { RemoteInfo } from '../../../src/shared/ops/cluster.ts';
import { withInterfaces } from '../../../src/shared/ops/docker-interfaces.ts';
import { inspectNetwork, listNetworks, type NetworkInfo } from '../../../src/shared/ops/networks.ts';
import { clusterCalls } from '../cluster-wire.ts';
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
  type TableShape,
} from './output.ts';
import { addStateDir, openState, runDirOption, type StateOptions } from './state.ts';
import { writeOut } from './stdout.ts';

const LS_EXAMPLES = `
Examples:
  isthmus network ls
  isthmus network ls -o json | jq -r '.[] | select(.internal) | .name'

USED BY tells who keeps a network while it has no endpoint: networks of Docker by their names there, operator for
those of isthmus network create. A network of a CNI configuration lives as long as its endpoints.
`;

const INSPECT_EXAMPLES = `
Examples:
  isthmus network inspect web           subnets, addresses in use, endpoints of Docker and CNI
  isthmus network inspect 1f5d9ab0c2e4  by the id of a Docker network, or by its name there
  isthmus network inspect -o table web  for people

An overlay network also has its mode, VNI and MTU, and, if the daemon runs, its endpoints on other hosts.
`;

type Options = OutputOptions & StateOptions & { readonly runDir: string };

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
  /** Of an overlay network, on other hosts; absent unless a daemon of a cluster answers. */
  readonly remote?: readonly RemoteInfo[];
}

const NETWORKS: ListShape<NamedNetwork> = {
  headings: ['NAME', 'DRIVER', 'DEVICE', 'SUBNETS', 'IN USE', 'ENDPOINTS', 'USED BY'],
  row: (network) => {
    const { driver, device = '', present, subnets, endpoints, predefined, docker, holders } = network;
    const others = holders.filter((holder) => !holder.startsWith(DOCKER));
    const users = [...docker.map((of) => `docker ${of.name ?? shortId(of.id)}`), ...others];
    return [
      nameOf(network),
      driver,
      present ? device : `${device} (missing)`,
      subnets.map(({ subnet }) => subnet).join(' '),
      subnets.map(inUse).join(' '),
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

const OVERLAYS: TableShape<NamedNetwork> = {
  headings: ['OVERLAY', 'MODE', 'VNI', 'MTU', 'VXLAN'],
  row: ({ name, overlay }) => {
    const { mode = '', vni = 0, mtu = '', vxlan = '' } = overlay ?? {};
    return [name, mode, String(vni), String(mtu), vxlan];
  },
};

const REMOTE: TableShape<RemoteInfo & { readonly name: string }> = {
  headings: ['NETWORK', 'ON HOST', 'UNDERLAY', 'ADDRESSES', 'MAC'],
  row: ({ name, host = '', underlay, addresses, mac }) => [name, host, underlay, addresses.join(' '), mac],
};

/** `2/253`; `-` where another program assigns the addresses. */
function inUse({ leased, size }: NetworkInfo['subnets'][number]): string {
  return leased === undefined ? '-' : `${leased}/${size}`;
}

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
    .addOption(runDirOption("the daemon's directory, for overlay networks"))
    .addHelpText('after', INSPECT_EXAMPLES)
    .action(async (wanted: readonly string[], options: Options) => {
      await using core = openState(options);
      const names = await dockerNames(core);
      const errors: NetError[] = [];
      const networks: NamedNetwork[] = [];
      for (const text of wanted) {
        try {
          const info = await inspectNetwork(core, text, names.networks);
          const endpoints = withInterfaces(core, info.endpoints);
          networks.push({ ...named({ ...info, endpoints }, names), ...(await remoteOf(info, options.runDir)) });
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
  writeOut('\n');
  printTable(
    networks.flatMap(({ endpoints }) => endpoints),
    ENDPOINTS,
  );
  const overlays = networks.filter(({ overlay }) => overlay !== undefined);
  if (overlays.length === 0) return;
  writeOut('\n');
  printTable(overlays, OVERLAYS);
  writeOut('\n');
  printTable(
    overlays.flatMap(({ name, remote = [] }) => remote.map((one) => ({ ...one, name }))),
    REMOTE,
  );
}

/** Empty for a network of this host alone, and without a daemon. */
async function remoteOf({ name, overlay }: NetworkInfo, runDir: string): Promise<Pick<NamedNetwork, 'remote'>> {
  if (overlay === undefined) return {};
  try {
    return { remote: await clusterCalls(runDir).remote(name) };
  } catch {
    return {};
  }
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
