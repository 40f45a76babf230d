import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { fault } from '../../../src/shared/errors/fault.ts';
import { openCore } from '../../../src/shared/runtime/context.ts';
import type { CallCore } from '../../../src/shared/runtime/make-core.ts';

export interface StateOptions {
  readonly stateDir: string;
}

/** Adds `--state-dir` to the verb, as the daemon has it. */
export function addStateDir(command: Command): Command {
  const option = new Option('--state-dir <dir>', 'directory of the state, shared with the daemon and the plugin');
  return command.addOption(option.default('/var/lib/isthmus').env('ISTHMUS_STATE_DIR').argParser(absolutePath));
}

/**
 * Opens the core as a plugin call does; a daemon may run at the same time. Throws NetError `state` unless there is a
 * state: a verb that only reads creates nothing.
 */
export function openState(options: StateOptions): CallCore {
  assertState(options);
  return openOrCreateState(options);
}

/** Throws NetError `state` unless there is a state. */
export function assertState({ stateDir }: StateOptions): void {
  const isDirectory = statSync(stateDir, { throwIfNoEntry: false })?.isDirectory();
  // To open a file fails with what it is.
  if (isDirectory === false || statSync(join(stateDir, 'state.db'), { throwIfNoEntry: false }) !== undefined) return;
  const hint = 'Give the --state-dir of the daemon and the plugin; it appears with the first network';
  throw fault.state('state', stateDir, isDirectory ? 'there is no state in it' : 'it does not exist', hint);
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
