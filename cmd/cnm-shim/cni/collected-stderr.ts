/** Up to so many bytes of stderr go to a launcher with the answer to its call. */
export const STDERR_BYTES = 64 << 10;

/** What the delegates of one call write to stderr, for the launcher to print. The beginning is kept, the rest counted. */
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
