import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expectOk, type PluginCall, runPlugin, startPlugin } from '../support/cni.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { makeServeSite, type ServeSite } from '../support/serve.ts';
import { skipIf } from '../support/skip.ts';

const DIST = join(import.meta.dirname, '../../dist');
const NETWORK = { cniVersion: '1.1.0', name: 'web', type: 'isthmus', driver: 'bridge', bridge: 'isth0' };
const MASQUERADE = { ...NETWORK, isGateway: true, ipMasq: true, ipam: { ranges: [[{ subnet: '10.88.0.0/16' }]] } };

/** Of an SQLite database, in bytes. */
const PAGE = 4096;

/** An IPAM plugin that answers ADD when there is a file `go` beside it. */
const SLOW = `#!/bin/sh
cd "$(dirname "$0")"
[ "$CNI_COMMAND" = ADD ] || exit 0
touch asked
while ! [ -e go ]; do sleep 0.02; done
echo '{"cniVersion":"1.1.0","ips":[{"address":"10.88.0.9/16"}]}'
`;

describe('daemon', () => {
  let site: ServeSite;
  let pod: TestNetns;
  before(function () {
    skipIf(this, netnsMissing());
  });
  beforeEach(() => {
    site = makeServeSite();
    pod = makeNetns('p');
  });
  afterEach(() => {
    pod?.[Symbol.dispose]();
    site?.[Symbol.dispose]();
  });

  const call = (command: PluginCall['command'], config: object, path = DIST): PluginCall => ({
    ...{ dir: DIST, name: 'launcher', command, path, config, host: site.ns.path, stateDir: site.stateDir },
    ...{ containerId: 'c1', ifName: 'eth0', netns: pod.path, env: { ISTHMUS_RUN_DIR: site.runDir } },
  });

  /** A network whose ADD takes until `go` is called. */
  function slowNetwork(): { config: object; path: string; asked: () => Promise<void>; go: () => void } {
    const path = join(site.root, 'plugins');
    mkdirSync(path);
    writeFileSync(join(path, 'slow'), SLOW);
    chmodSync(join(path, 'slow'), 0o755);
    return {
      config: { ...NETWORK, ipam: { type: 'slow' } },
      path,
      asked: async () => {
        while (!existsSync(join(path, 'asked'))) await new Promise((wake) => setTimeout(wake, 10));
      },
      go: () => writeFileSync(join(path, 'go'), ''),
    };
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    it(`exits at ${signal}, and deletes its socket`, async () => {
      using daemon = site.start();
      await daemon.line(/event=daemon\.start version=\S+ cni=\S+\/cni\.sock .*stateDir=\S+ ms=\d+$/);
      daemon.process.kill(signal);
      assert.equal(await daemon.end, 0);
      assert.match(daemon.lines.at(-1) ?? '', new RegExp(`level=info event=daemon\\.stop signal=${signal} ms=\\d+$`));
      assert.equal(existsSync(site.socket), false);
    });

  it('sets broken state aside at start, and serves', async () => {
    expectOk(runPlugin({ ...call('ADD', MASQUERADE), name: 'cni-plugin' }));
    const file = join(site.stateDir, 'state.db');
    // Opening it reads the first page only, which is unchanged.
    const fd = openSync(file, 'r+');
    writeSync(fd, Buffer.alloc(statSync(file).size - PAGE, 0xa5), 0, undefined, PAGE);
    closeSync(fd);
    for (const more of ['-wal', '-shm']) rmSync(`${file}${more}`, { force: true });
    using daemon = site.start();
    await daemon.line(/event=daemon\.start/);
    expectOk(runPlugin(call('DEL', MASQUERADE)));
    await daemon.line(/event=DEL .*result=ok/);
    assert.doesNotMatch(site.ns.ip('link', 'show'), /isth0|veth/);
  });

  it('answers the calls in progress before it exits, and takes no new one', async () => {
    const { config, path, asked, go } = slowNetwork();
    using daemon = site.start();
    await daemon.line(/event=daemon\.start/);
    const { done } = startPlugin(call('ADD', config, path));
    await asked();
    daemon.process.kill('SIGTERM');
    while (existsSync(site.socket)) await new Promise((wake) => setTimeout(wake, 10));
    const other = expectOk(runPlugin({ ...call('STATUS', MASQUERADE), containerId: 'other' }));
    assert.deepEqual(other, {});
    go();
    const { ips } = expectOk(await done);
    assert.equal(ips?.[0]?.address, '10.88.0.9/16');
    assert.equal(await daemon.end, 0);
    assert.ok(daemon.lines.some((line) => /event=ADD .*result=ok/.test(line)));
    assert.ok(!daemon.lines.some((line) => line.includes('event=STATUS')));
  });

  it('exits at once at a second signal', async () => {
    const { config, path, asked, go } = slowNetwork();
    using daemon = site.start();
    await daemon.line(/event=daemon\.start/);
    const { done } = startPlugin(call('ADD', config, path));
    await asked();
    daemon.process.kill('SIGTERM');
    while (existsSync(site.socket)) await new Promise((wake) => setTimeout(wake, 10));
    daemon.process.kill('SIGTERM');
    assert.equal(await daemon.end, 1);
    const { code, json } = await done;
    assert.deepEqual([code, json?.code], [1, 11]);
    go();
  });

  it('restores the packet filter at SIGHUP, and keeps running', async () => {
    using daemon = site.start();
    await daemon.line(/event=daemon\.start/);
    expectOk(runPlugin(call('ADD', MASQUERADE)));
    await daemon.line(/event=ADD .*result=ok/);
    const table = (family: string): string =>
      site.ns.run('sh', '-c', `nft --stateless list table ${family} isthmus 2>/dev/null || true`);
    const rules = (): string => table('inet') + table('bridge');
    const before = rules();
    assert.match(before, /masquerade/);
    site.ns.run('nft', 'flush', 'ruleset');
    assert.equal(rules(), '');
    daemon.process.kill('SIGHUP');
    await daemon.line(
      /event=reconciled reason=SIGHUP endpoints=\d+ networks=\d+ removedEndpoints=0 removedNetworks=0 entries=[1-9]/,
    );
    assert.equal(rules(), before);
    expectOk(runPlugin(call('DEL', MASQUERADE)));
    await daemon.line(/event=DEL .*result=ok/);
  });

  for (const [what, signal, text] of [
    ['an exception', 'SIGUSR2', 'thrown by a test'],
    ['a rejection', 'SIGURG', 'rejected by a test'],
  ] as const)
    it(`exits at an uncaught ${what}, logs it, and leaves no socket`, async () => {
      using daemon = site.start({ preload: join(import.meta.dirname, '../support/throw-on-signal.ts') });
      await daemon.line(/event=daemon\.start/);
      daemon.process.kill(signal);
      assert.equal(await daemon.end, 1);
      assert.match(
        daemon.lines.at(-1) ?? '',
        /level=error event=daemon\.failed error=.* stack="Error: .*throw-on-signal/,
      );
      assert.ok(daemon.lines.at(-1)?.includes(text));
      assert.equal(existsSync(site.socket), false);
    });

  it('keeps running when nobody reads its log', async () => {
    const fifo = join(site.root, 'log');
    execFileSync('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(fifo, constants.O_WRONLY);
    try {
      using daemon = site.start({ args: ['--log-level', 'debug'], stderr: writer });
      while (!(await isListening(site.socket))) await new Promise((wake) => setTimeout(wake, 10));
      // Each is a line of about 100 bytes; a pipe holds 64 KiB.
      for (let i = 0; i < 1500; i++) {
        const connection = connect(site.socket);
        connection.end('no request at all, but as long as the header of one is');
        await once(connection, 'data');
        connection.destroy();
      }
      expectOk(runPlugin(call('STATUS', MASQUERADE)));
      daemon.process.kill('SIGTERM');
      assert.equal(await daemon.end, 0);
    } finally {
      closeSync(writer);
      closeSync(reader);
    }
  });
});

/** The socket's file is there before anybody listens. */
async function isListening(path: string): Promise<boolean> {
  const connection = connect(path);
  try {
    await once(connection, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    connection.destroy();
  }
}
