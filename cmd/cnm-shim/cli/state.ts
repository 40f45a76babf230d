import { type Command, Option } from 'commander';
import { openCore } from '../../../src/shared/runtime/context.ts';
import type { CallCore } from '../../../src/shared/runtime/make-core.ts';
import { absolutePath } from './arguments.ts';

export interface StateOptions {
  readonly stateDir: string;
}

/** Adds `--state-dir` to the verb, as the daemon has it. */
export function addStateDir(command: Command): Command {
  const option = new Option('--state-dir <dir>', 'directory of the state, shared with the daemon and the plugin');
  return command.addOption(option.default('/var/lib/isthmus').env('ISTHMUS_STATE_DIR').argParser(absolutePath));
}

/** Opens the core as a plugin call does; a daemon may run at the same time. */
export function openState({ stateDir }: StateOptions): CallCore {
  return openCore({ ...process.env, ISTHMUS_STATE_DIR: stateDir });
}
