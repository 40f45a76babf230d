import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { buildDeb } from './packages/deb.ts';
import { buildImage } from './packages/image.ts';
import { readRelease } from './packages/release.ts';

const ROOT = join(import.meta.dirname, '..');

/** Builds the packages from dist/ into dist/packages. */
async function main(): Promise<void> {
  const output = join(ROOT, 'dist/packages');
  mkdirSync(output, { recursive: true });
  const release = readRelease();
  console.log(`deb: ${relative(ROOT, buildDeb(release, output))}`);
  const { file, digest } = buildImage(release, output);
  console.log(`image: ${relative(ROOT, file)}, ${digest}`);
}

await main();
