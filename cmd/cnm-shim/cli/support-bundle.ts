import { closeSync, openSync, rmSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { fault } from '../../../src/shared/errors/fault.ts';
import { asNetError, hasCode } from '../../../src/shared/errors/net-error.ts';
import { visible } from '../../../src/shared/model/visible.ts';
import { writeAll } from '../../../src/shared/runtime/cni/respond.ts';
import { absolutePath, addStateDir, CLUSTER_FILE, runDirOption } from './state.ts';
import { writeOut } from './stdout.ts';

const EXAMPLES = `
Writes one tar, readable by its owner only: versions, state, packet filter, links, routes, configurations, logs, and the
daemon's status, events and metrics. Needs no daemon, and changes nothing. Passwords, keys and tokens are removed.
--redact also replaces addresses, ids and names, the same one always by the same one. Look into it before you send it.

Examples:
  isthmus support-bundle
  isthmus support-bundle --redact -o /tmp/report.tar
  isthmus support-bundle -o - | tar -tv
`;

interface BundleOptions {
  readonly output?: string;
  readonly redact?: boolean;
  readonly stateDir: string;
  readonly runDir: string;
  readonly cluster: string;
}

/** Adds the verb `support-bundle` to `program`. */
export function addSupportBundle(program: Command): void {
  const bundle = program.command('support-bundle').summary('collect what a maintainer needs to find a fault');
  addStateDir(bundle)
    .addOption(runDirOption("the daemon's directory"))
    .addOption(
      new Option('--cluster <file>', "the cluster's file")
        .default(CLUSTER_FILE)
        .env('ISTHMUS_CLUSTER')
        .argParser((path) => (path === 'none' ? CLUSTER_FILE : absolutePath(path))),
    )
    .option('-o, --output <file>', 'the file to create, or "-" (default: isthmus-support-<time>.tar)')
    .option('--redact', 'replace addresses, ids and names')
    .addHelpText('after', EXAMPLES)
    .action(async ({ output = defaultName(), redact = false, stateDir, runDir, cluster }: BundleOptions) => {
      const { makeBundle } = await import('../bundle/bundle.ts');
      const fd = output === '-' ? undefined : create(output);
      const confDir = process.env.ISTHMUS_CNI_CONF_DIR || '/etc/cni/net.d';
      const { tar, files, missing } = await makeBundle({ stateDir, runDir, confDir, cluster }, redact);
      if (fd === undefined) return void writeOut(tar);
      const isWritten = writeAll(fd, tar);
      closeSync(fd);
      if (!isWritten) {
        rmSync(output);
        throw fault.io('support-bundle', `file ${output}`, 'it cannot be written', 'Free some space');
      }
      writeOut(`${visible(output)}: ${files} files, ${missing.length} not collected (README.txt in it says why)\n`);
    });
}

function defaultName(): string {
  return `isthmus-support-${new Date().toISOString().replace(/[-:]|\..*/g, '')}.tar`;
}

/** Before anything is collected. Follows no link, and overwrites nothing. */
function create(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (thrown) {
    const { message } = asNetError(thrown, 'support-bundle');
    if (hasCode(thrown, ['EEXIST']))
      throw fault.exists('support-bundle', `file ${path}`, 'it exists already', 'Give another one with -o');
    throw fault.io('support-bundle', `file ${path}`, 'it cannot be created', 'Give another one with -o', {
      reason: message,
      cause: thrown,
    });
  }
}
