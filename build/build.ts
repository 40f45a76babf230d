import { statSync, utimesSync } from 'node:fs';
import { join, relative } from 'node:path';
import { bundle } from './bundle.ts';
import { type Packager, packageExecutable } from './package.ts';
import { writeValidators } from './schemas.ts';

const ROOT = join(import.meta.dirname, '..');
const PROGRAMS = ['cni-plugin'] as const;

/** Builds everything below dist/. `--node-sea` packages with Node's own `--build-sea` in place of pkg. */
async function main(): Promise<void> {
  const packager: Packager = process.argv.includes('--node-sea') ? 'node-sea' : 'pkg';
  writeValidators();
  for (const name of PROGRAMS) {
    const started = new Date();
    const program = await bundle(join(ROOT, 'cmd', name, 'main.ts'), join(ROOT, 'dist', `${name}.cjs`));
    const executable = join(ROOT, 'dist', name);
    for (const file of [program.program, ...Object.values(program.packages)]) {
      console.log(`bundle: ${relative(ROOT, file)}, ${Math.ceil(statSync(file).size / 1000)} kB`);
    }
    await packageExecutable(program, executable, packager, { isPlugin: name === 'cni-plugin' });
    console.log(`package (${packager}): dist/${name}, ${Math.round(statSync(executable).size / 1e6)} MB`);
    // A source that changed while this ran is newer than the executable, so the next set-up builds again.
    utimesSync(executable, started, started);
  }
}

await main();
