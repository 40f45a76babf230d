import type { Command } from 'commander';
import manifest from '../../../package.json' with { type: 'json' };
import { SUPPORTED } from '../../../src/shared/runtime/cni/versions.ts';
import { SCHEMA_VERSION } from '../../../src/shared/store/migrations.ts';
import { addOutput, type OutputOptions, printJson } from './output.ts';

const EXAMPLES = `
Examples:
  isthmus version
  isthmus version -o json               also the CNI versions, the schema of the state and the version of Node
`;

/** Adds the verb `version` to `program`. */
export function addVersion(program: Command): void {
  addOutput(program.command('version').summary('print the version'))
    .addHelpText('after', EXAMPLES)
    .action(({ output, format = output }: OutputOptions) => {
      const { version } = manifest;
      if (format === 'table') console.log(version);
      else printJson({ version, cni: SUPPORTED, schema: SCHEMA_VERSION, node: process.version });
    });
}
