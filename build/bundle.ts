import { join } from 'node:path';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');

/**
 * Writes `dist/<name>.cjs`, the program `cmd/<name>/main.ts` in one file. Node's own modules stay outside.
 *
 * A single executable takes CommonJS only, and cannot `import()` from disk: a module that the sources import
 * dynamically is inside the bundle as a function that runs at its first import.
 */
export async function bundle(name: string): Promise<string> {
  const outfile = join(ROOT, 'dist', `${name}.cjs`);
  await build({
    entryPoints: [join(ROOT, 'cmd', name, 'main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    external: ['node:*'],
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
  return outfile;
}
