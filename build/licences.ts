import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
/** Texts of what comes without one: `<package>.txt`, with `/` as `__`. */
const OWN_TEXTS = join(import.meta.dirname, 'licences');
/** The C library inside the launcher. */
const MUSL = '/usr/share/doc/musl-dev/copyright';
const RULE = '='.repeat(100);
const TEXT_FILE = /^(licen[cs]e|copying|notice|unlicense)([.-].*)?$/i;

/** SPDX identifiers of licences that let a program under Apache-2.0 contain the work, if it ships their text. */
const SHIPPABLE: ReadonlySet<string> = new Set([
  ...[
    '0BSD',
    'Apache-2.0',
    'BlueOak-1.0.0',
    'BSD-2-Clause',
    'BSD-3-Clause',
    'BSL-1.0',
    'CC0-1.0',
    'ISC',
    'MIT',
    'MIT-0',
  ],
  ...['Python-2.0', 'Unicode-3.0', 'Unlicense', 'Zlib'],
]);

/** One part of the executables that others wrote. */
export interface Notice {
  readonly name: string;
  readonly version: string;
  /** SPDX expression. */
  readonly licence: string;
  /** Licences and notices, as the part's authors ship them. */
  readonly text: string;
}

/**
 * Returns the notices of the npm packages that contain the files `inputs`, each version once, by name.
 * Throws if one of them has no licence, no text of it, or a licence that a program under Apache-2.0 cannot ship; the
 * error names all of them.
 */
export function noticesOf(inputs: Iterable<string>): Notice[] {
  const directories = new Set([...inputs].flatMap((file) => packageDirectory(file) ?? []));
  const notices = new Map<string, Notice>();
  const faults: string[] = [];
  for (const directory of directories) {
    const notice = readNotice(directory);
    const fault = faultOf(notice);
    if (fault === undefined) notices.set(`${notice.name} ${notice.version}`, notice);
    else faults.push(`${notice.name} ${notice.version}: ${fault}`);
  }
  if (faults.length > 0) throw new Error(`packages that cannot be shipped:\n${faults.sort().join('\n')}`);
  return [...notices.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** The notices of the parts that no bundler knows: Node with its own parts, and the launcher's C library. */
export function ownNotices(node = process.execPath, musl = MUSL): Notice[] {
  if (!existsSync(musl))
    throw new Error(`${musl} is missing: install musl-tools (glibc's licence does not allow a static launcher)`);
  const text = [licenceOfNode(node), readFileSync(join(OWN_TEXTS, 'node.txt'), 'utf8')].join('\n');
  return [
    { name: 'Node.js', version: process.version, licence: 'MIT', text },
    { name: 'musl, in the launcher', version: '', licence: 'MIT', text: readFileSync(musl, 'utf8') },
  ];
}

/** The file that ships with the executables: this program's licence, then every notice. */
export function formatNotices(notices: readonly Notice[]): string {
  const heading = ({ name, version, licence }: Notice): string => `${[name, version].join(' ').trim()} (${licence})`;
  const parts = notices.map((notice) => [RULE, heading(notice), RULE, '', notice.text.trim(), ''].join('\n'));
  return [
    'Isthmus is licensed under the Apache License 2.0, which comes first.',
    'Its executables contain these works, whose licences and notices follow:',
    '',
    ...notices.map((notice) => `  ${heading(notice)}`),
    '',
    RULE,
    'Isthmus (Apache-2.0)',
    RULE,
    '',
    readFileSync(join(ROOT, 'LICENSE'), 'utf8').trim(),
    '',
    ...parts,
  ].join('\n');
}

/** True if the SPDX expression lets us choose a licence that this program can ship. */
export function isShippable(expression: string): boolean {
  const tokens = expression.match(/[()]|[^\s()]+/g) ?? [];
  const anyOf = (): boolean => {
    let result = allOf();
    while (tokens[0] === 'OR') {
      tokens.shift();
      const other = allOf();
      result ||= other;
    }
    return result;
  };
  const allOf = (): boolean => {
    let result = single();
    while (tokens[0] === 'AND') {
      tokens.shift();
      const other = single();
      result &&= other;
    }
    return result;
  };
  const single = (): boolean => {
    const token = tokens.shift();
    if (token !== '(') return token !== undefined && SHIPPABLE.has(token);
    const inner = anyOf();
    return tokens.shift() === ')' && inner;
  };
  // What is left, such as WITH and an exception, has not been understood.
  return anyOf() && tokens.length === 0;
}

/** The directory of the innermost package that contains a file; undefined for our own sources. */
function packageDirectory(file: string): string | undefined {
  return /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0];
}

function readNotice(directory: string): Notice {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  const { name = directory, version = '', license, licenses } = manifest;
  const named = [license ?? licenses ?? []].flat().map((entry) => (typeof entry === 'string' ? entry : entry.type));
  const files = readdirSync(directory).filter((file) => TEXT_FILE.test(file));
  const own = join(OWN_TEXTS, `${name.replaceAll('/', '__')}.txt`);
  const paths = files.length > 0 ? files.sort().map((file) => join(directory, file)) : [own].filter(existsSync);
  const text = paths.map((path) => readFileSync(path, 'utf8').trim()).join('\n\n');
  return { name, version, licence: named.join(' OR '), text };
}

function faultOf({ name, licence, text }: Notice): string | undefined {
  if (licence === '') return 'its package.json names no licence';
  if (!isShippable(licence)) return `a program under Apache-2.0 cannot ship "${licence}"`;
  if (text === '') return `it has no file with its licence. Add build/licences/${name.replaceAll('/', '__')}.txt`;
  return undefined;
}

/** npm's Node is a link to the file of a package for this platform; its licence is there. */
function licenceOfNode(node: string): string {
  const directory = dirname(dirname(realpathSync(node)));
  const nested = join(directory, 'node_modules', `node-linux-${process.arch}`);
  const file = [nested, directory].map((path) => join(path, 'LICENSE')).find(existsSync);
  if (file === undefined) throw new Error(`no LICENSE of Node beside ${node}: build with node_modules/.bin/node`);
  return readFileSync(file, 'utf8');
}
