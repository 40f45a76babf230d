import { FIREWALL_TABLE } from '../host/firewall-elements.ts';
import { firewallLines, guardLines } from '../host/firewall-text.ts';
import { BRIDGE_TABLE } from '../host/guard-elements.ts';
import { comment, line } from '../host/render-words.ts';
import type { Family } from '../model/addr.ts';
import { entryKey, type FirewallBackend, type FirewallEntry, isBridgeEntry } from '../model/firewall.ts';
import { BRIDGE_TABLE_TEXT } from './bridge-table-text.ts';
import { addScript } from './iptables-script.ts';
import { concerns, entryId, foreignOf, groupsOf, parseState } from './iptables-state.ts';
import { tableLines } from './nft-table.ts';

const FAMILIES: readonly Family[] = [4, 6];
const RESTORE: Readonly<Record<Family, string>> = { 4: 'iptables-restore', 6: 'ip6tables-restore' };
const SAVE: Readonly<Record<Family, string>> = { 4: 'iptables-save', 6: 'ip6tables-save' };
/** Kinds of entries whose rules depend on what others have in the packet filter: no text has them. */
const DEPENDENT: readonly FirewallEntry['kind'][] = ['admit', 'source'];

/**
 * Writes entries as shell commands that add them to a packet filter without an entry of ours: the table or chains first,
 * then elements or rules. What an earlier call has written is not written again.
 */
export class EntriesText {
  readonly #families: readonly Family[];
  readonly #tables = new Set<string>();
  readonly #written: Record<Family, string> = { 4: '', 6: '' };

  constructor(hasV6: boolean) {
    this.#families = FAMILIES.filter((family) => family === 4 || hasV6);
  }

  /** Returns the commands, and as comments what is not written: accept rules in chains of others. */
  add(backend: FirewallBackend, entries: readonly FirewallEntry[]): string[] {
    const written = entries.filter(({ kind }) => !DEPENDENT.includes(kind));
    const others = entries.filter(({ kind }) => DEPENDENT.includes(kind)).map((entry) => comment(dependent(entry)));
    if (written.length === 0) return others;
    if (backend === 'iptables') return [...this.#iptables(written), ...others];
    const guards = backend === 'bridge';
    const table = guards ? BRIDGE_TABLE : FIREWALL_TABLE;
    const first = this.#tables.has(table) ? [] : guards ? BRIDGE_TABLE_TEXT.trim().split('\n') : tableLines();
    this.#tables.add(table);
    const lines = (guards ? guardLines : firewallLines)('add', written);
    return [...(first.length === 0 ? [] : [heredoc('nft -f -', first.join('\n'))]), ...lines.map(nft), ...others];
  }

  /** Returns the commands that delete the entries again. */
  remove(backend: FirewallBackend, entries: readonly FirewallEntry[]): string[] {
    const written = entries.filter(({ kind }) => !DEPENDENT.includes(kind));
    if (written.length === 0) return [];
    if (backend === 'bridge') return guardLines('delete', written.filter(isBridgeEntry)).map(nft);
    if (backend !== 'iptables') return firewallLines('delete', written).map(nft);
    const ids = [...new Set(written.map(entryId))].join('|');
    return this.#families.flatMap((family) => {
      if (!written.some((entry) => concerns(entry, family))) return [];
      return [`${SAVE[family]} | grep -vE 'isthmus (${ids})\\.' | ${RESTORE[family]}`];
    });
  }

  #iptables(entries: readonly FirewallEntry[]): string[] {
    return this.#families.flatMap((family) => {
      const own = entries.filter((entry) => concerns(entry, family));
      if (own.length === 0) return [];
      const state = parseState(this.#written[family]);
      const groups = [...groupsOf(own, family, state), ...foreignOf(own, family, state, [])];
      const { text } = addScript(family, groups, state, () => true);
      // As iptables-save would print it.
      this.#written[family] += text.replaceAll(/^-I (\S+) 1 /gm, '-A $1 ');
      return text === '' ? [] : [heredoc(`${RESTORE[family]} --noflush`, text.trimEnd())];
    });
  }
}

/** A command with its input. No line of the input is the word that ends it. */
function heredoc(command: string, input: string): string {
  return `${command} <<'END'\n${input}\nEND`;
}

function nft(text: string): string {
  return line('nft', text);
}

function dependent(entry: FirewallEntry): string {
  if (entry.kind === 'admit')
    return `where a chain of others would drop it: rules that accept traffic of ${entry.device}`;
  if (entry.kind === 'source') return `firewalld: zone ${entry.zone} gets the source ${entry.source}`;
  return entryKey(entry);
}
