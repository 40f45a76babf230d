import type { PluginName } from '../../config/plugin-config.ts';
import type { CniResult } from '../../config/result.ts';
import { collectChained } from '../../core/endpoints/chained.ts';
import { fault } from '../../errors/fault.ts';
import { combineErrors, type NetError } from '../../errors/net-error.ts';
import { given } from '../../model/given.ts';
import type { ChainedCall, ChainedPlugin, ChainedRole } from './chain.ts';
import { keptAttachments } from './gc.ts';
import { attachmentOf, type Handlers, type PluginCall, stampedBy } from './request.ts';
import { formatResult } from './result.ts';

/** Loaded on demand: calls by other names do not pay for them. */
const PLUGINS: Readonly<Partial<Record<PluginName, () => Promise<Handlers>>>> = {
  bandwidth: async () => handlersOf((await import('./bandwidth.ts')).bandwidth),
  firewall: async () => handlersOf((await import('./firewall.ts')).firewall),
  portmap: async () => handlersOf((await import('./portmap.ts')).portmap),
  sbr: async () => handlersOf((await import('./sbr.ts')).sbr),
  tuning: async () => handlersOf((await import('./tuning.ts')).tuning),
  vrf: async () => handlersOf((await import('./vrf.ts')).vrf),
};

/** Returns the commands of the chained plugin with this name. */
export async function chainedHandlers(name: PluginName): Promise<Handlers> {
  const handlers = await PLUGINS[name]?.();
  if (handlers !== undefined) return handlers;
  throw fault.internal('call', name, 'is not a plugin of a chain');
}

function handlersOf<R extends ChainedRole>(plugin: ChainedPlugin<R>): Handlers {
  const { role } = plugin;
  return {
    ADD: async (call, core) => {
      const previous = previousResult(call);
      return formatResult(await plugin.add(ofRole(call, role), core, previous), call.version);
    },
    DEL: async (call, core) => {
      const part = { attachment: attachmentOf(call), role, ...given({ when: stampedBy(call) }) };
      raise(await plugin.del(call, core, part), 'DEL');
    },
    CHECK: async (call, core) => plugin.check(ofRole(call, role), core, previousResult(call)),
    STATUS: async (call) => plugin.validate?.(ofRole(call, role).config),
    GC: async (call, core) => {
      const network = call.config.name;
      raise(await collectChained(core, { camp: 'cni', network, role, keep: keptAttachments(call) }), 'GC');
    },
  };
}

/** The call as one of this plugin. */
function ofRole<R extends ChainedRole>(call: PluginCall, role: R): ChainedCall<R> {
  if (isOfRole(call, role)) return call;
  throw fault.internal('call', call.plugin, `has a configuration of ${call.config.kind}`);
}

function isOfRole<R extends ChainedRole>(call: PluginCall, role: R): call is ChainedCall<R> {
  return call.config.kind === role;
}

function raise(errors: readonly NetError[], op: string): void {
  const failure = combineErrors(errors, op);
  if (failure !== undefined) throw failure;
}

function previousResult({ plugin, config: { previous } }: PluginCall): CniResult {
  if (previous !== undefined) return previous;
  throw fault.invalidConfig(
    'config',
    '.prevResult',
    `is missing: ${plugin} must be called as a chained plugin`,
    `Put ${plugin} behind a plugin that makes an interface, in the "plugins" of a list`,
  );
}
