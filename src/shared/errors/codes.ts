/** Returns true for a Node error with one of these codes: `ENOENT`. */
export function hasCode(thrown: unknown, codes: readonly string[]): boolean {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' && codes.includes(thrown.code);
}

/** True where this process or the host has run out of something: that says nothing about what was asked for. */
export function isExhaustion(thrown: unknown): boolean {
  return hasCode(thrown, ['EMFILE', 'ENFILE', 'ENOMEM']);
}
