/** Bytes that no JSON, no text and no inspection shows. */
export class Secret {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** For the kernel and the cluster's store. */
  reveal(): Uint8Array {
    return this.#bytes;
  }

  toString(): string {
    return '<key>';
  }

  toJSON(): string {
    return '<key>';
  }
}
