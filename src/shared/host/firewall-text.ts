import type { FirewallEntry } from '../model/firewall.ts';
import { type Element, FIREWALL_TABLE, footprint, type Verdict } from './firewall-elements.ts';
import type { Field } from './firewall-fields.ts';
import { BRIDGE_TABLE, guardElements } from './guard-elements.ts';
import { SEALED_TABLE, sealedElements, UNDERLAY_TABLE, underlayElements } from './underlay-elements.ts';

/** Writes the elements as lines of an nft script, one line for each set, in order of first appearance. */
export function elementLines(verb: 'add' | 'delete', elements: readonly Element[], table = FIREWALL_TABLE): string[] {
  const sets = new Map<string, string[]>();
  for (const element of elements) {
    const list = sets.get(element.set) ?? [];
    list.push(elementText(element, verb === 'add'));
    sets.set(element.set, list);
  }
  return [...sets].map(([set, list]) => `${verb} element ${table} ${set} { ${list.join(', ')} }`);
}

/** Writes the nft lines that add the entries to the table, or delete them; skips entries that admit devices. */
export function firewallLines(verb: 'add' | 'delete', entries: readonly FirewallEntry[]): string[] {
  const { elements, chains } = footprint(entries);
  const lines = elementLines(verb, elements);
  const name = (chain: string): string => `chain ${FIREWALL_TABLE} ${chain}`;
  if (verb === 'delete') {
    return [...lines, ...chains.flatMap((chain) => [`flush ${name(chain.name)}`, `delete ${name(chain.name)}`])];
  }
  const made = chains.flatMap((chain) => [
    `add ${name(chain.name)}`,
    `flush ${name(chain.name)}`,
    `add rule ${FIREWALL_TABLE} ${chain.name} ${chain.rule}`,
  ]);
  return [...made, ...lines];
}

/** Writes the nft lines that add the guards to the bridge table, or delete them. */
export function guardLines(verb: 'add' | 'delete', entries: readonly FirewallEntry[]): string[] {
  return elementLines(verb, guardElements(entries), BRIDGE_TABLE);
}

/** Writes the nft lines that add the entries to the table of an overlay's underlay, or delete them. */
export function underlayLines(verb: 'add' | 'delete', entries: readonly FirewallEntry[]): string[] {
  return [
    ...elementLines(verb, underlayElements(entries), UNDERLAY_TABLE),
    ...elementLines(verb, sealedElements(entries), SEALED_TABLE),
  ];
}

function elementText({ key, data, comment }: Element, withData: boolean): string {
  const left = `${key.map(fieldText).join(' . ')}${comment === undefined || !withData ? '' : ` comment "${comment}"`}`;
  if (data === undefined || !withData) return left;
  return `${left} : ${'verdict' in data ? verdictText(data) : data.map(fieldText).join(' . ')}`;
}

function fieldText(field: Field): string {
  return field.type === 'ifname' ? `"${field.value}"` : String(field.value);
}

function verdictText(verdict: Verdict): string {
  return 'chain' in verdict ? `${verdict.verdict} ${verdict.chain}` : verdict.verdict;
}
