import type { HostIdentity } from '../host/host.ts';
import type { SqliteFile } from './sqlite-file.ts';

/** Tables whose rows belong to a boot. */
const OF_A_BOOT = ['endpoints', 'leases', 'runs', 'ports'] as const;

/** Numbers for the pairs of host and boot. Rows refer to them. */
export class Boots {
  readonly #file: SqliteFile;
  readonly #identity: HostIdentity;
  #number: number | undefined;
  #checked = false;

  constructor(file: SqliteFile, identity: HostIdentity) {
    this.#file = file;
    this.#identity = identity;
  }

  /** The number to read rows under. It is 0, which no row has, before this boot's first write. */
  current(): number {
    this.#number ??= this.#find();
    return this.#number ?? 0;
  }

  /**
   * The number to write rows under; call it inside a transaction. The first write of a boot deletes the rows of this
   * host's earlier boots: the kernel has nothing left of what they describe.
   */
  ensure(): number {
    if (this.#checked && this.#number !== undefined) return this.#number;
    const number = this.#find() ?? this.#begin();
    this.#number = number;
    this.#checked = true;
    return number;
  }

  /** Drops the cached number: a transaction starts or has failed, so the file may differ. */
  invalidate(): void {
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
