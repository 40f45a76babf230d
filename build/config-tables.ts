import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WORDS, type Words } from '../src/shared/config/published-schema.ts';

const PAGE = join(import.meta.dirname, '../docs/configuration.md');

/**
 * The page with each table of keys as the words of the schemas have it; the order of rows, and which keys share one, stay.
 * Throws for a key without words, and for words that no row has.
 */
export function withTables(page: string): string {
  const left = new Map(Object.entries(WORDS).map(([table, keys]) => [table, new Set(Object.keys(keys))]));
  let table: string | undefined;
  let fenced = false;
  const lines = page.split('\n').map((line) => {
    if (line.startsWith('```')) fenced = !fenced;
    if (fenced || !line.startsWith('|')) {
      table = undefined;
      return line;
    }
    const [first = ''] = cellsOf(line);
    if (table === undefined) {
      const [heading, of = 'netconf'] = /^key(?: of `([^`]+)`)?$/.exec(first) ?? [];
      table = heading === undefined ? '' : of;
      return line;
    }
    if (table === '' || /^-+$/.test(first)) return line;
    const keys = [...first.matchAll(/`([^`]+)`/g)].map(([, key = '']) => key);
    for (const key of keys) left.get(table)?.delete(key);
    const { default: usual, text } = wordsOf(table, keys);
    return `| ${first} | ${usual} | ${text} |`;
  });
  for (const [name, keys] of left) if (keys.size > 0) throw new Error(`no row of ${name} has ${[...keys].join(', ')}`);
  return lines.join('\n');
}

function wordsOf(table: string, keys: readonly string[]): Words {
  const [first, ...others] = keys.map((key) => WORDS[table]?.[key]);
  if (first === undefined) throw new Error(`${table} has no words for ${keys.join(', ')}`);
  if (others.every((one) => JSON.stringify(one) === JSON.stringify(first))) return first;
  throw new Error(`${keys.join(', ')} share a row of ${table} and have different words`);
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** Writes docs/configuration.md where it differs. */
export function writeTables(): void {
  const page = readFileSync(PAGE, 'utf8');
  const next = withTables(page);
  if (next !== page) writeFileSync(PAGE, next);
}
