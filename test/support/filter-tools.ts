import { execFileSync } from 'node:child_process';
import type { TestNetns } from './netns.ts';

/** The facts a test needs about the backend under test: where its rules are, and how others delete them. */
export interface FilterTools {
  /** Another program flushes everything, in each of the usual ways. */
  readonly flushes: readonly { readonly title: string; readonly run: (host: TestNetns) => void }[];
  /** For each existing rule or element of ours: the commands with which others delete it alone. */
  cuts(host: TestNetns): readonly Cut[];
  /** Conditions in the backend's syntax that hold for packets from this address only. */
  from(address: string): string;
  /** A condition in the syntax of the other backend. */
  readonly foreign: string;
}

export interface Cut {
  readonly title: string;
  readonly run: () => void;
}

export type IptablesVariant = 'nft' | 'legacy';

/** Those of the host among our tables. */
function ourTables(host: TestNetns): (readonly ['inet', string])[] {
  const found = host.run('nft', 'list', 'tables').matchAll(/^table inet (isthmus\S*)$/gm);
  return [...found].map(([, name = '']) => ['inet', name] as const);
}

export const NFT_TOOLS: FilterTools = {
  flushes: [{ title: 'nft flush ruleset', run: (host) => void host.run('nft', 'flush', 'ruleset') }],
  cuts: (host) => [...ruleCuts(host), ...elementCuts(host)],
  from: (address) => `${address.includes(':') ? 'ip6' : 'ip'} saddr ${address}`,
  foreign: '-s 192.0.2.0/24',
};

export function iptablesTools(variant: IptablesVariant): FilterTools {
  const flush = (host: TestNetns): void => {
    for (const command of commands(variant)) {
      for (const table of ['filter', 'nat', 'mangle', 'raw']) host.run(command, '-w', '-t', table, '-F');
    }
  };
  const nft = variant === 'nft' ? NFT_TOOLS.flushes : [];
  return {
    flushes: [{ title: `iptables-${variant} -F in every table`, run: flush }, ...nft],
    cuts: (host) => commands(variant).flatMap((command) => savedCuts(host, command)),
    from: (address) => `-s ${address}`,
    foreign: 'ip saddr 192.0.2.0/24',
  };
}

/**
 * Every rule of everybody, nftables and both kinds of iptables, without packet counts; of iptables-legacy without
 * tables in which nothing is: the kernel has no way to take one away.
 */
export function ruleset(host: TestNetns): string {
  const [nft = '', ...legacy] = host.run('sh', '-ec', LISTINGS).split(SEPARATOR);
  const tables = commands('legacy').map((command, i) => {
    return `${command}\n${withoutCounts(legacy[i] ?? '').replace(EMPTY_TABLE, '')}`;
  });
  return [nft.replace(/counter packets \d+ bytes \d+/g, 'counter'), ...tables].join('\n');
}

const SEPARATOR = '=====\n';
/** One shell for all; iptables-legacy is not asked where the kernel has no table of it. /proc says no file's size. */
const LISTINGS = `nft list ruleset
  for t in ip ip6; do
    printf '${SEPARATOR.trim()}\\n'
    if { read -r _ < /proc/net/\${t}_tables_names; } 2>&-; then \${t}tables-legacy-save; fi
  done`;

const EMPTY_TABLE = /^\*\w+\n(:\w+ ACCEPT\n)*COMMIT\n/gm;

/** The output of `iptables-save`, without dates and counts. */
function saved(host: TestNetns, command: string): string {
  return withoutCounts(host.run(`${command}-save`));
}

function withoutCounts(listing: string): string {
  const lines = listing.replace(/ ?\[\d+:\d+\]/g, '').split('\n');
  return lines.filter((line) => !line.startsWith('#')).join('\n');
}

function commands(variant: IptablesVariant): string[] {
  return [`iptables-${variant}`, `ip6tables-${variant}`];
}

interface Rule {
  readonly table: readonly [string, string];
  readonly chain: string;
  readonly text: string;
  readonly handle: string;
}

function ourRules(host: TestNetns): Rule[] {
  return ourTables(host).flatMap((table) => {
    const rules: Rule[] = [];
    let chain = '';
    for (const line of host.run('nft', '-a', 'list', 'table', ...table).split('\n')) {
      chain = /^\tchain (\S+) \{/.exec(line)?.[1] ?? chain;
      const [, text = '', handle] = /^\t\t(?!type )(.*) # handle (\d+)$/.exec(line) ?? [];
      if (handle !== undefined && chain !== '') rules.push({ table, chain, text, handle });
    }
    return rules;
  });
}

function ruleCuts(host: TestNetns): Cut[] {
  return ourRules(host).map(({ table, chain, text }) => {
    const run = (): void => {
      // Its handle changes whenever the table is repaired.
      const rule = ourRules(host).find((one) => one.table[1] === table[1] && one.chain === chain && one.text === text);
      if (rule === undefined) throw new Error(`no rule ${text} in ${chain}`);
      host.run('nft', 'delete', 'rule', ...table, chain, 'handle', rule.handle);
    };
    return { title: `${table[1]} ${chain}: ${text}`, run };
  });
}

function elementCuts(host: TestNetns): Cut[] {
  return ourTables(host).flatMap((table) => {
    const cuts: Cut[] = [];
    const listing = host.run('nft', 'list', 'table', ...table);
    for (const [, set = '', elements = ''] of listing.matchAll(/\t(?:set|map) (\S+) \{[^{}]*elements = \{([^}]*)\}/g)) {
      for (const element of elements.split(',').map((text) => text.trim())) {
        const [key = ''] = element.split(' : ');
        const args = ['delete', 'element', ...table, set, `{ ${key} }`];
        cuts.push({ title: `${set}: ${element}`, run: () => void host.run('nft', ...args) });
      }
    }
    return cuts;
  });
}

/** Rules of chains of ours, and the jumps to them. */
function savedCuts(host: TestNetns, command: string): Cut[] {
  const cuts: Cut[] = [];
  let table = '';
  for (const line of saved(host, command).split('\n')) {
    table = /^\*(\w+)$/.exec(line)?.[1] ?? table;
    if (!line.startsWith('-A') || !/isthmus/i.test(line)) continue;
    const input = `*${table}\n${line.replace('-A', '-D')}\nCOMMIT\n`;
    const args = [`--net=${host.path}`, '--', `${command}-restore`, '--noflush', '--wait'];
    const run = (): void => void execFileSync('nsenter', args, { input, stdio: ['pipe', 'pipe', 'pipe'] });
    cuts.push({ title: `${command} -t ${table} ${line}`, run });
  }
  return cuts;
}

/** Sorts the tables of a listing by nft: a table that is made anew comes last. */
export function byTable(listing: string): string {
  return listing
    .split(/^(?=table )/m)
    .toSorted()
    .join('');
}
