import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { default as pkg } from '@yao-pkg/pkg/lib-es5/sea.js';
import type { Bundle } from './bundle.ts';
import { type Compiler, compile, compileUsed, type Used } from './code-cache.ts';
import { CALLS, type CallKind } from './warm-up.ts';

/** The tool that joins program and Node: `pkg`, or Node's own `--build-sea`. */
export type Packager = 'pkg' | 'node-sea';

/**
 * Start options of the packaged Node. Do not add other V8 options: V8 would refuse the code caches of Node and of the
 * program, which costs more than 10 ms per start. The last but two together save 1.5 ms.
 */
export const START_OPTIONS = [
  '--disable-warning=ExperimentalWarning',
  // The default is OPENSSL_CONF, which can name code to load.
  '--openssl-config=/dev/null',
  // Starts no thread that waits for SIGUSR1 to open a debugger.
  '--disable-sigusr1',
  // One thread for V8's background work instead of four: a call is over before there is any.
  '--v8-pool-size=1',
  // Megabytes. A call fills one, which is the default, and ends before it fills two, so it runs no garbage collection.
  '--min-semi-space-size=2',
  // Megabytes. The young generation is three times as large; in the daemon it would grow to the default of 16 and stay.
  '--max-semi-space-size=2',
] as const;

/** A program of an executable. */
export interface Program {
  readonly bundle: Omit<Bundle, 'inputs'>;
  /** Names of the executable that select it. Every other name selects the first program. */
  readonly names?: readonly string[];
  /** Its usual calls, which run at build time to find the code they need: of a plugin, or of the command line. */
  readonly usual?: 'calls' | 'verbs';
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

/** Packages that a process loads once at most: a daemon at its start, a call that runs another program, a table. */
const SELDOM: readonly string[] = [...['execa', 'ip-cidr', 'nanotar', 'node-zookeeper-client', 'pino', 'prom-client']];

/** What the code of one program is made for. Every program has `other`. */
const KINDS = { calls: CALLS, verbs: ['serve', 'other'] } as const;

/** The smallest output; it is read in the same time. */
const ZSTD = { [constants.ZSTD_c_compressionLevel]: 19 };

const LOADER = join(import.meta.dirname, 'loader.cjs');

/**
 * Builds one executable into `output`: the programs, compiled, in a stripped copy of the Node that runs this. `assets`
 * are more files inside it, by name. Calls in progress keep the old executable, since the new one replaces it by rename
 * (writing into it would fail with ETXTBSY).
 * Throws if binutils' strip is missing.
 */
export async function packageExecutable(
  programs: Readonly<Record<string, Program>>,
  output: string,
  packager: Packager,
  assets: Readonly<Record<string, string>> = {},
): Promise<void> {
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
      execArgv: START_OPTIONS,
      execArgvExtension: 'none',
      assets: { ...assets, ...makeAssets(programs, directory, { path: node, options: START_OPTIONS }) },
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
  programs: Readonly<Record<string, Program>>,
  directory: string,
  compiler: Compiler,
): Record<string, string> {
  const [first = ''] = Object.keys(programs);
  const packages = packagesOf(Object.values(programs));
  const names = Object.entries(programs).flatMap(([program, { names = [] }]) => names.map((name) => [name, program]));
  const kinds = Object.entries(programs).flatMap(([name, { usual }]) => (usual ? [[name, KINDS[usual]]] : []));
  const plugin = Object.values(programs).find(({ usual }) => usual === 'calls')?.bundle.program;
  const assets: Record<string, string> = {};
  const packed: Record<string, number> = {};
  const add = (name: string, file: string, usual?: Program['usual']): readonly string[] => {
    const [path, prefix] = [resolve(file), join(directory, `asset${Object.keys(assets).length}`)];
    const made = usual === undefined ? (['other'] as const) : KINDS[usual];
    return [
      name,
      ...made.map((kind) => {
        const own = `${prefix}.${kind}`;
        const used = usedBy(usual, kind, plugin);
        const { source, code } = (used && compileUsed(path, own, compiler, used)) ?? compile(path, own, compiler);
        assets[name] = source;
        assets[`${name}.${kind}`] = code;
        return `${name}.${kind}`;
      }),
    ];
  };
  const pack = (name: string): void => {
    const file = assets[name] ?? '';
    const bytes = readFileSync(file);
    packed[name] = bytes.length;
    assets[name] = `${file}.zst`;
    writeFileSync(`${file}.zst`, zstdCompressSync(bytes, { params: ZSTD }));
  };
  for (const [name, { bundle, usual }] of Object.entries(programs)) {
    const made = add(name, bundle.program, usual);
    // Some milliseconds more at each start, for 5 MB less: runtimes do not wait for the command line.
    if (usual !== 'calls') for (const asset of made) pack(asset);
  }
  for (const [name, file] of Object.entries(packages)) {
    add(name, file);
    if (!SELDOM.includes(name)) continue;
    // Its code takes more room than the limit of the executable leaves, for some milliseconds.
    delete assets[`${name}.other`];
    pack(name);
  }
  const described = { first, names: Object.fromEntries(names), kinds: Object.fromEntries(kinds) };
  assets.manifest = join(directory, 'manifest');
  writeFileSync(
    assets.manifest,
    JSON.stringify({ ...described, packages: Object.keys(packages), seldom: SELDOM, packed }),
  );
  return assets;
}

/** What finds the code that is needed; undefined to compile all, as for the daemon, which runs for months. */
function usedBy(usual: Program['usual'], kind: string, plugin: string | undefined): Used | undefined {
  if (usual === 'calls') return { calls: kind as CallKind };
  return usual === 'verbs' && kind === 'other' && plugin !== undefined ? { verbsBeside: resolve(plugin) } : undefined;
}

/** The packages of all programs, each once. Throws if two programs have different ones of the same name. */
function packagesOf(programs: readonly Program[]): Record<string, string> {
  const packages: Record<string, string> = {};
  for (const [name, file] of programs.flatMap(({ bundle }) => Object.entries(bundle.packages))) {
    const other = packages[name];
    if (other !== undefined && !readFileSync(other).equals(readFileSync(file)))
      throw new Error(`${file} and ${other} differ: one executable has one package of a name`);
    packages[name] = file;
  }
  return packages;
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
