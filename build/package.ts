import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { default as pkg } from '@yao-pkg/pkg/lib-es5/sea.js';

const DIST = join(import.meta.dirname, '../dist');

/** Which tool joins program and Node: `pkg`, or Node's own `--build-sea`. */
export type Packager = 'pkg' | 'node-sea';

/**
 * How the packaged Node starts. `execArgvExtension: none` makes it ignore NODE_OPTIONS; the code cache saves compiling
 * the program at each start.
 */
const SEA_CONFIG = {
  disableExperimentalSEAWarning: true,
  useSnapshot: false,
  useCodeCache: true,
  execArgv: ['--disable-warning=ExperimentalWarning'],
  execArgvExtension: 'none',
} as const;

/**
 * Writes `dist/<name>`: the bundle in a stripped copy of the Node that runs this. A running older one goes on
 * undisturbed, for the new one takes its place by rename (writing into it would be ETXTBSY).
 * Throws where binutils' strip is missing.
 */
export async function packageExecutable(bundlePath: string, name: string, packager: Packager): Promise<string> {
  const output = join(DIST, name);
  const directory = mkdtempSync(join(DIST, '.package-'));
  try {
    const node = join(directory, 'node');
    copyFileSync(process.execPath, node);
    execFileSync('strip', ['--strip-unneeded', node]);
    const made = join(directory, name);
    if (packager === 'pkg') await withPkg(bundlePath, node, made);
    else withNode(bundlePath, node, made);
    renameSync(made, output);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return output;
}

/** pkg's command line would download a Node; its function takes the one at hand. The output has to be absolute. */
async function withPkg(bundlePath: string, node: string, output: string): Promise<void> {
  await pkg.default(resolve(bundlePath), {
    nodePath: node,
    seaConfig: SEA_CONFIG,
    targets: [{ nodeRange: 'node26', platform: 'linux', arch: process.arch, output: resolve(output) }],
  });
}

function withNode(bundlePath: string, node: string, output: string): void {
  const config = `${output}.json`;
  writeFileSync(config, JSON.stringify({ ...SEA_CONFIG, main: resolve(bundlePath), executable: node, output }));
  execFileSync(node, ['--build-sea', config], { stdio: ['ignore', 'ignore', 'inherit'] });
}
