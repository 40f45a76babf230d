import { strict as assert } from 'node:assert';
import { notMatching } from '../../src/shared/firewall/iptables-matches.ts';
import { isNftMatch } from '../../src/shared/model/nft-match.ts';

describe('conditions of ports', () => {
  const matches = [
    '-s 192.0.2.0/24',
    '! -s 192.0.2.0/24 -i eth0',
    '-s192.0.2.0/24',
    '--source=192.0.2.0/24',
    '-m comment --comment words',
    '-m conntrack --ctstate NEW,RELATED -m mark ! --mark 0x1/0x1',
    '-m set --match-set friends src,dst',
    '-m tcp --tcp-flags SYN,ACK SYN',
    '-m limit --limit 5/second --limit-burst 10',
    '-m time --timestart 08:00 --timestop 18:00 --kerneltz',
    '-m iprange --src-range 192.0.2.1-192.0.2.9',
  ];
  for (const text of matches)
    it(`iptables: takes ${text}`, () => {
      assert.equal(notMatching(text.split(' ')), undefined);
    });

  const others: readonly (readonly [text: string, bad: string])[] = [
    ['-M /tmp/program', '-M'],
    ['--modprobe=/tmp/program', '--modprobe=/tmp/program'],
    ['--modprobe /tmp/program', '--modprobe'],
    ['--modp=/tmp/program', '--modp=/tmp/program'],
    ['-h', '-h'],
    ['-V', '-V'],
    ['-6', '-6'],
    ['-4', '-4'],
    ['--ipv6', '--ipv6'],
    ['-j ACCEPT', '-j'],
    ['-jACCEPT', '-jACCEPT'],
    ['--ju ACCEPT', '--ju'],
    ['-g chain', '-g'],
    ['-A FORWARD', '-A'],
    ['--app FORWARD', '--app'],
    ['-t filter', '-t'],
    ['-o eth0', '-o'],
    ['-p tcp', '-p'],
    ['-c 1 1', '-c'],
    ['-n -v', '-n'],
    ['-w 100', '-w'],
    ['--help', '--help'],
    ['-m recent --set', 'recent'],
    ['-m quota --quota 1', 'quota'],
    ['-m set --match-set a src --update-counters', '--update-counters'],
    ['-m limit --sports 1', '--sports'],
    ['-s 192.0.2.1 -m', '-m'],
    ['-m ../../x', '../../x'],
    ['-s 192.0.2.1\n-A', '192.0.2.1\n-A'],
    ['-s 192.0.2.1\0', '192.0.2.1\0'],
  ];
  for (const [text, bad] of others)
    it(`iptables: refuses ${JSON.stringify(text)}`, () => {
      assert.equal(notMatching(text.split(' ')), bad);
    });

  for (const text of [
    'ip saddr 192.0.2.0/24',
    'ip saddr { 192.0.2.0/24, 198.51.100.1 } tcp dport 80-90',
    'ip6 saddr != fd00::/8',
    'iifname "eth0"',
    'meta iifname "set"',
    'ct state established,related',
    'ct state & (new | related) != 0',
    'meta mark & 0x1 == 0x1',
    'fib daddr type local',
    'ip saddr @friends',
    'tcp flags & (syn | ack) == syn',
    'limit rate 10/second burst 5 packets',
    'time >= "2026-01-01 00:00"',
  ])
    it(`nft: takes ${text}`, () => {
      assert.ok(isNftMatch(text));
    });

  for (const text of [
    '',
    ' ',
    'meta mark set 1',
    'ct mark set meta mark',
    'ip dscp set cs1',
    'ip ttl set 1',
    'tcp option maxseg size set rt mtu',
    'reset tcp option timestamp',
    'notrack',
    'ip saddr 192.0.2.1 notrack',
    'update @seen { ip saddr }',
    'ip saddr 192.0.2.1 update @seen { ip saddr timeout 1m }',
    'add @seen { ip saddr }',
    'delete @seen { ip saddr }',
    'ip saddr vmap { 192.0.2.1 : accept }',
    'ip saddr 192.0.2.1 accept',
    'ip saddr 192.0.2.1 jump other',
    'counter',
    'log prefix "x"',
    'queue num 1',
    'dup to 192.0.2.1',
    'fwd to eth0',
    'quota over 1 bytes',
    'comment "x"',
    'meter m { ip saddr limit rate 1/second }',
    'flow add @f',
    'ip saddr 192.0.2.1; drop',
    'ip saddr 192.0.2.1\ndrop',
    'ip saddr { 192.0.2.1 } }',
    'iifname "a" "',
    'include "/etc/passwd"',
    'define x = 1',
    'ip saddr $x',
    'ip saddr 192.0.2.1 #',
    '192.0.2.1',
  ])
    it(`nft: refuses ${JSON.stringify(text)}`, () => {
      assert.ok(!isNftMatch(text));
    });
});
