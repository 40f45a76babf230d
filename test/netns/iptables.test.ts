import { strict as assert } from 'node:assert';
import { NetError } from '../../src/shared/errors/net-error.ts';
import type { Firewaller } from '../../src/shared/firewall/firewaller.ts';
import { openIptables } from '../../src/shared/firewall/iptables.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { FirewallEntry, PortEntry } from '../../src/shared/model/firewall.ts';
import { filterLock } from '../support/filter-lock.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

const HAIRPIN: FirewallEntry = { kind: 'hairpin', device: 'isth0', subnet: '10.88.0.0/16' };
const WEB: PortEntry = {
  ...{ kind: 'port', protocol: 'tcp', hostPort: 8080, address: '10.88.0.2', port: 80 },
  ...{ snat: true, masqAll: false, conditions: [] },
};

describe('the iptables firewaller', () => {
  before(function () {
    skipIf(this, netnsMissing());
  });

  for (const variant of ['nft', 'legacy'] as const) {
    describe(`with iptables-${variant}`, () => {
      const nat = (ns: TestNetns): string => ns.run(`iptables-${variant}`, '-t', 'nat', '-S');

      for (const [title, conditions] of [
        ['an unknown match', ['-m', 'no-such-match']],
        ['a value that is none', ['-s', 'not-an-address']],
        ['the syntax of nft', ['ip saddr 192.0.2.1']],
        ['a target', ['-j', 'ACCEPT']],
        ['a target in one word', ['-s 192.0.2.1 -j ACCEPT']],
        ['a table', ['--table=filter']],
        ['a second line', ['-s', '192.0.2.1\n-A FORWARD -j ACCEPT']],
        ['the start of a quoted word', ['-s', '"192.0.2.1']],
      ] as const) {
        it(`refuses ${title} as a condition, names it, and changes nothing`, () =>
          withNamespace(async (ns, open) => {
            using firewaller = open(variant);
            await firewaller.add([HAIRPIN]);
            const before = nat(ns);
            await assert.rejects(
              () => firewaller.add([WEB, { ...WEB, hostPort: 8081, conditions }]),
              (error) => {
                assert.ok(error instanceof NetError);
                assert.equal(error.kind, 'invalid-config', error.message);
                assert.match(error.message, /conditionsV4/);
                return true;
              },
            );
            assert.equal(nat(ns), before);
          }));
      }

      it('accepts conditions on the source of a connection, with a mark too', () =>
        withNamespace(async (ns, open) => {
          using firewaller = open(variant);
          const marked: PortEntry = { ...WEB, conditions: ['-s', '192.0.2.0/24'], mark: { bit: 13 } };
          await firewaller.add([HAIRPIN, marked]);
          assert.deepEqual(await firewaller.missing([HAIRPIN, marked]), []);
          assert.match(nat(ns), /-s 192\.0\.2\.0\/24 .*-j DNAT/);
        }));

      it('leaves marking to a foreign chain, which must exist', () =>
        withNamespace(async (ns, open) => {
          using firewaller = open(variant);
          const marked: PortEntry = { ...WEB, mark: { chain: 'KUBE-MARK-MASQ' } };
          await assert.rejects(() => firewaller.add([HAIRPIN, marked]), /externalSetMarkChain.*KUBE-MARK-MASQ/);
          ns.run(`iptables-${variant}`, '-t', 'nat', '-N', 'KUBE-MARK-MASQ');
          await firewaller.add([HAIRPIN, marked]);
          assert.match(nat(ns), /--ctorigsrc 10\.88\.0\.0\/16 .*-j KUBE-MARK-MASQ/);
          assert.deepEqual(await firewaller.missing([HAIRPIN, marked]), []);
          assert.deepEqual(await firewaller.remove([marked, HAIRPIN]), []);
          assert.match(nat(ns), /-N KUBE-MARK-MASQ/);
          assert.doesNotMatch(nat(ns), /isthmus/i);
        }));

      it('finds the entries of another firewaller in the same namespace', () =>
        withNamespace(async (_, open) => {
          using first = open(variant);
          using second = open(variant);
          await first.add([HAIRPIN, WEB]);
          assert.deepEqual(await second.missing([HAIRPIN, WEB]), []);
          await assert.rejects(() => second.add([{ ...WEB, address: '10.88.0.3' }]), /tcp \*:8080.*10\.88\.0\.2:80/);
          assert.deepEqual(await second.remove([WEB]), []);
          assert.deepEqual(await first.missing([HAIRPIN, WEB]), [WEB]);
        }));
    });
  }

  it('with iptables-nft: keeps existing chains and their policy', () =>
    withNamespace(async (ns, open) => {
      ns.run('iptables-nft', '-t', 'nat', '-A', 'POSTROUTING', '-o', 'eth0', '-j', 'MASQUERADE');
      ns.run('iptables-nft', '-t', 'nat', '-D', 'POSTROUTING', '1');
      ns.run('iptables-nft', '-t', 'mangle', '-P', 'FORWARD', 'ACCEPT');
      const before = ns.run('nft', 'list', 'ruleset');
      assert.match(before, /chain POSTROUTING/);
      using firewaller = open('nft');
      const entries: FirewallEntry[] = [HAIRPIN, WEB, { kind: 'policy', device: 'isth0', policy: 'closed' }];
      await firewaller.add(entries);
      assert.deepEqual(await firewaller.remove(entries), []);
      assert.equal(ns.run('nft', 'list', 'ruleset'), before);
    }));

  it('with iptables-nft: keeps a chain that another program uses meanwhile', () =>
    withNamespace(async (ns, open) => {
      using firewaller = open('nft');
      await firewaller.add([HAIRPIN, WEB]);
      ns.run('iptables-nft', '-t', 'nat', '-A', 'POSTROUTING', '-o', 'eth0', '-j', 'MASQUERADE');
      await firewaller.reset(() => ({ entries: [HAIRPIN] }));
      assert.deepEqual(await firewaller.remove([HAIRPIN]), []);
      const left = ns.run('nft', 'list', 'ruleset');
      assert.match(left, /chain POSTROUTING \{[^}]*masquerade/);
      assert.doesNotMatch(left, /PREROUTING|OUTPUT|table ip raw|ISTHMUS/);
    }));

  it('uses the variant of the iptables command, and deletes the rules of the other', () =>
    withNamespace(async (ns, open) => {
      {
        using legacy = open('legacy');
        await legacy.add([HAIRPIN, WEB]);
      }
      using firewaller = open();
      assert.deepEqual(await firewaller.missing([HAIRPIN, WEB]), [HAIRPIN, WEB]);
      await firewaller.add([HAIRPIN, WEB]);
      assert.match(ns.run('iptables', '-t', 'nat', '-S'), /ISTHMUS-DNAT/);
      assert.deepEqual(await firewaller.remove([WEB, HAIRPIN]), []);
      assert.doesNotMatch(ns.run('iptables-nft', '-t', 'nat', '-S'), /isthmus/i);
      assert.doesNotMatch(ns.run('iptables-legacy', '-t', 'nat', '-S'), /isthmus/i);
    }));

  it('deletes nothing when nothing exists, and creates no table by reading', () =>
    withNamespace(async (ns, open) => {
      using firewaller = open();
      assert.deepEqual(await firewaller.remove([WEB, HAIRPIN]), []);
      assert.deepEqual(await firewaller.removeStray({ addresses: ['10.88.0.2'] }), []);
      assert.deepEqual(await firewaller.missing([WEB]), [WEB]);
      await firewaller.reset(() => ({ entries: [] }));
      assert.equal(
        ns.run('sh', '-c', 'nft list ruleset; cat /proc/net/ip_tables_names /proc/net/ip6_tables_names'),
        '',
      );
    }));
});

type Open = (variant?: 'nft' | 'legacy') => Firewaller;

async function withNamespace(work: (ns: TestNetns, open: Open) => Promise<void>): Promise<void> {
  using ns = makeNetns('ipt');
  using host = openLinuxHost({ ISTHMUS_HOST_ID: 'test' });
  using inside = host.open(ns.path);
  await work(ns, (variant) =>
    openIptables(inside, { lock: filterLock, ...(variant === undefined ? {} : { variant }) }),
  );
}
