import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

/** A fenced block of the README. */
export interface Block {
  /** The heading it stands under. */
  readonly section: string;
  /** First word after the fence: `sh`, `json`, … */
  readonly language: string;
  /** `run`: a test runs it. */
  readonly run: boolean;
  readonly text: string;
}

export function readReadme(): string {
  return readFileSync(join(ROOT, 'README.md'), 'utf8');
}

/** Headings, without their marks. */
export function headingsOf(markdown: string): string[] {
  return proseOf(markdown).flatMap((line) => /^#+ (.*)/.exec(line)?.[1] ?? []);
}

/** Blocks in order. Throws where a fence is not closed. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let section = '';
  let open: { words: string[]; lines: string[] } | undefined;
  for (const line of markdown.split('\n')) {
    const fence = /^```(.*)/.exec(line)?.[1];
    if (open === undefined) {
      section = /^#+ (.*)/.exec(line)?.[1] ?? section;
      if (fence !== undefined) open = { words: fence.split(' '), lines: [] };
    } else if (fence === '') {
      const [language = '', ...marks] = open.words;
      blocks.push({ section, language, run: marks.includes('run'), text: `${open.lines.join('\n')}\n` });
      open = undefined;
    } else open.lines.push(line);
  }
  if (open !== undefined) throw new Error(`a block below "${section}" is not closed`);
  return blocks;
}

/** Body rows of all tables whose first column is headed `head`, as cells. */
export function tableRows(markdown: string, head: string): string[][] {
  const rows: string[][] = [];
  let inside = false;
  for (const line of proseOf(markdown)) {
    const cells = line.startsWith('|') ? line.split('|').slice(1, -1) : [];
    const trimmed = cells.map((cell) => cell.trim());
    if (cells.length === 0) inside = false;
    else if (!inside) inside = trimmed[0] === head;
    else if (!/^-+$/.test(trimmed[0] ?? '')) rows.push(trimmed);
    if (cells.length > 0 && !inside) inside = false;
  }
  return rows;
}

/** The text in backquotes. */
export function codesOf(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

/** Lines outside of fenced blocks. */
export function proseOf(markdown: string): string[] {
  let inside = false;
  return markdown.split('\n').filter((line) => {
    const fence = line.startsWith('```');
    if (fence) inside = !inside;
    return !inside && !fence;
  });
}
