/** Digits of an id that docker shows. */
const SHORT = 12;

/** An id as docker shows it. Keeps short ids and ids that are not hexadecimal. */
export function shortId(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? id.slice(0, SHORT) : id;
}
