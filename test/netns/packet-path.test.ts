import { strict as assert } from 'node:assert';
import type { Packet } from '../../src/shared/firewall/packet-match.ts';
import { decisionsOf, readRuleSource, sees } from '../../src/shared/firewall/packet-path.ts';
import { openNamespace, openOwnNamespace } from '../../src/shared/host/linux-namespace.ts';
import { readBaseChains } from '../../src/shared/netlink/base-chains.ts';
import { openNetfilter } from '../../src/shared/netlink/nfnetlink.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

const OUT: Packet = {
  ...{ family: 4, input: { name: 'isth0', index: 5 }, output: { name: 'eth0', index: 2 }, source: '10.88.0.2' },
  ...{ destination: '192.0.2.7', protocol: 6, port: 443, state: 'new', translated: false },
};
const REPLY: Packet = {
  ...OUT,
  input: { name: 'eth0', index: 2 },
  output: { name: 'isth0', index: 5 },
  state: 'established',
};

/** Rules of a chain with policy drop, and what it surely or possibly does with a packet. */
const CASES: readonly (readonly [rules: readonly string[], packet: Packet, found: string])[] = [
  [[], OUT, 'drop'],
  [['iifname isth0 accept'], OUT, 'accept'],
  [['iifname isth1 accept'], OUT, 'drop'],
  [['iifname "isth*" accept'], OUT, 'accept'],
  [['iifname != "isth0" accept'], OUT, 'drop'],
  [['iifname { "isth0", "x" } accept'], OUT, 'accept'],
  [['iifname { "y", "x" } accept'], OUT, 'drop'],
  [['ct state established,related accept'], OUT, 'drop'],
  [['ct state established,related accept'], REPLY, 'accept'],
  [['ct state vmap { established : accept, related : accept, invalid : drop }'], OUT, 'drop'],
  [['ct state vmap { established : accept, related : accept, invalid : drop }'], REPLY, 'accept'],
  [['ct status dnat accept'], OUT, 'drop'],
  [['ct status dnat accept'], { ...OUT, translated: true }, 'accept'],
  [['ip saddr 10.88.0.0/16 accept'], OUT, 'accept'],
  [['ip saddr 10.89.0.0/16 accept'], OUT, 'drop'],
  [['ip daddr { 192.0.2.0/24, 198.51.100.0/24 } accept'], OUT, 'accept'],
  [['ip daddr { 198.51.100.0/24 } accept'], OUT, 'drop'],
  [['ip daddr 192.0.2.1-192.0.2.9 accept'], OUT, 'accept'],
  [['ip daddr != 192.0.2.1-192.0.2.9 accept'], OUT, 'drop'],
  [['ip daddr != 192.0.2.8-192.0.2.9 accept'], OUT, 'accept'],
  [['tcp dport 400-500 accept'], OUT, 'accept'],
  [['tcp dport != 400-500 accept'], OUT, 'drop'],
  [['ip daddr . tcp dport { 192.0.2.7 . 443 } accept'], OUT, 'accept'],
  [['ip daddr . tcp dport { 192.0.2.7 . 80 } accept'], OUT, 'drop'],
  [['iifname . oifname { "isth0" . "eth0" } accept'], OUT, 'accept'],
  [['tcp dport { 80, 443 } accept'], OUT, 'accept'],
  [['tcp dport 80 accept'], OUT, 'drop'],
  [['udp dport 443 accept'], OUT, 'drop'],
  [['meta nfproto ipv6 accept'], OUT, 'drop'],
  [['ip6 saddr fd00::/8 accept'], OUT, 'drop'],
  [['meta mark 0x1 accept'], OUT, 'maybe'],
  [['meta mark 0x1 drop', 'accept'], OUT, 'maybe'],
  [['meta skuid 0 counter log', 'accept'], OUT, 'accept'],
  [['counter', 'log', 'jump c1'], OUT, 'accept'],
  [['jump c2', 'accept'], OUT, 'drop'],
  [['goto c3', 'accept'], OUT, 'drop'],
  [['jump c3', 'accept'], OUT, 'accept'],
  [['iifname vmap { "isth0" : jump c1 }'], OUT, 'accept'],
  [['reject', 'accept'], OUT, 'drop'],
  [['fib daddr type local accept', 'drop'], OUT, 'maybe'],
  [['return', 'accept'], OUT, 'drop'],
];

describe('what chains of others do with a packet', function () {
  this.timeout(30_000);
  let ns: TestNetns;

  before(function () {
    skipIf(this, netnsMissing());
    ns = makeNetns('f');
  });
  after(() => ns?.[Symbol.dispose]());

  function outcome(packet: Packet): string {
    using home = openOwnNamespace();
    using opened = openNamespace(ns.path, home);
    using socket = opened.within(openNetfilter);
    assert.ok(socket !== undefined);
    const source = readRuleSource(socket);
    const found = readBaseChains(socket).filter((base) => base.hook === 2 && sees(base, packet));
    const decisions = found.flatMap((base) => decisionsOf(base, packet, source));
    const does = new Set(decisions.map((one) => one.does));
    return does.size === 1 ? ([...does][0] ?? 'none') : 'maybe';
  }

  for (const [rules, packet, expected] of CASES)
    it(`${packet === REPLY ? 'a reply' : packet.translated ? 'a translated packet' : 'a packet'}: ${rules.join('; ') || 'policy'} → ${expected}`, () => {
      const script = [
        ...[
          'flush ruleset',
          'table inet mine {',
          'chain c1 { accept; }',
          'chain c2 { jump c4; }',
          'chain c3 { return; }',
        ],
        ...[
          'chain c4 { drop; }',
          'chain f { type filter hook forward priority 0; policy drop;',
          ...rules.map((rule) => `${rule};`),
          '}',
          '}',
        ],
      ].join('\n');
      const jumpsFirst = script
        .replace('chain c2 { jump c4; }', '')
        .replace('chain c4 { drop; }', 'chain c4 { drop; }\nchain c2 { jump c4; }');
      ns.run('sh', '-ec', `nft -f - <<'EOF'\n${jumpsFirst}\nEOF`);
      assert.equal(outcome(packet), expected);
    });

  it('the same for extensions of iptables', () => {
    ns.run(
      'sh',
      '-ec',
      'nft flush ruleset; iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    );
    assert.deepEqual([outcome(OUT), outcome(REPLY)], ['drop', 'accept']);
    ns.run('iptables-nft', '-A', 'FORWARD', '-i', 'isth+', '-j', 'ACCEPT');
    assert.equal(outcome(OUT), 'accept');
    ns.run(
      'sh',
      '-ec',
      'iptables-nft -F FORWARD; iptables-nft -A FORWARD -m conntrack --ctstate DNAT -j ACCEPT; iptables-nft -A FORWARD -i isth0 -j REJECT',
    );
    assert.deepEqual([outcome(OUT), outcome({ ...OUT, translated: true })], ['drop', 'accept']);
    ns.run('sh', '-ec', 'iptables-nft -F FORWARD; iptables-nft -A FORWARD -m limit --limit 1/s -j ACCEPT');
    assert.equal(outcome(OUT), 'maybe');
  });
});
