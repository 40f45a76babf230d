import { type Command, Option } from 'commander';
import { combineErrors, type NetError } from '../../../src/shared/errors/net-error.ts';
import { formatTable } from '../../../src/shared/ui/table.ts';

export type OutputFormat = 'table' | 'json';

export interface OutputOptions {
  readonly output: OutputFormat;
}

/** The verb takes `-o table` (default) and `-o json`. */
export function addOutput(command: Command): Command {
  const option = new Option('-o, --output <format>', 'a table for people, or JSON').choices(['table', 'json']);
  return command.addOption(option.default('table'));
}

/** The data on stdout, as a table or as JSON. */
export function print<T>(
  format: OutputFormat,
  data: readonly T[],
  headings: readonly string[],
  row: (item: T) => readonly string[],
): void {
  process.stdout.write(format === 'json' ? toJson(data) : formatTable(headings, data.map(row)));
}

/** One line break at the end, as every text file has it. */
export function toJson(data: unknown): string {
  return `${JSON.stringify(data, null, 2)}\n`;
}

/** Throws one error that tells all of them; returns where there is none. */
export function raise(errors: readonly NetError[], op: string): void {
  const failure = combineErrors(errors, op);
  if (failure !== undefined) throw failure;
}
