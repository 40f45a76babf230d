import { strict as assert } from 'node:assert';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BridgeFirewaller } from '../../src/shared/firewall/bridge.ts';
import { KnownRuleset } from '../../src/shared/firewall/known-ruleset.ts';
import { type LinuxHost, openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { FirewallEntry, GuardEntry } from '../../src/shared/model/firewall.ts';
import { FakeFirewaller } from '../support/fake-firewaller.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

const GATEWAYS: FirewallEntry = { kind: 'gateways', device: 'br0', addresses: ['10.88.0.1', 'fd00:88::1'] };

function guard(n: number, given: Partial<GuardEntry> = {}): GuardEntry {
  const addresses = [`10.88.0.${n}`, `fd00:88::${n}`];
  return { kind: 'guard', port: `veth${n}`, mac: `0a:58:0a:58:00:0${n}`, addresses, ...given };
}

function isolated(n: number): FirewallEntry {
  return { kind: 'isolated', port: `veth${n}` };
}

/** The table as releases before the spoof guard made it, with two ports. */
const OLD_TABLE = `table bridge isthmus {
  set macspoof { typeof iifname . ether saddr; elements = { "veth2" . 0a:58:0a:58:00:02, "veth3" . 0a:58:0a:58:00:03 } }
  set guarded { type ifname; elements = { "veth2", "veth3" } }
  chain spoof { type filter hook prerouting priority -300; policy accept;
    iifname @guarded iifname . ether saddr != @macspoof drop
  }
}`;

describe('the firewaller of bridge ports', () => {
  let host: LinuxHost;
  let netns: TestNetns;
  let firewaller: BridgeFirewaller;
  const nft = (...args: string[]): string => netns.run('nft', ...args);
  const set = (name: string): string => nft('list', 'set', 'bridge', 'isthmus', name);
  const tables = (): string => nft('list', 'tables');

  before(function () {
    skipIf(this, netnsMissing());
    host = openLinuxHost({});
  });
  beforeEach(() => {
    netns = makeNetns('g');
    firewaller = new BridgeFirewaller(host.open(netns.path));
  });
  afterEach(() => {
    firewaller?.[Symbol.dispose]();
    netns?.[Symbol.dispose]();
  });
  after(() => host?.[Symbol.dispose]());

  it('adds entries twice, misses them once they are gone, and leaves no table', async () => {
    const entries = [GATEWAYS, guard(2), guard(3, {})];
    assert.deepEqual(await firewaller.missing(entries), entries);
    for (let round = 0; round < 2; round++) await firewaller.add(entries);
    assert.deepEqual(await firewaller.missing(entries), []);
    nft('delete', 'element', 'bridge', 'isthmus', 'allowed6', '{ "veth3" . fd00:88::3 }');
    assert.deepEqual(await firewaller.missing(entries), [guard(3)]);
    for (let round = 0; round < 2; round++) assert.deepEqual(await firewaller.remove([guard(2), guard(3)]), []);
    assert.match(tables(), /bridge isthmus/);
    assert.deepEqual(await firewaller.remove([GATEWAYS]), []);
    assert.equal(tables(), '');
  });

  it('a reset never adds an entry of a call under way, whenever that removes it, and keeps one that is there', async () => {
    for (const nth of [1, 2, 3, 4]) {
      using other = new BridgeFirewaller(host.open(netns.path));
      let looks = 0;
      let isRemoved = false;
      class Interrupted extends KnownRuleset {
        override look(...args: Parameters<KnownRuleset['look']>): number {
          if (++looks === nth) {
            isRemoved = true;
            // Its messages go before the promise is returned.
            void other.remove([guard(3)]);
          }
          return super.look(...args);
        }
      }
      using resetting = new BridgeFirewaller(host.open(netns.path), new Interrupted());
      await firewaller.add([GATEWAYS, guard(2), guard(3)]);
      await resetting.reset(() => ({ entries: [GATEWAYS, guard(2)], underWay: [guard(3)] }));
      const wanted = isRemoved ? [guard(3)] : [];
      assert.deepEqual(await firewaller.missing([GATEWAYS, guard(2), guard(3)]), wanted, `removed at look ${nth}`);
    }
  });

  it('misses no address that it has, whichever of an entry are asked for', async () => {
    for (const one of [firewaller, new FakeFirewaller()]) {
      const missing = async (device: string, ...addresses: string[]): Promise<number> =>
        (await one.missing([{ kind: 'gateways', device, addresses }])).length;
      assert.equal(await missing('br0'), 1);
      await one.add([GATEWAYS]);
      assert.equal(await missing('br0'), 0);
      assert.equal(await missing('br0', '10.88.0.1'), 0);
      assert.equal(await missing('br0', '10.88.0.1', '10.88.0.9'), 1);
      assert.equal(await missing('br1'), 1);
      await one.add([guard(2)]);
      const [first = ''] = guard(2).addresses ?? [];
      assert.deepEqual(await one.missing([guard(2, { addresses: [first] })]), []);
      assert.equal((await one.missing([guard(2, { addresses: [first, '10.88.0.9'] })])).length, 1);
      assert.equal((await one.missing([guard(3, { addresses: [first] })])).length, 1);
    }
  });

  it('is listed by nft so that nft loads it again: a saved ruleset of the host must not be refused', async () => {
    const entries = [GATEWAYS, guard(2), guard(3, { addresses: ['fd00:88::3'] }), isolated(3), isolated(4)];
    await firewaller.add(entries);
    const saved = join(tmpdir(), `${netns.name}.nft`);
    const list = (): string => nft('list', 'ruleset');
    const before = list();
    try {
      writeFileSync(saved, `flush ruleset\n${before}`);
      nft('-f', saved);
    } finally {
      rmSync(saved, { force: true });
    }
    assert.equal(list(), before);
    assert.deepEqual(await firewaller.missing(entries), []);
    assert.deepEqual(await firewaller.remove(entries), []);
    assert.equal(tables(), '');
  });

  it('isolates a port with or without a guard, and removes all of it without a record', async () => {
    await firewaller.add([isolated(2), guard(2), isolated(3)]);
    assert.deepEqual(await firewaller.missing([isolated(2), isolated(3), isolated(4)]), [isolated(4)]);
    assert.doesNotMatch(set('guarded'), /veth3/);
    for (const port of ['veth3', 'veth4']) assert.deepEqual(await firewaller.removeStray({ port }), []);
    assert.deepEqual(await firewaller.missing([isolated(2), guard(2), isolated(3)]), [isolated(3)]);
    assert.deepEqual(await firewaller.remove([guard(2)]), []);
    assert.deepEqual(await firewaller.missing([isolated(2)]), []);
    assert.deepEqual(await firewaller.removeStray({ port: 'veth2' }), []);
    assert.equal(tables(), '');
  });

  it('binds nothing but the MAC without addresses', async () => {
    const { addresses: _, ...ofMac } = guard(2);
    await firewaller.add([ofMac]);
    assert.match(set('macspoof'), /"veth2" \. 0a:58:0a:58:00:02/);
    for (const name of ['bound', 'allowed4', 'leased4', 'leased6']) assert.doesNotMatch(set(name), /elements/);
    assert.deepEqual(await firewaller.remove([ofMac]), []);
    assert.equal(tables(), '');
  });

  it('gives an address to the last port that has it, and takes it from no other', async () => {
    const successor = guard(2, { port: 'veth9' });
    await firewaller.add([guard(2)]);
    await firewaller.add([successor]);
    assert.match(set('leased4'), /10\.88\.0\.2 comment "veth9"/);
    assert.deepEqual(await firewaller.missing([guard(2), successor]), []);
    assert.deepEqual(await firewaller.remove([guard(2)]), []);
    assert.deepEqual(await firewaller.missing([successor]), []);
    assert.deepEqual(await firewaller.remove([successor]), []);
    assert.equal(tables(), '');
  });

  it('keeps its elements when it repairs a table without rules, and foreign tables', async () => {
    nft('add table bridge other');
    await firewaller.add([GATEWAYS, guard(2)]);
    nft('flush', 'chain', 'bridge', 'isthmus', 'claims');
    assert.deepEqual(await firewaller.missing([guard(2)]), [guard(2)]);
    await firewaller.add([guard(3)]);
    assert.deepEqual(await firewaller.missing([GATEWAYS, guard(2), guard(3)]), []);
    await firewaller.reset(() => ({ entries: [] }));
    assert.equal(tables().trim(), 'table bridge other');
  });

  it('takes over the table of an earlier release, with its ports', async () => {
    netns.run('sh', '-ec', `nft -f - <<'END'\n${OLD_TABLE}\nEND`);
    const { addresses: _, ...old } = guard(2);
    await firewaller.add([GATEWAYS, guard(4)]);
    assert.deepEqual(await firewaller.missing([old, guard(4)]), []);
    assert.match(set('guarded'), /"veth2"(.|\n)*"veth3"|"veth3"(.|\n)*"veth2"/);
    assert.deepEqual(await firewaller.remove([old]), []);
    assert.deepEqual(await firewaller.removeStray({ port: 'veth3' }), []);
    assert.deepEqual(await firewaller.remove([guard(4), GATEWAYS]), []);
    assert.equal(tables(), '');
  });

  it('resets to exactly the entries that are wanted, or under way and there', async () => {
    await firewaller.add([GATEWAYS, guard(2), guard(3)]);
    await firewaller.reset(() => ({ entries: [guard(4), GATEWAYS], underWay: [guard(3), guard(5)] }));
    assert.deepEqual(await firewaller.missing([GATEWAYS, guard(2), guard(3), guard(4), guard(5)]), [
      guard(2),
      guard(5),
    ]);
    assert.doesNotMatch(set('leased4'), /10\.88\.0\.[25]\b/);
    nft('flush', 'ruleset');
    await firewaller.reset(() => ({ entries: [GATEWAYS, guard(2)] }));
    assert.deepEqual(await firewaller.missing([GATEWAYS, guard(2)]), []);
    await firewaller.reset(() => ({ entries: [] }));
    assert.equal(tables(), '');
  });

  it('removes all of a port without knowing its addresses, and nothing of others', async () => {
    await firewaller.add([GATEWAYS, guard(2), guard(3)]);
    await firewaller.add([guard(2, { port: 'veth33' })]);
    for (const port of ['veth2', 'veth', 'veth333']) assert.deepEqual(await firewaller.removeStray({ port }), []);
    assert.doesNotMatch(nft('list', 'table', 'bridge', 'isthmus'), /"veth2"/);
    assert.deepEqual(await firewaller.missing([guard(3), guard(2, { port: 'veth33' })]), []);
    assert.deepEqual(await firewaller.removeStray({ addresses: ['10.88.0.3'] }), []);
    assert.deepEqual(await firewaller.missing([guard(3)]), []);
  });

  it('refuses what is no port, MAC or address, and changes nothing', async () => {
    for (const given of [
      { port: 'a"b c' },
      { port: 'much-too-long-a-name' },
      { mac: '0A:58' },
      { addresses: ['10.88'] },
    ])
      await assert.rejects(firewaller.add([guard(2, given)]), { kind: 'invalid-config' });
    assert.equal(tables(), '');
  });

  it('shares its table with another firewaller', async () => {
    using other = new BridgeFirewaller(host.open(netns.path));
    for (let round = 0; round < 20; round++) {
      await Promise.all([firewaller.add([GATEWAYS, guard(2)]), other.add([guard(3)])]);
      assert.deepEqual(await other.missing([GATEWAYS, guard(2), guard(3)]), []);
      const removed: unknown = await Promise.all([other.remove([guard(3)]), firewaller.remove([guard(2), GATEWAYS])]);
      assert.deepEqual(removed, [[], []]);
      assert.equal(tables(), '');
    }
  });

  it('holds a thousand ports, and removes one without reading them', async () => {
    const many = Array.from({ length: 1000 }, (_, i): GuardEntry => {
      const [a, b] = [i >> 8, i & 255];
      const hex = [a, b].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
      return {
        kind: 'guard',
        port: `veth${i}`,

        mac: `0a:58:0a:58:${hex}`,
        addresses: [`10.88.${a}.${b}`, `fd00:88::${i}`],
      };
    });
    await firewaller.add([GATEWAYS, ...many]);
    assert.deepEqual(await firewaller.missing(many), []);
    assert.deepEqual(await firewaller.remove(many.slice(0, 1)), []);
    assert.deepEqual(await firewaller.missing(many), many.slice(0, 1));
    await firewaller.reset(() => ({ entries: [] }));
  });
});
