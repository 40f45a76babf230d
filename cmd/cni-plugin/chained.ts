import { field } from '../../src/shared/config/fields.ts';
import type { Core } from '../../src/shared/core/core.ts';
import { type ChainedPart, collectChained } from '../../src/shared/core/endpoints/chained.ts';
import { combineErrors, NetError } from '../../src/shared/errors/net-error.ts';
import type { Role } from '../../src/shared/model/attachment.ts';
import type { Command } from './environment.ts';
import { validAttachments } from './gc.ts';
import type { PluginName } from './names.ts';
import { parseResult } from './parse-result.ts';
import { attachmentOf, type Call, networkName } from './request.ts';
import { type CniResult, formatResult } from './result.ts';

/** A plugin that adds something to what the plugins before it in a list have made. */
export interface ChainedPlugin {
  readonly role: Role;
  /** Its part is there; returns the result to pass on. */
  add(call: Call, core: Core, previous: CniResult): Promise<CniResult>;
  /** Nothing of its part is left; identity is all it may need of the call. */
  del(call: Call, core: Core, part: ChainedPart): Promise<NetError[]>;
  /** Returns where its part is as `add` left it. */
  check(call: Call, core: Core, previous: CniResult): Promise<void>;
  /** Throws NetError for whatever is wrong with the configuration. */
  validate(call: Call): void;
}

/** Loaded when called: no other name pays for them. */
const PLUGINS: Readonly<Partial<Record<PluginName, () => Promise<ChainedPlugin>>>> = {
  bandwidth: async () => (await import('./bandwidth.ts')).bandwidth,
  firewall: async () => (await import('./firewall.ts')).firewall,
  portmap: async () => (await import('./portmap.ts')).portmap,
  tuning: async () => (await import('./tuning.ts')).tuning,
};

/** The commands of one plugin of a list; what one returns is printed. */
export type ChainedHandlers = Readonly<
  Record<Exclude<Command, 'VERSION'>, (call: Call, core: Core) => Promise<unknown>>
>;

/** The commands of the chained plugin of this name. */
export async function chainedHandlers(name: PluginName): Promise<ChainedHandlers> {
  const plugin = await PLUGINS[name]?.();
  if (plugin !== undefined) return handlersOf(plugin);
  throw new NetError({ kind: 'internal', op: 'call', subject: name, what: 'is no plugin of a chain' });
}

function handlersOf(plugin: ChainedPlugin): ChainedHandlers {
  return {
    ADD: async (call, core) => {
      networkName(call.config);
      const previous = previousResult(call);
      return formatResult(await plugin.add(call, core, previous), call.version);
    },
    DEL: async (call, core) => {
      raise(await plugin.del(call, core, { attachment: attachmentOf(call), role: plugin.role }), 'DEL');
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
  throw new NetError({
    kind: 'invalid-config',
    op: 'config',
    subject: '.prevResult',
    what: `is missing: ${plugin} must be called as a chained plugin`,
    hint: `Put ${plugin} behind a plugin that makes an interface, in the "plugins" of a list`,
  });
}
