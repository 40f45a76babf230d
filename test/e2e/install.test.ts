import { strict as assert } from 'node:assert';
import { closeSync, copyFileSync, openSync, writeSync } from 'node:fs';
import { makeCleanMachine } from '../support/clean-machine.ts';
import { callPod, startStream } from '../support/pod-stream.ts';
import { skipIf } from '../support/skip.ts';
import { systemdMissing } from '../support/systemd-host.ts';
import { type Attempt, type TestHost, waitFor } from '../support/test-host.ts';
import { built, pluginFile } from '../support/via.ts';

/** Copies of the executable, outside of what is installed. */
const FIRST = '/tmp/dist/cnm-shim';
const SECOND = '/tmp/next/cnm-shim';

describe('isthmus install on a clean Debian', function () {
  this.timeout(120_000);
  let machine: TestHost;

  before(async function () {
    skipIf(this, systemdMissing());
    machine = await makeCleanMachine();
    for (const file of [FIRST, SECOND]) {
      machine.write(file, '');
      copyFileSync(built(pluginFile), machine.outside(file));
      machine.run('chmod', '755', file);
    }
    // A later build differs; what follows the end of an executable is not read.
    const fd = openSync(machine.outside(SECOND), 'a');
    writeSync(fd, 'later');
    closeSync(fd);
    clean = paths();
  });
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
  });

  const succeed = ({ code, stdout, stderr }: Attempt): string => {
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const install = (file: string, ...options: readonly string[]): Attempt =>
    machine.attempt([file, 'install', ...options]);
  const property = (unit: string, name: string): string =>
    machine.run('systemctl', 'show', '--value', `--property=${name}`, unit).trim();
  const paths = (): string =>
    machine.run(
      'sh',
      '-c',
      'find /opt /etc/cni /etc/systemd /usr/lib/isthmus /usr/bin/isthmus /var/lib/isthmus* 2>/dev/null | sort',
    );
  let clean = '';

  it('starts the daemon, and pods get a network', () => {
    assert.match(succeed(install(FIRST)), /^isthmus 0\.1\.0\+\S+ is installed$/m);
    for (const unit of ['isthmus.socket', 'isthmus-docker.socket', 'isthmus.service']) {
      assert.equal(property(unit, 'ActiveState'), 'active', unit);
      assert.equal(machine.run('systemctl', 'is-enabled', unit), 'enabled\n');
    }
    machine.run('ip', 'netns', 'add', 'kept');
    succeed(callPod(machine, 'ADD', 'kept'));
    succeed(callPod(machine, 'CHECK', 'kept'));
  });

  it('run again from the installed program changes nothing, not even the daemon', () => {
    const before = property('isthmus.service', 'MainPID');
    assert.match(succeed(machine.attempt(['isthmus', 'install'])), /^isthmus 0\.1\.0\+\S+ is installed already$/m);
    assert.equal(property('isthmus.service', 'MainPID'), before);
  });

  it('upgrades without a failed call while pods come and go', async () => {
    const before = property('isthmus.service', 'MainPID');
    const stream = await startStream(machine);
    for (const file of [SECOND, FIRST])
      assert.match(succeed(install(file)), /^run +systemctl restart isthmus\.service$/m);
    const upgraded = stream.count();
    await waitFor('calls go on', () => stream.count() > upgraded + 3);
    assert.equal(await stream.stop(), '');
    const after = property('isthmus.service', 'MainPID');
    assert.ok(after !== before && after !== '0', `daemon ${before}, then ${after}`);
    succeed(callPod(machine, 'CHECK', 'kept'));
  });

  it('uninstalled, leaves the state only', () => {
    const refused = machine.attempt(['isthmus', 'uninstall']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /1 endpoint uses it, such as kept on web/);
    succeed(callPod(machine, 'DEL', 'kept'));
    assert.match(
      succeed(machine.attempt(['isthmus', 'uninstall'])),
      /^left: the state, \/var\/lib\/isthmus; to delete it/m,
    );
    machine.run('rm', '-r', '/var/lib/isthmus');
    assert.equal(paths(), clean);
    assert.doesNotMatch(machine.run('systemctl', 'list-units', '--all', '--plain'), /isthmus/);
    assert.deepEqual(machine.run('ls', '/sys/class/net').split('\n').filter(Boolean), ['lo']);
  });

  describe('refuses, with one sentence, and changes nothing,', () => {
    afterEach(() => assert.equal(paths(), clean));

    const refused = (attempt: Attempt, pattern: RegExp): void => {
      assert.deepEqual([attempt.code, attempt.stdout], [1, '']);
      assert.match(attempt.stderr, pattern);
      assert.equal(attempt.stderr.split('\n').length, 2, attempt.stderr);
    };

    it('another user than root', () => {
      const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', FIRST, 'install'];
      refused(machine.attempt(nobody), /only root may write there\. Run it with sudo/);
    });

    it('a read-only file system', () => {
      const script = `mount --bind /usr /usr && mount -o remount,bind,ro /usr && exec ${FIRST} install`;
      refused(
        machine.attempt(['unshare', '--mount', 'sh', '-c', script]),
        /usr\/lib\/\w+: it cannot be made \(EROFS\)\. Its file system/,
      );
    });

    it('a full disk', () => {
      const script = `mkdir -p /tmp/small && mount -t tmpfs -o size=20m small /tmp/small && cd /tmp/small &&
        mkdir -p etc opt usr/bin usr/lib var/lib && find . | sort >/tmp/before; ${FIRST} install --root /tmp/small; code=$?
        find . | sort | cmp - /tmp/before && exit $code`;
      refused(
        machine.attempt(['unshare', '--mount', 'sh', '-c', script]),
        /cni-plugin: it cannot be written \(ENOSPC\)\. Make room/,
      );
    });

    it('a root without its directories', () => {
      machine.run('mkdir', '-p', '/tmp/empty');
      refused(
        install(FIRST, '--root', '/tmp/empty'),
        /directory \/tmp\/empty\/(etc|var\/lib): there is no such directory\. Make or mount it/,
      );
    });

    it('or only shows the steps with --dry-run', () => {
      const said = succeed(install(FIRST, '--dry-run'));
      assert.match(said, /^install +\/opt\/cni\/bin\/isthmus$/m);
      assert.match(said, /^run +systemctl start isthmus\.socket/m);
      const { steps, dryRun } = JSON.parse(succeed(install(FIRST, '--dry-run', '-o', 'json')));
      assert.equal(dryRun, true);
      assert.deepEqual(steps[0], { action: 'install', path: '/usr/lib/isthmus/cni-plugin' });
    });
  });
});
