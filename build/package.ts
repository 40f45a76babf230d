import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { default as pkg } from '@yao-pkg/pkg/lib-es5/sea.js';

/** Which tool joins program and Node: `pkg`, or Node's own `--build-sea`. */
export type Packager = 'pkg' | 'node-sea';

/**
 * How the packaged Node starts. `execArgvExtension: none` makes it ignore NODE_OPTIONS, and an OpenSSL configuration of
 * its own OPENSSL_CONF, which can name code to load. The code cache saves compiling the program at each start. No V8
 * option belongs here: it would make V8 refuse the code cache of Node itself, 8 ms a start.
 */
const SEA_CONFIG = {
  disableExperimentalSEAWarning: true,
  useSnapshot: false,
  useCodeCache: true,
  execArgv: ['--disable-warning=ExperimentalWarning', '--openssl-config=/dev/null'],
  execArgvExtension: 'none',
} as const;

/**
 * Writes `output`, one executable: the bundle in a stripped copy of the Node that runs this. A running older one goes
 * on undisturbed, for the new one takes its place by rename (writing into it would be ETXTBSY).
 * Throws where binutils' strip is missing.
 */
export async function packageExecutable(bundlePath: string, output: string, packager: Packager): Promise<void> {
  const directory = mkdtempSync(join(dirname(output), '.package-'));
  try {
    const node = join(directory, 'node');
    copyFileSync(process.execPath, node);
    execFileSync('strip', ['--strip-unneeded', node]);
    const made = join(directory, 'made');
    if (packager === 'pkg') await withPkg(bundlePath, node, made);
    else withNode(bundlePath, node, made);
    renameSync(made, output);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
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
