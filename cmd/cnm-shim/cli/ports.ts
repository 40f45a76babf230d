import type { Command } from 'commander';
import { NetError } from '../../../src/shared/errors/net-error.ts';
import { listPorts, type PublishedPort } from '../../../src/shared/ops/ports.ts';
import { type DockerNames, dockerNames } from './docker-names.ts';
import { shortId } from './ids.ts';
import { addOutput, type OutputOptions, print } from './output.ts';
import { addStateDir, openState, type StateOptions } from './state.ts';

const EXAMPLES = `
Docker shows no published ports of networks that plugins make: docker ps and docker port stay empty for them.

Examples:
  isthmus ports                         every published port, Docker's and CNI's
  isthmus ports web1                    those of one container, by its name or the beginning of its id
  isthmus ports -o json web1 | jq '.[0].hostPort'
`;

/** A published port with what Docker calls its container. */
interface NamedPort extends PublishedPort {
  readonly container?: { readonly id: string; readonly name: string };
}

/** `program` knows the verb `ports`. */
export function addPorts(program: Command): void {
  const ports = program.command('ports').argument('[container]', 'name or id').summary('list published ports');
  addStateDir(addOutput(ports))
    .addHelpText('after', EXAMPLES)
    .action(async (container: string | undefined, options: OutputOptions & StateOptions) => {
      using core = openState(options);
      const names = await dockerNames();
      const all = listPorts(core).map((port) => named(port, names));
      const found = container === undefined ? all : all.filter((port) => isOf(port, container));
      if (container !== undefined && found.length === 0) assertKnown(core.store.endpoints.list(), names, container);
      print(options.output, found, ['CONTAINER', 'NETWORK', 'HOST', 'LEADS TO'], rowOf);
    });
}

function named(port: PublishedPort, names: DockerNames): NamedPort {
  const container = names.containers.get(port.id);
  return container === undefined ? port : { ...port, container };
}

function isOf({ container, id }: Pick<NamedPort, 'container' | 'id'>, text: string): boolean {
  return container?.name === text || id.startsWith(text) || (container?.id.startsWith(text) ?? false);
}

/** A container without published ports has an empty list; one that nobody knows is an error. */
function assertKnown(
  endpoints: readonly { readonly attachment: { readonly containerId: string } }[],
  names: DockerNames,
  text: string,
): void {
  const known = endpoints.some(({ attachment: { containerId: id } }) => {
    const container = names.containers.get(id);
    return isOf(container === undefined ? { id } : { id, container }, text);
  });
  if (known) return;
  throw new NetError({
    kind: 'unknown-container',
    op: 'ports',
    subject: text,
    what: 'no endpoint belongs to a container of this name or id',
    hint: 'isthmus endpoint ls shows those that there are',
  });
}

function rowOf(port: NamedPort): readonly string[] {
  const { container, id, network, hostIp, hostPort, protocol, addresses } = port;
  const host = `${hostIp === '' ? '*' : bracketed(hostIp)}:${hostPort}/${protocol}`;
  const targets = addresses.map((address) => `${bracketed(address)}:${port.port}`).join(' ');
  return [container?.name ?? shortId(id), network, host, targets];
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
