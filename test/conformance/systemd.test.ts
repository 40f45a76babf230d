import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import manifest from '../../package.json' with { type: 'json' };
import { DECLINE } from '../../src/shared/runtime/cni/protocol.ts';
import { makeNetns, netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { UNITS } from '../support/systemd-host.ts';
import { makeTempDir } from '../support/temp.ts';
import { waitFor } from '../support/test-host.ts';
import { withoutRevisions } from '../support/version.ts';

const DAEMON = join(import.meta.dirname, '../../dist/cnm-shim');
const SERVICE = 'isthmus.service';

/** Settings that would give the daemon its own mount namespace; see the unit. */
const MOUNTS =
  /^(Private(Mounts|Tmp|Devices|Network|Users)|Protect(?!Clock=)\w+|(ReadOnly|ReadWrite|Inaccessible|Exec|NoExec)Paths|Bind\w*Paths|TemporaryFileSystem|RootDirectory|RootImage|MountFlags|MountAPIVFS|DynamicUser|JoinsNamespaceOf)=/m;

describe('systemd units', () => {
  it('pass systemd-analyze', () => {
    using directory = makeTempDir();
    const files = readdirSync(UNITS).map((name) => {
      const file = join(directory.path, name);
      writeFileSync(file, readFileSync(join(UNITS, name), 'utf8').replaceAll('/usr/lib/isthmus/cnm-shim', DAEMON));
      return file;
    });
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', ...files], { encoding: 'utf8' });
    // It also reports other units of this machine.
    const ours = (stdout + stderr).split('\n').filter((line) => line.includes('isthmus'));
    assert.deepEqual([status, ours], [0, []]);
  });

  it('expose the machine no more than a service with this work must', () => {
    const args = ['security', '--offline=true', join(UNITS, SERVICE)];
    const { stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    const [, exposure = stderr] = /Overall exposure level .*: ([\d.]+) /.exec(stdout) ?? [];
    // systemd 252 says 5.0; without the filters of system calls, address families and namespaces it says 7.4.
    assert.ok(Number(exposure) <= 5.2, `exposure ${exposure}`);
  });

  it('use no setting that creates a mount namespace', () => {
    assert.doesNotMatch(readFileSync(join(UNITS, SERVICE), 'utf8'), MOUNTS);
  });

  describe('socket activation', () => {
    before(function () {
      skipIf(this, netnsMissing());
    });

    it('the first call starts the daemon through systemd-socket-activate, and its exit keeps the sockets', async () => {
      using ns = makeNetns('s');
      using directory = makeTempDir();
      const [path, docker] = [join(directory.path, 'cni.sock'), join(directory.path, 'plugin.sock')];
      const options = ['serve', '--run-dir', join(directory.path, 'run'), '--state-dir', join(directory.path, 'state')];
      const activate = ['systemd-socket-activate', '--fdname=cni:docker', '-l', path, '-l', docker, DAEMON, ...options];
      const child = spawn('nsenter', [`--net=${ns.path}`, ...activate], { stdio: ['ignore', 'ignore', 'pipe'] });
      let log = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
      try {
        await waitFor('the sockets are there', () => existsSync(path) && existsSync(docker));
        assert.doesNotMatch(log, /daemon\.start/);
        assert.equal(await answerOf(path), DECLINE);
        await waitFor('the daemon logs', () =>
          withoutRevisions(log).includes(
            `event=daemon.start version=${manifest.version} cni=${path} docker=${docker} `,
          ),
        );
        assert.equal(await answerOf(path), DECLINE);
        assert.deepEqual(readdirSync(join(directory.path, 'run')).sort(), ['control.sock', 'lock']);
        child.kill('SIGTERM');
        assert.deepEqual(await once(child, 'exit'), [0, null]);
        for (const left of [path, docker]) assert.ok(lstatSync(left).isSocket());
      } finally {
        kill(child);
      }
    });
  });
});

/** The first byte of the answer to what is no request. */
async function answerOf(path: string): Promise<number | undefined> {
  const connection = connect(path);
  connection.end('no request at all, but as long as the header of one is');
  const [bytes]: Buffer[] = await once(connection, 'data');
  connection.destroy();
  return bytes?.[0];
}

function kill(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}
