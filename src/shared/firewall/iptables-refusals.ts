import { fault } from '../errors/fault.ts';
import { asNetError, type NetError } from '../errors/net-error.ts';
import type { Family } from '../model/addr.ts';
import type { FirewallEntry } from '../model/firewall.ts';
import { familyOf } from './iptables-lines.ts';
import { portNote } from './iptables-ports.ts';
import { entryId, type State } from './iptables-state.ts';
import { toolError, type Variant } from './iptables-tools.ts';

/** Throws NetError `conflict` for a port that already leads elsewhere. */
export function refuseConflicts(entries: readonly FirewallEntry[], family: Family, state: State): void {
  const leads = new Map<string, string>();
  for (const { chain, note } of state.lines) if (chain === 'ISTHMUS-DNAT') learn(leads, note);
  for (const entry of entries) {
    if (entry.kind !== 'port' || familyOf(entry.address) !== family) continue;
    const note = portNote(entry);
    const other = learn(leads, note);
    if (other === undefined) continue;
    const subject = `port ${note.slice(0, note.lastIndexOf(' '))}`;
    const what = `it leads to ${other} already, not to ${note.slice(note.lastIndexOf(' ') + 1)}`;
    throw fault.conflict('firewall.add', subject, what, 'Publish another host port');
  }
}

/** Records where a port leads; returns the earlier target if it differs. */
function learn(leads: Map<string, string>, note: string): string | undefined {
  const space = note.lastIndexOf(' ');
  const [key, target] = [note.slice(0, space), note.slice(space + 1)];
  const before = leads.get(key);
  if (space > 0 && before === undefined) leads.set(key, target);
  return before === target ? undefined : before;
}

/** Builds the error for a script that iptables refused; names the line if iptables reports it. */
export function refusal(
  variant: Variant,
  family: Family,
  script: string,
  error: string,
  entries: readonly FirewallEntry[],
): NetError {
  const number = Number(/line:? ?(\d+)/.exec(error)?.[1] ?? 0);
  const line = script.split('\n')[number - 1] ?? '';
  const entry = entries.find((one) => line.includes(`"isthmus ${entryId(one)}.`));
  if (entry?.kind === 'port' && entry.conditions.length > 0) {
    const what = `${JSON.stringify(entry.conditions)} is not taken by iptables`;
    const hint = 'Give matches that iptables knows, each word by itself';
    const subject = `key conditionsV${family}`;
    return fault.invalidConfig('firewall.add', subject, what, hint, { reason: reasonOf(error) });
  }
  const chain = entries.map(markChain).find((name) => name !== undefined && error.includes(name));
  if (chain !== undefined) {
    const what = `${JSON.stringify(chain)} cannot be jumped to`;
    const hint = 'Make this chain in table nat first';
    const subject = 'key externalSetMarkChain';
    return fault.invalidConfig('firewall.add', subject, what, hint, { reason: reasonOf(error) });
  }
  return toolError(variant, family, line === '' ? 'the rules were not changed' : `this was refused: ${line}`, error);
}

function markChain(entry: FirewallEntry): string | undefined {
  return entry.kind === 'port' && entry.mark !== undefined && 'chain' in entry.mark ? entry.mark.chain : undefined;
}

function reasonOf(error: string): string {
  return error.split('\n').find((line) => line !== '' && !line.startsWith('#')) ?? '';
}

/** The failures of `work`, and the error that ends it. */
export async function collecting(work: () => Promise<NetError[]>): Promise<NetError[]> {
  try {
    return await work();
  } catch (thrown) {
    return [asNetError(thrown, 'firewall.delete')];
  }
}
