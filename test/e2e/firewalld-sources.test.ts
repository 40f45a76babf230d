import { strict as assert } from 'node:assert';
import { cpSync, existsSync } from 'node:fs';
import { makePods, type Pods } from '../support/docker-pods.ts';
import { binDir } from '../support/e2e.ts';
import {
  allZones,
  changePermanentZone,
  changeZone,
  FIREWALLD,
  membersOf,
  permanentMembersOf,
  resetPermanentZone,
} from '../support/firewalld.ts';
import { type FirewalldLab, useFirewalldLab } from '../support/firewalld-lab.ts';
import type { NetworkList } from '../support/runtime.ts';
import { skipIf } from '../support/skip.ts';
import { succeeds, waitFor } from '../support/test-host.ts';
import { installedFile } from '../support/via.ts';

const REFERENCE = '/usr/lib/cni';
const NAMES = ['bridge', 'firewall', 'host-local', 'isthmus'] as const;
/** The addresses of the first two pods. */
const [ONE, TWO] = [
  ['10.88.0.2/32', 'fd00:88::2/128'],
  ['10.88.0.3/32', 'fd00:88::3/128'],
] as const;
const ADMIN = '192.0.2.99/32';
const DELETE_FILTERS = "nft list tables | sed -n 's/table .* filter$/delete &/p' | nft -f -";

/** The chain of the reference's documentation, with these options of the plugin `firewall`. */
function listOf(firewall: Readonly<Record<string, unknown>>): NetworkList {
  const ranges = [[{ subnet: '10.88.0.0/24' }], [{ subnet: 'fd00:88::/64' }]];
  const bridge = { type: 'bridge', bridge: 'cni0', isGateway: true, ipam: { type: 'host-local', ranges } };
  return {
    name: 'web',
    cniVersion: '1.0.0',
    disableCheck: false,
    plugins: [bridge, { type: 'firewall', ...firewall }],
  };
}

