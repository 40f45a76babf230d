import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { missingEsp } from '../../src/shared/core/remote/esp.ts';
import { openLinuxHost } from '../../src/shared/host/linux-host.ts';
import { until } from '../support/daemon-site.ts';
import { type Creation, DockerCaller, Refusal } from '../support/docker-caller.ts';
import { assertGone, describeOverlay, reachEachOther, reaches } from '../support/overlay-lab.ts';
import type { Member } from '../support/overlay-site.ts';
import { contentKeys, devicesOf, keysOf } from '../support/overlay-tables.ts';
import { skipIf } from '../support/skip.ts';

const SENTENCE = /network web: this kernel has no ESP \(CONFIG_INET_ESP\) with AES-GCM \(CONFIG_CRYPTO_GCM\)/;
const ROOT = '/isthmus/test/v1/';
const DOCKER: Creation = {
  subnet: '10.100.0.0/16',
  o: { driver: 'overlay', network: 'web' },
  ipamOpt: { network: 'web' },
};

function lacking(): string | undefined {
  using host = openLinuxHost();
  return missingEsp(host, 4);
}

const xfrm = ({ site }: Member): string => site.host.ns.ip('xfrm', 'state') + site.host.ns.ip('xfrm', 'policy');

describeOverlay('encrypted overlay networks', { hosts: 2, pods: 1 }, (lab) => {
  const docker = (index: number): DockerCaller => new DockerCaller(join(lab.host(index).site.runDir, 'docker.sock'));
  /** Nothing of a network is there, and no key. */
  const assertNothing = (): void => {
    for (const member of lab.members) {
      assert.deepEqual(devicesOf(member.site.host.ns), []);
      assert.equal(xfrm(member), '');
      assert.doesNotMatch(member.site.host.pod(0).ip('-o', 'link'), /eth0/);
    }
    const keys = keysOf(lab.overlay);
    assert.equal(keys.has('esp-keys'), false);
    for (const [key, value] of keys) if (key.startsWith('host/')) assert.doesNotMatch(value, /"esp"/);
  };
  const refusedByDocker = async (index: number, more: Record<string, string>): Promise<string> => {
    using caller = docker(index);
    try {
      await caller.createNetwork({ ...DOCKER, o: { ...DOCKER.o, ...more } });
    } catch (thrown) {
      if (thrown instanceof Refusal) return thrown.message;
      throw thrown;
    }
    return assert.fail('the network was made');
  };

  describe('on a kernel without ESP', () => {
    before(function () {
      skipIf(this, lacking() === undefined ? 'this kernel has ESP' : undefined);
    });

    for (const mode of ['shared', 'per-host'])
      it(`${mode}: an ADD is refused before anything is made`, () => {
        const config = lab.overlay.network('web', { mode, encrypted: true });
        const { code, json } = lab.host(0).site.run('ADD', { pod: 0, config });
        assert.equal(code, 1);
        assert.equal(json?.code, 104, String(json?.msg));
        assert.match(json?.msg ?? '', SENTENCE);
        assert.deepEqual(contentKeys(lab.overlay), []);
        assertNothing();
      });

    for (const encrypted of ['on', 'true', ''])
      it(`docker network create -o encrypted=${encrypted} is refused before anything is made`, async () => {
        assert.match(await refusedByDocker(0, { encrypted }), SENTENCE);
        assert.deepEqual(contentKeys(lab.overlay), []);
        assertNothing();
      });

    it('a network that other hosts have encrypted is refused, and never carried in clear text', async () => {
      const { overlay, host } = lab;
      const plain = overlay.network('web', { mode: 'shared' });
      const sealed = overlay.network('web', { mode: 'shared', encrypted: true });
      host(0).add(0, plain);
      const made = [...keysOf(overlay)].filter(([key]) => /^(net|name|vni)\//.test(key));
      host(0).del(0, plain);
      await assertGone(overlay);
      for (const [key, value] of made)
        overlay.etcd.ctl('put', ROOT + key, value.replace('"encrypted":false', '"encrypted":true'));
      try {
        await until(() => host(1).site.run('ADD', { pod: 0, config: plain }).json?.code === 101, 'the record is known');
        const wrong = host(1).site.run('ADD', { pod: 0, config: plain });
        assert.match(wrong.json?.msg ?? '', /network web: the cluster has it with options .*"encrypted":true/);
        assert.match(host(1).site.run('ADD', { pod: 0, config: sealed }).json?.msg ?? '', SENTENCE);
        assert.match(await refusedByDocker(1, {}), SENTENCE);
        assert.match(await refusedByDocker(1, { encrypted: 'off' }), /options .*"encrypted":true.* not /);
        assertNothing();
      } finally {
        for (const [key] of made) overlay.etcd.ctl('del', ROOT + key);
      }
    });
  });

  describe('on a kernel with ESP', () => {
    before(function () {
      skipIf(this, lacking());
    });

    for (const mode of ['shared', 'per-host'] as const)
      it(`${mode}: pods reach each other, in ESP only, also with new keys; nothing is left`, async () => {
        const { members, overlay, host } = lab;
        const web = overlay.network('web', { mode, encrypted: true });
        const sniff = ['table netdev t {', 'chain c {', 'type filter hook ingress device "up0" priority 0;'];
        const rules = ['udp dport { 4789, 4790 } counter', 'ip protocol esp counter', '}', '}'];
        const { ns } = host(1).site.host;
        ns.run('nft', [...sniff, ...rules].join('\n'));
        const counted = (): number[] =>
          [...ns.run('nft', 'list', 'table', 'netdev', 't').matchAll(/counter packets (\d+)/g)].map(([, n]) =>
            Number(n),
          );
        const found = members.map((member) => member.add(0, web)[0] ?? assert.fail('no address'));
        await reachEachOther(members, 0, found);
        const before = keysOf(overlay).get('esp-keys');
        overlay.etcd.ctl('del', `${ROOT}esp-keys`);
        await until(() => ![undefined, before].includes(keysOf(overlay).get('esp-keys')), 'other keys');
        await reachEachOther(members, 0, found);
        for (const { site } of members) site.host.ns.ip('xfrm', 'state', 'flush');
        await reaches(host(0), 0, found[1] ?? '');
        const [plain, esp = 0] = counted();
        assert.equal(plain, 0, 'in clear text');
        assert.ok(esp > 0);
        ns.run('nft', 'delete', 'table', 'netdev', 't');
        for (const member of members) member.del(0, web);
        await assertGone(overlay);
        await until(() => members.every((member) => xfrm(member) === ''), 'no key is left in a kernel');
      });
  });
});
