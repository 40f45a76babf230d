/** Text to which the functions below do nothing. Most text is such, and V8 needs 0.5 ms to make the sets of `hidden`. */
const PLAIN = /^[\n -~]*$/;

/**
 * Writes characters that a terminal obeys, or that hide or reorder text, as JavaScript's escapes: `\u001b`. For
 * every text that a person reads and that may contain a caller's words.
 */
export function visible(text: string): string {
  return PLAIN.test(text) && !text.includes('\n') ? text : text.replace(hidden(), escaped);
}

/** The same value as JSON that is safe to show. `json` comes from JSON.stringify: line breaks are between its parts. */
export function visibleJson(json: string): string {
  if (PLAIN.test(json)) return json;
  return json.replace(hidden(), (character) => (character === '\n' ? character : escaped(character)));
}

/** Controls (C0, DEL, C1), format characters (bidi and zero-width ones), line separators and lone surrogates. */
function hidden(): RegExp {
  return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
}

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, i) => `\\u${hex(character.charCodeAt(i))}`).join('');
}

function hex(unit: number): string {
  return unit.toString(16).padStart(4, '0');
}
