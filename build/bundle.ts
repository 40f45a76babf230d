import { join } from 'node:path';
import { build } from 'esbuild';

/**
 * Writes the program that starts at `entry` to `outfile`, all in one. Node's own modules stay outside.
 *
 * A single executable takes CommonJS only, and cannot `import()` from disk: a module that the sources import
 * dynamically is inside the bundle as a function that runs at its first import. For the same reason the sources may
 * not use top-level await.
 */
export async function bundle(entry: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    external: ['node:*'],
    inject: [join(import.meta.dirname, 'clean-environment.cjs')],
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
  });
}
