/** Controls (C0, DEL, C1), format characters (bidi and zero-width ones), line separators and lone surrogates. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/**
 * Writes characters that a terminal obeys, or that hide or reorder text, as JavaScript's escapes: `\u001b`. For
 * every text that a person reads and that may contain a caller's words.
 */
export function visible(text: string): string {
  return text.replace(HIDDEN, escaped);
}

/** The same value as JSON that is safe to show. `json` comes from JSON.stringify: line breaks are between its parts. */
export function visibleJson(json: string): string {
  return json.replace(HIDDEN, (character) => (character === '\n' ? character : escaped(character)));
}

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, i) => `\\u${hex(character.charCodeAt(i))}`).join('');
}

function hex(unit: number): string {
  return unit.toString(16).padStart(4, '0');
}
