import { strict as assert } from 'node:assert';
import { existsSync, readFileSync } from 'node:fs';
import { startDockerPlugin } from '../support/docker-plugin.ts';
import { BRIDGE, makePods, type Pods } from '../support/docker-pods.ts';
import { binDir } from '../support/e2e.ts';
import { FIREWALLD, type FirewalldSite, startFirewalld, startFirewalldOnly } from '../support/firewalld.ts';
import { skipIf } from '../support/skip.ts';
import { makeTestHost, type TestHost, waitFor } from '../support/test-host.ts';
import { installedFile } from '../support/via.ts';

const CALLS = '/run/busctl.calls';

for (const via of ['daemon', 'alone'] as const) {
  describe(`zones of firewalld, ${via}`, function () {
    this.timeout(60_000);
    let host: TestHost;
    let site: FirewalldSite;
    let pods: Pods;

    const shell = (script: string): string => host.run('sh', '-c', `set -e\n${script}`);
    const zoneOf = (device = BRIDGE): string =>
      host.attempt(['firewall-cmd', `--get-zone-of-interface=${device}`]).stdout.trim();
    const permanent = (): string => shell('firewall-cmd --permanent --zone=trusted --list-interfaces').trim();
    /** The calls so far. */
    const calls = (): number =>
      existsSync(host.outside(CALLS)) ? readFileSync(host.outside(CALLS), 'utf8').split('\n').length - 1 : 0;
    /** Replaces busctl by a script, which may run the real one. */
    const replaceBusctl = (script: string): void =>
      void shell(
        `[ -e /usr/bin/busctl.real ] || cp /usr/bin/busctl /usr/bin/busctl.real
         printf '#!/bin/sh\\n%s\\n' '${script}' >/usr/bin/busctl.new; chmod +x /usr/bin/busctl.new
         mv /usr/bin/busctl.new /usr/bin/busctl`,
      );
    const add = (...names: readonly string[]): void => {
      for (const name of names) pods.add(name);
    };

    before(function () {
      skipIf(this, existsSync(FIREWALLD) ? undefined : `${FIREWALLD} is missing: install firewalld`);
    });

    beforeEach(async () => {
      host = await makeTestHost();
      site = await startFirewalld(host);
      replaceBusctl(`echo >>${CALLS}; exec /usr/bin/busctl.real "$@"`);
      if (via === 'daemon') await startDockerPlugin(host);
      shell(`mkdir -p ${binDir}; ln -s ${installedFile('alone')} ${binDir}/isthmus`);
      pods = makePods(host, via);
    });

    afterEach(async function () {
      if (this.currentTest?.state === 'failed') console.log(host?.logs());
      pods?.forget();
      await host?.[Symbol.asyncDispose]();
    });

    it('puts the bridge into zone trusted, for now only, and takes it out with the last pod', () => {
      const before = shell('firewall-cmd --list-all-zones');
      add('one');
      assert.equal(zoneOf(), 'trusted');
      assert.equal(permanent(), '');
      const made = calls();
      add('two');
      assert.equal(calls(), made, 'an ADD of a network that is there starts no process');
      pods.check('one');
      pods.assertPings('one', '10.88.0.1');
      pods.del('one');
      assert.equal(zoneOf(), 'trusted');
      pods.del('two');
      assert.equal(shell('firewall-cmd --list-all-zones'), before);
    });

    it('adds two pods at once', async () => {
      const script = ['a', 'b', 'c'].map((name) => `ip netns add ${name}`).join('; ');
      shell(script);
      const config = JSON.stringify({ ...pods.runtime.list, ...pods.runtime.list.plugins[0], plugins: undefined });
      host.write('/run/config', config);
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
    });

    it('leaves a bridge in the zone that the administrator chose, and says so once', () => {
      shell(`firewall-cmd --zone=public --add-interface=${BRIDGE}`);
      const made = calls();
      add('one', 'two');
      assert.equal(calls(), made);
      assert.throws(() => pods.check('one'), /isth-web is in a zone of firewalld that does not accept/);
      assert.equal(zoneOf(), 'public');
      if (via === 'daemon') assert.equal(host.logs().split('event=firewalld.left').length, 2);
      pods.del('one');
      pods.del('two');
      assert.equal(zoneOf(), 'public');
    });

    it('leaves a bridge in the zone where the permanent configuration has it', () => {
      shell(`firewall-cmd --permanent --zone=trusted --add-interface=${BRIDGE}; firewall-cmd --reload`);
      add('one');
      pods.del('one');
      assert.equal(zoneOf(), 'trusted');
      assert.equal(permanent(), BRIDGE);
    });

    const isBack = async (after: string): Promise<void> => {
      const begin = performance.now();
      if (via === 'daemon') await waitFor(`the bridge is back after ${after}`, () => zoneOf() === 'trusted', 10_000);
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
      shell(`firewall-cmd --zone=trusted --remove-interface=${BRIDGE}`);
      await isBack('removal');
    });

    it('puts it back after a restart, and needs no zone meanwhile', async () => {
      add('one');
      await site.firewalld.stop();
      pods.check('one');
      add('meanwhile');
      await startFirewalldOnly(host);
      await isBack('restart');
    });

    it('finds the device of a renamed bridge', async () => {
      add('one');
      shell(`ip link set ${BRIDGE} down; ip link set ${BRIDGE} name other0; ip link set other0 up`);
      if (via === 'alone') add('two');
      else await waitFor('the bridge is there again', () => host.attempt(['ip', 'link', 'show', BRIDGE]).code === 0);
      assert.equal(zoneOf(), 'trusted');
      assert.equal(zoneOf('other0'), '');
    });

    it('does not wait for a program that hangs, and CHECK tells', () => {
      replaceBusctl('exec sleep 1000');
      const begin = performance.now();
      add('one');
      const first = performance.now() - begin;
      assert.ok(first > 4000 && first < 12_000, `${first} ms`);
      if (via === 'daemon') {
        const again = performance.now();
        add('two');
        assert.ok(performance.now() - again < 3000, 'the next ADD does not wait again');
        assert.match(host.logs(), /event=firewalld.failed/);
      }
      assert.throws(() => pods.check('one'), /lacks/);
      pods.del('one');
    });

    it('adds and deletes while D-Bus is gone, and after firewalld was killed', async () => {
      add('one');
      host.run('sh', '-c', 'kill -KILL $(cat /run/isth/firewalld.pid)');
      await site.firewalld.ended;
      add('two');
      pods.del('two');
      pods.del('one');
      await site.bus.stop();
      host.run('nft', 'flush', 'chain', 'inet', 'firewalld', 'filter_FORWARD_ZONES');
      add('three');
      assert.throws(() => pods.check('three'), /lacks/);
      pods.del('three');
    });

    it('uses dbus-send without busctl, and firewall-cmd without both', () => {
      shell('rm /usr/bin/busctl');
      add('one');
      assert.equal(zoneOf(), 'trusted');
      pods.del('one');
      assert.equal(zoneOf(), '');
      shell('rm /usr/bin/dbus-send');
      add('two');
      assert.equal(zoneOf(), 'trusted');
      pods.del('two');
      assert.equal(zoneOf(), '');
    });
  });
}
