import { mkdirSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { buildSync } from 'esbuild';
import { COMPILE_CACHE } from './compile-cache.ts';

/** For packages in CommonJS. */
const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;
const paths = new Map<string, string>();

/**
 * The script at `source` with all that it imports in one file, as it is now. A child that runs it with
 * COMPILE_CACHE starts in 0.15 s of processor time instead of 0.35 s: for suites that start dozens. The path is the
 * same each time, because the compile cache goes by it.
 */
export function bundled(source: string): string {
  const known = paths.get(source);
  if (known !== undefined) return known;
  const name = `${basename(dirname(source))}-${basename(source, '.ts')}`;
  const dir = join(COMPILE_CACHE.NODE_COMPILE_CACHE ?? '', 'bundled');
  const path = join(dir, `${name}.mjs`);
  const own = join(dir, `${name}.${process.pid}.mjs`);
  mkdirSync(dir, { recursive: true });
  buildSync({
    entryPoints: [source],
    outfile: own,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: REQUIRE },
    logLevel: 'error',
  });
  renameSync(own, path);
  paths.set(source, path);
  return path;
}
