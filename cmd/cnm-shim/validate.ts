import { readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { readConfiguration } from '../../src/shared/config/read-file.ts';
import { type Validated, validate } from '../../src/shared/config/validate.ts';
import { fault } from '../../src/shared/errors/fault.ts';
import { visible } from '../../src/shared/model/visible.ts';
import { pluginName } from '../../src/shared/runtime/cni/names.ts';
import { type OutputOptions, printJson } from './cli/output.ts';
import { writeOut } from './cli/stdout.ts';

/** The extensions that libcni reads. */
const EXTENSIONS: readonly string[] = ['.conf', '.conflist', '.json'];
/** IPAM plugins with the same keys as the built-in ones. The file that has such a name may be another program. */
const OWN_IPAM: readonly string[] = ['dhcp', 'host-local', 'static'];

/** Checks the files, and prints what is wrong with them. Returns the exit code. */
export function validateFiles(paths: readonly string[], { output, format = output }: OutputOptions): number {
  const results = paths.flatMap(validatePath);
  const isValid = results.every(({ findings }) => findings.length === 0);
  if (format === 'json') printJson(results);
  else
    writeOut(
      results
        .flatMap(linesOf)
        .map((line) => `${visible(line)}\n`)
        .join(''),
    );
  return isValid ? 0 : 1;
}

interface Checked extends Validated {
  readonly file: string;
}

/**
 * The file itself, or those of a directory that runtimes read: one of these that cannot be read is a finding, and the
 * others are checked too. Throws NetError `io`.
 */
function validatePath(path: string): Checked[] {
  if (!read(path, () => statSync(path).isDirectory()))
    return [{ file: path, ...validateText(read(path, () => readConfiguration(path, { streams: true }))) }];
  const names = read(path, () => readdirSync(path)).filter((name) => EXTENSIONS.includes(extname(name)));
  return names
    .toSorted()
    .map((name) => join(path, name))
    .filter((file) => !isDirectory(file))
    .map((file) => ({ file, ...validateEntry(file) }));
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // To read it tells why.
    return false;
  }
}

function validateEntry(file: string): Validated {
  try {
    return validateText(readConfiguration(file));
  } catch (cause) {
    const rule = `it cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
    return { findings: [{ line: 1, column: 1, key: '', rule }], checked: [], unchecked: [] };
  }
}

function validateText(text: string): Validated {
  const nameOf = (type: string) => {
    const name = pluginName(type);
    return name === type ? name : undefined;
  };
  return validate(text, nameOf, (type) => OWN_IPAM.includes(type));
}

function linesOf({ file, findings, network, checked, unchecked }: Checked): string[] {
  const others = unchecked.map((type) => `${file}: plugin ${type} is another program's: not checked`);
  if (findings.length === 0)
    return [...others, `${file}: network ${network} is valid (${checked.join(', ') || 'no plugin of Isthmus'})`];
  const told = findings.map(({ line, column, key, rule, hint }) => {
    const what = key === '' ? rule : `${key}: ${rule}`;
    return `${file}:${line}:${column}: ${what}${hint === undefined ? '' : `. ${hint}`}`;
  });
  return [...told, ...others];
}

function read<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw fault.io('validate', path, 'it cannot be read', 'Name a file or a directory', { cause, reason });
  }
}
