import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as is from '../store/shapes.ts';
import { parse } from './values.ts';

const shape = is.record({ bootId: is.text, salt: is.text, used: is.list(is.list(is.count)) });

interface Kept {
  readonly bootId: string;
  readonly salt: string;
  /** SPI and generation. */
  readonly used: readonly (readonly [spi: number, generation: number])[];
}

/** Generations that a store with an older copy of the secrets may return to. */
const KEPT = 2;

/**
 * The salt of this host's ESP keys, and the SPIs that it has sent with under this salt. A lost association must not be made
 * again with the same key, since its sequence numbers would begin at 1 again: the host then takes another salt. The file is
 * valid until the next boot.
 */
export class Incarnation {
  readonly #path: string;
  readonly #bootId: string;
  #salt: string | undefined;
  #used = new Map<number, number>();

  constructor(stateDir: string, bootId: string) {
    this.#path = join(stateDir, 'esp-salt');
    this.#bootId = bootId;
    const kept = this.#read();
    if (kept?.bootId !== bootId) return;
    this.#salt = kept.salt;
    this.#used = new Map(kept.used);
  }

  /** Undefined until the first `renew` of this boot. */
  get salt(): string | undefined {
    return this.#salt;
  }

  hasUsed(spi: number): boolean {
    return this.#used.has(spi);
  }

  /** Records that the host may have sent with these SPIs. */
  use(spis: readonly number[], generation: number): void {
    const fresh = spis.filter((spi) => !this.#used.has(spi));
    if (fresh.length === 0 || this.#salt === undefined) return;
    for (const [spi, of] of this.#used) if (of < generation - KEPT) this.#used.delete(spi);
    for (const spi of fresh) this.#used.set(spi, generation);
    this.#write();
  }

  /** Begins with another salt. */
  renew(): string {
    this.#salt = randomBytes(12).toString('base64url');
    this.#used.clear();
    this.#write();
    return this.#salt;
  }

  /** The host sends no more: it begins with another salt next time. */
  end(): void {
    this.#salt = undefined;
    this.#used.clear();
    rmSync(this.#path, { force: true });
  }

  /** A crash leaves the file before or after; a power cut ends the boot, of which it is. */
  #write(): void {
    const draft = `${this.#path}.draft`;
    const kept: Kept = { bootId: this.#bootId, salt: this.#salt ?? '', used: [...this.#used] };
    writeFileSync(draft, JSON.stringify(kept), { mode: 0o600 });
    renameSync(draft, this.#path);
  }

  #read(): Kept | undefined {
    try {
      return parse<Kept>(readFileSync(this.#path, 'utf8'), shape);
    } catch {
      // The file is missing or malformed: the host takes a new salt.
      return undefined;
    }
  }
}
