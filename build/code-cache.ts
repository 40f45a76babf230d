import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { type CallKind, warmUp } from './warm-up.ts';
import { warmUpVerbs } from './warm-up-verbs.ts';

/** The files of a program as loader.cjs loads it. */
export interface Compiled {
  /** A function of (module, exports, require), as ASCII text. */
  readonly source: string;
  /** V8's code cache for its functions. */
  readonly code: string;
}

/** The Node whose V8 creates the code cache, and its start options. Only the same V8 and options accept it. */
export interface Compiler {
  readonly path: string;
  readonly options: readonly string[];
}

/** Whose functions are compiled: those of a plugin's calls, or of the verbs that look at what the plugin has made. */
export type Used = { readonly calls: CallKind } | { readonly verbsBeside: string };

/** Time limit of the calls; they take less than one second. */
const WARM_UP_MS = 60_000;

/** In the child's own namespaces, where any user is root: its changes to a network end with it. */
const APART = ['unshare', '--user', '--map-root-user', '--net'];

/**
 * Compiles all functions of the CommonJS file `program` into `<prefix>.source` and `<prefix>.code`.
 * Throws with the compiler's output, also if the program is not ASCII.
 */
export function compile(program: string, prefix: string, { path, options }: Compiler): Compiled {
  const compiled = { source: `${prefix}.source`, code: `${prefix}.code` };
  const args = [...options, import.meta.filename, program, compiled.source, compiled.code];
  execFileSync(path, args, { stdio: 'pipe' });
  return compiled;
}

/**
 * Compiles only the functions that `program` runs in its usual calls; V8 reads these in half the time. Undefined if the
 * calls cannot run: the system allows no user namespaces, or a call fails there.
 */
export function compileUsed(
  program: string,
  prefix: string,
  { path, options }: Compiler,
  used: Used,
): Compiled | undefined {
  const compiled = { source: `${prefix}.source`, code: `${prefix}.code` };
  const [command = '', ...apart] = APART;
  const args = [path, ...options, import.meta.filename, program, compiled.source, compiled.code, JSON.stringify(used)];
  const { status, signal, stderr } = spawnSync(command, [...apart, ...args], { encoding: 'utf8', timeout: WARM_UP_MS });
  if (status === 0) return compiled;
  const reason = signal ?? /^(\w*Error: .*|unshare: .*)$/m.exec(stderr ?? '')?.[1] ?? stderr;
  console.log(`code: all functions, because ${program} could not run (${reason})`);
  return undefined;
}

/** Throws if the text is not ASCII: the loader reads it byte by byte. */
function wrap(text: string): string {
  const foreign = /[^\0-\x7f]/.exec(text);
  if (foreign !== null) throw new Error(`character ${JSON.stringify(foreign[0])} at ${foreign.index} is not ASCII`);
  return `(function (module, exports, require) {${text}\n})`;
}

/** Resets the flag before V8 records the options that the code was made with. */
function codeOfAll(source: string): Buffer {
  setFlagsFromString('--no-lazy');
  const script = new Script(source);
  setFlagsFromString('--lazy');
  return script.createCachedData();
}

async function codeOfUsed(source: string, used: Used, program: string): Promise<Buffer> {
  const script = new Script(source);
  const start = (): void => {
    const module = { exports: {} };
    script.runInThisContext()(module, module.exports, packageBeside(program));
  };
  if ('calls' in used) await warmUp(used.calls, program, start);
  else await warmUpVerbs(program, used.verbsBeside, start);
  return script.createCachedData();
}

/** The program's `require`: Node's modules, and the packages that bundle.ts writes beside the program. */
function packageBeside(program: string): (name: string) => unknown {
  const load = createRequire(program);
  return (name) => process.getBuiltinModule(name) ?? load(program.replace(/\.cjs$/, `.${name}.cjs`));
}

async function main([program = '', source = '', code = '', used]: readonly string[]): Promise<void> {
  const text = wrap(readFileSync(program, 'utf8'));
  writeFileSync(source, text);
  writeFileSync(code, used === undefined ? codeOfAll(text) : await codeOfUsed(text, JSON.parse(used), program));
}

if (import.meta.main) await main(process.argv.slice(2));
