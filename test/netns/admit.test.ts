import { strict as assert } from 'node:assert';
import { type Admitter, openAdmitter } from '../../src/shared/firewall/admit.ts';
import { KnownRuleset } from '../../src/shared/firewall/known-ruleset.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import type { AdmitEntry } from '../../src/shared/model/firewall.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

const DEV = 'isth0';
const OTHER = 'isth1';
const admit = (device: string): AdmitEntry => ({ kind: 'admit', device });
const JUMP = '-A FORWARD -m comment --comment isthmus -j ISTHMUS-FORWARD';
const ADMIN_JUMP = '-A ISTHMUS-FORWARD -m comment --comment "isthmus ISTHMUS-USER" -j ISTHMUS-USER';
const RULES = (device = DEV): string[] => [
  `-A ISTHMUS-FORWARD -o ${device} -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -m comment --comment "isthmus ${device} in" -j ACCEPT`,
  `-A ISTHMUS-FORWARD -i ${device} -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment "isthmus ${device} replies" -j ACCEPT`,
  `-A ISTHMUS-FORWARD -i ${device} -m comment --comment "isthmus ${device} out" -j ACCEPT`,
];
/** What an older release wrote. */
const OLDER = (chain: string, device = DEV): string[][] => [
  ['-I', chain, '-i', device, '-m', 'comment', '--comment', 'isthmus', '-j', 'ACCEPT'],
  ['-I', chain, '-o', device, '-m', 'comment', '--comment', 'isthmus', '-j', 'ACCEPT'],
];

