/** Digits of an id that docker shows. */
const SHORT = 12;

/** An id as docker shows it. Ids that are short, or no hexadecimal numbers, are left as they are. */
export function shortId(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, SHORT) : id;
}
