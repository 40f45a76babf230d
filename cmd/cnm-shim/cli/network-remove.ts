import type { Command } from 'commander';
import { deleteNetwork } from '../../../src/shared/core/networks/delete-network.ts';
import { forgetLeft, leftInPlugins } from '../../../src/shared/core/plugins/left.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../src/shared/errors/net-error.ts';
import { OPERATOR, sameHolder } from '../../../src/shared/model/owned.ts';
import { inspectNetwork, type NetworkInfo, PREDEFINED } from '../../../src/shared/ops/networks.ts';
import type { CallCore } from '../../../src/shared/runtime/make-core.ts';
import { type DockerNames, dockerNames } from './names.ts';
import { printDone } from './output.ts';
import { addStateDir, openState, type StateOptions } from './state.ts';

const EXAMPLES = `
A network that Docker or pods use is deleted when its last user leaves; a line
on stderr says so.

Examples:
  isthmus network rm web
  isthmus network rm --force acme       although its plugin is gone for good
`;

interface RemoveOptions extends StateOptions {
  readonly force?: true;
}

/** Adds the verb `rm` to `network`. */
export function addRemove(network: Command): void {
  const remove = network
    .command('rm')
    .alias('remove')
    .argument('<network...>', 'names')
    .summary('remove networks that create made')
    .option('-f, --force', 'forget what Docker plugins have of networks without endpoints');
  addStateDir(remove)
    .addHelpText('after', EXAMPLES)
    .action(async (wanted: readonly string[], options: RemoveOptions) => {
      await using core = openState(options);
      const names = await dockerNames(core);
      const release = options.force === true ? forget : releaseNetwork;
      await printDone(wanted, 'network', (text) => release(core, text, names));
    });
}

/** Ends the operator's use of the network, which deletes it unless others use it. Returns the failures. */
async function releaseNetwork(core: CallCore, text: string, names: DockerNames): Promise<NetError[]> {
  const info = await inspectNetwork(core, text, names.networks);
  assertRemovable(text, info);
  const failures = await deleteNetwork(core, info.name, OPERATOR);
  const isForceable = leftInPlugins(core.store).some(({ network }) => network === info.name);
  if (failures.length > 0 && isForceable) {
    const what = 'what its plugin has stays on record, and the daemon tries again';
    return [
      ...failures,
      refusal(text, what, `If the plugin is gone for good: isthmus network rm --force ${info.name}`),
    ];
  }
  const left = core.store.networks.get(info.name);
  if (failures.length > 0 || left === undefined) return failures;
  const { holders, endpoints } = await inspectNetwork(core, info.name);
  console.error(
    `isthmus: network ${info.name}: ${usersOf(holders, endpoints.length)}. It is deleted when its last user leaves`,
  );
  return [];
}

/** Like `releaseNetwork`, and forgets what plugins do not delete. Returns the failures. */
async function forget(core: CallCore, text: string, names: DockerNames): Promise<NetError[]> {
  const isLeft = leftInPlugins(core.store).some(({ network }) => network === text);
  const info = isLeft ? undefined : await inspectNetwork(core, text, names.networks);
  const { name } = info ?? { name: text };
  const endpoints = core.store.endpoints.list(name).length;
  if (endpoints > 0) {
    const hint = 'Remove the containers first; isthmus endpoint rm removes what is left of those that are gone';
    throw refusal(text, usersOf([], endpoints), hint);
  }
  const holders = core.store.networks.get(name)?.holders ?? [];
  const isDockers = holders.length > 0 && !holders.some((holder) => sameHolder(holder, OPERATOR));
  if (info !== undefined && (info.predefined || isDockers)) assertRemovable(text, info);
  const failures = await deleteNetwork(core, name, OPERATOR);
  if (!leftInPlugins(core.store).some(({ network }) => network === name)) return failures;
  for (const { plugins, what } of await forgetLeft(core, name))
    console.error(`isthmus: network ${name}: forgotten: ${what}, which plugin ${plugins.join(' and ')} may still have`);
  return [];
}

function usersOf(holders: NetworkInfo['holders'], endpoints: number): string {
  const count = endpoints === 1 ? '1 endpoint is on it' : `${endpoints} endpoints are on it`;
  if (holders.length === 0) return count;
  return endpoints === 0 ? 'Docker uses it' : `Docker uses it, and ${count}`;
}

/** Throws NetError `conflict` for a network that the operator may not remove. */
function assertRemovable(text: string, { name, holders, endpoints }: NetworkInfo): void {
  if (PREDEFINED.some((known) => known.name === name)) throw refusal(text, 'it is predefined', 'It cannot be removed');
  if (holders.some((holder) => sameHolder(holder, OPERATOR))) return;
  if (holders.length > 0) throw refusal(text, 'Docker keeps it', 'Remove it there: docker network rm');
  const what = `pods made it, and ${usersOf([], endpoints.length)}`;
  throw refusal(text, what, 'It is deleted with the last of them');
}

function refusal(name: string, what: string, hint: string): NetError {
  return fault.conflict('network', name, what, hint);
}