for (const variant of ['nft', 'legacy'] as const) {
  for (const family of [4, 6] as const) {
    const tool = `${family === 4 ? 'iptables' : 'ip6tables'}-${variant}`;

    describe(`admission to ${tool}`, () => {
      let ns: TestNetns;
      let admitter: Admitter;
      let close: () => void = () => {};
      const iptables = (...args: string[]): string => ns.run(tool, ...args);
      const chain = (name: string): string[] => iptables('-S', name).trim().split('\n').slice(1);
      /** All rulesets; the legacy ones only if they exist, because reading creates them. */
      const everything = (): string =>
        ns
          .run(
            'sh',
            '-c',
            `nft list ruleset; iptables-nft-save; ip6tables-nft-save; cat /proc/net/ip_tables_names /proc/net/ip6_tables_names
           [ ${variant} = nft ] || ${tool}-save`,
          )
          .replace(/^# (Generated|Completed).*$/gm, '');

      before(function () {
        skipIf(this, netnsMissing());
      });

      beforeEach(() => {
        ns = makeNetns('adm');
        const host = openLinuxHost({ ISTHMUS_HOST_ID: 'test' });
        const inside = host.open(ns.path);
        admitter = openAdmitter(inside);
        close = () => {
          admitter[Symbol.dispose]();
          inside[Symbol.dispose]();
          host[Symbol.dispose]();
        };
      });

      afterEach(() => {
        close();
        ns[Symbol.dispose]();
      });

      it('creates no rule when there is no table', async () => {
        const before = ns.run('sh', '-c', 'nft list ruleset; cat /proc/net/ip_tables_names /proc/net/ip6_tables_names');
        assert.deepEqual(admitter.missing([admit(DEV)]), []);
        await admitter.add([admit(DEV)]);
        assert.deepEqual(await admitter.remove([admit(DEV)]), []);
        const after = ns.run('sh', '-c', 'nft list ruleset; cat /proc/net/ip_tables_names /proc/net/ip6_tables_names');
        assert.equal(after, before);
      });

      it('is there before anything drops in iptables-nft, and only then in iptables-legacy', async () => {
        iptables('-P', 'FORWARD', 'ACCEPT');
        iptables('-A', 'FORWARD', '-i', 'eth0', '-j', 'DROP');
        const before = everything();
        assert.deepEqual(admitter.missing([admit(DEV)], true), []);
        assert.deepEqual(admitter.missing([admit(DEV)]), variant === 'nft' ? [admit(DEV)] : []);
        await admitter.add([admit(DEV)]);
        if (variant === 'nft') assert.deepEqual(chain('FORWARD'), ['-A FORWARD -i eth0 -j DROP', JUMP]);
        else assert.equal(everything(), before);
        iptables('-P', 'FORWARD', 'DROP');
        assert.deepEqual(admitter.missing([admit(DEV)], true), variant === 'nft' ? [] : [admit(DEV)]);
        iptables('-P', 'FORWARD', 'ACCEPT');
        assert.deepEqual(await admitter.remove([admit(DEV)]), []);
        assert.equal(everything(), before);
      });

      it('stands behind the rules of others, once, until it is deleted', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        iptables('-A', 'FORWARD', '-i', 'eth0', '-j', 'ACCEPT');
        const before = everything();
        assert.deepEqual(admitter.missing([DEV, OTHER].map(admit)), [DEV, OTHER].map(admit));
        await admitter.add([admit(DEV)]);
        assert.deepEqual(admitter.missing([DEV, OTHER].map(admit)), [admit(OTHER)]);
        assert.deepEqual(chain('FORWARD'), ['-A FORWARD -i eth0 -j ACCEPT', JUMP]);
        assert.deepEqual(chain('ISTHMUS-FORWARD'), [ADMIN_JUMP, ...RULES()]);
        const once = everything();
        await admitter.add([admit(DEV)]);
        assert.equal(everything(), once);
        await admitter.add([admit(OTHER)]);
        assert.deepEqual(await admitter.remove([admit(DEV)]), []);
        assert.deepEqual(chain('ISTHMUS-FORWARD'), [ADMIN_JUMP, ...RULES(OTHER)]);
        assert.deepEqual(await admitter.remove([OTHER, DEV].map(admit)), []);
        assert.equal(everything(), before);
      });

      for (const [what, rule] of [
        ['a final DROP', ['-j', 'DROP']],
        ['a final REJECT', ['-m', 'comment', '--comment', 'the end of it', '-j', 'REJECT']],
        ['a chain that ends in DROP', ['-j', 'MINE']],
        ['a final ACCEPT', ['-j', 'ACCEPT']],
      ] as const) {
        it(`precedes ${what}, also when that is inserted before it`, async () => {
          iptables('-P', 'FORWARD', 'DROP');
          iptables('-N', 'MINE');
          iptables('-A', 'MINE', '-j', 'LOG');
          iptables('-A', 'MINE', '-j', 'DROP');
          iptables('-A', 'FORWARD', '-i', 'eth0', '-j', 'LOG');
          if (what !== 'a final ACCEPT') iptables('-A', 'FORWARD', ...rule);
          await admitter.add([admit(DEV)]);
          assert.equal(chain('FORWARD')[1], JUMP);
          iptables('-I', 'FORWARD', ...rule);
          const isDropped = what !== 'a final ACCEPT';
          assert.deepEqual(admitter.missing([admit(DEV)], true), isDropped ? [admit(DEV)] : []);
          await admitter.add([admit(DEV)]);
          assert.deepEqual(admitter.missing([admit(DEV)], true), []);
          if (isDropped) assert.equal(chain('FORWARD')[0], JUMP);
          assert.equal(chain('FORWARD').filter((line) => line === JUMP).length, 1);
        });
      }

      it('precedes a jump of others that does not come back', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        iptables('-N', 'MINE');
        iptables('-A', 'MINE', '-i', 'eth0', '-j', 'ACCEPT');
        iptables('-A', 'FORWARD', '-i', 'eth0', '-g', 'MINE');
        iptables('-A', 'FORWARD', '-g', 'MINE');
        await admitter.add([admit(DEV)]);
        assert.equal(chain('FORWARD')[1], JUMP);
        assert.deepEqual(admitter.missing([admit(DEV)], true), []);
        iptables('-I', 'FORWARD', '-g', 'MINE');
        assert.deepEqual(admitter.missing([admit(DEV)], true), [admit(DEV)]);
        await admitter.add([admit(DEV)]);
        assert.equal(chain('FORWARD')[0], JUMP);
      });

      it('is dropped by a policy behind a jump that does not come back', async () => {
        iptables('-N', 'MINE');
        iptables('-A', 'MINE', '-i', 'eth0', '-j', 'ACCEPT');
        iptables('-A', 'FORWARD', '-g', 'MINE');
        iptables('-A', 'FORWARD', '-j', 'ACCEPT');
        iptables('-P', 'FORWARD', 'DROP');
        assert.deepEqual(admitter.missing([admit(DEV)], true), [admit(DEV)]);
      });

      it('goes where rules of others jump to our chains, and leaves these empty', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        await admitter.add([admit(DEV)]);
        iptables('-N', 'MINE');
        const theirs = ['-A MINE -i eth0 -j ISTHMUS-USER', '-A MINE -g ISTHMUS-FORWARD'];
        for (const rule of theirs) iptables(...rule.split(' '));
        assert.deepEqual(await admitter.remove([admit(DEV)]), []);
        assert.deepEqual(['FORWARD', 'ISTHMUS-FORWARD', 'ISTHMUS-USER'].flatMap(chain), []);
        assert.deepEqual(chain('MINE'), theirs);
        await admitter.add([admit(DEV)]);
        assert.deepEqual(chain('FORWARD'), [JUMP]);
        iptables('-F', 'MINE');
        await admitter.reset([]);
        assert.throws(() => chain('ISTHMUS-FORWARD'));
        assert.throws(() => chain('ISTHMUS-USER'));
      });

      it('moves behind rules that others append, at the next add', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        await admitter.add([admit(DEV)]);
        iptables('-A', 'FORWARD', '-i', DEV, '-o', 'eth0', '-j', 'DROP');
        assert.deepEqual(admitter.missing([admit(DEV)]), []);
        await admitter.add([admit(DEV)]);
        assert.deepEqual(chain('FORWARD'), [`-A FORWARD -i ${DEV} -o eth0 -j DROP`, JUMP]);
      });

      it('jumps to the chains of the administrator first, and deletes ISTHMUS-USER only if it is empty', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        iptables('-N', 'CNI-ADMIN');
        const before = chain('FORWARD');
        await admitter.add([admit(DEV)]);
        assert.deepEqual(
          chain('ISTHMUS-FORWARD').map((line) => line.split(' -j ')[1]),
          ['ISTHMUS-USER', 'CNI-ADMIN', ...['ACCEPT', 'ACCEPT', 'ACCEPT']],
        );
        iptables('-A', 'ISTHMUS-USER', '-o', DEV, '-p', 'tcp', '-j', 'DROP');
        await admitter.reset([admit(DEV)]);
        assert.deepEqual(await admitter.remove([admit(DEV)]), []);
        assert.deepEqual(chain('FORWARD'), before);
        assert.equal(chain('ISTHMUS-USER').length, 1);
        assert.throws(() => iptables('-S', 'ISTHMUS-FORWARD'));
        await admitter.add([admit(DEV)]);
        assert.equal(chain('ISTHMUS-USER').length, 1);
      });

      it('jumps to a chain of the administrator before anything drops, and leaves nothing', async () => {
        iptables('-N', 'CNI-ADMIN');
        iptables('-N', 'MINE');
        const before = everything();
        await admitter.add([{ ...admit(DEV), admin: 'MINE' }]);
        assert.deepEqual(
          chain('ISTHMUS-FORWARD').flatMap((line) => /-j (?!ACCEPT)(\S+)$/.exec(line)?.[1] ?? []),
          ['ISTHMUS-USER', 'CNI-ADMIN', 'MINE'],
        );
        assert.equal(chain('FORWARD').length, 1);
        const once = everything();
        // Another network names no chain.
        await admitter.add([admit(DEV), admit(OTHER)]);
        assert.deepEqual(await admitter.remove([admit(OTHER)]), []);
        assert.equal(everything(), once);
        assert.deepEqual(await admitter.remove([admit(DEV)]), []);
        assert.equal(everything(), before);
      });

      it('keeps working where the administrator drops everything in ISTHMUS-USER', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        await admitter.add([admit(DEV)]);
        iptables('-A', 'ISTHMUS-USER', '-j', 'DROP');
        const once = everything();
        assert.deepEqual(admitter.missing([admit(DEV)]), []);
        await admitter.add([admit(DEV)]);
        assert.equal(everything(), once);
      });

      it('accepts connections from prefixes of its own family, and from everywhere where asked for', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        const from = ['10.0.0.0/9', '192.0.2.0/25', '198.51.100.7/32', 'fd00:1::/33', '2001:db8::/64'];
        await admitter.add([{ ...admit(DEV), from, reachable: true }]);
        const sources = from.filter((source) => source.includes(':') === (family === 6));
        assert.deepEqual(chain('ISTHMUS-FORWARD').slice(RULES().length + 1), [
          ...sources.map(
            (source) =>
              `-A ISTHMUS-FORWARD -s ${source} -o ${DEV} -m comment --comment "isthmus ${DEV} from ${source}" -j ACCEPT`,
          ),
          `-A ISTHMUS-FORWARD -o ${DEV} -m comment --comment "isthmus ${DEV} reachable" -j ACCEPT`,
        ]);
        assert.deepEqual(admitter.missing([{ ...admit(DEV), from, reachable: true }]), []);
        // Another network on the same bridge asks for less.
        const all = chain('ISTHMUS-FORWARD');
        await admitter.add([admit(DEV)]);
        assert.deepEqual(chain('ISTHMUS-FORWARD'), all);
        await admitter.reset([admit(DEV)]);
        assert.deepEqual(chain('ISTHMUS-FORWARD'), [ADMIN_JUMP, ...RULES()]);
      });

      it('accepts traffic between the ports of a bridge with an uplink, and nothing else that comes from there', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        ns.run('ip', 'link', 'add', DEV, 'type', 'bridge');
        ns.run('ip', 'link', 'add', 'eth7', 'type', 'veth', 'peer', 'name', 'eth8');
        ns.run('ip', 'link', 'add', 'link', 'eth7', 'name', 'lan0', 'type', 'macvlan');
        ns.run('ip', 'link', 'set', 'lan0', 'master', DEV);
        await admitter.add([admit(DEV)]);
        assert.deepEqual(
          chain('ISTHMUS-FORWARD').at(-1),
          `-A ISTHMUS-FORWARD -i ${DEV} -o ${DEV} -m comment --comment "isthmus ${DEV} across" -j ACCEPT`,
        );
        assert.deepEqual(admitter.missing([admit(DEV)]), []);
        ns.run('ip', 'link', 'set', 'lan0', 'nomaster');
        await admitter.add([admit(DEV)]);
        assert.deepEqual(chain('ISTHMUS-FORWARD'), [ADMIN_JUMP, ...RULES()]);
      });

      it('leaves new connections to bridges of others to their rules, and looks again at each add', async () => {
        const top = (): string[] =>
          chain('ISTHMUS-FORWARD').map((line) => line.replace(/^-A ISTHMUS-FORWARD |-m comment .*(?=-j)/g, ''));
        const bridge = (name: string): void => {
          ns.run('ip', 'link', 'add', name, 'type', 'bridge');
        };
        iptables('-P', 'FORWARD', 'DROP');
        for (const name of [DEV, 'lab0', 'up0']) bridge(name);
        ns.run('ip', 'link', 'add', 'eth7', 'type', 'veth', 'peer', 'name', 'eth8');
        ns.run('ip', 'link', 'add', 'link', 'eth7', 'name', 'lan0', 'type', 'macvlan');
        ns.run('ip', 'link', 'set', 'lan0', 'master', 'up0');
        await admitter.add([admit(DEV)]);
        const known = (device: string): string[] => [
          `-o ${device} -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT`,
          `-i ${device} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
        ];
        assert.deepEqual(top(), ['-j ISTHMUS-USER', ...known(DEV), '-o lab0 -j RETURN', `-i ${DEV} -j ACCEPT`]);
        bridge(OTHER);
        bridge('lab1');
        await admitter.add([admit(OTHER)]);
        assert.deepEqual(top(), [
          '-j ISTHMUS-USER',
          ...known(DEV),
          ...known(OTHER),
          '-o lab0 -j RETURN',
          '-o lab1 -j RETURN',
          ...[DEV, OTHER].map((device) => `-i ${device} -j ACCEPT`),
        ]);
        ns.run('ip', 'link', 'delete', 'lab0');
        await admitter.reset([admit(DEV)]);
        assert.deepEqual(
          top().filter((line) => line.endsWith('RETURN')),
          [OTHER, 'lab1']
            .map((name) => `-o ${name} -j RETURN`)
            .toSorted()
            .reverse(),
        );
        const before = chain('FORWARD');
        assert.deepEqual(await admitter.remove([admit(DEV)]), []);
        assert.equal(chain('FORWARD').length, before.length - 1);
        assert.throws(() => iptables('-S', 'ISTHMUS-FORWARD'));
      });

      for (const place of ['FORWARD', 'DOCKER-USER']) {
        it(`replaces the rules of an older release in ${place}`, async () => {
          iptables('-P', 'FORWARD', 'DROP');
          iptables('-N', 'DOCKER-USER');
          iptables('-A', 'DOCKER-USER', '-j', 'RETURN');
          iptables('-A', 'FORWARD', '-j', 'DOCKER-USER');
          const before = everything();
          for (const device of [DEV, OTHER]) for (const rule of OLDER(place, device)) iptables(...rule);
          await admitter.add([admit(DEV)]);
          assert.deepEqual(
            chain(place).filter((line) => line.includes(` ${DEV} `)),
            [],
          );
          assert.equal(chain(place).filter((line) => line.includes(` ${OTHER} `)).length, 2);
          await admitter.reset([admit(DEV)]);
          assert.deepEqual(
            chain(place).filter((line) => line.includes(` ${OTHER} `)),
            [],
          );
          for (const rule of OLDER(place, OTHER)) iptables(...rule);
          assert.deepEqual(await admitter.remove([DEV, OTHER].map(admit)), []);
          assert.equal(everything(), before);
        });
      }

      it('stands behind the chains of Docker, and leaves DOCKER-USER alone', async () => {
        for (const name of ['BEFORE', 'DOCKER-USER', 'ZLAST']) iptables('-N', name);
        for (const name of ['ZLAST', 'BEFORE', 'DOCKER-USER']) iptables('-A', 'FORWARD', '-j', name);
        iptables('-P', 'FORWARD', 'DROP');
        const before = everything();
        await admitter.add([admit(DEV)]);
        assert.deepEqual(chain('DOCKER-USER'), []);
        assert.deepEqual(chain('FORWARD').at(-1), JUMP);
        assert.deepEqual(await admitter.remove([admit(DEV)]), []);
        assert.equal(everything(), before);
      });

      it('is not missing when an accept for all precedes the policy, or a condition the drop', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        iptables('-N', 'SOME');
        iptables('-A', 'SOME', '-i', 'eth0', '-j', 'RETURN');
        iptables('-A', 'SOME', '-j', 'ACCEPT');
        iptables('-A', 'FORWARD', '-p', 'udp', '-j', 'DROP');
        iptables('-A', 'FORWARD', '-g', 'SOME');
        assert.deepEqual(admitter.missing([admit(DEV)], true), []);
        iptables('-F', 'SOME');
        assert.deepEqual(admitter.missing([admit(DEV)], true), [admit(DEV)]);
      });

      it('sees what another backend of the same process has added', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        const host = openLinuxHost({ ISTHMUS_HOST_ID: 'test' });
        const inside = host.open(ns.path);
        const known = new KnownRuleset();
        using first = openAdmitter(inside, known);
        using second = openAdmitter(inside, known);
        assert.deepEqual(first.missing([admit(DEV)]), [admit(DEV)]);
        await second.add([admit(DEV)]);
        assert.deepEqual(chain('ISTHMUS-FORWARD'), [ADMIN_JUMP, ...RULES()]);
        assert.deepEqual(second.missing([admit(DEV)]), []);
        await first.add([admit(DEV)]);
        assert.deepEqual(chain('ISTHMUS-FORWARD'), [ADMIN_JUMP, ...RULES()]);
        assert.deepEqual(chain('FORWARD'), [JUMP]);
        inside[Symbol.dispose]();
        host[Symbol.dispose]();
      });

      it('is complete again after any of its rules was deleted', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        await admitter.add([admit(DEV)]);
        const [whole, top] = [chain('ISTHMUS-FORWARD'), chain('FORWARD')];
        for (const line of [...whole, ...top]) {
          ns.run('sh', '-c', `${tool} ${line.replace('-A', '-D')}`);
          assert.deepEqual(admitter.missing([admit(DEV)]), [admit(DEV)], line);
          await admitter.add([admit(DEV)]);
          assert.deepEqual(admitter.missing([admit(DEV)]), []);
          assert.deepEqual(chain('ISTHMUS-FORWARD').toSorted(), whole.toSorted());
          assert.deepEqual(chain('FORWARD'), top);
        }
        assert.equal(chain('ISTHMUS-FORWARD')[0], ADMIN_JUMP);
      });

      it('is recognised after a save and restore, and reset keeps only what it names', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        iptables('-A', 'FORWARD', '-i', 'isth+', '-j', 'ACCEPT', '-m', 'comment', '--comment', 'isthmus');
        iptables('-A', 'FORWARD', '-i', DEV, '-j', 'ACCEPT');
        const before = chain('FORWARD');
        await admitter.add([DEV, OTHER].map(admit));
        ns.run(
          'sh',
          '-c',
          `${tool}-save >/dev/shm/${ns.name}; ${tool}-restore </dev/shm/${ns.name}; rm /dev/shm/${ns.name}`,
        );
        assert.deepEqual(admitter.missing([DEV, OTHER].map(admit)), []);
        await admitter.reset([admit(OTHER)]);
        assert.deepEqual(admitter.missing([DEV, OTHER].map(admit)), [admit(DEV)]);
        await admitter.reset([]);
        assert.deepEqual(chain('FORWARD'), before);
      });
    });
  }
}
