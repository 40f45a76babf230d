import {
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { bundle } from './bundle.ts';
import { buildLauncher } from './launcher.ts';
import { formatNotices, noticesOf, ownNotices } from './licences.ts';
import { writeManual } from './man.ts';
import { type Packager, packageExecutable } from './package.ts';
import { readRevision } from './revision.ts';
import { writeValidators } from './schemas.ts';
import { buildTopologyPage } from './topology-page.ts';

const ROOT = join(import.meta.dirname, '..');
/** Ships beside the executables. */
const LICENCES = join(ROOT, 'dist/LICENSES.txt');
/** Both are in one executable, for most of it is Node. It has the first one's name, and a link of the other's. */
const PROGRAMS = [
  { name: 'cni-plugin', usual: 'calls', names: [] },
  { name: 'cnm-shim', usual: 'verbs', names: ['cnm-shim', 'isthmus'] },
] as const;

/** Builds everything below dist/. `--node-sea` packages with Node's own `--build-sea` in place of pkg. */
async function main(): Promise<void> {
  const started = new Date();
  const packager: Packager = process.argv.includes('--node-sea') ? 'node-sea' : 'pkg';
  writeValidators();
  writeManual();
  buildLauncher(join(ROOT, 'dist', 'launcher'));
  const revision = readRevision(ROOT);
  const programs = await Promise.all(
    PROGRAMS.map(async (program) => ({
      ...program,
      bundle: await bundle(sourceOf(program.name), bundleOf(program.name), { REVISION_OF_BUILD: revision }),
    })),
  );
  const page = await buildTopologyPage();
  const inputs = [...programs.flatMap(({ bundle }) => bundle.inputs), ...page.inputs];
  const notices = [...noticesOf(inputs), ...ownNotices()];
  writeFileSync(LICENCES, formatNotices(notices));
  console.log(`revision: ${revision}`);
  console.log(`licences: ${relative(ROOT, LICENCES)}, of ${notices.length} works`);
  for (const file of programs.flatMap(({ bundle: { program, packages } }) => [program, ...Object.values(packages)]))
    console.log(`bundle: ${relative(ROOT, file)}, ${Math.ceil(statSync(file).size / 1000)} kB`);
  const [executable, link] = PROGRAMS.map(({ name }) => join(ROOT, 'dist', name)) as [string, string];
  // For `isthmus version --licenses` and `isthmus topology --web`.
  const texts = { licences: readFileSync(LICENCES), topology: page.html };
  const packed = Object.fromEntries(
    Object.entries(texts).map(([name, text]) => {
      const file = join(ROOT, 'dist', `.${name}.br`);
      writeFileSync(file, brotliCompressSync(text));
      return [name, file] as const;
    }),
  );
  const assets = { ...packed, ...installed() };
  await packageExecutable(Object.fromEntries(programs.map((one) => [one.name, one])), executable, packager, assets);
  for (const file of Object.values(packed)) rmSync(file);
  placeLink(basename(executable), link);
  const [file, other] = [executable, link].map((path) => relative(ROOT, path));
  console.log(
    `package (${packager}): ${file}, and ${other} as a link: ${Math.round(statSync(executable).size / 1e6)} MB`,
  );
  // A source that changed while this ran is newer than the executables, so the next set-up builds again.
  for (const name of ['cni-plugin', 'launcher']) utimesSync(join(ROOT, 'dist', name), started, started);
}

/** What `isthmus install` puts in place besides the executable: see cmd/cnm-shim/install/payload.ts. */
function installed(): Record<string, string> {
  const units = join(ROOT, 'build/packaging/systemd');
  return {
    launcher: join(ROOT, 'dist', 'launcher'),
    network: join(ROOT, 'netconf-examples', 'bridge.conflist'),
    ...Object.fromEntries(readdirSync(units).map((name) => [name, join(units, name)])),
  };
}

function sourceOf(program: string): string {
  return join(ROOT, 'cmd', program, 'main.ts');
}

function bundleOf(program: string): string {
  return join(ROOT, 'dist', `${program}.cjs`);
}

/** Replaces what is at `path`: an earlier build's own executable, or a link. */
function placeLink(target: string, path: string): void {
  const made = `${path}.new`;
  rmSync(made, { force: true });
  symlinkSync(target, made);
  renameSync(made, path);
}

await main();
