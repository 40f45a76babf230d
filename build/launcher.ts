import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { NEWEST, SUPPORTED } from '../src/shared/config/versions.ts';
import { CATALOG } from '../src/shared/errors/catalog.ts';
import {
  ANSWER,
  ANSWER_BYTES,
  CLAIM,
  CLAIM_MS,
  LAUNCHER_MARK,
  MAGIC,
  MAX_ANSWER,
  MAX_BODY,
  MAX_STDIN,
  NODE_PREFIX,
  NODE_RENAMED,
  PROTOCOL_VERSION,
  REQUEST_BYTES,
} from '../src/shared/runtime/cni/protocol.ts';
import { versionAnswer } from '../src/shared/runtime/cni/version.ts';
import { COMMANDS } from '../src/shared/runtime/environment.ts';

const PLUGIN = join(import.meta.dirname, '../cmd/cni-plugin');

/** Makes executables of 20 kB. */
const MUSL = '/usr/bin/musl-gcc';

const FLAGS = [
  ...['-std=c11', '-D_GNU_SOURCE', '-Os', '-static', '-s', '-fstack-protector-strong'],
  ...['-fno-asynchronous-unwind-tables', '-ffunction-sections', '-fdata-sections'],
  ...['-Wl,--gc-sections', '-Wl,-z,noseparate-code'],
  ...['-Wall', '-Wextra', '-Werror', '-Wconversion', '-Wshadow', '-Wstrict-prototypes', '-Wmissing-prototypes'],
  ...['-Wpointer-arith', '-Wcast-qual', '-Wformat=2', '-Wundef', '-Wvla', '-Wwrite-strings'],
];

/** A macro's value: text as a C literal, texts as an initializer. */
type Macro = number | string | readonly string[];

/** Builds the launcher into `output`. Calls in progress keep the old file. Throws with the compiler's output. */
export function buildLauncher(output: string): void {
  const sources = globSync(['launcher.c', 'launcher/*.c'], { cwd: PLUGIN }).sort();
  const paths = sources.map((file) => join(PLUGIN, file));
  compileStatic(paths, output, macros());
}

/** Compiles the C files `sources` into one static executable, with musl's compiler if it is installed. */
export function compileStatic(
  sources: readonly string[],
  output: string,
  defined: Readonly<Record<string, Macro>> = {},
): void {
  const compiler = existsSync(MUSL) ? MUSL : 'gcc';
  const directory = dirname(resolve(output));
  mkdirSync(directory, { recursive: true });
  const temporary = mkdtempSync(join(directory, '.compile-'));
  try {
    const made = join(temporary, 'made');
    const macros = Object.entries(defined).map(([name, value]) => `-D${name}=${literal(value)}`);
    execFileSync(compiler, [...FLAGS, ...macros, '-o', made, ...sources], { stdio: ['ignore', 'inherit', 'pipe'] });
    renameSync(made, output);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Constants that launcher, plugin and daemon share. */
function macros(): Readonly<Record<string, Macro>> {
  const [head, tail, more] = `${JSON.stringify(versionAnswer('{"cniVersion":"?"}'), null, 4)}\n`.split('?');
  if (head === undefined || tail === undefined || more !== undefined)
    throw new Error('the answer to VERSION has changed');
  return {
    ...{
      MAGIC,
      PROTOCOL_VERSION,
      REQUEST_BYTES,
      ANSWER_BYTES,
      CLAIM,
      ANSWER,
      MAX_ANSWER,
      MAX_BODY,
      MAX_STDIN,
      CLAIM_MS,
      LAUNCHER_MARK,
      NODE_PREFIX,
      NODE_RENAMED,
    },
    ...{ COMMANDS, SUPPORTED, OLDEST: SUPPORTED[0], NEWEST },
    ...{ VERSION_HEAD: head, VERSION_TAIL: tail },
    CODE_BUSY: CATALOG.busy.cni,
    CODE_ENVIRONMENT: CATALOG['bad-environment'].cni,
    CODE_IO: CATALOG.io.cni,
  };
}

/** JSON literals of ASCII text are valid in C. */
function literal(value: Macro): string {
  if (typeof value === 'object') return `{${value.map(literal).join(',')}}`;
  return JSON.stringify(value);
}
