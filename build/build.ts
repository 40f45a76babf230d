import { statSync } from 'node:fs';
import { bundle } from './bundle.ts';
import { type Packager, packageExecutable } from './package.ts';
import { writeValidators } from './schemas.ts';

const PROGRAMS = ['cni-plugin'] as const;

/** Builds everything below dist/. `--node-sea` packages with Node's own `--build-sea` in place of pkg. */
async function main(): Promise<void> {
  const packager: Packager = process.argv.includes('--node-sea') ? 'node-sea' : 'pkg';
  writeValidators();
  for (const name of PROGRAMS) {
    const program = await bundle(name);
    console.log(`bundle: dist/${name}.cjs, ${Math.ceil(statSync(program).size / 1000)} kB`);
    const executable = await packageExecutable(program, name, packager);
    console.log(`package (${packager}): dist/${name}, ${Math.round(statSync(executable).size / 1e6)} MB`);
  }
}

await main();
