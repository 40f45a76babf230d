import { visible } from '../model/visible.ts';

/** Between columns, as in the tables of docker and kubectl. */
const GAP = '   ';

/** Formats rows below a heading line, columns aligned; ends with a line break. An empty cell shows as `-`. */
export function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows.map((row) => row.map((cell) => (cell === '' ? '-' : visible(cell))))];
  const widths = lines.map((line) => line.map(textWidth));
  const columns = headings.map((_, at) => widths.reduce((most, line) => Math.max(most, line[at] ?? 0), 0));
  const padded = lines.map((line, row) =>
    line.map((cell, at) => cell + ' '.repeat((columns[at] ?? 0) - (widths[row]?.[at] ?? 0))).join(GAP),
  );
  return padded.map((line) => `${line.trimEnd()}\n`).join('');
}

/** Text of one column a character. Most text is such, and V8 needs a millisecond to make the sets of those below. */
const NARROW = /^[ -~]*$/;

/** Columns that a terminal gives to a text without control characters (Unicode's East_Asian_Width, UAX #11). */
export function textWidth(text: string): number {
  if (NARROW.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += /^[\p{Mn}\p{Me}]$/u.test(character) ? 0 : isWide(character) ? 2 : 1;
  return width;
}

/** Emoji, and blocks of East Asian scripts, whose characters are two columns wide. */
function isWide(character: string): boolean {
  return (
    /^\p{Emoji_Presentation}$/u.test(character) ||
    /^[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6b\uff01-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f251}\u{20000}-\u{3fffd}]$/u.test(
      character,
    )
  );
}
