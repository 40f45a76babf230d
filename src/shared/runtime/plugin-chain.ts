import { collectionConfig, onOneLine, type PluginList, pluginTypes, withPrevious } from '../config/plugin-list.ts';
import { type CniResult, listsVersion, parsePrintedResult } from '../config/result.ts';
import { atLeast } from '../config/versions.ts';
import type { PluginCall, PluginHost } from '../core/core.ts';
import { fault } from '../errors/fault.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import type { ProcessRef } from '../model/chain.ts';

/** One attachment of a list: what each of its plugins is told. */
export interface ChainCall {
  /** Types and configurations of the plugins, in the order of ADD. */
  readonly plugins: readonly ChainedPlugin[];
  readonly path: readonly string[];
  readonly containerId: string;
  readonly netns: string;
  readonly ifName: string;
  /** CNI_ARGS. */
  readonly args: string;
  /** Milliseconds for all plugins together. */
  readonly limitMs: number;
}

export interface ChainedPlugin {
  readonly type: string;
  /** Without `prevResult`. */
  readonly config: string;
}

/** What the last plugin of a list answered. */
export interface ChainResult {
  /** JSON, for the plugins of a DEL. */
  readonly text: string;
  readonly result: CniResult;
}

/** Milliseconds for one answer to VERSION. */
const VERSION_MS = 5000;

/**
 * Throws NetError `invalid-config` unless each plugin of the list is there and knows its version. `isAddressed`: as in
 * `pluginTypes`.
 */
export async function assertPlugins(
  host: PluginHost,
  list: PluginList,
  path: readonly string[],
  isAddressed: boolean,
): Promise<void> {
  const types = pluginTypes(list, isAddressed);
  for (const type of types) host.assertThere(type, path);
  const { version } = list;
  for (const type of types) {
    const config = JSON.stringify({ cniVersion: version, name: list.name, type });
    const answer = await host.run({ type, path, command: 'VERSION', config, limitMs: VERSION_MS });
    if (listsVersion(answer, version)) continue;
    const what = `does not say that it knows CNI ${version}, which the list is written in`;
    throw fault.invalidConfig(
      'network',
      `plugin ${type}`,
      what,
      'Set cniVersion to one that it knows, or install a newer one',
    );
  }
}

/** What to note while plugins run, in case that this process dies. */
export interface ChainNotes {
  readonly started: (process: ProcessRef) => void;
  /** Called with each result before the next plugin starts. */
  readonly answered: (result: string) => void;
}

/** Runs ADD of all plugins in order. Rejects with the first failure; the caller then runs DEL. */
export async function addChain(
  host: PluginHost,
  call: ChainCall,
  { started, answered }: ChainNotes,
): Promise<ChainResult> {
  const limit = deadline(call.limitMs);
  let last: ChainResult | undefined;
  for (const plugin of call.plugins) {
    const output = await host.run({ ...callOf(call, plugin, 'ADD', last?.text, limit()), started });
    last = resultOf(plugin, output);
    answered(last.text);
  }
  if (last !== undefined) return last;
  throw fault.invalidConfig('ADD', 'list', 'it has no plugin that does anything', 'Add one that makes an interface');
}

/** Runs DEL of all plugins in reverse order, whatever fails. Returns all failures. */
export async function deleteChain(
  host: PluginHost,
  call: ChainCall,
  result: string | undefined,
  started: ChainNotes['started'],
): Promise<NetError[]> {
  const errors: NetError[] = [];
  const limit = deadline(call.limitMs);
  for (const plugin of call.plugins.toReversed()) {
    try {
      await host.run({ ...callOf(call, plugin, 'DEL', previousOf(plugin, result), limit()), started });
    } catch (thrown) {
      errors.push(asNetError(thrown, 'DEL'));
    }
  }
  return errors;
}

/** Runs GC of all plugins that know it. Returns all failures. */
export async function collectChain(
  host: PluginHost,
  list: PluginList,
  { path, limitMs }: Pick<ChainCall, 'path' | 'limitMs'>,
  alive: readonly { readonly containerID: string; readonly ifname: string }[],
): Promise<NetError[]> {
  const errors: NetError[] = [];
  if (!atLeast(list.version, '1.1.0') || list.disableGC) return errors;
  for (const plugin of list.plugins) {
    try {
      const config = collectionConfig(list, plugin, alive);
      await host.run({ type: plugin.type, path, command: 'GC', config, limitMs });
    } catch (thrown) {
      errors.push(asNetError(thrown, 'GC'));
    }
  }
  return errors;
}

/** The milliseconds that are left; a plugin that comes too late gets one. */
function deadline(limitMs: number): () => number {
  const end = performance.now() + limitMs;
  return () => Math.max(1, end - performance.now());
}

function callOf(
  { path, containerId, netns, ifName, args }: ChainCall,
  { type, config }: ChainedPlugin,
  command: 'ADD' | 'DEL',
  result: string | undefined,
  limitMs: number,
): PluginCall {
  return { type, path, command, config: withPrevious(config, result), limitMs, containerId, netns, ifName, args };
}

/** Plugins get the result of ADD in DEL since CNI 0.4.0. */
function previousOf({ config }: ChainedPlugin, result: string | undefined): string | undefined {
  const old = /"cniVersion":"0\.[123]\./.test(config);
  return old ? undefined : result;
}

function resultOf({ type }: ChainedPlugin, output: string): ChainResult {
  const failed = (what: string, cause?: unknown): NetError =>
    fault.delegate('ADD', `plugin ${type}`, what, `Mend or replace the plugin ${type}`, { cause });
  let result: CniResult | undefined;
  try {
    result = parsePrintedResult(output, 'its result ');
  } catch (cause) {
    throw failed(`answered with a wrong result: ${asNetError(cause, 'ADD').message}`, cause);
  }
  if (result === undefined) throw failed('answered with something that is not JSON');
  return { text: onOneLine(output), result };
}
