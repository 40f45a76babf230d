import { posix } from 'node:path';
import { violations } from './layers.ts';

/** `file:function` on the page. */
export interface Place {
  /** From the top of the tree. */
  readonly file: string;
  /** `name`, `Class.name` or `Class.#name`. */
  readonly name: string;
}

/** An item of a path, with the function that calls it. */
export interface Step extends Place {
  /** What the caller calls it by; absent: its own name. */
  readonly alias?: string;
  readonly caller?: Place;
}

const PLACE = /`([\w./-]+\.(?:ts|c)):([\w#.]+)`/g;
const ITEM = /^( *)- `([\w./-]+\.(?:ts|c)):([\w#.]+)`(?: as `(\w+)`)?/;
const SECTION = /^### /m;

/** Every `file:function` of the page, wherever it is. */
export function placesOf(page: string): Place[] {
  return Array.from(page.matchAll(PLACE), ([, file = '', name = '']) => ({ file: fullPath(file), name }));
}

/** The paths below `heading`: titles, and the items of their lists. Throws for an item that is not `file:function`. */
export function pathsOf(page: string, heading: string): ReadonlyMap<string, readonly Step[]> {
  const [, below = ''] = page.split(`\n${heading}\n`);
  const [, ...sections] = (below.split(/^## /m)[0] ?? '').split(SECTION);
  return new Map(
    sections.map((section) => {
      const [title = '', ...lines] = section.split('\n');
      return [title, stepsOf(lines)];
    }),
  );
}

function stepsOf(lines: readonly string[]): Step[] {
  const callers: Place[] = [];
  return lines
    .filter((line) => /^ *- /.test(line))
    .map((line) => {
      const [, indent = '', file = '', name = '', alias] = ITEM.exec(line) ?? [];
      const depth = indent.length / 2;
      if (file === '' || depth > callers.length) throw new Error(`malformed item: ${line}`);
      const caller = callers[depth - 1];
      const place = { file: fullPath(file), name };
      callers.splice(depth, callers.length, place);
      return { ...place, ...(alias === undefined ? {} : { alias }), ...(caller === undefined ? {} : { caller }) };
    });
}

/** Files without `cmd/` are in src/shared. */
function fullPath(file: string): string {
  return /^(cmd|src)\//.test(file) ? file : `src/shared/${file}`;
}

/** What is wrong with a place, in words; undefined if its file declares its function. `read` returns a file's text. */
export function missing({ file, name }: Place, read: (file: string) => string | undefined): string | undefined {
  const source = read(file);
  if (source === undefined) return `${file}: no such file`;
  return bodyOf(source, name) === undefined ? `${file}: declares no ${name}` : undefined;
}

/** What is wrong with a call: its caller does not name it, or it leads to a layer above the caller's. */
export function wrongCall({ caller, ...step }: Step, read: (file: string) => string | undefined): string[] {
  if (caller === undefined) return [];
  const body = bodyOf(read(caller.file) ?? '', caller.name) ?? '';
  const called = step.alias ?? nameToCall(step.name);
  const isNamed = new RegExp(`(?<![\\w#])${called}\\b`).test(body);
  const path = posix.relative(posix.dirname(caller.file), step.file);
  const specifier = path.startsWith('.') ? path : `./${path}`;
  return [
    ...(isNamed ? [] : [`${caller.file}: ${caller.name} does not name ${called}`]),
    ...violations(new Map([[caller.file, `import { x } from '${specifier}';`]])),
  ];
}

/** `new Class` calls a constructor, and a method goes by its last name. */
function nameToCall(name: string): string {
  const [owner = '', member] = name.split('.');
  return member === 'constructor' ? owner : (member ?? owner);
}

/** The declaration of a function, constant, class or member of one, without comments; undefined if there is none. */
function bodyOf(source: string, name: string): string | undefined {
  const code = source.replace(/^\s*(?:\/\/|\/?\*).*$/gm, '');
  const [first = '', member] = name.split('.');
  const word = `(?:async )?function\\*?|class|const`;
  const top = block(
    code,
    new RegExp(`^(?:(?:export )?(?:${word}) ${first}\\b|[a-zA-Z_][\\w *]*[ *]${first}\\((?!.*;$))`),
  );
  if (top === undefined || member === undefined) return top;
  return block(top, new RegExp(`^  (?:async |get |static )*${member}(?:<.*)?[(:]`));
}

/** From the first line that `head` matches to the line that closes it, with the same indentation. */
function block(code: string, head: RegExp): string | undefined {
  const lines = code.split('\n');
  const from = lines.findIndex((line) => head.test(line));
  if (from < 0) return undefined;
  const indent = /^ */.exec(lines[from] ?? '')?.[0] ?? '';
  const length = lines.slice(from).findIndex((line) => new RegExp(`^${indent}}[;,)]*$`).test(line));
  return lines.slice(from, length < 0 ? undefined : from + length + 1).join('\n');
}
