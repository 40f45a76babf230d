import { visible } from '../model/visible.ts';

/**
 * Breaks the text between words, so that no line is wider; a word that is wider has a line of its own. The first line keeps
 * the blanks that it begins with, later ones begin with `indent` blanks.
 */
export function wrap(text: string, width: number, indent = 0): string {
  const start = /^ */.exec(text)?.[0] ?? '';
  const lines: string[] = [];
  let line = start;
  let isEmpty = true;
  for (const word of visible(text.trim()).split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = ' '.repeat(indent);
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line].join('\n');
}

/** Lines `name:  value`, the values aligned and wrapped. An empty value leaves its line out. */
export function formatPairs(pairs: readonly (readonly [name: string, value: string])[], width: number): string {
  const shown = pairs.filter(([, value]) => value !== '');
  const column = Math.max(...shown.map(([name]) => name.length)) + 3;
  return shown
    .map(([name, value]) => {
      const [first = '', ...rest] = wrap(value, Math.max(width - column, MIN_WIDTH)).split('\n');
      return [`${name}:`.padEnd(column) + first, ...rest.map((line) => ' '.repeat(column) + line)].join('\n');
    })
    .map((lines) => `${lines}\n`)
    .join('');
}

/** Width of the terminal; without one, lines are as long as they are. */
export function terminalWidth(stream: { readonly columns?: number } = process.stdout): number {
  return stream.columns === undefined || stream.columns <= 0
    ? Number.POSITIVE_INFINITY
    : Math.max(stream.columns, MIN_WIDTH);
}

const MIN_WIDTH = 20;
