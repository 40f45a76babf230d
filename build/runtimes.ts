import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RUNTIME_PACKAGES } from './packages.mjs';
import type { Runtime } from './passes.ts';

const ROOT = join(import.meta.dirname, '..');
const SCRIPTS = join(ROOT, 'test/support/runtimes');
/** Outside the repository: the roots outlive a checkout, and every checkout on the machine uses them. */
const CACHE = '/var/cache/isthmus-test';

/**
 * Returns a root directory of the suite with the packages. Makes it from Debian's packages unless it is there, which
 * takes about half a minute and the network. Throws the end of what the script printed if that fails.
 */
export async function provideRoot(suite: Runtime | 'bookworm', packages = RUNTIME_PACKAGES): Promise<string> {
  const script = join(SCRIPTS, 'provision.sh');
  const recipe = createHash('sha256').update(readFileSync(script)).update(packages.join(' ')).digest('hex');
  const root = join(CACHE, `${suite}-${recipe.slice(0, 8)}`);
  if (existsSync(root)) return root;
  console.log(`set-up: debootstrap ${suite} in ${root}`);
  mkdirSync(CACHE, { recursive: true });
  const log = join(CACHE, `${suite}.log`);
  const output = openSync(log, 'w');
  const child = spawn('sh', [script, suite, root, ...packages], { stdio: ['ignore', output, output] });
  closeSync(output);
  const [code, signal] = await once(child, 'exit');
  if (code !== 0) throw new Error(`provision.sh: ${signal ?? `exit ${code}`}\n${lastLines(log)}`);
  rmSync(log, { force: true });
  return root;
}

/** The command runs in the root, with this checkout at /isthmus, its working directory. It keeps its pid and its pipes. */
export function inRoot(root: string, command: readonly string[]): string[] {
  const enter = ['unshare', '--mount', '--propagation', 'private', 'sh', join(SCRIPTS, 'enter.sh'), root, ROOT];
  // Keeps another recipe's provision.sh from removing the root meanwhile.
  return ['flock', '--shared', '--no-fork', root, ...enter, ...command];
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-10).join('\n');
}
