import { strict as assert } from 'node:assert';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import {
  type DaemonBin,
  type DaemonOptions,
  type DaemonSite,
  daemonBin,
  makeSite,
  type SiteCall,
} from '../support/daemon-site.ts';
import { makeNetns } from '../support/netns.ts';
import { assertSame } from '../support/snapshot.ts';
import { makeTempDir } from '../support/temp.ts';

/** A daemon that is there, but is not the one for the call: the stand-alone plugin serves it, in the caller's place. */
describe('a launcher whose daemon is not in the same place', function () {
  this.timeout(120_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let clean: string;

  before(() => {
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(() => {
    site = makeSite(bin, { pods: 1 });
    site.ok('ADD');
    site.ok('DEL');
    clean = site.host.snapshot();
  });
  afterEach(() => site?.[Symbol.dispose]());

  const start = (options: DaemonOptions = {}) =>
    site.start({ ...options, env: { ISTHMUS_LOG: 'debug', ...options.env } });
  const veths = () => site.host.ns.ip('-o', 'link', 'show', 'type', 'veth');
  const live = (call: SiteCall = {}) => {
    site.ok('ADD', call);
    assert.match(veths(), / master isth0 /);
    assert.match(site.host.pod(0).ip('-br', 'link'), /eth0/);
    site.ok('DEL', call);
  };
  /** ADD and DEL are the plugin's, for this reason. */
  const alone = (why: RegExp, call?: SiteCall) => {
    live(call);
    assertSame(site.host.snapshot(), clean);
    assert.deepEqual([site.daemon.served('ADD'), site.daemon.served('DEL')], [0, 0]);
    const declined = site.daemon.log().match(/event=declined.*/g) ?? [];
    assert.equal(declined.length, 2);
    for (const line of declined) assert.match(line, why);
  };
  const served = (call?: SiteCall) => {
    live(call);
    assertSame(site.host.snapshot(), clean);
    assert.deepEqual([site.daemon.served('ADD'), site.daemon.served('DEL')], [1, 1], site.daemon.log());
  };
  /** No files but the namespace are needed. */
  const plain = () => {
    const { dataDir: _, ...ipam } = site.config.ipam ?? {};
    return { config: { ...site.config, ipam } };
  };

  it('daemon in another network namespace: the plugin serves, and that namespace is unchanged', async () => {
    using other = makeNetns('h');
    const before = other.ip('-br', 'link');
    await start({ netns: other.path });
    alone(/another network namespace/);
    assert.equal(other.ip('-br', 'link'), before);
  });

  it('daemon in another mount namespace: it serves calls that need no files', async () => {
    await start({ prefix: ['unshare', '--mount'] });
    served(plain());
  });

  it('daemon in another mount namespace: the plugin serves calls with a lease directory or a delegate', async () => {
    await start({ prefix: ['unshare', '--mount'] });
    alone(/another mount namespace/);
  });

  it('the namespace of the pod has a path only at the launcher: the daemon uses the descriptor', async () => {
    using dir = makeTempDir();
    const file = join(dir.path, 'pod');
    writeFileSync(file, '');
    const bind = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" "$1"; shift; exec "$@"'];
    await start();
    const prefix = [...bind, site.host.pod(0).path, file];
    served({ ...plain(), netns: file, prefix });
  });

  it('daemon with another state directory: the plugin serves', async () => {
    const other = `${site.host.stateDir}.other`;
    mkdirSync(other, { mode: 0o700 });
    await start({ env: { ISTHMUS_STATE_DIR: other } });
    alone(/another state directory/);
  });

  it('daemon with another host id: the plugin serves', async () => {
    await start({ env: { ISTHMUS_HOST_ID: 'somebody' } });
    alone(/another host/);
  });

  it('the plugin creates a missing state directory', async () => {
    await start();
    const fresh = `${site.host.stateDir}.fresh`;
    live({ env: { ISTHMUS_STATE_DIR: fresh } });
    assert.equal(site.daemon.served('ADD'), 0);
    assertSame(site.host.snapshot().split('## state')[0] ?? '', clean.split('## state')[0] ?? '');
  });

  it('both refuse a state directory that is a symbolic link', async () => {
    await start();
    const link = `${site.host.stateDir}.link`;
    symlinkSync(site.host.stateDir, link);
    const { code, stdout } = site.run('ADD', { env: { ISTHMUS_STATE_DIR: link } });
    assert.notEqual(code, 0, stdout);
    assertSame(site.host.snapshot(), clean);
    assert.equal(site.daemon.served('ADD'), 0);
  });

  it('no listener, no file, or no socket: the plugin serves', () => {
    live();
    mkdirSync(site.runDir, { mode: 0o700 });
    const socket = join(site.runDir, 'cni.sock');
    writeFileSync(socket, 'this is not a socket');
    live();
    rmSync(socket);
    mkdirSync(socket);
    live();
    rmSync(socket, { recursive: true });
    live({ env: { ISTHMUS_RUN_DIR: `/tmp/${'x'.repeat(200)}` } });
    assertSame(site.host.snapshot(), clean);
  });

  it('another program listens, and answers nothing or garbage: the plugin serves', async () => {
    mkdirSync(site.runDir, { mode: 0o700 });
    const words = ['', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'D', '\0\0\0\0'];
    const server = createServer((connection) => {
      connection.on('error', () => {});
      connection.resume().end(words.shift() ?? '');
    });
    await new Promise<void>((resolve) => server.listen(join(site.runDir, 'cni.sock'), resolve));
    for (const command of ['ADD', 'DEL', 'ADD', 'DEL'] as const) {
      const { code, stdout } = await site.begin(command).done;
      assert.equal(code, 0, stdout);
    }
    assert.deepEqual(words, []);
    server.close();
    assertSame(site.host.snapshot(), clean);
  });
});
