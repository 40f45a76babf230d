import type { Argument, Command, Option } from 'commander';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { lookAtState, type StateLook } from '../../src/shared/store/sqlite-look.ts';

/** The line that asks for names of files. */
const FILES = ':files';
/** Names of arguments and of options' values that are names of files. */
const PATHS: readonly string[] = ['file', 'dir', 'path'];
/** Those that the state knows. */
const NAMES: Readonly<Record<string, (look: StateLook) => string[]>> = {
  network: (look) => look.networks(),
  container: (look) => look.containers(),
};
const STATE_DIR = '/var/lib/isthmus';

/** Returns the lines that complete the last of the words: `word<tab>what it means`, and `:files`. Never throws. */
export function complete(program: Command, words: readonly string[]): string[] {
  const before = joined(words.slice(0, -1));
  const last = words.at(-1) ?? '';
  // bash gives "=" as a word of its own, before or behind which the value is.
  const isValue = words.at(-2) === '=' || last === '=';
  const current = last === '=' ? '' : last;
  const { command, option, operands } = walk(
    program,
    isValue ? before.slice(0, -1).concat(lastWordOf(before)) : before,
  );
  if (option !== undefined) return starting(current, valuesOf(option, stateDirIn(words)));
  const [, flag, value] = /^(--[\w-]+)=(.*)$/s.exec(current) ?? [];
  const given = command.options.find(({ long }) => long === flag);
  if (flag !== undefined && given !== undefined) {
    return starting(value ?? '', valuesOf(given, stateDirIn(words))).map((line) =>
      line === FILES ? line : `${flag}=${line}`,
    );
  }
  if (current.startsWith('-')) return starting(current, flagsOf(command));
  if (command.name() === 'help') return starting(current, verbsOf(pageOf(program, operands)));
  const isGroup = command.commands.length > 0;
  const argument = isGroup ? undefined : argumentAt(command, operands.length);
  const verbs = isGroup && operands.length === 0 ? verbsOf(command) : [];
  return starting(current, [...verbs, ...(argument === undefined ? [] : valuesOf(argument, stateDirIn(words)))]);
}

/** Joins what bash splits at "=": `--output`, `=`, `json`. */
function joined(words: readonly string[]): string[] {
  const found: string[] = [];
  for (const word of words) {
    const before = found.at(-1);
    if (before !== undefined && (word === '=' || before.endsWith('='))) found[found.length - 1] = before + word;
    else found.push(word);
  }
  return found;
}

function lastWordOf(before: readonly string[]): string {
  return (before.at(-1) ?? '').replace(/=$/, '');
}

interface Walked {
  readonly command: Command;
  /** The option whose value comes next. */
  readonly option?: Option;
  /** Words that are neither verbs nor options. */
  readonly operands: readonly string[];
}

function walk(program: Command, words: readonly string[]): Walked {
  let command = program;
  let option: Option | undefined;
  let operands: string[] = [];
  for (const word of words) {
    if (option !== undefined) {
      option = undefined;
      continue;
    }
    if (word.startsWith('-') && word !== '-') {
      const found = command.options.find(({ long, short }) => word === long || word === short);
      option = found?.required === true ? found : undefined;
      continue;
    }
    const next = operands.length === 0 ? verbNamed(command, word) : undefined;
    if (next === undefined) operands.push(word);
    else [command, operands] = [next, []];
  }
  return { command, operands, ...(option === undefined ? {} : { option }) };
}

function verbNamed(command: Command, word: string): Command | undefined {
  return command.commands.find((one) => one.name() === word || one.aliases().includes(word));
}

function pageOf(program: Command, words: readonly string[]): Command {
  return words.reduce((page, word) => verbNamed(page, word) ?? page, program);
}

function verbsOf(command: Command): string[] {
  const visible = command.createHelp().visibleCommands(command);
  return visible.map((one) => line(one.name(), one.summary() || one.description()));
}

function flagsOf(command: Command): string[] {
  const options = command.createHelp().visibleOptions(command);
  return options.flatMap(({ long, short, description }) => {
    const flag = long ?? short;
    return flag === undefined ? [] : [line(flag, description)];
  });
}

function argumentAt({ registeredArguments }: Command, index: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[index] ?? (last?.variadic === true ? last : undefined);
}

/** The values of an option or an argument: its choices, or what its name says. */
function valuesOf(of: Option | Argument, stateDir: string): string[] {
  if (of.argChoices !== undefined) return of.argChoices.map((choice) => line(choice, ''));
  const name = 'flags' in of ? (/[<[]([\w-]+)/.exec(of.flags)?.[1] ?? '') : of.name();
  if (PATHS.includes(name)) return [FILES];
  return namesOf(name, stateDir).map((one) => line(one, name));
}

/** Names on record; none without a state, or where this user may not read it. */
function namesOf(kind: string, stateDir: string): string[] {
  const read = NAMES[kind];
  if (read === undefined) return [];
  try {
    using host = openLinuxHost(process.env);
    using look = lookAtState(stateDir, host.identity);
    return read(look);
  } catch {
    return [];
  }
}

function stateDirIn(words: readonly string[]): string {
  const at = words.lastIndexOf('--state-dir');
  const given = at < 0 ? undefined : words[at + 1];
  return given || process.env.ISTHMUS_STATE_DIR || STATE_DIR;
}

function line(word: string, what: string): string {
  return `${word}\t${what.split('\n')[0]}`;
}

function starting(current: string, lines: readonly string[]): string[] {
  return lines.filter((one) => one === FILES || one.startsWith(current));
}
