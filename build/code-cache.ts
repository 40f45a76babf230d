import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { warmUp } from './warm-up.ts';

/** Files that hold a program as loader.cjs takes it. */
export interface Compiled {
  /** A function of (module, exports, require), as ASCII text. */
  readonly source: string;
  /** V8's code for functions of it. */
  readonly code: string;
}

/** What V8's code is made by: the Node at `path`, started with `options`. It serves the same only. */
export interface Compiler {
  readonly path: string;
  readonly options: readonly string[];
}

/** How long the calls may take; they take less than one second. */
const WARM_UP_MS = 60_000;

/** In namespaces of the child's own, in which anybody is root: what it does to a network ends with it. */
const APART = ['unshare', '--user', '--map-root-user', '--net'];

/**
 * Compiles the CommonJS file `program` into `<prefix>.source` and `<prefix>.code`, every function of it.
 * Throws with what the compiler said, where the program is not ASCII among other things.
 */
export function compile(program: string, prefix: string, { path, options }: Compiler): Compiled {
  const compiled = { source: `${prefix}.source`, code: `${prefix}.code` };
  const args = [...options, import.meta.filename, program, compiled.source, compiled.code];
  execFileSync(path, args, { stdio: 'pipe' });
  return compiled;
}

/**
 * The same for the functions only that the CNI plugin `program` runs in its usual calls, which V8 reads in half the
 * time. Undefined where they cannot be tried: the system allows nobody namespaces of his own, or a call fails there.
 */
export function compileUsed(program: string, prefix: string, { path, options }: Compiler): Compiled | undefined {
  const compiled = { source: `${prefix}.source`, code: `${prefix}.code` };
  const [command = '', ...apart] = APART;
  const args = [path, ...options, import.meta.filename, program, compiled.source, compiled.code, '--used'];
  const { status, signal, stderr } = spawnSync(command, [...apart, ...args], { encoding: 'utf8', timeout: WARM_UP_MS });
  if (status === 0) return compiled;
  const reason = signal ?? /^(\w*Error: .*|unshare: .*)$/m.exec(stderr ?? '')?.[1] ?? stderr;
  console.log(`code: every function, for the plugin could not be tried (${reason})`);
  return undefined;
}

/** Throws where the text is not ASCII: the loader reads it byte by byte. */
function wrap(text: string): string {
  const foreign = /[^\0-\x7f]/.exec(text);
  if (foreign !== null) throw new Error(`character ${JSON.stringify(foreign[0])} at ${foreign.index} is not ASCII`);
  return `(function (module, exports, require) {${text}\n})`;
}

/** The flag is back to what it was when V8 writes down what the code was made with. */
function codeOfAll(source: string): Buffer {
  setFlagsFromString('--no-lazy');
  const script = new Script(source);
  setFlagsFromString('--lazy');
  return script.createCachedData();
}

async function codeOfUsed(source: string): Promise<Buffer> {
  const script = new Script(source);
  await warmUp(() => {
    const module = { exports: {} };
    script.runInThisContext()(module, module.exports, process.getBuiltinModule);
  });
  return script.createCachedData();
}

async function main([program = '', source = '', code = '', mode]: readonly string[]): Promise<void> {
  const text = wrap(readFileSync(program, 'utf8'));
  writeFileSync(source, text);
  writeFileSync(code, mode === '--used' ? await codeOfUsed(text) : codeOfAll(text));
}

if (import.meta.main) await main(process.argv.slice(2));
