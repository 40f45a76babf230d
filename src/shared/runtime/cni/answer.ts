import { field, textField } from '../../config/fields.ts';
import { assertModest } from '../../config/limits.ts';
import type { Core } from '../../core/core.ts';
import { fault } from '../../errors/fault.ts';
import { asNetError, NetError } from '../../errors/net-error.ts';
import { given } from '../../model/given.ts';
import { type CallVariables, type Command, type Environment, parseEnvironment } from '../environment.ts';
import type { CallCore } from '../make-core.ts';
import type { Phases } from '../phases.ts';
import { add } from './add.ts';
import { check } from './check.ts';
import { del } from './del.ts';
import { gc } from './gc.ts';
import { isChained, type PluginName } from './names.ts';
import { type Call, parseConfig } from './request.ts';
import { formatError, formatJson } from './respond.ts';
import { status } from './status.ts';
import { versionAnswer } from './version.ts';
import { atLeast, type CniVersion, isSupported, NEWEST, parseVersion } from './versions.ts';

/** A call, started directly or received from the launcher. */
export interface Caller {
  readonly plugin: PluginName;
  readonly env: Environment;
  /** True if stdin cannot carry a configuration. */
  readonly isMute: () => boolean;
  /** Reads stdin. Throws NetError. */
  readonly read: () => string;
  /** Returns the core for the call; called again if the state proved to be corrupt. */
  readonly open: () => CallCore;
  /** Receives the delegates' stderr. */
  readonly stderr: (piece: Uint8Array) => void;
  /** Timing of the call so far. */
  readonly phases: Phases;
  /** Aborted when the caller disconnects. Absent if this process would die with the caller. */
  readonly gone?: () => AbortSignal;
  /** Call.stamp. */
  readonly stamp?: string;
}

/** The answer to the caller. */
export interface Answer {
  /** Exit code. */
  readonly code: number;
  readonly stdout: string;
}

type Handler = (call: Call, core: Core) => Promise<unknown>;

/** One file for each command. The returned value is printed; undefined prints nothing. */
const HANDLERS: Readonly<Record<Exclude<Command, 'VERSION'>, Handler>> = {
  ADD: add,
  DEL: del,
  CHECK: check,
  STATUS: status,
  GC: gc,
};

/** The version that introduced a command (SPEC.md, Released versions). */
const SINCE: Readonly<Partial<Record<Command, CniVersion>>> = { CHECK: '0.4.0', STATUS: '1.1.0', GC: '1.1.0' };

/** Answers one call from environment and stdin to stdout, and never throws. */
export async function answer(caller: Caller): Promise<Answer> {
  const { plugin, env, stderr, gone, stamp } = caller;
  let version: CniVersion = NEWEST;
  try {
    const variables = attempt(() => parseEnvironment(env));
    if (variables instanceof NetError && caller.isMute()) throw variables;
    const text = caller.read();
    const command = variables instanceof NetError ? undefined : variables.command;
    if (command === 'VERSION') return { code: 0, stdout: formatJson(versionAnswer(text)) };
    const config = attempt(() => parseConfig(text));
    const asked = config instanceof NetError ? undefined : (field(config, 'cniVersion') ?? '0.1.0');
    if (isSupported(asked)) version = asked;
    if (variables instanceof NetError || command === undefined) throw variables;
    if (config instanceof NetError) throw config;
    version = versionFor(variables, asked);
    // DEL needs the identity only, however large the rest is.
    if (command !== 'DEL') assertModest(config);
    const handler = await handlerOf(plugin, command);
    const result = await handle(
      handler,
      {
        ...{ plugin, variables, env, stderr, text, config, version },
        ...given({ gone, stamp }),
      },
      caller,
    );
    return { code: 0, stdout: result === undefined ? '' : formatJson(result) };
  } catch (thrown) {
    return { code: 1, stdout: formatError(asNetError(thrown, env.CNI_COMMAND ?? 'call'), version) };
  }
}

/** Loads plugins of a chain on demand. */
async function handlerOf(plugin: PluginName, command: Exclude<Command, 'VERSION'>): Promise<Handler> {
  if (!isChained(plugin)) return HANDLERS[command];
  const { chainedHandlers } = await import('./chained.ts');
  return (await chainedHandlers(plugin))[command];
}

/** Retries the call once with a new state if the state was corrupt and has been set aside. */
async function handle(handler: Handler, call: Call, { open, phases }: Caller): Promise<unknown> {
  try {
    await using core = open();
    return await told(core, call, phases, () => handler(call, core));
  } catch (thrown) {
    if (!(thrown instanceof NetError && thrown.kind === 'state-reset')) throw thrown;
  }
  await using core = open();
  return await told(core, call, phases, () => handler(call, core));
}

/** Logs one line for each call: the command, the attachment, the outcome, the duration and its phases. */
async function told(
  { log }: Core,
  { variables, config, plugin }: Call,
  phases: Phases,
  work: () => Promise<unknown>,
): Promise<unknown> {
  const { command, containerId, ifName, netns } = variables;
  const network = textField(config, 'name');
  const fields = { plugin, network, container: containerId || undefined, ifname: ifName || undefined, netns };
  try {
    const result = await work();
    log.info(command, { ...fields, result: 'ok', ...phases.fields() });
    return result;
  } catch (thrown) {
    const { message, cniCode } = asNetError(thrown, command);
    log.warn(command, { ...fields, result: 'error', code: cniCode, error: message, ...phases.fields() });
    throw thrown;
  }
}

/** DEL answers nothing, so no version prevents it from cleaning up. */
function versionFor({ command }: CallVariables, asked: unknown): CniVersion {
  if (command === 'DEL') return isSupported(asked) ? asked : NEWEST;
  const version = parseVersion(asked);
  const since = SINCE[command];
  if (since === undefined || atLeast(version, since)) return version;
  throw fault.incompatibleVersion(
    command,
    `.cniVersion="${version}"`,
    `config version does not allow ${command}, which came with ${since}`,
    `Set cniVersion to ${since} or newer`,
  );
}

function attempt<T>(work: () => T): T | NetError {
  try {
    return work();
  } catch (thrown) {
    return asNetError(thrown, 'call');
  }
}
