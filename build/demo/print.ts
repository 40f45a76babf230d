import { stripVTControlCharacters, styleText } from 'node:util';

/** Prints a heading with one line of why below it; dim and bold on a terminal that wants colours. */
export function heading(title: string, why: string): void {
  console.log(`\n${styleText('bold', title)}`);
  console.log(styleText('dim', why));
}

/** Prints lines, indented by two spaces. */
export function show(...lines: readonly string[]): void {
  for (const line of lines) console.log(`  ${line}`);
}

/**
 * Prints rows as aligned columns; columns whose heading begins with `>` are right-aligned. The first row has the
 * headings.
 */
export function table(rows: readonly (readonly string[])[]): void {
  const [head = []] = rows;
  const right = head.map((cell) => cell.startsWith('>'));
  const clean = rows.map((row, i) => (i === 0 ? row.map((cell) => cell.replace(/^>/, '')) : row));
  const widths = head.map((_, i) => Math.max(...clean.map((row) => stripVTControlCharacters(row[i] ?? '').length)));
  for (const [i, row] of clean.entries()) {
    const cells = row.map((cell, j) => (right[j] ? cell.padStart(widths[j] ?? 0) : cell.padEnd(widths[j] ?? 0)));
    const line = cells.join('   ').trimEnd();
    show(i === 0 ? styleText('dim', line) : line);
  }
}

/** JSON with one line per key of the outermost object, and per element of a list there. */
export function compactJson(value: object): string[] {
  const lines = Object.entries(value).map(([key, inner]: [string, unknown]) => {
    if (!Array.isArray(inner) || inner.length < 2) return `"${key}": ${spaced(inner)}`;
    return `"${key}": [\n${inner.map((item) => `    ${spaced(item)}`).join(',\n')}\n  ]`;
  });
  return `{\n  ${lines.join(',\n  ')}\n}`.split('\n');
}

export function milliseconds(ms: number, digits = 1): string {
  return `${ms.toFixed(digits)} ms`;
}

function spaced(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `[ ${value.map(spaced).join(', ')} ]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, inner]) => `"${key}": ${spaced(inner)}`);
  return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`;
}
