import type { Command } from 'commander';
import { deleteNetwork } from '../../../src/shared/core/delete-network.ts';
import { asNetError, NetError } from '../../../src/shared/errors/net-error.ts';
import { inspectNetwork, type NetworkInfo } from '../../../src/shared/ops/networks.ts';
import { OPERATOR } from './network-create.ts';
import { raise } from './output.ts';
import { addStateDir, openState, type StateOptions } from './state.ts';

const EXAMPLES = `
A network that Docker or pods use stays until the last of them lets go of it.

Examples:
  isthmus network rm web
`;

/** `network` knows the verb `rm`. */
export function addRemove(network: Command): void {
  const remove = network
    .command('rm')
    .argument('<network...>', 'names')
    .summary('remove networks that create has made');
  addStateDir(remove)
    .addHelpText('after', EXAMPLES)
    .action(async (names: readonly string[], options: StateOptions) => {
      using core = openState(options);
      const errors: NetError[] = [];
      for (const name of names) {
        try {
          assertRemovable(await inspectNetwork(core, name));
          errors.push(...(await deleteNetwork(core, name, OPERATOR)));
          console.log(name);
        } catch (thrown) {
          errors.push(asNetError(thrown, 'network'));
        }
      }
      raise(errors, 'network');
    });
}

/** Throws NetError `conflict` for what is not the operator's to remove. */
function assertRemovable({ name, predefined, holders, endpoints }: NetworkInfo): void {
  if (predefined) throw refusal(name, 'it is predefined', 'It cannot be removed');
  if (holders.includes(OPERATOR)) return;
  if (holders.length > 0) throw refusal(name, 'Docker uses it', 'Remove it there: docker network rm');
  const what = `it is a network of a CNI configuration with ${endpoints.length} endpoints`;
  throw refusal(name, what, 'It goes with the last of them');
}

function refusal(name: string, what: string, hint: string): NetError {
  return new NetError({ kind: 'conflict', op: 'network', subject: name, what, hint });
}
