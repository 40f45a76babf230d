import { field } from '../../config/fields.ts';
import type { Core } from '../../core/core.ts';
import { collectChained } from '../../core/endpoints/chained.ts';
import { fault } from '../../errors/fault.ts';
import { combineErrors, type NetError } from '../../errors/net-error.ts';
import { given } from '../../model/given.ts';
import type { Command } from '../environment.ts';
import type { ChainedPlugin } from './chain.ts';
import { validAttachments } from './gc.ts';
import type { PluginName } from './names.ts';
import { parseResult } from './parse-result.ts';
import { attachmentOf, type Call, networkName, stampedBy } from './request.ts';
import { type CniResult, formatResult } from './result.ts';

/** Loaded on demand: calls by other names do not pay for them. */
const PLUGINS: Readonly<Partial<Record<PluginName, () => Promise<ChainedPlugin>>>> = {
  bandwidth: async () => (await import('./bandwidth.ts')).bandwidth,
  firewall: async () => (await import('./firewall.ts')).firewall,
  portmap: async () => (await import('./portmap.ts')).portmap,
  tuning: async () => (await import('./tuning.ts')).tuning,
};

/** The commands of one plugin of a list; the returned value is printed. */
export type ChainedHandlers = Readonly<
  Record<Exclude<Command, 'VERSION'>, (call: Call, core: Core) => Promise<unknown>>
>;

/** Returns the commands of the chained plugin with this name. */
export async function chainedHandlers(name: PluginName): Promise<ChainedHandlers> {
  const plugin = await PLUGINS[name]?.();
  if (plugin !== undefined) return handlersOf(plugin);
  throw fault.internal('call', name, 'is not a plugin of a chain');
}

function handlersOf(plugin: ChainedPlugin): ChainedHandlers {
  return {
    ADD: async (call, core) => {
      networkName(call.config);
      const previous = previousResult(call);
      return formatResult(await plugin.add(call, core, previous), call.version);
    },
    DEL: async (call, core) => {
      const part = { attachment: attachmentOf(call), role: plugin.role, ...given({ when: stampedBy(call) }) };
      raise(await plugin.del(call, core, part), 'DEL');
    },
    CHECK: async (call, core) => plugin.check(call, core, previousResult(call)),
    STATUS: async (call) => {
      networkName(call.config);
      plugin.validate(call);
    },
    GC: async (call, core) => {
      const network = networkName(call.config);
      const keep = validAttachments(call, network);
      raise(await collectChained(core, { camp: 'cni', network, role: plugin.role, keep }), 'GC');
    },
  };
}

function raise(errors: readonly NetError[], op: string): void {
  const failure = combineErrors(errors, op);
  if (failure !== undefined) throw failure;
}

function previousResult({ plugin, config }: Call): CniResult {
  const given = field(config, 'prevResult');
  if (given !== undefined) return parseResult(given, '.prevResult');
  throw fault.invalidConfig(
    'config',
    '.prevResult',
    `is missing: ${plugin} must be called as a chained plugin`,
    `Put ${plugin} behind a plugin that makes an interface, in the "plugins" of a list`,
  );
}
