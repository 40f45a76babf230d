import { parseJson } from '../model/json.ts';
/** Where a value is in a JSON text. Offsets count UTF-16 units from 0. */
export interface Place {
  /** Of its key, or of the value itself in a list. */
  readonly key: number;
  readonly value: number;
}

/** A JSON text whose values are found by their path: `.plugins[0].ipam`. The whole has the empty path. */
export interface Places {
  readonly places: ReadonlyMap<string, Place>;
  /** Keys that an object has twice: the first of them, which JSON.parse ignores. */
  readonly repeated: readonly (readonly [path: string, offset: number])[];
}

/** Thrown for a text that is not JSON. */
export class JsonFault extends Error {
  readonly offset: number;

  constructor(offset: number, what: string) {
    super(what);
    this.offset = offset;
  }
}

/** No configuration is nested deeper. */
const DEEPEST = 200;
const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** From the blank on, without quote and backslash. */
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORDS = ['true', 'false', 'null'] as const;

/** Finds the values of a text. Throws JsonFault where it stops being JSON (RFC 8259). */
export function placesOf(text: string): Places {
  const scanner = new Scanner(text);
  scanner.whole();
  return scanner;
}

/** Line and column, both from 1; a column counts characters. */
export function lineOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset).split(/\r\n|\r|\n/);
  return { line: before.length, column: [...(before.at(-1) ?? '')].length + 1 };
}

/** Writes a key as a part of a path: `.name`, or `["cni.dev/x"]`. */
export function pathPart(key: string): string {
  return /^[A-Za-z_$][\w$-]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

class Scanner implements Places {
  readonly places = new Map<string, Place>();
  readonly repeated: (readonly [path: string, offset: number])[] = [];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): void {
    this.#space();
    this.#value('', this.#at, 0);
    this.#space();
    if (this.#at < this.#text.length) throw new JsonFault(this.#at, `${this.#found()} after the end of the object`);
  }

  #value(path: string, key: number, depth: number): void {
    if (depth > DEEPEST) throw new JsonFault(this.#at, `it is nested more than ${DEEPEST} levels deep`);
    this.places.set(path, { key, value: this.#at });
    const first = this.#text[this.#at];
    if (first === '{') this.#object(path, depth);
    else if (first === '[') this.#list(path, depth);
    else if (first === '"') this.#string();
    else if (!this.#take(NUMBER) && !WORDS.some((word) => this.#skip(word)))
      throw new JsonFault(this.#at, `${this.#found()} instead of a value`);
  }

  #object(path: string, depth: number): void {
    this.#at++;
    this.#space();
    if (this.#skip('}')) return;
    for (;;) {
      const at = this.#at;
      if (this.#text[at] !== '"') throw new JsonFault(at, `${this.#found()} instead of a key in double quotes`);
      const own = path + pathPart(parseJson(this.#string()) as string);
      const before = this.places.get(own);
      if (before !== undefined) this.repeated.push([own, before.key]);
      this.#space();
      if (!this.#skip(':')) throw new JsonFault(this.#at, `${this.#found()} instead of ":" after a key`);
      this.#space();
      this.#value(own, at, depth + 1);
      this.#space();
      if (this.#skip('}')) return;
      if (!this.#skip(',')) throw new JsonFault(this.#at, `${this.#found()} instead of "," or "}"`);
      this.#space();
    }
  }

  #list(path: string, depth: number): void {
    this.#at++;
    this.#space();
    if (this.#skip(']')) return;
    for (let i = 0; ; i++) {
      this.#value(`${path}[${i}]`, this.#at, depth + 1);
      this.#space();
      if (this.#skip(']')) return;
      if (!this.#skip(',')) throw new JsonFault(this.#at, `${this.#found()} instead of "," or "]"`);
      this.#space();
    }
  }

  #string(): string {
    const text = this.#take(STRING);
    if (text !== undefined) return text;
    throw new JsonFault(this.#at, 'a text that does not end on its line, or has an escape that JSON does not know');
  }

  #space(): void {
    this.#take(SPACE);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #skip(word: string): boolean {
    const is = this.#text.startsWith(word, this.#at);
    if (is) this.#at += word.length;
    return is;
  }

  /** What stands here, for a message. */
  #found(): string {
    const character = this.#text.slice(this.#at, this.#at + 2);
    if (character === '') return 'the end of the text';
    if (character === '//' || character === '/*') return 'a comment, which JSON does not have,';
    return JSON.stringify([...character][0]);
  }
}
