import { strict as assert } from 'node:assert';
import { type Admitter, openAdmitter } from '../../src/shared/firewall/admit.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';

const DEV = 'isth0';
const OTHER = 'isth1';
const RULES = (chain: string, device = DEV): string[] => [
  `-A ${chain} -i ${device} -m comment --comment isthmus -j ACCEPT`,
  `-A ${chain} -o ${device} -m comment --comment isthmus -j ACCEPT`,
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
        assert.deepEqual(admitter.missing([DEV]), []);
        await admitter.add([DEV]);
        assert.deepEqual(await admitter.remove([DEV]), []);
        const after = ns.run('sh', '-c', 'nft list ruleset; cat /proc/net/ip_tables_names /proc/net/ip6_tables_names');
        assert.equal(after, before);
      });

      it('creates no rule when nothing is dropped', async () => {
        iptables('-P', 'FORWARD', 'ACCEPT');
        iptables('-A', 'FORWARD', '-i', 'eth0', '-j', 'DROP');
        const before = everything();
        await admitter.add([DEV]);
        assert.deepEqual(admitter.missing([DEV]), []);
        assert.equal(everything(), before);
      });

      it('is at the head of a FORWARD with policy DROP, once, until it is deleted', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        iptables('-A', 'FORWARD', '-i', 'eth0', '-j', 'ACCEPT');
        const before = everything();
        assert.deepEqual(admitter.missing([DEV, OTHER]), [DEV, OTHER]);
        await admitter.add([DEV]);
        assert.deepEqual(admitter.missing([DEV, OTHER]), [OTHER]);
        assert.deepEqual(chain('FORWARD'), [...RULES('FORWARD'), '-A FORWARD -i eth0 -j ACCEPT']);
        const once = everything();
        await admitter.add([DEV]);
        assert.equal(everything(), once);
        await admitter.add([OTHER]);
        assert.deepEqual(await admitter.remove([DEV]), []);
        assert.deepEqual(chain('FORWARD').slice(0, 2), RULES('FORWARD', OTHER));
        assert.deepEqual(await admitter.remove([OTHER, DEV]), []);
        assert.equal(everything(), before);
      });

      for (const [what, rule] of [
        ['a final DROP', ['-j', 'DROP']],
        ['a final REJECT', ['-m', 'comment', '--comment', 'the end of it', '-j', 'REJECT']],
        ['a chain that ends in DROP', ['-j', 'MINE']],
      ] as const) {
        it(`precedes ${what}, also when that is inserted before it`, async () => {
          iptables('-N', 'MINE');
          iptables('-A', 'MINE', '-j', 'LOG');
          iptables('-A', 'MINE', '-j', 'DROP');
          iptables('-A', 'FORWARD', ...rule);
          await admitter.add([DEV]);
          assert.deepEqual(chain('FORWARD').slice(0, 2), RULES('FORWARD'));
          iptables('-I', 'FORWARD', ...rule);
          assert.deepEqual(admitter.missing([DEV]), [DEV]);
          await admitter.add([DEV]);
          assert.deepEqual(admitter.missing([DEV]), []);
          assert.deepEqual(chain('FORWARD').slice(0, 2), RULES('FORWARD'));
          assert.equal(chain('FORWARD').length, 4);
        });
      }

      it('moves to DOCKER-USER when that appears, after the restrictions in it', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        await admitter.add([DEV]);
        iptables('-N', 'DOCKER-USER');
        iptables(
          '-A',
          'DOCKER-USER',
          '-s',
          '192.0.2.1'.replace(/.*/, family === 4 ? '$&' : '2001:db8::1'),
          '-j',
          'DROP',
        );
        iptables('-A', 'DOCKER-USER', '-j', 'RETURN');
        assert.deepEqual(admitter.missing([DEV]), []);
        iptables('-I', 'FORWARD', '-j', 'DOCKER-USER');
        assert.deepEqual(admitter.missing([DEV]), [DEV]);
        await admitter.add([DEV, OTHER]);
        assert.deepEqual(admitter.missing([DEV, OTHER]), []);
        assert.deepEqual(chain('FORWARD'), ['-A FORWARD -j DOCKER-USER']);
        const docker = chain('DOCKER-USER');
        assert.equal(docker.length, 6);
        assert.match(docker[0] ?? '', /-j DROP$/);
        assert.match(docker[5] ?? '', /-j RETURN$/);
        assert.deepEqual(docker.slice(1, 5), [...RULES('DOCKER-USER'), ...RULES('DOCKER-USER', OTHER)]);
      });

      it('is appended to a DOCKER-USER without RETURN', async () => {
        iptables('-N', 'DOCKER-USER');
        iptables('-A', 'DOCKER-USER', '-i', 'eth0', '-p', 'tcp', '-j', 'DROP');
        iptables('-A', 'FORWARD', '-j', 'DOCKER-USER');
        await admitter.add([DEV]);
        assert.deepEqual(chain('DOCKER-USER').slice(1), RULES('DOCKER-USER'));
      });

      it('is the only rule of an empty DOCKER-USER, among other empty chains', async () => {
        for (const name of ['BEFORE', 'DOCKER-USER', 'ZLAST']) iptables('-N', name);
        for (const name of ['ZLAST', 'BEFORE', 'DOCKER-USER']) iptables('-A', 'FORWARD', '-j', name);
        iptables('-A', 'FORWARD', '-m', 'comment', '--comment', 'does nothing');
        const before = everything();
        await admitter.add([DEV]);
        assert.deepEqual(chain('DOCKER-USER'), RULES('DOCKER-USER'));
        assert.deepEqual(await admitter.remove([DEV]), []);
        assert.equal(everything(), before);
      });

      it('is absent when an accept for all precedes the policy, or a condition the drop', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        iptables('-N', 'SOME');
        iptables('-A', 'SOME', '-i', 'eth0', '-j', 'RETURN');
        iptables('-A', 'SOME', '-j', 'ACCEPT');
        iptables('-A', 'FORWARD', '-p', 'udp', '-j', 'DROP');
        iptables('-A', 'FORWARD', '-g', 'SOME');
        assert.deepEqual(admitter.missing([DEV]), []);
        iptables('-F', 'SOME');
        assert.deepEqual(admitter.missing([DEV]), [DEV]);
      });

      it('is complete again after half of it was deleted', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        await admitter.add([DEV]);
        iptables('-D', 'FORWARD', '-o', DEV, '-m', 'comment', '--comment', 'isthmus', '-j', 'ACCEPT');
        assert.deepEqual(admitter.missing([DEV]), [DEV]);
        await admitter.add([DEV]);
        assert.deepEqual(chain('FORWARD'), RULES('FORWARD'));
      });

      it('is recognised after a save and restore, and reset keeps only what it names', async () => {
        iptables('-P', 'FORWARD', 'DROP');
        iptables('-A', 'FORWARD', '-i', 'isth+', '-j', 'ACCEPT', '-m', 'comment', '--comment', 'isthmus');
        iptables('-A', 'FORWARD', '-i', DEV, '-j', 'ACCEPT');
        const before = chain('FORWARD');
        await admitter.add([DEV, OTHER]);
        ns.run(
          'sh',
          '-c',
          `${tool}-save >/dev/shm/${ns.name}; ${tool}-restore </dev/shm/${ns.name}; rm /dev/shm/${ns.name}`,
        );
        assert.deepEqual(admitter.missing([DEV, OTHER]), []);
        await admitter.reset([OTHER]);
        assert.deepEqual(admitter.missing([DEV, OTHER]), [DEV]);
        await admitter.reset([]);
        assert.deepEqual(chain('FORWARD'), before);
      });
    });
  }
}
