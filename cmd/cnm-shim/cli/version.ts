import { getRawAsset, isSea } from 'node:sea';
import { brotliDecompressSync } from 'node:zlib';
import type { Command } from 'commander';
import { SUPPORTED } from '../../../src/shared/config/versions.ts';
import { NetError } from '../../../src/shared/errors/net-error.ts';
import { given } from '../../../src/shared/model/given.ts';
import { REVISION as revision, PROGRAM_VERSION as version } from '../../../src/shared/runtime/program-version.ts';
import { SCHEMA_VERSION } from '../../../src/shared/store/migrations.ts';
import { addOutput, type OutputOptions, printJson } from './output.ts';
import { writeOut } from './stdout.ts';

const EXAMPLES = `
Examples:
  isthmus version                       with the commit that it was built from
  isthmus version -o json               also the CNI versions, the schema of the state and the version of Node
  isthmus version --licenses            the licences of everything inside the executables
`;

interface VersionOptions extends OutputOptions {
  readonly licenses?: boolean;
}

/** Adds the verb `version` to `program`. */
export function addVersion(program: Command): void {
  addOutput(program.command('version').summary('print the version'))
    .option('--licenses', 'print the licences of this program and of everything inside the executables')
    .addHelpText('after', EXAMPLES)
    .action(({ output, format = output, licenses = false }: VersionOptions) => {
      if (licenses) writeOut(licenceText());
      else if (format === 'table') writeOut(`${version}\n`);
      else
        printJson({ version, ...given({ revision }), cni: SUPPORTED, schema: SCHEMA_VERSION, node: process.version });
    });
}

/** The build writes this text beside the executables and into this one. */
function licenceText(): Uint8Array {
  if (isSea()) return brotliDecompressSync(new Uint8Array(getRawAsset('licences')));
  throw new NetError({
    kind: 'unsupported',
    op: 'version',
    subject: '--licenses',
    what: 'only the built executable contains the licences',
    hint: 'Run: npm run build && dist/cnm-shim version --licenses',
  });
}
