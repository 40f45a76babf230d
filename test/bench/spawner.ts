import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One start of a program. */
export interface Step {
  /** Path of the network namespace to run in. */
  readonly netns: string;
  /** Empty: starts no program; the spawner itself deletes the link that `input` names. */
  readonly file: string;
  readonly args?: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Its stdin; `<` stands for the output of `from`. */
  readonly input: string;
  /** The previous step, or the call of that number, which must have ended. */
  readonly from?: 'previous' | number;
}

/** Programs that run one after the other. */
export interface SpawnCall {
  /** Number of its lane; 0 by default. */
  readonly lane?: number;
  readonly steps: readonly Step[];
}

/** Calls of a lane start in order, `width` at a time; those of a `meanwhile` lane only as long as other work runs. */
export interface Lane {
  readonly width: number;
  readonly meanwhile?: boolean;
}

/** The result of a call, in milliseconds of one clock. */
export interface Outcome {
  readonly start: number;
  readonly end: number;
  readonly ms: number;
  /** CPU time of its processes, user and system. */
  readonly cpu: number;
  /** The output of the last step. */
  readonly output: string;
}

/** Starts programs at little cost: spawner.c, compiled on creation. */
export interface Spawner extends Disposable {
  /** Outcomes by call number; undefined for calls that a `meanwhile` lane did not reach. */
  run(calls: readonly SpawnCall[], lanes?: readonly Lane[]): readonly (Outcome | undefined)[];
}

const LINE = /^(\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$/;
const MUSL = '/usr/bin/musl-gcc';

export function makeSpawner(): Spawner {
  const dir = mkdtempSync(join(tmpdir(), 'isth-spawner-'));
  const program = join(dir, 'spawner');
  const source = join(import.meta.dirname, 'spawner.c');
  const dispose = (): void => rmSync(dir, { recursive: true, force: true });
  try {
    compileProgram(source, program);
  } catch (error) {
    dispose();
    throw error;
  }
  return { run: (calls, lanes = [{ width: 1 }]) => run(program, calls, lanes), [Symbol.dispose]: dispose };
}

/** Compiles the C file `source` into the executable `output`. */
export function compileProgram(source: string, output: string, defined: Readonly<Record<string, number>> = {}): void {
  const macros = Object.entries(defined).map(([name, value]) => `-D${name}=${value}`);
  execFileSync('gcc', ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', ...macros, '-o', output, source]);
}

/** Writes `file`: a static program that reads its stdin, prints `text` and exits with `code`. */
export function compileNoOp(file: string, text: string, code: number): void {
  const source = `#include <unistd.h>
static const char text[] = ${JSON.stringify(text)};
int main(void) {
  char input[4096];
  while (read(0, input, sizeof input) > 0);
  return write(1, text, sizeof text - 1) > 0 ? ${code} : 1;
}`;
  const compiler = existsSync(MUSL) ? MUSL : 'gcc';
  execFileSync(compiler, ['-Os', '-static', '-s', '-x', 'c', '-o', file, '-'], { input: source });
}

function run(program: string, calls: readonly SpawnCall[], lanes: readonly Lane[]): readonly (Outcome | undefined)[] {
  const { status, stdout, stderr, error } = spawnSync(program, {
    input: `${encode(calls, lanes).join('\0')}\0`,
    maxBuffer: 256 << 20,
  });
  if (error !== undefined || status !== 0) throw error ?? new Error(`the spawner ended with ${status}: ${stderr}`);
  return decode(stdout, calls);
}

function encode(calls: readonly SpawnCall[], lanes: readonly Lane[]): string[] {
  const words = [String(lanes.length)];
  for (const { width, meanwhile = false } of lanes) words.push(String(width), meanwhile ? 'meanwhile' : 'all');
  words.push(String(calls.length));
  for (const { lane = 0, steps } of calls) {
    words.push(String(lane), String(steps.length));
    for (const { netns, file, args = [], env, input, from } of steps) {
      const [head = '', tail = ''] = from === undefined ? [input] : input.split('<');
      const splice = from === undefined ? '-' : from === 'previous' ? '^' : String(from);
      const variables = Object.entries(env).flatMap(([name, value]) =>
        value === undefined ? [] : [`${name}=${value}`],
      );
      words.push(netns, file, head, splice, tail, String(args.length), ...args);
      words.push(String(variables.length), ...variables);
    }
  }
  return words;
}

function decode(text: Buffer, calls: readonly SpawnCall[]): readonly (Outcome | undefined)[] {
  const outcomes: (Outcome | undefined)[] = calls.map(() => undefined);
  for (let at = 0; at < text.length; ) {
    const eol = text.indexOf('\n', at);
    const [, index, start, end, cpu, status, length] = LINE.exec(text.toString('utf8', at, eol)) ?? [];
    const output = text.toString('utf8', eol + 1, eol + 1 + Number(length));
    at = eol + 2 + Number(length);
    const call = calls[Number(index)];
    if (status !== '0') throw new Error(`${describe(call)} ended with ${status}: ${output}`);
    const [from, to] = [Number(start) / 1e6, Number(end) / 1e6];
    outcomes[Number(index)] = { start: from, end: to, ms: to - from, cpu: Number(cpu) / 1e6, output };
  }
  return outcomes;
}

function describe(call: SpawnCall | undefined): string {
  const { file = '', env = {}, input = '' } = call?.steps.at(-1) ?? {};
  return file === '' ? `deletion of ${input}` : `${env.CNI_COMMAND} of ${env.CNI_CONTAINERID} by ${file}`;
}
