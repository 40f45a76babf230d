import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

/** A page of the documentation. */
export interface Page {
  /** Its file, from the top of the repository: `docs/install.md`. */
  readonly file: string;
  readonly text: string;
}

/** A fenced block of a page. */
export interface Block {
  /** The heading it stands under. */
  readonly section: string;
  /** First word after the fence: `sh`, `json`, … */
  readonly language: string;
  /** `run`: a test runs it. */
  readonly run: boolean;
  readonly text: string;
}

/** Returns one page. */
export function readPage(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** Returns README.md, SECURITY.md and every page of docs. */
export function readPages(): Page[] {
  const files = ['README.md', 'SECURITY.md', ...globSync('docs/*.md', { cwd: ROOT }).toSorted()];
  return files.map((file) => ({ file, text: readPage(file) }));
}

/** Returns the blocks of every page, in order. */
export function readBlocks(): Block[] {
  return readPages().flatMap(({ text }) => blocksOf(text));
}

/** The anchors of a page's headings, as GitHub derives them. */
export function anchorsOf(markdown: string): string[] {
  return headingsOf(markdown).map((text) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

/** The targets of the links outside of fenced blocks. */
export function linksOf(markdown: string): string[] {
  return [
    ...proseOf(markdown)
      .join('\n')
      .matchAll(/\]\(([^)]+)\)/g),
  ].map(([, target = '']) => target);
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
