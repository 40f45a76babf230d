import { statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { bundle } from './bundle.ts';
import { buildLauncher } from './launcher.ts';
import { formatNotices, noticesOf, ownNotices } from './licences.ts';
import { DAEMON_OPTIONS, type Packager, packageExecutable, START_OPTIONS } from './package.ts';
import { writeValidators } from './schemas.ts';

const ROOT = join(import.meta.dirname, '..');
/** Ships beside the executables. */
const LICENCES = join(ROOT, 'dist/LICENSES.txt');
const PROGRAMS = [
  { name: 'cni-plugin', isPlugin: true, options: START_OPTIONS },
  { name: 'cnm-shim', isPlugin: false, options: DAEMON_OPTIONS },
] as const;

/** Builds everything below dist/. `--node-sea` packages with Node's own `--build-sea` in place of pkg. */
async function main(): Promise<void> {
  const started = new Date();
  const packager: Packager = process.argv.includes('--node-sea') ? 'node-sea' : 'pkg';
  writeValidators();
  buildLauncher(join(ROOT, 'dist', 'launcher'));
  const bundles = await Promise.all(
    PROGRAMS.map(({ name }) => bundle(join(ROOT, 'cmd', name, 'main.ts'), join(ROOT, 'dist', `${name}.cjs`))),
  );
  const notices = [...noticesOf(bundles.flatMap(({ inputs }) => inputs)), ...ownNotices()];
  writeFileSync(LICENCES, formatNotices(notices));
  console.log(`licences: ${relative(ROOT, LICENCES)}, of ${notices.length} works`);
  for (const [i, { name, isPlugin, options }] of PROGRAMS.entries()) {
    const program = bundles[i];
    if (program === undefined) continue;
    const executable = join(ROOT, 'dist', name);
    for (const file of [program.program, ...Object.values(program.packages)]) {
      console.log(`bundle: ${relative(ROOT, file)}, ${Math.ceil(statSync(file).size / 1000)} kB`);
    }
    // `isthmus version --licenses` prints it.
    const assets = isPlugin ? {} : { licences: LICENCES };
    await packageExecutable(program, executable, packager, { isPlugin, options, assets });
    console.log(`package (${packager}): dist/${name}, ${Math.round(statSync(executable).size / 1e6)} MB`);
  }
  // A source that changed while this ran is newer than the executables, so the next set-up builds again.
  for (const name of [...PROGRAMS.map((program) => program.name), 'launcher'])
    utimesSync(join(ROOT, 'dist', name), started, started);
}

await main();
