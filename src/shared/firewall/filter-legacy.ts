import type { LinuxNamespace } from '../host/linux-namespace.ts';
import type { Family } from '../model/addr.ts';
import {
  type Accept,
  COMMENT,
  type Does,
  type FilterRule,
  type FilterTable,
  type TableChange,
} from './filter-table.ts';
import { legacyTables, save } from './iptables-tools.ts';

/** Table `filter` as iptables-legacy has it. */
export interface LegacyFilterTable extends FilterTable {
  readonly family: Family;
}

const TABLE = 'filter';

/** The table as it is now; undefined where nobody uses it. */
export function readLegacyTable(ns: LinuxNamespace, family: Family): LegacyFilterTable | undefined {
  return legacyTables(ns, family).includes(TABLE) ? parseTable(family, save(ns, 'legacy', family, TABLE)) : undefined;
}

/** The table that `iptables-save -t filter` prints. */
export function parseTable(family: Family, text: string): LegacyFilterTable {
  const chains = new Map<string, FilterRule[]>();
  for (const line of text.split('\n')) {
    const [, chain, rule] = /^-A (\S+) ?(.*)$/.exec(line) ?? [];
    if (chain === undefined || rule === undefined) continue;
    const rules = chains.get(chain);
    if (rules === undefined) chains.set(chain, [understand(rule)]);
    else rules.push(understand(rule));
  }
  const policy = /^:FORWARD DROP /m.test(text) ? 'drop' : 'accept';
  return { family, policy, rules: (chain) => chains.get(chain) ?? [] };
}

/** The change in iptables-restore's language; what was there is named by what it says, so it has to be there still. */
export function legacyScript(table: LegacyFilterTable, { remove, insert }: TableChange<FilterRule>): string {
  const lines = remove.flatMap(({ place, rule }) =>
    rule.admits === undefined ? [] : [`-D ${place} ${ruleText(rule.admits)}`],
  );
  for (const [i, { place, index, accept }] of insert.entries()) {
    const earlier = insert.slice(0, i).filter((one) => one.place === place && one.index <= index).length;
    const gone = table.rules(place).filter((rule, j) => j < index && remove.some((one) => one.rule === rule)).length;
    lines.push(`-I ${place} ${index + earlier - gone + 1} ${ruleText(accept)}`);
  }
  return `*${TABLE}\n${lines.join('\n')}\nCOMMIT\n`;
}

function ruleText({ way, device }: Accept): string {
  return `-${way === 'in' ? 'i' : 'o'} ${device} -m comment --comment ${COMMENT} -j ACCEPT`;
}

const TARGETS: Readonly<Record<string, Does>> = {
  ACCEPT: 'accept',
  DROP: 'drop',
  REJECT: 'drop',
  RETURN: 'return',
};

/** Targets of the kernel's own after which a packet goes on; any other name is a chain's. */
const EXTENSIONS =
  /^(LOG|NFLOG|MARK|CONNMARK|SECMARK|CONNSECMARK|TRACE|CT|AUDIT|SET|NFQUEUE|TEE|TCPMSS|CLASSIFY|RATEEST)$/;

function understand(rule: string): FilterRule {
  const [, conditions = '', target] = /^(.*?)(?:-[jg] (\S+).*)?$/.exec(rule) ?? [];
  const [, way, device] = /^-([io]) (\S+) -m comment --comment "?isthmus"? $/.exec(conditions) ?? [];
  const always = conditions.replace(/-m comment --comment ("(\\.|[^"\\])*"|\S+)/, '').trim() === '';
  const does = target === undefined || EXTENSIONS.test(target) ? 'other' : (TARGETS[target] ?? 'jump');
  return {
    does,
    always,
    ...(does === 'jump' && target !== undefined ? { target } : {}),
    ...(does === 'accept' && device !== undefined && !device.endsWith('+')
      ? { admits: { way: way === 'i' ? 'in' : 'out', device } as const }
      : {}),
  };
}
