import { isBuiltin } from 'node:module';
import { dirname, resolve } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

/** A program as self-contained CommonJS files. Node's own modules stay outside. */
export interface Bundle {
  readonly program: string;
  /** Packages that the program loads with `require` on first use, by name. */
  readonly packages: Readonly<Record<string, string>>;
  /** Paths of the sources that these files contain. */
  readonly inputs: readonly string[];
}

/**
 * Bundles the program that starts at `entry` into `outfile`, and each package that its sources `import()` into a file
 * beside it: most calls do not need those packages, and V8 would read their code at every start.
 *
 * A single executable accepts only CommonJS and cannot `import()` from disk. A module of ours that the sources import
 * dynamically is inside the bundle, as a function that runs at its first import. For the same reason the sources must
 * not use top-level await. `define` has values of constants that the sources declare, by name.
 */
export async function bundle(
  entry: string,
  outfile: string,
  define: Readonly<Record<string, string>> = {},
): Promise<Bundle> {
  const found = new Map<string, string>();
  const constants = Object.fromEntries(Object.entries(define).map(([name, value]) => [name, JSON.stringify(value)]));
  const inputs = await bundleFile(entry, outfile, { plugins: [collectPackages(found)], define: constants });
  const packages: Record<string, string> = {};
  for (const [name, directory] of found) {
    const file = `${outfile.replace(/\.cjs$/, '')}.${name.replaceAll('/', '-')}.cjs`;
    inputs.push(...(await bundleFile(name, file, {}, directory)));
    packages[name] = file;
  }
  return { program: outfile, packages, inputs };
}

/** Returns the paths of the sources that the file contains. */
async function bundleFile(
  entry: string,
  outfile: string,
  own: Pick<BuildOptions, 'define' | 'plugins'>,
  from = dirname(entry),
): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [entry],
    outfile,
    absWorkingDir: from,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    external: ['node:*'],
    // The loader's `require` loads what is not inside.
    supported: { 'dynamic-import': false },
    ...own,
    minify: true,
    charset: 'ascii',
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  });
  const sources = Object.values(metafile.outputs).flatMap(({ inputs }) => Object.entries(inputs));
  return sources.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => resolve(from, path));
}

/**
 * Keeps every dynamically imported package outside the bundle, and records in `found` where it was imported from. A
 * generated module without a package.json stands between importer and package: there esbuild takes `default` as in
 * CommonJS generated from ES modules. In a module of ours it would be, as in Node, all of `module.exports`.
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
