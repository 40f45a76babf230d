import { strict as assert } from 'node:assert';
import { existsSync } from 'node:fs';
import { BRIDGE, makePods, type Pods } from '../support/docker-pods.ts';
import { binDir } from '../support/e2e.ts';
import {
  allZones,
  changePermanentZone,
  changeZone,
  FIREWALLD,
  permanentMembersOf,
  reloadZones,
  resetPermanentZone,
  zoneOfInterface,
} from '../support/firewalld.ts';
import { type FirewalldLab, replaceBusctl, useFirewalldLab } from '../support/firewalld-lab.ts';
import { skipIf } from '../support/skip.ts';
import { succeeds, waitFor } from '../support/test-host.ts';
import { installedFile } from '../support/via.ts';

for (const via of ['daemon', 'alone'] as const) {
  describe(`zones of firewalld, ${via}`, function () {
    this.timeout(60_000);
    let lab: FirewalldLab;
    let pods: Pods;

    const shell = (script: string): string => lab.host.run('sh', '-c', `set -e\n${script}`);
    const zoneOf = (device = BRIDGE): string => zoneOfInterface(lab.host, device);
    const permanent = (): string[] => permanentMembersOf(lab.host, 'trusted', 'Interfaces');
    const add = (...names: readonly string[]): void => {
      for (const name of names) pods.add(name);
    };

    before(function () {
      skipIf(this, existsSync(FIREWALLD) ? undefined : `${FIREWALLD} is missing: install firewalld`);
    });

    const useLab = useFirewalldLab({
      hasDaemon: via === 'daemon',
      prepare(host) {
        host.run('sh', '-ec', `mkdir -p ${binDir}; ln -s ${installedFile('alone')} ${binDir}/isthmus`);
      },
      undo: () => pods[Symbol.dispose](),
    });

    beforeEach(() => {
      lab = useLab();
      pods = makePods(lab.host, via);
    });

    afterEach(() => pods?.forget());

    it('puts the bridge into zone trusted, for now only, and takes it out with the last pod', () => {
      const before = allZones(lab.host);
      add('one');
      assert.equal(zoneOf(), 'trusted');
      assert.deepEqual(permanent(), []);
      const made = lab.calls();
      add('two');
      assert.equal(lab.calls(), made, 'an ADD of a network that is there starts no process');
      pods.check('one');
      pods.assertPings('one', '10.88.0.1');
      pods.del('one');
      assert.equal(zoneOf(), 'trusted');
      pods.del('two');
      assert.equal(allZones(lab.host), before);
    });

    it('adds two pods at once', async () => {
      const script = ['a', 'b', 'c'].map((name) => `ip netns add ${name}`).join('; ');
      shell(script);
      const config = JSON.stringify({ ...pods.runtime.list, ...pods.runtime.list.plugins[0], plugins: undefined });
      lab.host.write('/run/config', config);
      const call = (command: string): void =>
        void shell(
          `for n in a b c; do CNI_COMMAND=${command} CNI_CONTAINERID=$n CNI_IFNAME=eth0 CNI_NETNS=/run/netns/$n \\
             CNI_PATH=/opt/cni/bin ${pods.plugin} </run/config >/run/$n.json & echo $! >>/run/pids.${command}; done
           for pid in $(cat /run/pids.${command}); do wait $pid; done`,
        );
      call('ADD');
      assert.equal(zoneOf(), 'trusted');
      call('DEL');
      assert.equal(zoneOf(), '');
      shell('for n in a b c; do ip netns delete $n; done; rm /run/pids.*');
    });

    it('leaves a bridge in the zone that the administrator chose, and says so once', () => {
      changeZone(lab.host, 'addInterface', 'public', BRIDGE);
      const made = lab.calls();
      add('one', 'two');
      assert.equal(lab.calls(), made);
      assert.throws(() => pods.check('one'), /isth-web is in a zone of firewalld that does not accept/);
      assert.equal(zoneOf(), 'public');
      if (via === 'daemon') assert.equal(lab.logged().split('event=firewalld.left').length, 2);
      pods.del('one');
      pods.del('two');
      assert.equal(zoneOf(), 'public');
      changeZone(lab.host, 'removeInterface', 'public', BRIDGE);
    });

    it('leaves a bridge in the zone where the permanent configuration has it', () => {
      changePermanentZone(lab.host, 'addInterface', 'trusted', BRIDGE);
      reloadZones(lab.host);
      add('one');
      pods.del('one');
      assert.equal(zoneOf(), 'trusted');
      assert.deepEqual(permanent(), [BRIDGE]);
      resetPermanentZone(lab.host, 'trusted');
      changeZone(lab.host, 'removeInterface', 'trusted', BRIDGE);
    });

    const isBack = async (after: string): Promise<void> => {
      const begin = performance.now();
      // The daemon puts back the rules that were flushed as well, one after the other.
      if (via === 'daemon')
        await waitFor(
          `the bridge is back after ${after}`,
          () => zoneOf() === 'trusted' && succeeds(() => pods.check('one')),
          10_000,
        );
      else {
        assert.throws(() => pods.check('one'), /lacks/);
        pods.add(after);
      }
      if (process.env.ISTHMUS_FIREWALLD_TIMES) console.log(after, Math.round(performance.now() - begin), 'ms');
      assert.equal(zoneOf(), 'trusted');
      pods.check('one');
    };

    it('puts it back after a reload, and after somebody removed it', async () => {
      add('one');
      shell('firewall-cmd --reload');
      await isBack('reload');
      shell('firewall-cmd --complete-reload');
      await isBack('complete');
      changeZone(lab.host, 'removeInterface', 'trusted', BRIDGE);
      await isBack('removal');
    });

    it('puts it back after a restart, and needs no zone meanwhile', async () => {
      add('one');
      await lab.site.firewalld.stop();
      pods.check('one');
      add('meanwhile');
      await lab.site.startAgain();
      await isBack('restart');
    });

    it('finds the device of a renamed bridge', async () => {
      add('one');
      shell(`ip link set ${BRIDGE} down; ip link set ${BRIDGE} name other0; ip link set other0 up`);
      if (via === 'alone') add('two');
      else
        await waitFor('the bridge is there again', () => lab.host.attempt(['ip', 'link', 'show', BRIDGE]).code === 0);
      assert.equal(zoneOf(), 'trusted');
      assert.equal(zoneOf('other0'), '');
      shell('ip link delete other0');
    });

    it('does not wait for a program that hangs, and CHECK tells', () => {
      lab.spoil('tools');
      replaceBusctl(lab.host, 'exec sleep 1000');
      const begin = performance.now();
      add('one');
      const first = performance.now() - begin;
      assert.ok(first > 4000 && first < 12_000, `${first} ms`);
      if (via === 'daemon') {
        const again = performance.now();
        add('two');
        assert.ok(performance.now() - again < 3000, 'the next ADD does not wait again');
        assert.match(lab.logged(), /event=firewalld.failed/);
      }
      assert.throws(() => pods.check('one'), /lacks/);
      pods.del('one');
    });

    it('uses dbus-send without busctl, and firewall-cmd without both', () => {
      lab.spoil('tools');
      shell('rm /usr/bin/busctl');
      add('one');
      assert.equal(zoneOf(), 'trusted');
      pods.del('one');
      assert.equal(zoneOf(), '');
      shell('mv /usr/bin/dbus-send /usr/bin/dbus-send.away');
      add('two');
      assert.equal(zoneOf(), 'trusted');
      pods.del('two');
      assert.equal(zoneOf(), '');
      shell('mv /usr/bin/dbus-send.away /usr/bin/dbus-send');
    });

    it('adds and deletes while D-Bus is gone, and after firewalld was killed', async () => {
      lab.spoil('host');
      add('one');
      lab.host.run('sh', '-c', 'kill -KILL $(cat /run/isth/firewalld.pid)');
      await lab.site.firewalld.ended;
      add('two');
      pods.del('two');
      pods.del('one');
      await lab.site.bus.stop();
      lab.host.run('nft', 'flush', 'chain', 'inet', 'firewalld', 'filter_FORWARD_ZONES');
      add('three');
      assert.throws(() => pods.check('three'), /lacks/);
      pods.del('three');
    });
  });
}
