import { isBuiltin } from 'node:module';
import { dirname } from 'node:path';
import { build, type Plugin } from 'esbuild';

/** A program as CommonJS files, each all in one. Node's own modules stay outside. */
export interface Bundle {
  readonly program: string;
  /** By name, the packages that the program loads with `require` when it comes to need them. */
  readonly packages: Readonly<Record<string, string>>;
}

/**
 * Writes the program that starts at `entry` to `outfile`, and each package that its sources `import()` to a file of its
 * own beside it: most calls of the program do without, and V8 would read their code at every start.
 *
 * A single executable takes CommonJS only, and cannot `import()` from disk: a module of ours that the sources import
 * dynamically is inside the bundle as a function that runs at its first import. For the same reason the sources may
 * not use top-level await.
 */
export async function bundle(entry: string, outfile: string): Promise<Bundle> {
  const found = new Map<string, string>();
  await bundleFile(entry, outfile, [collectPackages(found)]);
  const packages: Record<string, string> = {};
  for (const [name, directory] of found) {
    const file = `${outfile.replace(/\.cjs$/, '')}.${name.replaceAll('/', '-')}.cjs`;
    await bundleFile(name, file, [], directory);
    packages[name] = file;
  }
  return { program: outfile, packages };
}

async function bundleFile(entry: string, outfile: string, plugins: Plugin[], from = dirname(entry)): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    absWorkingDir: from,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    external: ['node:*'],
    // What is not inside is loaded by the loader's `require`.
    supported: { 'dynamic-import': false },
    plugins,
    minify: true,
    charset: 'ascii',
    legalComments: 'none',
    logLevel: 'warning',
  });
}

/**
 * Leaves every package that is imported dynamically outside, and puts down in `found` where it was imported from.
 * Between the two is a module without a package.json, for which esbuild takes `default` as CommonJS made of ES modules
 * has it; for ours it would be, as in Node, all of `module.exports`.
 */
function collectPackages(found: Map<string, string>): Plugin {
  return {
    name: 'packages',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^[^./]/ }, ({ kind, path, resolveDir, namespace }) => {
        if (namespace === 'package') return { path, external: true };
        if (kind !== 'dynamic-import' || isBuiltin(path)) return undefined;
        found.set(path, resolveDir);
        return { path, namespace: 'package' };
      });
      onLoad({ filter: /^/, namespace: 'package' }, ({ path }) => {
        const name = JSON.stringify(path);
        return { contents: `export * from ${name}; export { default } from ${name};` };
      });
    },
  };
}
