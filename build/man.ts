import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Argument, Command, Option } from 'commander';
import { SCRIPTS } from '../cmd/cnm-shim/cli/completion.ts';
import { TOPICS } from '../cmd/cnm-shim/cli/help.ts';
import { paragraphsOf, Verb } from '../cmd/cnm-shim/cli/verb.ts';
import { makeProgram } from '../cmd/cnm-shim/program.ts';
import manifest from '../package.json' with { type: 'json' };
import { WORDS } from '../src/shared/config/published-schema.ts';

const ROOT = join(import.meta.dirname, '..');
const PACKAGING = join(ROOT, 'build/packaging');
/** Tables of keys in `isthmus.conflist(5)`, and what each is called there. */
const TABLES: readonly (readonly [table: string, title: string])[] = [
  ['netconf', 'KEYS'],
  ['ipam', 'KEYS OF IPAM'],
  ['dhcp', 'KEYS OF IPAM OF TYPE DHCP'],
  ...['macvlan', 'ipvlan', 'vlan', 'ptp', 'tap', 'host-device'].map(
    (driver) => [driver, `KEYS OF DRIVER ${driver.toUpperCase()}`] as const,
  ),
  ['sbr', 'KEYS OF PLUGIN SBR'],
  ['vrf', 'KEYS OF PLUGIN VRF'],
];

/** The pages by file name: one for each verb, and one for the configuration. */
export function manPages(): ReadonlyMap<string, string> {
  const date = releaseDate();
  const pages = new Map<string, string>();
  const visit = (command: Command, words: readonly string[]): void => {
    pages.set(`${words.join('-')}.8`, verbPage(command, words, date));
    for (const one of visibleVerbs(command)) if (one.name() !== 'help') visit(one, [...words, one.name()]);
  };
  visit(makeProgram(), ['isthmus']);
  pages.set('isthmus.conflist.5', configurationPage(date));
  return pages;
}

/** The completions by path below the folder of completions. */
export const COMPLETIONS: Readonly<Record<string, string>> = {
  'bash/isthmus': SCRIPTS.bash,
  'zsh/_isthmus': SCRIPTS.zsh,
  'fish/isthmus.fish': SCRIPTS.fish,
};

/** Writes build/packaging/man and build/packaging/completions. */
export function writeManual(): void {
  const files = [
    ...[...manPages()].map(([name, text]) => [join('man', name), text] as const),
    ...Object.entries(COMPLETIONS).map(([name, text]) => [join('completions', name), text] as const),
  ];
  for (const folder of ['man', 'completions']) rmSync(join(PACKAGING, folder), { recursive: true, force: true });
  for (const [name, text] of files) {
    const file = join(PACKAGING, name);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text);
  }
  console.log(`man: ${relative(ROOT, PACKAGING)}/man and completions, ${files.length} files`);
}

function visibleVerbs(command: Command): Command[] {
  return command.createHelp().visibleCommands(command);
}

function verbPage(command: Command, words: readonly string[], date: string): string {
  const name = words.join('-');
  const verbs = visibleVerbs(command).filter((one) => one.name() !== 'help');
  const texts = command instanceof Verb ? command.texts : [];
  const { prose, examples } = splitTexts(texts.join('\n'));
  const summary = command.summary() || command.description().replace(/\.$/, '');
  const aliases = command.aliases().map((alias) => `Another name of this verb is ${bold(alias)}.`);
  const description = [command.summary() === '' ? '' : command.description(), ...prose, ...aliases].filter(Boolean);
  const parents = words.slice(1).map((_, i) => `${words.slice(0, i + 1).join('-')}(8)`);
  return page([
    `.TH ${quoted(name.toUpperCase())} 8 ${date} ${quoted(`isthmus ${manifest.version}`)} ${quoted('Isthmus')}`,
    ...section('NAME', [`${roff(name)} \\- ${roff(summary)}`]),
    ...section('SYNOPSIS', [`${bold(words.join(' '))} ${synopsis(command)}`]),
    ...(description.length === 0 ? [] : section('DESCRIPTION', paragraphs(description))),
    ...(verbs.length === 0
      ? []
      : section(
          'VERBS',
          verbs.flatMap((verb) => item(`${bold(`${name}-${verb.name()}`)}(8)`, verb.summary())),
        )),
    ...section('OPTIONS', command.createHelp().visibleOptions(command).flatMap(optionItem)),
    ...(examples.length === 0 ? [] : section('EXAMPLES', verbatim(examples))),
    ...section(
      'EXIT STATUS',
      paragraphs([
        TOPICS['exit-codes']
          .split('\n\n')[1]
          ?.replaceAll(/\n +/g, '; ')
          .trim()
          .replaceAll(/(\d) {3}/g, '$1: ') ?? '',
      ]),
    ),
    ...section('SEE ALSO', [
      [...parents, ...(words.length > 1 ? [] : ['isthmus.conflist(5)'])].map(reference).join(',\n') ||
        reference('isthmus(8)'),
    ]),
  ]);
}

