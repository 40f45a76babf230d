import { FIREWALL_TABLE, footprint, type PortChain } from '../host/firewall-elements.ts';
import { firewallLines } from '../host/firewall-text.ts';
import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { EEXIST } from '../netlink/constants.ts';
import { addTableRequest, deleteTableRequest } from '../netlink/nft-batch.ts';
import type { NetlinkSocket, Request } from '../netlink/socket.ts';
import type { KnownRuleset } from './known-ruleset.ts';
import { addRequests, TABLE_ID } from './nft-elements.ts';
import { refused, refusedScript } from './nft-failure.ts';
import { tableRequests } from './nft-messages.ts';
import { runScript, type ScriptRunner } from './nft-script.ts';
import { tableLines } from './nft-table.ts';

/** Creates the table: by raw messages, or by a script where an entry has conditions, which only nft can compile. */
export class TableMaker {
  readonly #ns: LinuxNamespace;
  readonly #known: KnownRuleset;
  readonly #via: ScriptRunner | undefined;

  /** `via` asks for a script in any case. */
  constructor(ns: LinuxNamespace, known: KnownRuleset, via?: ScriptRunner) {
    this.#ns = ns;
    this.#known = known;
    this.#via = via;
  }

  /** The messages that create the table and keep its elements; undefined if a script has to. */
  messages(chains: readonly PortChain[]): readonly Request[] | undefined {
    return chains.length > 0 || this.#via !== undefined ? undefined : tableRequests();
  }

  /** Replaces the table by one with these entries. */
  async remake(socket: NetlinkSocket, entries: readonly FirewallEntry[]): Promise<void> {
    const { elements, chains } = footprint(entries);
    const table = this.messages(chains);
    if (table === undefined) {
      const emptied = [`add table ${FIREWALL_TABLE}`, `delete table ${FIREWALL_TABLE}`];
      const lines = [...emptied, ...tableLines(), ...firewallLines('add', entries)];
      const { ok, error } = await runScript(this.#ns, lines, this.#via);
      if (!ok) throw refusedScript(entries, error);
      return;
    }
    const emptied = [addTableRequest(TABLE_ID), deleteTableRequest(TABLE_ID)];
    const errno = this.#known.change(socket, [...emptied, ...table, ...addRequests(elements)], 'network');
    if (errno !== 0) throw refused('firewall.reset', elements, errno);
  }

  /** Returns the errno that tells the caller whether to retry; 0 for success. */
  async addByScript(
    socket: NetlinkSocket,
    whole: boolean,
    replaced: readonly Request[],
    entries: readonly FirewallEntry[],
  ): Promise<number> {
    // A script cannot carry messages, so the deletions of replaced elements go right before it.
    const errno = this.#known.change(socket, replaced, 'network');
    if (errno !== 0) return errno;
    const lines = [...(whole ? [] : tableLines()), ...firewallLines('add', entries)];
    const { ok, error } = await runScript(this.#ns, lines, this.#via);
    if (ok) return 0;
    if (/\bFile exists\b|interval overlaps|conflicting intervals/.test(error)) return EEXIST;
    throw refusedScript(entries, error);
  }
}
