/** Bytes of stderr that a launcher gets at most with the answer to its call. */
export const STDERR_BYTES = 64 << 10;

/** Collects the delegates' stderr of one call, for the launcher to print. Keeps the beginning and counts the rest. */
export class CollectedStderr {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;
  #lost = 0;

  readonly take = (piece: Uint8Array): void => {
    const kept = piece.subarray(0, STDERR_BYTES - this.#length);
    if (kept.length > 0) this.#pieces.push(kept);
    this.#length += kept.length;
    this.#lost += piece.length - kept.length;
  };

  bytes(): Buffer {
    const kept = Buffer.concat(this.#pieces);
    if (this.#lost === 0) return kept;
    const note = `isthmus: the daemon passes on ${STDERR_BYTES} bytes of stderr, ${this.#lost} more are left out\n`;
    return Buffer.concat([kept, Buffer.from(kept.at(-1) === 0x0a ? note : `\n${note}`)]);
  }
}
