import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../../build/bundle.ts';
import { packageExecutable } from '../../build/package.ts';
import { timed } from './stats.ts';

/** A copy of the Node that the executable contains, stripped in the same way. */
export interface BareNode extends Disposable {
  readonly file: string;
}

export function makeBareNode(): BareNode {
  const dir = mkdtempSync(join(tmpdir(), 'isth-node-'));
  const dispose = (): void => rmSync(dir, { recursive: true, force: true });
  try {
    return { file: strippedNode(dir), [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Programs that do nothing: they measure the cost of starting a process. */
export interface BareStarts extends Disposable {
  /** `node -e 0`. */
  readonly node: () => number;
  /** An empty program, packaged like the executable. */
  readonly packaged: () => number;
}

export async function makeBareStarts(): Promise<BareStarts> {
  const dir = mkdtempSync(join(tmpdir(), 'isth-bare-'));
  const dispose = (): void => rmSync(dir, { recursive: true, force: true });
  try {
    const node = strippedNode(dir);
    const [entry, program, packaged] = [join(dir, 'main.ts'), join(dir, 'main.cjs'), join(dir, 'packaged')];
    writeFileSync(entry, 'process.exitCode = 0;\n');
    await packageExecutable({ program: { bundle: await bundle(entry, program) } }, packaged, 'pkg');
    return {
      node: () => timed(() => run(node, ['-e', '0'])),
      packaged: () => timed(() => run(packaged, [])),
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

function strippedNode(dir: string): string {
  const node = join(dir, 'node');
  copyFileSync(process.execPath, node);
  run('strip', ['--strip-unneeded', node]);
  return node;
}

function run(file: string, args: readonly string[]): void {
  const { status, error } = spawnSync(file, args, { stdio: 'ignore' });
  if (error !== undefined || status !== 0) throw error ?? new Error(`${file} ended with ${status}`);
}
