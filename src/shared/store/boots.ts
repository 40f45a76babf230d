import type { HostIdentity } from '../host/host.ts';
import type { SqliteFile } from './sqlite-file.ts';

/** Tables whose rows belong to a boot. */
const OF_A_BOOT = ['endpoints', 'leases', 'runs', 'ports'] as const;

/** The number under which rows of this host and this boot are stored. */
export class Boots {
  readonly #file: SqliteFile;
  readonly #identity: HostIdentity;
  #number: number | undefined;
  #checked = false;

  constructor(file: SqliteFile, identity: HostIdentity) {
    this.#file = file;
    this.#identity = identity;
  }

  /** For reading. No row has number 0, which is the answer before this boot's first write. */
  current(): number {
    this.#number ??= this.#find();
    return this.#number ?? 0;
  }

  /**
   * For writing, inside a transaction. With the first write of a boot, the rows of this host's earlier boots go: the
   * kernel has nothing left of what they describe.
   */
  ensure(): number {
    if (this.#checked && this.#number !== undefined) return this.#number;
    const number = this.#find() ?? this.#begin();
    this.#number = number;
    this.#checked = true;
    return number;
  }

  /** Nothing is taken as known about the file: a transaction begins, or has failed. */
  forget(): void {
    this.#number = undefined;
    this.#checked = false;
  }

  #find(): number | undefined {
    const { hostId, bootId } = this.#identity;
    const row = this.#file.get('SELECT id FROM boots WHERE host = ? AND boot = ?', hostId, bootId);
    return row === undefined ? undefined : Number(row.id);
  }

  #begin(): number {
    const { hostId, bootId } = this.#identity;
    for (const { id } of this.#file.all('SELECT id FROM boots WHERE host = ?', hostId)) {
      for (const table of OF_A_BOOT) this.#file.run(`DELETE FROM ${table} WHERE boot = ?`, Number(id));
      this.#file.run('DELETE FROM boots WHERE id = ?', Number(id));
    }
    this.#file.run('INSERT INTO boots (host, boot) VALUES (?, ?)', hostId, bootId);
    return this.#find() ?? 0;
  }
}
