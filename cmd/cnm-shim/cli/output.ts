import { type Command, InvalidArgumentError, Option } from 'commander';
import { asNetError, type NetError } from '../../../src/shared/errors/net-error.ts';
import { visibleJson } from '../../../src/shared/model/visible.ts';
import { formatTable } from '../../../src/shared/ui/table.ts';
import { collected } from './state.ts';
import { writeOut } from './stdout.ts';

const FORMATS = ['table', 'json'] as const;
export type OutputFormat = (typeof FORMATS)[number];

export interface OutputOptions {
  readonly output: OutputFormat;
  /** The same, as docker calls it. */
  readonly format?: OutputFormat;
}

export interface ListOptions extends OutputOptions {
  readonly quiet?: boolean;
  /** `key=value`. */
  readonly filter?: readonly string[];
}

/** One kind of object as a table: headings, and the cells of a row. */
export interface TableShape<T> {
  readonly headings: readonly string[];
  row(item: T): readonly string[];
}

/** By key: true if an item has the value. */
export type Filters<T> = Readonly<Record<string, (item: T, value: string) => boolean>>;

/** What else a list of such objects needs. */
export interface ListShape<T> extends TableShape<T> {
  /** What `--quiet` prints of an item. */
  name(item: T): string;
  /** The filters by key. */
  readonly filters: Filters<T>;
}

/** Adds `-o table` and `-o json` to the verb. */
export function addOutput(command: Command, otherwise: OutputFormat = 'table'): Command {
  const option = new Option('-o, --output <format>', 'a table for people, or JSON').choices(FORMATS);
  return command
    .addOption(option.default(otherwise))
    .addOption(new Option('--format <format>', 'the same as --output').argParser(parseFormat));
}

/** The same for a list, with `-q` and `--filter`. */
export function addListOutput<T>(command: Command, { filters }: ListShape<T>): Command {
  return addFilter(addOutput(command).option('-q, --quiet', 'print names only'), filters);
}

/** Adds `--filter`. */
export function addFilter<T>(command: Command, filters: Filters<T>): Command {
  const keys = Object.keys(filters);
  return command.option(
    '-f, --filter <key=value>',
    `${keys.join(', ')}; one key several times: any of them`,
    (text: string, before?: readonly string[]) => collected(parseFilter(text, keys), before),
  );
}

function parseFormat(text: string): OutputFormat {
  const found = FORMATS.find((format) => format === text);
  if (found !== undefined) return found;
  if (text.includes('{{')) throw new InvalidArgumentError("Templates are docker's; give json, and use jq.");
  throw new InvalidArgumentError(`Allowed choices are ${FORMATS.join(', ')}.`);
}

function parseFilter(text: string, keys: readonly string[]): string {
  const [key = '', value = ''] = text.split(/=(.*)/s);
  if (keys.includes(key) && value !== '') return text;
  throw new InvalidArgumentError(`Write key=value; keys are ${keys.join(', ')}.`);
}

/** Prints the items that pass the filters: as a table, as JSON, or their names only. */
export function printList<T>(options: ListOptions, all: readonly T[], shape: ListShape<T>): void {
  const data = all.filter((item) => passes(item, options.filter ?? [], shape.filters));
  if (options.quiet !== true) print(options, data, shape);
  else writeOut([...new Set(data.map(shape.name))].map((name) => `${name}\n`).join(''));
}

/** As in docker: an item passes one filter of each key. */
export function passes<T>(item: T, wanted: readonly string[], filters: Filters<T>): boolean {
  const byKey = Map.groupBy(wanted, (text) => text.slice(0, text.indexOf('=')));
  return [...byKey].every(([key, texts]) =>
    texts.some((text) => filters[key]?.(item, text.slice(key.length + 1)) === true),
  );
}

/** True if the labels have the one that a filter names: `key`, or `key=value`. */
export function hasLabel(labels: Readonly<Record<string, string>>, wanted: string): boolean {
  const [key = '', value] = wanted.split(/=(.*)/s);
  return Object.hasOwn(labels, key) && (value === undefined || labels[key] === value);
}

/** Prints the data on stdout, as a table or as JSON. */
export function print<T>({ output, format = output }: OutputOptions, data: readonly T[], table: TableShape<T>): void {
  if (format === 'json') printJson(data);
  else printTable(data, table);
}

/** Ends the text with one line break, like every text file. Returns false if the reader has closed the pipe. */
export function printJson(data: unknown): boolean {
  return writeOut(`${visibleJson(JSON.stringify(data, null, 2))}\n`);
}

export function printTable<T>(data: readonly T[], table: TableShape<T>): void {
  writeOut(formatTable(table.headings, data.map(table.row)));
}

/** Several failures of one verb; each is a line. */
export class Failures extends Error {
  readonly errors: readonly [NetError, ...NetError[]];

  constructor(errors: readonly [NetError, ...NetError[]]) {
    super(errors.map(({ message }) => message).join('\n'));
    this.errors = errors;
  }
}

/** Throws all of the errors; returns for an empty list. */
export function raise([first, ...others]: readonly NetError[]): void {
  if (first !== undefined) throw new Failures([first, ...others]);
}

/** Runs `work` for each name, prints those for which it returns no failures, and raises all failures of the others. */
export async function printDone(
  wanted: readonly string[],
  op: string,
  work: (name: string) => Promise<readonly NetError[]>,
): Promise<void> {
  const errors: NetError[] = [];
  for (const name of new Set(wanted)) {
    try {
      const failures = await work(name);
      if (failures.length === 0) writeOut(`${name}\n`);
      errors.push(...failures);
    } catch (thrown) {
      errors.push(asNetError(thrown, op));
    }
  }
  raise(errors);
}
