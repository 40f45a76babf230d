import { rmSync } from 'node:fs';
import type { Command } from 'commander';
import { forgetCopy } from '../../../src/shared/cluster/kept.ts';
import { fault } from '../../../src/shared/errors/fault.ts';
import { asNetError } from '../../../src/shared/errors/net-error.ts';
import { assertUnused } from '../../../src/shared/ops/cluster.ts';
import { type ClusterCalls, clusterCalls } from '../cluster-wire.ts';
import { fileOption } from './cluster-join.ts';
import { addStateDir, hasState, openState, runDirOption, type StateOptions } from './state.ts';
import { writeOut } from './stdout.ts';

const EXAMPLES = `
Takes this host out of its cluster: deletes its keys, then the file of the cluster. Refused while an overlay network has
endpoints here. The daemon does it, as a member. Where it is none any more (etcd is gone for good), --force deletes the
file only, beside a running daemon too. Then isthmus cluster forget on another host deletes the keys.

Examples:
  isthmus cluster leave
  isthmus cluster leave --force          without etcd, and with or without the daemon
`;

interface LeaveOptions extends StateOptions {
  readonly runDir: string;
  readonly file: string;
  readonly force?: true;
}

/** Adds the verb `leave` to `cluster`. */
export function addLeave(cluster: Command): void {
  addStateDir(cluster.command('leave').summary('take this host out of its cluster'))
    .addOption(runDirOption("the daemon's directory"))
    .addOption(fileOption(`file of the cluster, with --force`))
    .option('--force', 'delete the file, and leave the keys of this host where they are')
    .addHelpText('after', EXAMPLES)
    .action(async ({ runDir, file, force, stateDir }: LeaveOptions) => {
      await assertIdle({ stateDir });
      const calls = clusterCalls(runDir);
      const left = force === true ? await forceLeave(calls, file) : await calls.leave();
      if (force === true) forgetCopy(stateDir);
      remove(left);
      writeOut(`${left} deleted. Restart the daemon: systemctl restart isthmus\n`);
    });
}

async function assertIdle(options: StateOptions): Promise<void> {
  if (!hasState(options)) return;
  await using core = openState(options);
  assertUnused(core);
}

/** Tells a daemon that runs, since it would join again and keep its copy. Returns the file to delete. */
async function forceLeave(calls: ClusterCalls, file: string): Promise<string> {
  try {
    return await calls.forceLeave();
  } catch (thrown) {
    if (asNetError(thrown, 'cluster.leave').kind === 'conflict') throw thrown;
    return file;
  }
}

function remove(path: string): void {
  try {
    rmSync(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw fault.io('cluster.leave', `file ${path}`, 'it cannot be deleted', 'Delete it, or name it with --file', {
      ...{ reason, cause },
    });
  }
}
