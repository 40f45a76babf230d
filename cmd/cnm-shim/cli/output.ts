import { type Command, Option } from 'commander';
import { combineErrors, type NetError } from '../../../src/shared/errors/net-error.ts';
import { visibleJson } from '../../../src/shared/model/visible.ts';
import { writeAll } from '../../../src/shared/runtime/cni/respond.ts';
import { formatTable } from '../../../src/shared/ui/table.ts';

export type OutputFormat = 'table' | 'json';

export interface OutputOptions {
  readonly output: OutputFormat;
}

/** One kind of object as a table: headings, and the cells of a row. */
export interface TableShape<T> {
  readonly headings: readonly string[];
  row(item: T): readonly string[];
}

const STDOUT = 1;

/** Adds `-o table` and `-o json` to the verb. */
export function addOutput(command: Command, otherwise: OutputFormat = 'table'): Command {
  const option = new Option('-o, --output <format>', 'a table for people, or JSON').choices(['table', 'json']);
  return command.addOption(option.default(otherwise));
}

/** Prints the data on stdout, as a table or as JSON. */
export function print<T>(format: OutputFormat, data: readonly T[], table: TableShape<T>): void {
  if (format === 'json') printJson(data);
  else printTable(data, table);
}

/** Ends the text with one line break, like every text file. */
export function printJson(data: unknown): void {
  writeAll(STDOUT, `${visibleJson(JSON.stringify(data, null, 2))}\n`);
}

export function printTable<T>(data: readonly T[], table: TableShape<T>): void {
  writeAll(STDOUT, formatTable(table.headings, data.map(table.row)));
}

/** Throws one error that contains all of them; returns for an empty list. */
export function raise(errors: readonly NetError[], op: string): void {
  const failure = combineErrors(errors, op);
  if (failure !== undefined) throw failure;
}
