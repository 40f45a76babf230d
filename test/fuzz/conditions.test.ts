import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { notMatching } from '../../src/shared/firewall/iptables-matches.ts';
import { isNftMatch } from '../../src/shared/model/nft-match.ts';
import { FUZZ_MS, FUZZ_SEED, fuzz } from '../support/fuzz/run.ts';
import { makeNetns, type TestNetns } from '../support/netns.ts';

const task = { ms: FUZZ_MS, seed: FUZZ_SEED };

const OPTION = fc.constantFrom(
  ...[
    '-s',
    '-d',
    '-i',
    '-m',
    '-f',
    '!',
    '-j',
    '-g',
    '-t',
    '-A',
    '-D',
    '-M',
    '-h',
    '-V',
    '-4',
    '-6',
    '-w',
    '-n',
    '-c',
    '-p',
  ],
  ...[
    '--source',
    '--src=192.0.2.1',
    '-s192.0.2.1',
    '-jDROP',
    '--jump',
    '--modprobe=/x',
    '--modp',
    '--set',
    '--app',
    '--tab',
  ],
  ...[
    '--ctstate',
    '--mark',
    '--comment',
    '--state',
    '--limit',
    '--dports',
    '--match-set',
    '--update-counters',
    '--syn',
  ],
  ...['--src-type', '--mac-source', '--src-range', '--rsource', '--set-mark', '--save', '--string', '--algo', '--to'],
);
const VALUE = fc.constantFrom(
  ...[
    '192.0.2.0/24',
    '192.0.2.1',
    'lo',
    'eth+',
    'NEW',
    'NEW,RELATED',
    '0x1/0x1',
    '80',
    '80:90',
    '5/second',
    'words',
    'x y',
  ],
  ...[
    'conntrack',
    'mark',
    'comment',
    'multiport',
    'limit',
    'state',
    'recent',
    'set',
    'addrtype',
    'iprange',
    'mac',
    'string',
  ],
  ...[
    'LOCAL',
    'bm',
    '00:11:22:33:44:55',
    '192.0.2.1-192.0.2.9',
    'DROP',
    'ACCEPT',
    'nat',
    'FORWARD',
    '',
    ';',
    '"',
    '\n',
  ],
);

const NFT = fc.constantFrom(
  ...[
    'ip',
    'ip6',
    'saddr',
    'daddr',
    '192.0.2.1',
    '192.0.2.0/24',
    'fd00::/8',
    'tcp',
    'udp',
    'dport',
    '80',
    '{',
    '}',
    ',',
    '@s',
  ],
  ...[
    'meta',
    'mark',
    'set',
    '0x1',
    'ct',
    'state',
    'new',
    'established',
    'iifname',
    '"lo"',
    'oifname',
    '!=',
    '==',
    '&',
    '|',
    '(',
    ')',
  ],
  ...[
    'notrack',
    'counter',
    'log',
    'accept',
    'drop',
    'return',
    'jump',
    'c',
    'vmap',
    'map',
    ':',
    'update',
    'add',
    'limit',
    'rate',
  ],
  ...[
    '10/second',
    'quota',
    'over',
    '5',
    'bytes',
    'queue',
    'dup',
    'to',
    'reset',
    'ttl',
    'dscp',
    'cs1',
    'fib',
    'type',
    'local',
  ],
  ...[
    'comment',
    '"x"',
    ';',
    '#',
    '$x',
    '\\',
    'protocol',
    'l4proto',
    'pkttype',
    'vlan',
    'id',
    'priority',
    'rt',
    'mtu',
    '1',
    '-',
  ],
);

/** A condition that is taken matches, and does nothing else. */
describe('fuzz: conditions of ports', function () {
  this.timeout(FUZZ_MS * 3 + 30_000);
  let ns: TestNetns;
  before(() => {
    ns = makeNetns('fuzz-');
  });
  after(() => ns?.[Symbol.dispose]());

  const inside = (input: string, ...words: readonly string[]): boolean =>
    spawnSync('ip', ['netns', 'exec', ns.name, ...words], {
      input,
      stdio: ['pipe', 'ignore', 'ignore'],
      timeout: 10_000,
    }).status === 0;

  it('iptables', async () => {
    const saved = (): string => execFileSync('ip', ['netns', 'exec', ns.name, 'iptables-save'], { encoding: 'utf8' });
    const rules = (text: string): string[] => text.split('\n').filter((line) => /^[-:*]/.test(line));
    ns.run('iptables', '-t', 'nat', '-N', 'fuzz');
    const clean = rules(saved()).map((line) => line.replace(/\[.*/, ''));
    let taken = 0;
    const words = fc.array(fc.oneof(OPTION, VALUE), { minLength: 1, maxLength: 6 });
    const likely = fc.array(
      fc.tuple(fc.constantFrom('-s', '-d', '-i', '! -s', '-m', '--ctstate', '--mark', '-m comment --comment'), VALUE),
      {
        minLength: 1,
        maxLength: 3,
      },
    );
    const property = fc.property(
      fc.oneof(
        words,
        likely.map((pairs) => pairs.flatMap(([a, b]) => [...a.split(' '), b])),
      ),
      (given) => {
        if (notMatching(given) !== undefined) return;
        if (!inside('', 'iptables', '-t', 'nat', '-A', 'fuzz', ...given, '-j', 'ACCEPT')) return;
        taken++;
        const now = rules(saved()).map((line) => line.replace(/\[.*/, ''));
        const added = now.filter((line) => !clean.includes(line));
        assert.equal(now.length, clean.length + 1, `rules: ${now.join('; ')}`);
        assert.match(added[0] ?? '', /^-A fuzz .*-j ACCEPT$/);
        ns.run('iptables', '-t', 'nat', '-F', 'fuzz');
      },
    );
    const inputs = await fuzz(task, property);
    console.log(`      iptables: ${inputs} inputs, ${taken} rules`);
  });

  it('nftables', async () => {
    let taken = 0;
    const text = fc.array(NFT, { minLength: 1, maxLength: 9 }).map((words) => words.join(' '));
    const likely = fc.tuple(
      fc.constantFrom('ip saddr', 'tcp dport', 'meta', 'ct', 'meta mark', 'iifname', 'ip saddr { 192.0.2.1 }'),
      text,
    );
    const property = fc.property(
      fc.oneof(
        text,
        likely.map((parts) => parts.join(' ')),
      ),
      (condition) => {
        if (!isNftMatch(condition)) return;
        const script = `table inet fuzz { set s { type ipv4_addr; }; chain c { }; }\nadd rule inet fuzz c ${condition} accept\n`;
        if (!inside(script, 'nft', '-f', '-')) return;
        taken++;
        const listed: unknown = JSON.parse(ns.run('nft', '-j', 'list', 'table', 'inet', 'fuzz'));
        ns.run('nft', 'delete', 'table', 'inet', 'fuzz');
        const found = (listed as { nftables: { rule?: { expr: object[] } }[] }).nftables.flatMap(
          ({ rule }) => rule ?? [],
        );
        assert.equal(found.length, 1);
        const kinds = (found[0]?.expr ?? []).map((one) => Object.keys(one)[0]);
        assert.equal(kinds.pop(), 'accept');
        assert.deepEqual(
          kinds.filter((kind) => kind !== 'match' && kind !== 'limit'),
          [],
        );
      },
    );
    const inputs = await fuzz(task, property);
    console.log(`      nftables: ${inputs} inputs, ${taken} rules`);
  });
});
