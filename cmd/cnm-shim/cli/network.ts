import type { Command } from 'commander';
import type { NetworkInfo } from '../../../src/shared/ops/networks.ts';
import { inspectNetwork, listNetworks } from '../../../src/shared/ops/networks.ts';
import { dockerNames } from './docker-names.ts';
import { withName } from './endpoint.ts';
import { shortId } from './ids.ts';
import { addCreate } from './network-create.ts';
import { addRemove } from './network-remove.ts';
import { addOutput, type OutputOptions, print, toJson } from './output.ts';
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
  isthmus network inspect 1f5d9ab0c2e4  by the id of a Docker network
`;

/** `program` knows the verbs of networks. */
export function addNetwork(program: Command): void {
  const network = program.command('network').summary('look at networks, make and remove them');
  addStateDir(addOutput(network.command('ls').summary('list networks')))
    .addHelpText('after', LS_EXAMPLES)
    .action(async (options: OutputOptions & StateOptions) => {
      using core = openState(options);
      const { networks: docker } = await dockerNames();
      const headings = ['NAME', 'DRIVER', 'DEVICE', 'SUBNETS', 'ENDPOINTS', 'USED BY'];
      print(options.output, await listNetworks(core), headings, (info) => rowOf(info, docker));
    });
  const inspect = network.command('inspect').argument('<network...>', 'names or ids').summary('show all of networks');
  addStateDir(inspect)
    .addHelpText('after', INSPECT_EXAMPLES)
    .action(async (wanted: readonly string[], options: StateOptions) => {
      using core = openState(options);
      const names = await dockerNames();
      const found = await Promise.all(wanted.map((text) => inspectNetwork(core, text)));
      process.stdout.write(
        toJson(
          found.map((info) => ({
            ...info,
            docker: dockerIds(info).map((id) => ({ id, ...nameOf(names.networks, id) })),
            endpoints: info.endpoints.map((endpoint) => withName(endpoint, names)),
          })),
        ),
      );
    });
  addCreate(network);
  addRemove(network);
}

function rowOf(info: NetworkInfo, docker: ReadonlyMap<string, string>): readonly string[] {
  const { name, driver, device = '', present, subnets, endpoints, predefined } = info;
  const others = info.holders.filter((holder) => !holder.startsWith('docker:'));
  const users = [...dockerIds(info).map((id) => `docker ${docker.get(id) ?? shortId(id)}`), ...others];
  return [
    name,
    driver,
    present ? device : `${device} (missing)`,
    subnets.map(({ subnet }) => subnet).join(' '),
    predefined ? '' : String(endpoints.length),
    predefined ? 'predefined' : users.join(', '),
  ];
}

function dockerIds({ holders }: NetworkInfo): string[] {
  return holders.flatMap((holder) => (holder.startsWith('docker:') ? [holder.slice('docker:'.length)] : []));
}

function nameOf(names: ReadonlyMap<string, string>, id: string): { name?: string } {
  const name = names.get(id);
  return name === undefined ? {} : { name };
}
