import { existsSync, lstatSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { fault } from '../../../src/shared/errors/fault.ts';
import { hasCode, type NetError } from '../../../src/shared/errors/net-error.ts';
import { visible } from '../../../src/shared/model/visible.ts';
import { openCore } from '../../../src/shared/runtime/context.ts';
import type { CallCore } from '../../../src/shared/runtime/make-core.ts';
import { inspectState } from '../../../src/shared/store/inspect.ts';

export interface StateOptions {
  readonly stateDir: string;
}

/** Adds `--state-dir` to the verb, as the daemon has it. */
export function addStateDir(command: Command): Command {
  const option = new Option('--state-dir <dir>', 'directory of the state, shared with the daemon and the plugin');
  return command.addOption(option.default('/var/lib/isthmus').env('ISTHMUS_STATE_DIR').argParser(absolutePath));
}

export const RUN_DIR = '/run/isthmus';
/** The file of the cluster that this host belongs to, unless the daemon is given another one. */
export const CLUSTER_FILE = '/etc/isthmus/cluster.json';

/** The option `--run-dir`, as the daemon has it. */
export function runDirOption(what: string): Option {
  return new Option('--run-dir <dir>', what).default(RUN_DIR).env('ISTHMUS_RUN_DIR').argParser(absolutePath);
}

/**
 * Opens the core as a plugin call does; a daemon may run at the same time. Throws NetError `state` unless there is a
 * state: a verb that only reads creates nothing.
 */
export function openState(options: StateOptions): CallCore {
  assertState(options);
  const core = openOrCreateState(options);
  const { broken } = inspectState(options.stateDir, core.host.identity);
  // Anything else at its path is refused.
  if (broken !== undefined && isFile(join(options.stateDir, 'state.db')))
    console.error(
      `isthmus: ${options.stateDir}/state.db is set aside, and a new one takes its place: ${visible(broken)}`,
    );
  return core;
}

function isFile(path: string): boolean {
  try {
    return lstatSync(path).isFile();
  } catch {
    return false;
  }
}

/** Throws NetError `bad-environment` for a user who may not look. */
export function hasState({ stateDir }: StateOptions): boolean {
  try {
    const isDirectory = statSync(stateDir, { throwIfNoEntry: false })?.isDirectory();
    // To open a file fails with what it is.
    return isDirectory === false || statSync(join(stateDir, 'state.db'), { throwIfNoEntry: false }) !== undefined;
  } catch (cause) {
    if (!hasCode(cause, ['EACCES', 'EPERM'])) throw cause;
    throw notPermitted('state', stateDir, cause);
  }
}

/** NetError `bad-environment` for what this user may not do. */
export function notPermitted(op: string, subject: string, cause: unknown): NetError {
  const what = `user ${process.getuid?.() ?? ''} may not read it`;
  return fault.badEnvironment(op, subject, what, 'Run it as root', { cause });
}

/** Throws NetError `state` unless there is a state. */
export function assertState({ stateDir }: StateOptions): void {
  if (hasState({ stateDir })) return;
  const exists = existsSync(stateDir);
  const hint =
    'It appears with the first container or isthmus network create. If the plugin has another one, give --state-dir';
  throw fault.state('state', stateDir, exists ? 'there is no state in it' : 'it does not exist', hint);
}

/** Like `openState`, and creates the state. */
export function openOrCreateState({ stateDir }: StateOptions): CallCore {
  return openCore({ ...process.env, ISTHMUS_STATE_DIR: stateDir });
}

/** Parses the argument of an option that takes an absolute path. */
export function absolutePath(path: string): string {
  if (path.startsWith('/')) return path;
  throw new InvalidArgumentError('It is not an absolute path.');
}

/** Parses the argument of an option that can be repeated. */
export function collected(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}
