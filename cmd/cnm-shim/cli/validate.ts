import type { Command } from 'commander';
import { addOutput, type OutputOptions } from './output.ts';

const EXAMPLES = `
Checks configurations without calling anything: each line has the file, the line
and column, the key, and what is wrong with it. Of a directory, it checks the
files that a runtime reads: *.conf, *.conflist and *.json. It does not check
plugins of other programs.
The exit code is 1 if anything is wrong.

Examples:
  isthmus validate /etc/cni/net.d
  isthmus validate 10-web.conflist 20-db.conflist
  isthmus validate -o json /etc/cni/net.d | jq '.[].findings[]'
`;

/** Adds the verb `validate` to `program`. */
export function addValidate(program: Command): void {
  addOutput(program.command('validate').argument('<file...>', 'files or directories'))
    .summary('check CNI configurations')
    .addHelpText('after', EXAMPLES)
    .action(async (files: readonly string[], options: OutputOptions) => {
      const { validateFiles } = await import('../validate.ts');
      process.exitCode = validateFiles(files, options);
    });
}
