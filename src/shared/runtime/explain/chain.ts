import { parseDocument } from '../../config/document.ts';
import {
  argsFor,
  type ElementInput,
  elementText,
  type ListedPlugin,
  type NetworkList,
} from '../../config/network-list.ts';
import { type PluginName, parsePlugin } from '../../config/plugin-config.ts';
import type { CniVersion } from '../../config/versions.ts';
import { handlersOf } from '../cni/answer.ts';
import { pluginName } from '../cni/names.ts';
import { type Call, readingOf } from '../cni/request.ts';
import { type Environment, parseEnvironment } from '../environment.ts';
import { HOST_NETNS } from './dry-host.ts';
import type { DryRun } from './dry-run.ts';

/** The attachment to plan, and what its runtime would tell the plugins. */
export interface Attaching extends Omit<ElementInput, 'previous'> {
  readonly containerId: string;
  readonly ifName: string;
  readonly netns: string;
  /** CNI_ARGS. */
  readonly args: string;
  /** Addresses to request. */
  readonly addresses: readonly string[];
}

/** IPAM types that the dry run answers itself. */
const OWN_IPAM: readonly string[] = ['host-local', 'static'];

/**
 * Plans the ADD of every plugin of the list, one after the other. Returns the plugins of other programs, whose part is
 * unknown. Throws what ADD would throw.
 */
export async function explainList(run: DryRun, list: NetworkList, attaching: Attaching): Promise<readonly string[]> {
  const foreign: string[] = [];
  let previous: unknown;
  for (const plugin of list.plugins) {
    const name = pluginName(plugin.type);
    if (name !== plugin.type) {
      foreign.push(plugin.type);
      continue;
    }
    run.begin(plugin.type);
    const input = previous === undefined ? attaching : { ...attaching, previous };
    previous = await addPlugin(
      run,
      name,
      elementText(list, plugin, input),
      list.version,
      environmentOf(plugin, attaching),
    );
  }
  return foreign;
}

async function addPlugin(
  { core }: DryRun,
  plugin: PluginName,
  text: string,
  version: CniVersion,
  env: Environment,
): Promise<unknown> {
  const call: Call = { plugin, env, text, version, variables: parseEnvironment(env), stderr: () => {} };
  const reading = { ...readingOf(call, 'ADD'), isOwn: (type: string) => OWN_IPAM.includes(type) };
  const config = parsePlugin(parseDocument(text), reading);
  const variables = config.kind === 'host' ? { ...call.variables, netns: HOST_NETNS } : call.variables;
  const { ADD } = await handlersOf(plugin);
  return await ADD({ ...call, variables, config }, core);
}

function environmentOf(plugin: ListedPlugin, attaching: Attaching): Environment {
  const { containerId, ifName, netns, args, addresses } = attaching;
  return {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: containerId,
    CNI_IFNAME: ifName,
    CNI_NETNS: netns,
    CNI_ARGS: argsFor(plugin, args, addresses),
  };
}
