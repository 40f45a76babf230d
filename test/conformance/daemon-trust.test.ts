import { strict as assert } from 'node:assert';
import {
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { AF_UNIX, CLONE_NEWNET, SOCK_CLOEXEC, SOCK_DGRAM } from '../../src/shared/netlink/constants.ts';
import { netnsCookie } from '../../src/shared/netlink/netns.ts';
import { setns, socket } from '../../src/shared/netlink/sys.ts';
import { header, saidTo, startClient } from '../support/daemon-client.ts';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite, until } from '../support/daemon-site.ts';
import { assertSame } from '../support/snapshot.ts';
import { makeTempDir } from '../support/temp.ts';

const NO_CAPABILITIES = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', '--'];
const ONE_LESS = ['setpriv', '--bounding-set=-sys_admin', '--'];

/** Each caller is uid 0 and sends a header that claims the daemon's own namespaces. */
describe('the daemon takes trust from the kernel, not from the request', function () {
  this.timeout(60_000);
  let bin: DaemonBin;
  let site: DaemonSite;
  let clean: string;
  const dir = makeTempDir();
  const ran = join(dir.path, 'ran');

  before(async () => {
    bin = daemonBin();
    site = makeSite(bin, { pods: 1 });
    site.ok('ADD');
    site.ok('DEL');
    clean = site.host.snapshot();
    await site.start({ env: { ISTHMUS_LOG: 'debug' } });
    const plugin = join(dir.path, 'evil');
    writeFileSync(plugin, `#!/bin/sh\ngrep CapEff /proc/self/status >'${ran}'\n`, { mode: 0o755 });
  });
  after(() => {
    site?.[Symbol.dispose]();
    bin?.[Symbol.dispose]();
    dir[Symbol.dispose]();
  });

  /** An ADD with a delegate of the caller's, in front of which stand these commands. */
  const attack = (...prefix: readonly string[]): Promise<string> => {
    const file = join(dir.path, 'request');
    writeFileSync(file, forged(site, dir.path));
    const how = 'slow';
    const inHost = ['nsenter', `--net=${site.host.ns.path}`, '--', ...prefix];
    const where = { socket: join(site.runDir, 'cni.sock'), sandbox: site.host.pod(0).path };
    return saidTo(startClient({ ...where, file, how, prefix: inHost }));
  };
  const lastReason = (): string =>
    site.daemon
      .log()
      .match(/event=declined.*/g)
      ?.at(-1) ?? '';

  it('serves root with its capabilities in the same place', async () => {
    assert.equal(await attack(), 'C');
    await until(() => existsSync(ran), 'the delegate runs');
    await until(() => site.host.snapshot() === clean, 'the failed ADD is reversed');
  });

  const strangers: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['root without capabilities', NO_CAPABILITIES, /lacks CAP_NET_ADMIN/],
    ['root without CAP_SYS_ADMIN', ONE_LESS, /lacks CAP_SYS_ADMIN/],
    [
      'root without capabilities, in a mount namespace of its own',
      ['unshare', '--mount', '--', ...NO_CAPABILITIES],
      /lacks CAP_NET_ADMIN/,
    ],
    ['root in a mount namespace of its own', ['unshare', '--mount', '--'], /another mount namespace/],
    [
      'root of a user namespace of its own, with all capabilities there',
      ['unshare', '--user', '--map-root-user', '--'],
      /another user namespace/,
    ],
    ['root in a network namespace of its own', ['unshare', '--net', '--'], /another network namespace/],
  ];
  for (const [who, prefix, why] of strangers)
    it(`declines ${who}`, async () => {
      rmSync(ran, { force: true });
      assert.equal(await attack(...prefix), 'D');
      assert.match(lastReason(), why);
      assert.ok(!existsSync(ran), 'the delegate did not run');
      assertSame(site.host.snapshot(), clean);
    });

  it('declines a call with files from a process with another root directory', () => {
    const root = join(dir.path, 'root');
    for (const name of ['run', 'proc']) mkdirSync(join(root, name), { recursive: true });
    copyFileSync(join(bin.path, 'isthmus'), join(root, 'launcher'));
    linkSync(join(site.runDir, 'cni.sock'), join(root, 'run', 'cni.sock'));
    const { code } = site.run('DEL', {
      dir: '/',
      name: 'launcher',
      prefix: ['chroot', root],
      env: { ISTHMUS_RUN_DIR: '/run', ISTHMUS_STATE_DIR: undefined },
    });
    assert.equal(code, 1, 'no plugin to run is in that directory');
    assert.match(lastReason(), /another state directory|another mount namespace/);
    assertSame(site.host.snapshot(), clean);
  });
});

/** The request of a launcher of protocol 1 that lies: its header claims the daemon's namespaces. */
function forged(site: DaemonSite, path: string): Buffer {
  const env = {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'evil',
    CNI_NETNS: site.host.pod(0).path,
    CNI_IFNAME: 'eth0',
    CNI_PATH: path,
    ISTHMUS_STATE_DIR: site.host.stateDir,
  };
  const config = { ...site.config, ipam: { type: 'evil' } };
  const entries = Object.entries(env).map(([name, value]) => `${name}=${value}\0`);
  const body = Buffer.from(`isthmus\0${entries.join('')}\0${JSON.stringify(config)}`);
  const bytes = Buffer.concat([header(body.length), body]);
  const [mnt, state] = ['/proc/self/ns/mnt', site.host.stateDir].map((file) => statSync(file, { bigint: true }));
  bytes.writeBigUInt64LE(cookieOf(site.host.ns.path), 16);
  bytes.writeBigUInt64LE(mnt?.ino ?? 0n, 24);
  bytes.writeBigUInt64LE(state?.dev ?? 0n, 32);
  bytes.writeBigUInt64LE(state?.ino ?? 0n, 40);
  return bytes;
}

function cookieOf(path: string): bigint {
  const [home, there] = [openSync('/proc/thread-self/ns/net', 'r'), openSync(path, 'r')];
  try {
    setns(there, CLONE_NEWNET);
    try {
      const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      try {
        return netnsCookie(fd);
      } finally {
        closeSync(fd);
      }
    } finally {
      setns(home, CLONE_NEWNET);
    }
  } finally {
    closeSync(home);
    closeSync(there);
  }
}
