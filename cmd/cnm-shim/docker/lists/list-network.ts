import type { NetworkSpec } from '../../../../src/shared/config/network-spec.ts';
import { namesGateway, parsePluginList, sandboxNeed } from '../../../../src/shared/config/plugin-list.ts';
import type { Core, PluginHost } from '../../../../src/shared/core/core.ts';
import { fault } from '../../../../src/shared/errors/fault.ts';
import type { NetError } from '../../../../src/shared/errors/net-error.ts';
import { chosenBackend } from '../../../../src/shared/firewall/open.ts';
import type { ListFacts } from '../../../../src/shared/model/chain.ts';
import { given } from '../../../../src/shared/model/given.ts';
import { formatPrefix } from '../../../../src/shared/model/prefix.ts';
import { assertPlugins } from '../../../../src/shared/runtime/plugin-chain.ts';
import type { Subnets } from '../network-options.ts';
import type { CreateNetworkRequest } from '../wire/messages.ts';
import type { ListChoice } from './list-options.ts';

/** Names the list in errors. */
export const LIST = 'CNI list';

/** The plugins of this host. Throws NetError `unsupported` in a process that runs none. */
export async function pluginsOf({ plugins }: Core): Promise<PluginHost> {
  if (plugins !== undefined) return await plugins();
  throw fault.unsupported('network', 'driver cni', 'only the daemon runs CNI plugins', 'Start isthmus serve');
}

/**
 * The answer to GwAllocCheck, which only dockerd 28 and later asks: for which families IPAM has to keep no address for a
 * gateway. Throws NetError for a list that cannot be read or is invalid.
 */
export async function gatewaysToSkip(core: Core, { conf }: ListChoice): Promise<object> {
  const list = parsePluginList((await pluginsOf(core)).listText(conf), LIST);
  return { SkipIPv4: !namesGateway(list, 4), SkipIPv6: !namesGateway(list, 6) };
}

/**
 * The list as the facts of a network, once all its plugins have answered. Throws NetError for a list that cannot be read,
 * whose plugins are missing or too old, or which needs what Docker's protocol cannot carry.
 */
export async function planList(
  core: Core,
  request: CreateNetworkRequest,
  choice: ListChoice,
  subnets: Subnets,
): Promise<ListFacts> {
  const plugins = await pluginsOf(core);
  const text = plugins.listText(choice.conf);
  const list = parsePluginList(text, LIST);
  const { completes } = request;
  if (request.internal) {
    const hint = 'Leave --internal out, and the default route out of the list';
    throw fault.unsupportedField('network', '--internal', 'the CNI list decides where its containers reach', hint);
  }
  const need = completes === true ? undefined : sandboxNeed(list);
  if (need !== undefined) {
    const what = `makes ${need.what} in the container's namespace, which dockerd before 28 makes too late`;
    throw fault.unsupportedField('network', `plugin ${need.type}`, what, 'Take it out of the list, or use Docker 28');
  }
  const [subnet] = [subnets[4], subnets[6]].flatMap((data) => (data === undefined ? [] : [data.pool]));
  if (subnet !== undefined && list.plugins.some(({ type }) => type === 'ptp'))
    throw offLink('ptp', formatPrefix(subnet));
  await assertPlugins(plugins, list, choice.path, subnet !== undefined);
  return { text, path: choice.path, seconds: choice.seconds, ...given({ args: choice.args, completes }) };
}

/** NetError: dockerd puts every address that its IPAM gives on the link, with all of its subnet. */
export function offLink(type: string, subnet: string): NetError {
  const what = `does not put ${subnet} on the link, and dockerd would`;
  const hint = "Let the list's own IPAM choose addresses: --ipam-driver null";
  return fault.unsupportedField('network', `plugin ${type}`, what, hint);
}

/** The Network of a list: nothing of it is ours, but for the rules of published ports. */
export function specOfList(scope: string | undefined): NetworkSpec {
  const backend = chosenBackend('auto');
  const ports = { snat: true, masqAll: false, conditions: { 4: [], 6: [] } };
  const rules = { backend, options: { backend: 'auto', policy: 'open', ports }, admit: true } as const;
  const bare = { options: { driver: 'cni' }, ranges: [], routes: [], ...given({ scope }) } as const;
  return backend === 'none' ? bare : { ...bare, rules };
}
