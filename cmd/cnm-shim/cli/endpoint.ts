import type { Command } from 'commander';
import { NetError } from '../../../src/shared/errors/net-error.ts';
import { type EndpointInfo, listEndpoints } from '../../../src/shared/ops/endpoints.ts';
import { inspectNetwork } from '../../../src/shared/ops/networks.ts';
import { type DockerNames, dockerNames } from './docker-names.ts';
import { shortId } from './ids.ts';
import { addOutput, type OutputOptions, print, toJson } from './output.ts';
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

type LsOptions = OutputOptions & StateOptions;

/** `program` knows the verbs of endpoints. */
export function addEndpoint(program: Command): void {
  const endpoint = program.command('endpoint').summary('look at endpoints');
  const ls = endpoint.command('ls').argument('[network]', 'name or id').summary('list endpoints');
  addStateDir(addOutput(ls))
    .addHelpText('after', LS_EXAMPLES)
    .action(async (network: string | undefined, options: LsOptions) => {
      using core = openState(options);
      const found = network === undefined ? listEndpoints(core) : [...(await inspectNetwork(core, network)).endpoints];
      const names = await dockerNames();
      const data = found.map((info) => withName(info, names));
      print(options.output, data, ['NETWORK', 'CONTAINER', 'INTERFACE', 'ADDRESSES', 'MAC', 'CAMP', 'STATE'], rowOf);
    });
  const inspect = endpoint
    .command('inspect')
    .argument('<endpoint...>', 'names or ids')
    .summary('show all of endpoints');
  addStateDir(inspect)
    .addHelpText('after', INSPECT_EXAMPLES)
    .action(async (wanted: readonly string[], options: StateOptions) => {
      using core = openState(options);
      const names = await dockerNames();
      const all = listEndpoints(core).map((info) => withName(info, names));
      process.stdout.write(toJson(wanted.flatMap((text) => matching(all, text))));
    });
}

/** An endpoint with what Docker calls its container. */
export interface NamedEndpoint extends EndpointInfo {
  readonly container?: { readonly id: string; readonly name: string };
}

export function withName(info: EndpointInfo, names: DockerNames): NamedEndpoint {
  const container = names.containers.get(info.id);
  return container === undefined ? info : { ...info, container };
}

/** What people know the container by. */
export function titleOf({ container, id }: NamedEndpoint): string {
  return container?.name ?? shortId(id);
}

function rowOf(info: NamedEndpoint): readonly string[] {
  const { network, addresses, mac = '', camp, ready } = info;
  return [network, titleOf(info), info.interface, addresses.join(' '), mac, camp, ready ? 'ready' : 'half-done'];
}

/** Throws NetError `unknown-container` where none is called so. */
function matching(all: readonly NamedEndpoint[], text: string): NamedEndpoint[] {
  const exact = all.filter(({ container, id }) => [container?.name, container?.id, id].includes(text));
  const found = exact.length > 0 ? exact : all.filter((info) => isPrefix(info, text));
  if (found.length > 0) return found;
  const hint = 'isthmus endpoint ls shows those that there are';
  throw new NetError({ kind: 'unknown-container', op: 'endpoint', subject: text, what: 'there is none', hint });
}

function isPrefix({ container, id }: NamedEndpoint, text: string): boolean {
  return id.startsWith(text) || (container?.id.startsWith(text) ?? false);
}
