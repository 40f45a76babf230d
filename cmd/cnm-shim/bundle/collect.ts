import { readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { readConfiguration } from '../../../src/shared/config/read-file.ts';
import { asNetError } from '../../../src/shared/errors/net-error.ts';
import { parseJson } from '../../../src/shared/model/json.ts';
import { PROGRAM_VERSION } from '../../../src/shared/runtime/program-version.ts';
import { dumpState } from '../../../src/shared/store/dump.ts';
import { SCHEMA_VERSION } from '../../../src/shared/store/migrations.ts';
import { COMMANDS, CONFIGURATION_NAME, CONFIGURATIONS, type Command, LISTED } from './sources.ts';

/** One file of a bundle. */
export interface Piece {
  readonly file: string;
  /** Text, or a document that becomes JSON. */
  readonly content: { readonly text: string } | { readonly value: unknown };
}

export interface Collected {
  readonly pieces: readonly Piece[];
  /** What could not be collected, and why. */
  readonly missing: readonly string[];
  /** Secrets of files that configurations name. */
  readonly secrets: readonly string[];
}

export interface Places {
  readonly stateDir: string;
  readonly runDir: string;
  readonly confDir: string;
  /** cluster.json. */
  readonly cluster: string;
}

const TIMEOUT_MS = 10_000;
const LARGEST = 16 << 20;
/** Where programs of the system are, also for a user's PATH. */
const SYSTEM = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Collects what there is. Never rejects: what is missing is told. */
export async function collect(places: Places): Promise<Collected> {
  const pieces: Piece[] = [];
  const missing: string[] = [];
  const add = async (file: string, read: () => Promise<Piece['content']> | Piece['content']): Promise<void> => {
    try {
      pieces.push({ file, content: await read() });
    } catch (thrown) {
      missing.push(`${file}: ${asNetError(thrown, 'collect').message}`);
    }
  };
  await add('versions/isthmus.json', () => ({
    value: {
      ...{ version: PROGRAM_VERSION, node: process.version, schema: SCHEMA_VERSION, places },
      ...{ host: hostname(), at: new Date().toISOString(), listed: LISTED.map(listing) },
    },
  }));
  await collectDaemon(places.runDir, add);
  await add('state/state.json', () => ({ value: dumpState(places.stateDir) }));
  await add('state/files.json', () => ({ value: listing(places.stateDir) }));
  for (const path of new Set([places.confDir, places.cluster, ...CONFIGURATIONS]))
    for (const file of filesOf(path)) await add(`configuration${file}`, () => configuration(file));
  for (const command of COMMANDS) await add(command.file, async () => ({ text: await outputOf(command) }));
  return { pieces, missing, secrets: secretsOf(pieces) };
}

type Add = (file: string, read: () => Promise<Piece['content']>) => Promise<void>;

async function collectDaemon(runDir: string, add: Add): Promise<void> {
  const { daemonEvents, daemonMetrics, daemonStatus, isLate } = await import('../control/client.ts');
  let hung: unknown;
  const ask = (file: string, read: () => Promise<Piece['content']>): Promise<void> =>
    add(file, async () => {
      if (hung !== undefined) throw hung;
      try {
        return await read();
      } catch (thrown) {
        if (isLate(thrown)) hung = thrown;
        throw thrown;
      }
    });
  await ask('daemon/status.json', async () => ({ value: await daemonStatus(runDir) }));
  await ask('daemon/events.json', async () => ({ value: await Array.fromAsync(daemonEvents(runDir, false)) }));
  await ask('daemon/metrics.txt', async () => ({ text: await daemonMetrics(runDir) }));
}

async function outputOf({ words: [program, ...args] }: Command): Promise<string> {
  const { execa } = await import('execa');
  const done = await execa(program, args, {
    ...{ timeout: TIMEOUT_MS, maxBuffer: LARGEST, reject: false, all: true, stdin: 'ignore' },
    ...{ env: { PATH: SYSTEM, LC_ALL: 'C' }, extendEnv: false },
  });
  const { all = '', isMaxBuffer, exitCode, shortMessage } = done;
  if (exitCode === undefined && !isMaxBuffer) throw new Error(shortMessage ?? 'it could not be run');
  const note = isMaxBuffer ? `cut after ${LARGEST} bytes` : exitCode === 0 ? '' : `exit code ${exitCode}`;
  return `${all}\n${note === '' ? '' : `# ${note}\n`}`;
}

/** The file, or what a directory has of configurations; absence is not worth a word. */
function filesOf(path: string): string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [];
  if (!found.isDirectory()) return [path];
  const names = readdirSync(path).filter((name) => CONFIGURATION_NAME.test(name));
  return names.map((name) => join(path, name)).filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
}

function configuration(file: string): Piece['content'] {
  const { size } = statSync(file);
  if (size > LARGEST) throw new Error(`it has ${size} bytes`);
  const text = readFileSync(file, 'utf8');
  return parsedOf(text) ?? { text };
}

function parsedOf(text: string): { value: unknown } | undefined {
  try {
    return { value: parseJson(text) };
  } catch {
    return undefined;
  }
}

function listing(directory: string): object {
  try {
    const files = readdirSync(directory).map((name) => {
      const found = statSync(join(directory, name), { throwIfNoEntry: false });
      return found && { name, size: found.size, mode: found.mode.toString(8), changed: found.mtime.toISOString() };
    });
    return { directory, files };
  } catch (thrown) {
    return { directory, error: asNetError(thrown, 'list').message };
  }
}

/** The content of each `passwordFile` of a configuration. */
function secretsOf(pieces: readonly Piece[]): string[] {
  const found: string[] = [];
  const look = (value: unknown, beside: string): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === 'passwordFile' && typeof inner === 'string') found.push(...linesOf(join(beside, inner), inner));
      else look(inner, beside);
    }
  };
  for (const { file, content } of pieces)
    if (file.startsWith('configuration/') && 'value' in content)
      look(content.value, dirname(file.slice('configuration'.length)));
  return found;
}

function linesOf(...paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    try {
      return readConfiguration(path).split('\n');
    } catch {
      return [];
    }
  });
}