function configurationPage(date: string): string {
  const intro = [
    'A file of /etc/cni/net.d has a network with a list of plugins. Runtimes (containerd, CRI-O, podman) call them in this order. One plugin of type isthmus does what bridge, host-local, portmap, firewall and bandwidth do in other lists.',
    'isthmus validate checks such a file, isthmus explain prints what it does, and isthmus schema prints its JSON Schema for an editor.',
  ];
  const example = JSON.stringify(
    {
      cniVersion: '1.1.0',
      name: 'web',
      plugins: [
        {
          type: 'isthmus',
          bridge: 'isth0',
          isGateway: true,
          ipMasq: true,
          ipam: { ranges: [[{ subnet: '10.77.0.0/16' }]] },
        },
      ],
    },
    null,
    2,
  );
  return page([
    `.TH ISTHMUS.CONFLIST 5 ${date} ${quoted(`isthmus ${manifest.version}`)} ${quoted('Isthmus')}`,
    ...section('NAME', ['isthmus.conflist \\- network configuration of CNI, for Isthmus']),
    ...section('DESCRIPTION', paragraphs(intro)),
    ...TABLES.flatMap(([table, title]) =>
      section(
        title,
        Object.entries(WORDS[table] ?? {}).flatMap(([key, { default: usual, text }]) => {
          const otherwise = usual === '–' || usual === '' ? '' : ` Default: ${usual}.`;
          return item(bold(key), `${text}${otherwise}`, true);
        }),
      ),
    ),
    ...section('EXAMPLES', verbatim(example.split('\n'))),
    ...section('SEE ALSO', [
      ['isthmus(8)', 'isthmus-validate(8)', 'isthmus-explain(8)', 'isthmus-schema(8)'].map(reference).join(',\n'),
    ]),
  ]);
}

/** Prose before the examples, and the lines of the examples and of what follows them. */
function splitTexts(text: string): { readonly prose: readonly string[]; readonly examples: readonly string[] } {
  const all = paragraphsOf(text);
  const at = all.findIndex((line) => /^[A-Z]\w*:$/.test(line));
  const [before, after] = at < 0 ? [all, []] : [all.slice(0, at), all.slice(at + 1)];
  return { prose: before.filter((line) => line.trim() !== ''), examples: trimmed(after) };
}

function trimmed(lines: readonly string[]): readonly string[] {
  const isText = (line: string): boolean => line.trim() !== '';
  const first = lines.findIndex(isText);
  return first < 0 ? [] : lines.slice(first, lines.findLastIndex(isText) + 1);
}

function synopsis(command: Command): string {
  const options = ['[', italic('options'), ']'].join('');
  const verbs = visibleVerbs(command).filter((one) => one.name() !== 'help');
  const operands = verbs.length > 0 ? [italic('verb')] : command.registeredArguments.map(argumentText);
  return [options, ...operands].join(' ');
}

function argumentText(argument: Argument): string {
  const name = italic(argument.name()) + (argument.variadic ? '\\|.\\|.\\|.' : '');
  return argument.required ? name : `[${name}]`;
}

function optionItem(option: Option): string[] {
  const flags = option.flags.replaceAll(/(^|[ ,])(-[\w-]+)/g, (_, before, flag) => `${before}\u0001${flag}\u0002`);
  const tag = roff(flags).replaceAll('\u0001', '\\fB').replaceAll('\u0002', '\\fR');
  const notes = [
    ...(option.argChoices === undefined ? [] : [`one of ${option.argChoices.join(', ')}`]),
    ...(option.defaultValue === undefined || option.defaultValue === ''
      ? []
      : [`default: ${String(option.defaultValue)}`]),
    ...(option.envVar === undefined ? [] : [`variable: ${option.envVar}`]),
  ];
  return item(tag, `${option.description}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`);
}

function section(title: string, lines: readonly string[]): string[] {
  return [`.SH ${title.includes(' ') ? quoted(title) : title}`, ...lines];
}

function item(tag: string, text: string, isMarkdown = false): string[] {
  return ['.TP', tag, isMarkdown ? markdown(text) : lineStart(roff(text))];
}

function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text, i) => [...(i === 0 ? [] : ['.PP']), lineStart(roff(text).replaceAll(/\n */g, '\n'))]);
}

function verbatim(lines: readonly string[]): string[] {
  return ['.nf', ...lines.map((line) => lineStart(roff(line))), '.fi'];
}

function reference(text: string): string {
  return text.replace(/^(.*)(\(\d\))$/, (_, name, part) => `${bold(name)}${part}`);
}

/** Backquotes are bold, links are their text. */
function markdown(text: string): string {
  const plain = text.replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1');
  return lineStart(
    plain
      .split('`')
      .map((part, i) => (i % 2 === 1 ? bold(part) : roff(part)))
      .join(''),
  );
}

function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`;
}

function italic(text: string): string {
  return `\\fI${roff(text)}\\fR`;
}

function quoted(text: string): string {
  return `"${roff(text)}"`;
}

function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('–', '\\(en')
    .replaceAll('…', '\\|.\\|.\\|.')
    .replaceAll('−', '\\-')
    .replaceAll(
      /[\u0080-\uffff]/g,
      (character) => `\\[u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}

/** A line that begins with a dot or a quote is a request. */
function lineStart(text: string): string {
  return text.replaceAll(/^(?=[.'])/gm, '\\&');
}

function page(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

/** The day of the last commit, or of SOURCE_DATE_EPOCH: two builds of one source give the same pages. */
function releaseDate(): string {
  const { SOURCE_DATE_EPOCH: epoch } = process.env;
  if (epoch !== undefined && /^\d+$/.test(epoch)) return new Date(Number(epoch) * 1000).toISOString().slice(0, 10);
  try {
    const words = ['log', '-1', '--format=%cs'];
    const day = execFileSync('git', words, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return day.trim() || today();
  } catch {
    return today();
  }
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

if (import.meta.main) writeManual();
