import type { Command } from 'commander';
import manifest from '../../../package.json' with { type: 'json' };
import { SCHEMA_VERSION } from '../../../src/shared/store/migrations.ts';
import { SUPPORTED } from '../../cni-plugin/versions.ts';
import { addOutput, type OutputOptions, toJson } from './output.ts';

/** `program` knows the verb `version`. */
export function addVersion(program: Command): void {
  addOutput(program.command('version').summary('print the version')).action(({ output }: OutputOptions) => {
    const { version } = manifest;
    if (output === 'table') console.log(version);
    else process.stdout.write(toJson({ version, cni: SUPPORTED, schema: SCHEMA_VERSION, node: process.version }));
  });
}
