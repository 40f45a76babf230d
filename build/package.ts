import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { default as pkg } from '@yao-pkg/pkg/lib-es5/sea.js';
import type { Bundle } from './bundle.ts';
import { type Compiler, compile, compileUsed } from './code-cache.ts';

/** The tool that joins program and Node: `pkg`, or Node's own `--build-sea`. */
export type Packager = 'pkg' | 'node-sea';

/**
 * Start options of the packaged Node. Do not add other V8 options: V8 would refuse the code caches of Node and of the
 * program, which costs more than 10 ms per start. The last three options together save 1.5 ms.
 */
const COMMON_OPTIONS = [
  '--disable-warning=ExperimentalWarning',
  // The default is OPENSSL_CONF, which can name code to load.
  '--openssl-config=/dev/null',
  // Starts no thread that waits for SIGUSR1 to open a debugger.
  '--disable-sigusr1',
  // One thread for V8's background work instead of four: a call is over before there is any.
  '--v8-pool-size=1',
] as const;

/** Heap options of the plugin. */
export const START_OPTIONS = [
  ...COMMON_OPTIONS,
  // Megabytes. A call fills one, which is the default, and ends before it fills two, so it runs no garbage collection.
  '--min-semi-space-size=16',
] as const;

/** Heap options of the daemon. */
export const DAEMON_OPTIONS = [
  ...COMMON_OPTIONS,
  // Megabytes. The young generation is three times as large; with the default of 16 it grows to 48 and stays there.
  '--max-semi-space-size=2',
] as const;

export interface PackageOptions {
  readonly isPlugin?: boolean;
  /** Start options of the packaged Node; default START_OPTIONS. */
  readonly options?: readonly string[];
  /** More files inside the executable, by name. */
  readonly assets?: Readonly<Record<string, string>>;
}

interface SeaConfig {
  readonly disableExperimentalSEAWarning: true;
  readonly useSnapshot: false;
  readonly useCodeCache: true;
  readonly execArgv: readonly string[];
  /** `none`: Node ignores NODE_OPTIONS. */
  readonly execArgvExtension: 'none';
  /** Files by name. */
  readonly assets: Readonly<Record<string, string>>;
}

const LOADER = join(import.meta.dirname, 'loader.cjs');

/**
 * Builds one executable into `output`: the program, compiled, in a stripped copy of the Node that runs this. `program`
 * is a bundle, or the file of one without packages. Calls in progress keep the old executable, since the new one
 * replaces it by rename (writing into it would fail with ETXTBSY). With `isPlugin`, runs the plugin's usual calls to
 * find the code they need.
 * Throws if binutils' strip is missing.
 */
export async function packageExecutable(
  program: Omit<Bundle, 'inputs'> | string,
  output: string,
  packager: Packager,
  { isPlugin = false, options = START_OPTIONS, assets = {} }: PackageOptions = {},
): Promise<void> {
  const bundle = typeof program === 'string' ? { program, packages: {} } : program;
  const directory = mkdtempSync(join(dirname(resolve(output)), '.package-'));
  try {
    const node = join(directory, 'node');
    copyFileSync(process.execPath, node);
    execFileSync('strip', ['--strip-unneeded', node]);
    ignoreVariables(node);
    const config: SeaConfig = {
      disableExperimentalSEAWarning: true,
      useSnapshot: false,
      useCodeCache: true,
      execArgv: options,
      execArgvExtension: 'none',
      assets: { ...assets, ...makeAssets(bundle, directory, { path: node, options }, isPlugin) },
    };
    const made = join(directory, 'made');
    if (packager === 'pkg') await withPkg(config, node, made);
    else withNode(config, node, made);
    renameSync(made, output);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Variables that Node's C++ reads before any program runs. No option turns them off: one ends the process, others write
 * or read files where the caller says.
 */
const IGNORED = [
  ...['NODE_COMPILE_CACHE', 'NODE_COMPILE_CACHE_PORTABLE', 'NODE_COMPILE_CACHE_READONLY', 'NODE_DEBUG_NATIVE'],
  ...['NODE_EXTRA_CA_CERTS', 'NODE_PENDING_DEPRECATION', 'NODE_REDIRECT_WARNINGS', 'NODE_REPL_EXTERNAL_MODULE'],
  ...['NODE_USE_SYSTEM_CA', 'NODE_V8_COVERAGE'],
];

/**
 * Makes the executable ask for a variable with an empty name instead, which no environment has. Changes the C++ literals
 * only: text with one NUL on each side. The same names in Node's JavaScript stand in quotes, those in its snapshot behind
 * their length.
 */
function ignoreVariables(file: string): void {
  const bytes = readFileSync(file);
  for (const name of IGNORED) {
    const literal = Buffer.from(`\0${name}\0`);
    const found: number[] = [];
    for (let at = bytes.indexOf(literal); at >= 0; at = bytes.indexOf(literal, at + 1))
      if (bytes[at - 1] !== 0) found.push(at + 1);
    if (found.length === 0) throw new Error(`Node does not read ${name}: adapt build/package.ts`);
    for (const at of found) bytes[at] = 0;
  }
  writeFileSync(file, bytes);
}

/** The assets that loader.cjs expects. */
function makeAssets(
  { program, packages }: Omit<Bundle, 'inputs'>,
  directory: string,
  compiler: Compiler,
  isPlugin: boolean,
): Record<string, string> {
  const assets: Record<string, string> = { manifest: join(directory, 'manifest') };
  writeFileSync(join(directory, 'manifest'), JSON.stringify({ packages: Object.keys(packages) }));
  for (const [i, [name, file]] of Object.entries({ program, ...packages }).entries()) {
    const [path, prefix] = [resolve(file), join(directory, `asset${i}`)];
    const used = isPlugin && name === 'program' ? compileUsed(path, prefix, compiler) : undefined;
    const { source, code } = used ?? compile(path, prefix, compiler);
    assets[name] = source;
    assets[`${name}.code`] = code;
  }
  return assets;
}

/** pkg's command line would download a Node; its function uses the running one. The output path must be absolute. */
async function withPkg(config: SeaConfig, node: string, output: string): Promise<void> {
  await pkg.default(LOADER, {
    nodePath: node,
    seaConfig: config,
    targets: [{ nodeRange: 'node26', platform: 'linux', arch: process.arch, output }],
  });
}

function withNode(config: SeaConfig, node: string, output: string): void {
  const file = `${output}.json`;
  writeFileSync(file, JSON.stringify({ ...config, main: LOADER, executable: node, output }));
  execFileSync(node, ['--build-sea', file], { stdio: ['ignore', 'ignore', 'inherit'] });
}
