import { type Document, parseDocument, versionOf } from '../../config/document.ts';
import { assertModest } from '../../config/limits.ts';
import { type PluginName, parsePlugin } from '../../config/plugin-config.ts';
import { parseCollection, parseRemoval } from '../../config/removal-config.ts';
import { atLeast, type CniVersion, NEWEST } from '../../config/versions.ts';
import type { Core } from '../../core/core.ts';
import { fault } from '../../errors/fault.ts';
import { asNetError, NetError } from '../../errors/net-error.ts';
import { given } from '../../model/given.ts';
import { isOwnPlugin } from '../delegate.ts';
import { type CallVariables, type Command, type Environment, parseEnvironment } from '../environment.ts';
import type { CallCore } from '../make-core.ts';
import type { Phases } from '../phases.ts';
import { add } from './add.ts';
import { check } from './check.ts';
import { del } from './del.ts';
import { gc } from './gc.ts';
import { isChained } from './names.ts';
import { type Call, type Handlers, readingOf } from './request.ts';
import { formatError, formatJson } from './respond.ts';
import { status } from './status.ts';
import { versionAnswer } from './version.ts';

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
  /** DelegateSurroundings.umask. */
  readonly umask?: () => number;
  /** Call.stamp. */
  readonly stamp?: string;
}

/** The answer to the caller. */
export interface Answer {
  /** Exit code. */
  readonly code: number;
  readonly stdout: string;
  /** The network that the configuration names. */
  readonly network?: string;
  /** Why the call failed. */
  readonly error?: NetError;
}

/** A call whose configuration is parsed. */
type Ready = (core: Core) => Promise<unknown>;

/** One file for each command. */
const HANDLERS: Handlers = {
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
  const { plugin, env, stderr, gone, umask, stamp } = caller;
  let version: CniVersion = NEWEST;
  let network: string | undefined;
  try {
    const variables = attempt(() => parseEnvironment(env));
    if (variables instanceof NetError && caller.isMute()) throw variables;
    const text = caller.read();
    const command = variables instanceof NetError ? undefined : variables.command;
    if (command === 'VERSION') return { code: 0, stdout: formatJson(versionAnswer(text)) };
    const document = attempt(() => parseDocument(text));
    if (!(document instanceof NetError)) version = document.version ?? version;
    if (variables instanceof NetError || command === undefined) throw variables;
    if (document instanceof NetError) throw document;
    network = document.name;
    version = versionFor(variables, document);
    // DEL needs the identity only, however large the rest is.
    if (command !== 'DEL') assertModest(document.json);
    const call: Call = { plugin, variables, env, stderr, text, version, ...given({ gone, umask, stamp }) };
    const handlers = await handlersOf(plugin);
    const ready = attempt(() => prepare(handlers, command, call, document));
    const result = await handle(ready, call, network, caller);
    return { code: 0, stdout: result === undefined ? '' : formatJson(result), ...given({ network }) };
  } catch (thrown) {
    const error = asNetError(thrown, env.CNI_COMMAND ?? 'call');
    return { code: 1, stdout: formatError(error, version), error, ...given({ network }) };
  }
}

/** Returns the commands of a plugin. Loads plugins of a chain on demand. */
export async function handlersOf(plugin: PluginName): Promise<Handlers> {
  if (!isChained(plugin)) return HANDLERS;
  const { chainedHandlers } = await import('./chained.ts');
  return chainedHandlers(plugin);
}

/** Parses the configuration, as far as the command needs it. Throws NetError. */
function prepare(handlers: Handlers, command: Exclude<Command, 'VERSION'>, call: Call, document: Document): Ready {
  const { plugin, variables } = call;
  const isOwn = (type: string): boolean => isOwnPlugin(type, variables.path);
  if (command === 'DEL') {
    const removal = { ...call, config: parseRemoval(document, { plugin, isOwn }) };
    return (core) => handlers.DEL(removal, core);
  }
  if (command === 'GC') {
    const collection = { ...call, config: parseCollection(document, { plugin, isOwn }) };
    return (core) => handlers.GC(collection, core);
  }
  const parsed = { ...call, config: parsePlugin(document, readingOf(call, command)) };
  return (core) => handlers[command](parsed, core);
}

/** Retries the call once with a new state if the state was corrupt and has been set aside. */
async function handle(
  ready: Ready | NetError,
  call: Call,
  network: string | undefined,
  { open, phases }: Caller,
): Promise<unknown> {
  const attemptOnce = async (): Promise<unknown> => {
    await using core = open();
    return await told(core, call, network, phases, ready);
  };
  try {
    return await attemptOnce();
  } catch (thrown) {
    if (!(thrown instanceof NetError && thrown.kind === 'state-reset')) throw thrown;
  }
  return await attemptOnce();
}

/** Logs one line for each call: the command, the attachment, the outcome, the duration and its phases. */
async function told(
  core: Core,
  { variables, plugin }: Call,
  network: string | undefined,
  phases: Phases,
  ready: Ready | NetError,
): Promise<unknown> {
  const { log } = core;
  const { command, containerId, ifName, netns } = variables;
  const fields = { plugin, network, container: containerId || undefined, ifname: ifName || undefined, netns };
  try {
    if (ready instanceof NetError) throw ready;
    const result = await ready(core);
    log.info(command, { ...fields, result: 'ok', ...phases.fields() });
    return result;
  } catch (thrown) {
    const { message, cniCode } = asNetError(thrown, command);
    log.warn(command, { ...fields, result: 'error', code: cniCode, error: message, ...phases.fields() });
    throw thrown;
  }
}

/** DEL answers nothing, so no version prevents it from cleaning up. */
function versionFor({ command }: CallVariables, document: Document): CniVersion {
  if (command === 'DEL') return document.version ?? NEWEST;
  const version = versionOf(document);
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
