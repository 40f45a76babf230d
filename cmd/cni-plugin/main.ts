import { fstatSync } from 'node:fs';
import { field, textField } from '../../src/shared/config/fields.ts';
import type { Core } from '../../src/shared/core/core.ts';
import { asNetError, NetError } from '../../src/shared/errors/net-error.ts';
import type { Logger } from '../../src/shared/log/log.ts';
import { about } from './about.ts';
import { add } from './add.ts';
import { check } from './check.ts';
import { openCore } from './context.ts';
import { del } from './del.ts';
import { type CallVariables, type Command, parseEnvironment } from './environment.ts';
import { gc } from './gc.ts';
import { isChained, type PluginName, pluginName } from './names.ts';
import { type Call, parseConfig, readInput } from './request.ts';
import { writeAll, writeError, writeJson } from './respond.ts';
import { status } from './status.ts';
import { versionAnswer } from './version.ts';
import { atLeast, type CniVersion, isSupported, NEWEST, parseVersion } from './versions.ts';

type Handler = (call: Call, core: Core) => Promise<unknown>;

/** One file a command. What one returns is printed; nothing is, where it returns nothing. */
const HANDLERS: Readonly<Record<Exclude<Command, 'VERSION'>, Handler>> = {
  ADD: add,
  DEL: del,
  CHECK: check,
  STATUS: status,
  GC: gc,
};

/** The version that brought a command (SPEC.md, Released versions). */
const SINCE: Readonly<Partial<Record<Command, CniVersion>>> = { CHECK: '0.4.0', STATUS: '1.1.0', GC: '1.1.0' };

/** One call, from environment and stdin to stdout. Returns the exit code. */
async function main(): Promise<number> {
  const plugin = pluginName(process.argv[1] ?? '');
  if (!process.env.CNI_COMMAND) return await verb(plugin, process.argv.slice(2));
  let version: CniVersion = NEWEST;
  try {
    const variables = attempt(() => parseEnvironment(process.env));
    if (variables instanceof NetError && fstatSync(0).isCharacterDevice()) throw variables;
    const text = readInput();
    const command = variables instanceof NetError ? undefined : variables.command;
    if (command === 'VERSION') {
      writeJson(versionAnswer(text));
      return 0;
    }
    const config = attempt(() => parseConfig(text));
    const asked = config instanceof NetError ? undefined : (field(config, 'cniVersion') ?? '0.1.0');
    if (isSupported(asked)) version = asked;
    if (variables instanceof NetError || command === undefined) throw variables;
    if (config instanceof NetError) throw config;
    version = versionFor(variables, asked);
    const answer = await handle(await handlerOf(plugin, command), { plugin, variables, text, config, version });
    if (answer !== undefined) writeJson(answer);
    return 0;
  } catch (thrown) {
    writeError(asNetError(thrown, process.env.CNI_COMMAND), version);
    return 1;
  }
}

/** Without CNI_COMMAND: `reload`, or a word about what this is. */
async function verb(plugin: PluginName, words: readonly string[]): Promise<number> {
  if (words[0] !== 'reload') {
    writeAll(2, about(plugin));
    return 0;
  }
  try {
    const { reloadVerb } = await import('./reload.ts');
    writeAll(1, reloadVerb(process.env));
    return 0;
  } catch (thrown) {
    writeAll(2, `${asNetError(thrown, 'reload').message}\n`);
    return 1;
  }
}

/** Plugins of a chain are loaded when they are called. */
async function handlerOf(plugin: PluginName, command: Exclude<Command, 'VERSION'>): Promise<Handler> {
  if (!isChained(plugin)) return HANDLERS[command];
  const { chainedHandlers } = await import('./chained.ts');
  return (await chainedHandlers(plugin))[command];
}

/** A state that turned out to be broken has been set aside by then: the call is made once more, with a new one. */
async function handle(handler: Handler, call: Call): Promise<unknown> {
  try {
    using core = openCore(process.env);
    return await told(core.log, call, () => handler(call, core));
  } catch (thrown) {
    if (!(thrown instanceof NetError && thrown.kind === 'state-reset')) throw thrown;
  }
  using core = openCore(process.env);
  return await told(core.log, call, () => handler(call, core));
}

/** Milliseconds; performance.now() would load all of perf_hooks. */
function sinceStart(): number {
  return Math.round(process.uptime() * 1000);
}

/** One line a call in the log: what, for whom, how long since the process started, and how it ended. */
async function told(log: Logger, { variables, config, plugin }: Call, work: () => Promise<unknown>): Promise<unknown> {
  const { containerId, ifName, netns } = variables;
  const network = textField(config, 'name');
  const fields = { plugin, network, container: containerId || undefined, ifname: ifName || undefined, netns };
  try {
    const answer = await work();
    log.info(variables.command, { ...fields, ms: sinceStart() });
    return answer;
  } catch (thrown) {
    const { message, cniCode } = asNetError(thrown, variables.command);
    log.warn(variables.command, { ...fields, ms: sinceStart(), code: cniCode, error: message });
    throw thrown;
  }
}

/** DEL answers nothing, so no version keeps it from cleaning up. */
function versionFor({ command }: CallVariables, asked: unknown): CniVersion {
  if (command === 'DEL') return isSupported(asked) ? asked : NEWEST;
  const version = parseVersion(asked);
  const since = SINCE[command];
  if (since === undefined || atLeast(version, since)) return version;
  throw new NetError({
    kind: 'incompatible-version',
    op: command,
    subject: `.cniVersion="${version}"`,
    what: `config version does not allow ${command}, which came with ${since}`,
    hint: `Set cniVersion to ${since} or newer`,
  });
}

function attempt<T>(work: () => T): T | NetError {
  try {
    return work();
  } catch (thrown) {
    return asNetError(thrown, 'call');
  }
}

main().then((code) => process.exit(code));
