import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

/** Files that hold a program as loader.cjs takes it. */
export interface Compiled {
  /** A function of (module, exports, require), as ASCII text. */
  readonly source: string;
  /** V8's code for every function of it. */
  readonly code: string;
}

/**
 * Compiles the CommonJS file `program` into `<prefix>.source` and `<prefix>.code` with the Node `node`, started with
 * `options`: V8 takes code from the same version with the same flags only.
 * Throws with what the child said, where the program is not ASCII among other things.
 */
export function compile(program: string, prefix: string, node: string, options: readonly string[]): Compiled {
  const compiled = { source: `${prefix}.source`, code: `${prefix}.code` };
  execFileSync(node, [...options, import.meta.filename, program, compiled.source, compiled.code], { stdio: 'pipe' });
  return compiled;
}

/** Throws where the text is not ASCII: the loader reads it byte by byte. */
function wrap(text: string): string {
  const foreign = /[^\0-\x7f]/.exec(text);
  if (foreign !== null) throw new Error(`character ${JSON.stringify(foreign[0])} at ${foreign.index} is not ASCII`);
  return `(function (module, exports, require) {${text}\n})`;
}

/** The flag is back to what it was when V8 writes down what the code was made with. */
function compileAll(source: string): Buffer {
  setFlagsFromString('--no-lazy');
  const script = new Script(source);
  setFlagsFromString('--lazy');
  return script.createCachedData();
}

if (import.meta.main) {
  const [program = '', source = '', code = ''] = process.argv.slice(2);
  const text = wrap(readFileSync(program, 'utf8'));
  writeFileSync(source, text);
  writeFileSync(code, compileAll(text));
}
