import type { NetError } from '../errors/net-error.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import type { Wanted } from './firewaller.ts';
import { FixedTable, type TableKind } from './fixed-table.ts';
import type { KnownRuleset } from './known-ruleset.ts';

/** Several fixed tables as one. */
export class FixedTables implements Disposable {
  readonly #tables: readonly { readonly kind: TableKind; readonly table: FixedTable }[];

  constructor(ns: LinuxNamespace, known: KnownRuleset, kinds: readonly TableKind[]) {
    this.#tables = kinds.map((kind) => ({ kind, table: new FixedTable(ns, known, kind) }));
  }

  /** Returns true if one of the tables was incomplete. */
  add(entries: readonly FirewallEntry[]): boolean {
    return this.#tables.map(({ table }) => table.add(entries)).includes(true);
  }

  remove(entries: readonly FirewallEntry[]): NetError[] {
    return this.#tables.flatMap(({ table }) => table.remove(entries));
  }

  missing(entries: readonly FirewallEntry[]): FirewallEntry[] {
    return this.#tables.flatMap(({ kind, table }) =>
      table.missing(entries.filter((entry) => kind.elements([entry]).length > 0)),
    );
  }

  reset(wanted: Wanted): void {
    for (const { table } of this.#tables) table.reset(wanted);
  }

  [Symbol.dispose](): void {
    for (const { table } of this.#tables) table[Symbol.dispose]();
  }
}
