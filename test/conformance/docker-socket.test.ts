import { strict as assert } from 'node:assert';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DockerCaller } from '../support/docker-caller.ts';
import { netnsMissing } from '../support/netns.ts';
import { makeServeSite, type ServeSite } from '../support/serve.ts';
import { skipIf } from '../support/skip.ts';

const ACTIVATED = { Implements: ['NetworkDriver', 'IpamDriver'] };

describe("the daemon's socket for dockerd", function () {
  this.timeout(60_000);
  let site: ServeSite;

  before(function () {
    skipIf(this, netnsMissing());
  });
  beforeEach(() => {
    site = makeServeSite();
  });
  afterEach(() => site?.[Symbol.dispose]());

  const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
  async function activate(path: string): Promise<void> {
    using docker = new DockerCaller(path);
    assert.deepEqual(await docker.call('Plugin.Activate', null), ACTIVATED);
  }

  it('is next to the CNI socket when the run directory is not the default', async () => {
    const path = join(site.runDir, 'docker.sock');
    using daemon = site.start();
    assert.match(await daemon.line(/event=daemon\.start/), new RegExp(` cni=${site.socket} docker=${path} `));
    assert.equal(mode(path), '600');
    await activate(path);
    daemon.process.kill('SIGTERM');
    assert.equal(await daemon.end, 0);
    assert.deepEqual(readdirSync(site.runDir), ['lock']);
  });

  for (const [how, options] of [
    ['option', (path: string) => ({ args: ['--docker-socket', path] })],
    ['variable', (path: string) => ({ env: { ISTHMUS_DOCKER_SOCKET: path } })],
  ] as const)
    it(`is where the ${how} says, alone in a directory that others may enter, and deleted at exit`, async () => {
      const directory = join(site.root, 'docker', 'plugins');
      const path = join(directory, 'isthmus.sock');
      using daemon = site.start(options(path));
      await daemon.line(new RegExp(`event=daemon\\.start .* docker=${path} `));
      assert.deepEqual([mode(directory), mode(path), readdirSync(directory)], ['755', '600', ['isthmus.sock']]);
      assert.equal(existsSync(join(site.runDir, 'docker.sock')), false);
      await activate(path);
      daemon.process.kill('SIGTERM');
      assert.equal(await daemon.end, 0);
      assert.deepEqual(readdirSync(directory), []);
    });

  it('is not created when it is set to none', async () => {
    using daemon = site.start({ args: ['--docker-socket', 'none'] });
    assert.doesNotMatch(await daemon.line(/event=daemon\.start/), / docker=/);
    assert.deepEqual(readdirSync(site.runDir).sort(), ['cni.sock', 'control.sock', 'lock']);
  });

  it('replaces the socket of a killed daemon', async () => {
    const path = join(site.root, 'plugin.sock');
    const args = ['--docker-socket', path];
    using killed = site.start({ args });
    await killed.line(/event=daemon\.start/);
    killed.process.kill('SIGKILL');
    await killed.end;
    assert.ok(existsSync(path));
    using daemon = site.start({ args });
    await daemon.line(/event=daemon\.start/);
    await activate(path);
  });

  it('leaves the socket of another plugin alone', async () => {
    const path = join(site.root, 'plugin.sock');
    const other = createServer((connection) => connection.destroy());
    await new Promise<void>((resolve) => other.listen(path, resolve));
    try {
      using daemon = site.start({ args: ['--docker-socket', path] });
      const line = await daemon.line(/event=daemon\.failed/);
      assert.match(line, /plugin\.sock: another process already listens on it.* or give --docker-socket another path/);
      assert.equal(await daemon.end, 1);
      assert.ok(existsSync(path));
    } finally {
      other.close();
    }
  });

  const refusals: readonly [what: string, make: (path: string) => void, message: RegExp][] = [
    [
      'cannot create its directory',
      (path) => writeFileSync(join(path, '..'), ''),
      /serve socket \S+\/dir\/plugin\.sock: cannot create its directory \(.+\)\. --docker-socket names another one/,
    ],
    [
      'something else is there',
      (path) => mkdirSync(path, { recursive: true }),
      /listen path \S+\/dir\/plugin\.sock: is not a socket/,
    ],
  ];
  for (const [what, make, message] of refusals)
    it(`${what}: the daemon does not start, and says why`, async () => {
      const path = join(site.root, 'dir', 'plugin.sock');
      make(path);
      using daemon = site.start({ args: ['--docker-socket', path] });
      assert.match(await daemon.line(/event=daemon\.failed/), message);
      assert.equal(await daemon.end, 1);
      assert.equal(existsSync(site.socket), false);
    });

  it('allocates pools from the configured ranges', async () => {
    const pools = 'base=10.77.0.0/16,size=28 base=fd77::/48,size=64';
    using daemon = site.start({ env: { ISTHMUS_ADDRESS_POOLS: pools } });
    await daemon.line(/event=daemon\.start/);
    using docker = new DockerCaller(join(site.runDir, 'docker.sock'));
    const wanted = { AddressSpace: 'isthmus', Pool: '', SubPool: '', Options: null };
    for (const [V6, pool] of [
      [false, /^10\.77\.\d+\.\d+\/28$/],
      [true, /^fd77:.*\/64$/],
    ] as const) {
      const { Pool } = await docker.call('IpamDriver.RequestPool', { ...wanted, V6 });
      assert.match(String(Pool), pool);
    }
  });
});