for (const via of ['reference', 'alone', 'daemon'] as const) {
  describe(`sources in zones of firewalld, ${via}`, function () {
    this.timeout(60_000);
    const isOurs = via !== 'reference';
    const all: Pods[] = [];
    let lab: FirewalldLab;

    const shell = (script: string): string => lab.host.run('sh', '-c', `set -e\n${script}`);
    const sourcesIn = (zone: string): string[] => membersOf(lab.host, zone, 'Sources');
    const podsWith = (firewall: Readonly<Record<string, unknown>>, cniVersion = '1.0.0'): Pods => {
      const list = { ...listOf(firewall), cniVersion };
      const pods = makePods(lab.host, via === 'daemon' ? via : 'alone', list, isOurs ? [] : ['/run/reference']);
      if (via === 'daemon')
        for (const name of NAMES) shell(`ln -sf ${installedFile(via)} ${pods.plugin.replace(/[^/]*$/, name)}`);
      all.push(pods);
      return pods;
    };

    before(function () {
      const lacking = [FIREWALLD, ...(isOurs ? [] : [REFERENCE])].find((path) => !existsSync(path));
      skipIf(this, lacking && `${lacking} is missing: install firewalld and containernetworking-plugins`);
    });

    const useLab = useFirewalldLab({
      hasDaemon: via === 'daemon',
      prepare(host) {
        if (!isOurs) return cpSync(REFERENCE, host.outside('/run/reference'), { recursive: true });
        const links = NAMES.map((name) => `ln -sf ${installedFile('alone')} ${binDir}/${name}`);
        host.run('sh', '-ec', `mkdir -p ${binDir}; ${links.join('; ')}`);
      },
      undo(host) {
        for (const pods of all) pods[Symbol.dispose]();
        if (membersOf(host, 'work', 'Sources').includes(ADMIN)) changeZone(host, 'removeSource', 'work', ADMIN);
        // The reference leaves its bridge and the last addresses, and iptables the table of its chains.
        if (!isOurs) host.run('sh', '-ec', `ip link delete cni0; rm -rf /var/lib/cni; ${DELETE_FILTERS}`);
      },
    });

    beforeEach(() => {
      lab = useLab();
      changeZone(lab.host, 'addSource', 'work', ADMIN);
    });

    afterEach(() => {
      for (const pods of all.splice(0)) pods.forget();
    });

    it('puts the addresses of a pod into the zone, for now only, and takes them out with the pod', () => {
      const pods = podsWith({ backend: 'firewalld', firewalldZone: 'work' });
      const before = allZones(lab.host);
      pods.add('one');
      pods.add('two');
      assert.deepEqual(sourcesIn('work'), [...ONE, ...TWO, ADMIN].toSorted());
      assert.deepEqual(permanentMembersOf(lab.host, 'work', 'Sources'), []);
      pods.check('one');
      pods.del('one');
      assert.deepEqual(sourcesIn('work'), [...TWO, ADMIN].toSorted());
      pods.del('two');
      if (isOurs) assert.equal(allZones(lab.host), before);
      assert.deepEqual(sourcesIn('work'), [ADMIN]);
    });

    it('without a backend uses firewalld while it runs, and zone trusted', async () => {
      const pods = podsWith({});
      pods.add('one');
      assert.deepEqual(sourcesIn('trusted'), [...ONE].toSorted());
      pods.check('one');
      pods.del('one');
      assert.deepEqual(sourcesIn('trusted'), []);
      await lab.site.firewalld.stop();
      const made = lab.calls();
      pods.add('two');
      pods.check('two');
      pods.del('two');
      assert.equal(lab.calls(), made, 'no program runs without firewalld');
      await lab.site.startAgain();
      assert.deepEqual(sourcesIn('trusted'), []);
    });

    it('with another backend leaves the zones alone', () => {
      const pods = podsWith({ backend: 'iptables', firewalldZone: 'work' });
      pods.add('one');
      assert.deepEqual([sourcesIn('work'), sourcesIn('trusted')], [[ADMIN], []]);
      pods.del('one');
    });

    it('applies the zone to the pod: one that drops closes the host to it', () => {
      const pods = podsWith({ backend: 'firewalld', firewalldZone: 'drop' });
      const open = podsWith({ backend: 'firewalld' });
      pods.add('one');
      open.add('two');
      open.assertPings('two', '10.88.0.1');
      const ping = ['busybox', 'ping', '-c', '1', '-W', '1', '10.88.0.1'];
      assert.notEqual(pods.attempt('one', ...ping).code, 0);
      pods.del('one');
      open.del('two');
    });

    it('refuses a zone that firewalld lacks, and a pod without firewalld that has to run', async () => {
      const before = allZones(lab.host);
      const pods = podsWith({ backend: 'firewalld', firewalldZone: 'nowhere' });
      assert.throws(
        () => pods.add('one'),
        isOurs ? /\.firewalldZone=.*nowhere.*firewalld has no such zone.*--get-zones/s : /INVALID_ZONE/,
      );
      pods.del('one');
      if (isOurs) assert.equal(allZones(lab.host), before);
      await lab.site.firewalld.stop();
      const more = podsWith({ backend: 'firewalld' });
      assert.throws(() => more.add('two'), isOurs ? /\.backend=.*firewalld does not run.*Start it/s : /failed to add/);
      more.del('two');
      await lab.site.startAgain();
    });

    it('leaves a source in the other zone where the administrator has it', () => {
      changeZone(lab.host, 'addSource', 'home', ONE[0]);
      const pods = podsWith({ backend: 'firewalld', firewalldZone: 'work' });
      assert.throws(() => pods.add('one'), isOurs ? /10\.88\.0\.2\/32.*another zone.*remove-source/s : /ZONE_CONFLICT/);
      pods.del('one');
      assert.deepEqual([sourcesIn('home'), sourcesIn('work')], [[ONE[0]], [ADMIN]]);
      changeZone(lab.host, 'removeSource', 'home', ONE[0]);
    });

    if (!isOurs) return;

    it("leaves the administrator's own entry for the same address", () => {
      changeZone(lab.host, 'addSource', 'work', ONE[0]);
      const pods = podsWith({ backend: 'firewalld', firewalldZone: 'work' });
      pods.add('one');
      assert.deepEqual(sourcesIn('work'), [...ONE, ADMIN].toSorted());
      pods.check('one');
      pods.del('one');
      assert.deepEqual(sourcesIn('work'), [ONE[0], ADMIN].toSorted());
      changeZone(lab.host, 'removeSource', 'work', ONE[0]);
    });

    it('leaves an address that has become permanent', () => {
      const pods = podsWith({ backend: 'firewalld', firewalldZone: 'work' });
      pods.add('one');
      changePermanentZone(lab.host, 'addSource', 'work', ONE[0]);
      pods.del('one');
      assert.deepEqual(sourcesIn('work'), [ONE[0], ADMIN].toSorted());
      resetPermanentZone(lab.host, 'work');
      changeZone(lab.host, 'removeSource', 'work', ONE[0]);
    });

    const isBack = async (pods: Pods, what: string): Promise<void> => {
      const isThere = (): boolean => ONE.every((source) => sourcesIn('work').includes(source));
      // The daemon puts back the rules that were flushed as well, one after the other.
      if (via === 'daemon')
        await waitFor(
          `the addresses are back after ${what}`,
          () => isThere() && succeeds(() => pods.check('one')),
          15_000,
        );
      else {
        assert.throws(() => pods.check('one'), /lacks|not in zone/, what);
        lab.host.run('env', `PATH=${process.env.PATH}`, `${binDir}/isthmus`, 'reload');
        assert.ok(isThere(), what);
      }
      pods.check('one');
    };

    it('restores sources after a reload, after a restart, and after firewall-cmd removes one', async () => {
      const pods = podsWith({ backend: 'firewalld', firewalldZone: 'work' });
      pods.add('one');
      shell('firewall-cmd --reload');
      await isBack(pods, 'reload');
      changeZone(lab.host, 'removeSource', 'work', ONE[1]);
      await isBack(pods, 'removal');
      await lab.site.firewalld.stop();
      await lab.site.startAgain();
      await isBack(pods, 'restart');
      pods.del('one');
      assert.deepEqual(sourcesIn('work'), []);
    });

    it('GC removes those of pods that are gone', () => {
      const pods = podsWith({ backend: 'firewalld', firewalldZone: 'work' }, '1.1.0');
      pods.add('one');
      pods.add('two');
      pods.collectGarbage('one');
      assert.deepEqual(sourcesIn('work'), [...TWO, ADMIN].toSorted());
      pods.del('two');
    });

    it('adds and deletes with a firewalld that was killed: required, it fails; else it is used again later', async () => {
      lab.spoil('host');
      const pods = podsWith({});
      const strict = podsWith({ backend: 'firewalld' });
      pods.add('one');
      lab.host.run('sh', '-c', 'kill -KILL $(cat /run/isth/firewalld.pid)');
      await lab.site.firewalld.ended;
      pods.add('two');
      assert.throws(() => strict.add('three'), /zone trusted was not changed/);
      strict.del('three');
      for (const name of ['one', 'two']) pods.del(name);
    });
  });
}
