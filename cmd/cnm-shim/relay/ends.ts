/** Limits how many connections all relays have at a time, so that clients cannot take the daemon's other descriptors. */
export class Budget {
  #left: number;

  constructor(size: number) {
    this.#left = size;
  }

  /** Returns false if nothing is left. */
  take(): boolean {
    if (this.#left === 0) return false;
    this.#left -= 1;
    return true;
  }

  give(): void {
    this.#left += 1;
  }
}

export interface RelayOptions {
  readonly budget: Budget;
  /** Called once if the relay cannot listen, or no longer can. */
  readonly failed: () => void;
}

/** An address to listen on, or to connect to. */
export interface RelayEnd {
  readonly host: string;
  readonly port: number;
}
