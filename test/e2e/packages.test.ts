import { strict as assert } from 'node:assert';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { buildDeb } from '../../build/packages/deb.ts';
import { buildImage, digestOf, type Image } from '../../build/packages/image.ts';
import { runTool } from '../../build/packages/tool.ts';
import { makeCleanMachine } from '../support/clean-machine.ts';
import { importImage, startContainerd } from '../support/containerd.ts';
import { docker, loadImage, startDocker } from '../support/docker.ts';
import { IMAGE } from '../support/image.ts';
import { callPod, startStream } from '../support/pod-stream.ts';
import { skipIf } from '../support/skip.ts';
import { systemdMissing } from '../support/systemd-host.ts';
import { makeTempDir, type TempDir } from '../support/temp.ts';
import { type Attempt, type TestHost, waitFor } from '../support/test-host.ts';
import { isBuiltVersion } from '../support/version.ts';

/** What a version of its own needs not differ by. */
const RELEASE = { version: '0.1.0~test1', epoch: 1_790_000_000 };
const NEXT = '0.1.0~test2';
/** Of what is installed, and of a package of it. */
const MOST_INSTALLED = 125e6;
const MOST_PACKED = 45e6;

const DOCKER = '/run/docker/plugins/isthmus.sock';

/** A directory of packages of RELEASE that are built already. */
const BUILT = process.env.ISTHMUS_TEST_PACKAGES;

/** Words of ctr that print the address of a pod. */
const POD_ADDRESS = [
  ...['run', '--rm', '--cni', '--snapshotter', 'native', IMAGE, 'pod'],
  ...['ip', '-4', 'addr', 'show', 'dev', 'eth0'],
];

describe('packages', function () {
  // Two compressions of 125 MB, beside whatever else runs.
  this.timeout(400_000);
  let temp: TempDir;
  let deb: string;
  let image: Image;

  before(function () {
    skipIf(this, systemdMissing());
    temp = makeTempDir();
    deb = foundBelow(BUILT, '.deb') ?? buildDeb(RELEASE, temp.path);
    image = buildImageOnce();
  });
  after(() => temp?.[Symbol.dispose]());

  function buildImageOnce(): Image {
    const file = foundBelow(BUILT, '.oci.tar');
    return file === undefined ? buildImage(RELEASE, temp.path) : { file, digest: digestOf(file) };
  }

  it('are small, and what they install is', () => {
    for (const file of [deb, image.file]) {
      const { length } = readFileSync(file);
      assert.ok(length > 20e6 && length <= MOST_PACKED, `${basename(file)}: ${length} bytes`);
    }
    const contents = execFileSync('dpkg-deb', ['--contents', deb], { encoding: 'utf8' });
    const sizes = contents.split('\n').map((line) => Number(/^-\S+ +\S+ +(\d+)/.exec(line)?.[1] ?? 0));
    const total = sizes.reduce((sum, size) => sum + size);
    assert.ok(total > 100e6 && total <= MOST_INSTALLED, `${total} bytes`);
  });

  it('pass lintian, save for what an override names', () => {
    const ran = spawnSync('lintian', ['--tag-display-limit', '0', '--allow-root', deb], { encoding: 'utf8' });
    assert.deepEqual([ran.status, ran.stdout], [0, ''], ran.stderr);
  });

  it('name the licences of everything in the image, and the source packages of what comes from Debian', () => {
    const tool = (...command: readonly [string, ...string[]]): string => runTool(command, { cwd: '/' });
    const inspect = (format: string): string =>
      tool('skopeo', 'inspect', '--format', format, `oci-archive:${image.file}`);
    const licences = inspect('{{index .Labels "org.opencontainers.image.licenses"}}');
    for (const licence of ['Apache-2.0', 'GPL-2.0-only', 'LGPL-2.1-or-later'])
      assert.ok(licences.includes(licence), licences);
    using unpacked = makeTempDir();
    tool('skopeo', 'copy', '--quiet', '--dest-decompress', `oci-archive:${image.file}`, `dir:${unpacked.path}`);
    const layers = readdirSync(unpacked.path).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const isLayer = (name: string): boolean => statSync(join(unpacked.path, name)).size > 1e6;
    const layer = join(unpacked.path, layers.find(isLayer) ?? '');
    const sources = tool('tar', '-xOf', layer, './usr/share/doc/SOURCES');
    assert.match(sources, /^iptables \S+, source iptables \S+$/m);
    assert.match(tool('tar', '-xOf', layer, './usr/share/common-licenses/GPL-2'), /GNU GENERAL PUBLIC LICENSE/);
  });

  it('of one release give one digest of the image', () => {
    using other = makeTempDir();
    assert.equal(buildImage(RELEASE, other.path).digest, image.digest);
  });

  describe('the Debian package on a clean Debian', () => {
    let machine: TestHost;
    let clean: readonly string[];

    before(async () => {
      machine = await makeCleanMachine({ CONTAINERD_SNAPSHOTTER: 'native' });
      copyFileSync(deb, machine.outside('/tmp/isthmus.deb'));
      makeNext(machine.outside('/tmp/next.deb'));
      clean = files();
    });
    after(async () => {
      await machine?.[Symbol.asyncDispose]();
    });
    /** The same, as a later version: with another launcher, and compressed in less time. */
    function makeNext(file: string): void {
      const tree = join(temp.path, 'next');
      execFileSync('dpkg-deb', ['--raw-extract', deb, tree]);
      const control = join(tree, 'DEBIAN/control');
      writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${NEXT}`));
      execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '--build', tree, file], { stdio: 'ignore' });
    }

    /** Every path that a package could have made, save what dpkg and runtimes note. */
    function files(): readonly string[] {
      const others = ['./proc', './sys', './dev', './run', './tmp', './var/lib/dpkg', './var/log', './var/cache'];
      const noted = /^\.\/(etc\/docker|opt\/containerd|var\/lib\/(cni|containerd|docker|systemd))\b/;
      const prune = others.flatMap((path) => ['-path', path, '-prune', '-o']);
      const found = machine.run('sh', '-c', 'cd / && exec find . "$@" -print', 'find', ...prune).split('\n');
      return found.filter((path) => !noted.test(path)).sort();
    }

    const dpkg = (...args: readonly string[]): Attempt =>
      machine.attempt(['dpkg', ...args], { timeout: 120_000, env: { DEBIAN_FRONTEND: 'noninteractive' } });
    const succeed = ({ code, stdout, stderr }: Attempt): string => {
      assert.equal(code, 0, stdout + stderr);
      return stdout;
    };
    const property = (unit: string, name: string): string =>
      machine.run('systemctl', 'show', '--value', `--property=${name}`, unit).trim();
    it('installs, and starts the daemon by units that systemd accepts', () => {
      succeed(dpkg('--install', '/tmp/isthmus.deb'));
      const units = ['isthmus.socket', 'isthmus-docker.socket', 'isthmus.service'];
      const verified = machine.attempt(['systemd-analyze', 'verify', ...units]);
      const ours = (verified.stdout + verified.stderr).split('\n').filter((line) => line.includes('isthmus'));
      assert.deepEqual([verified.code, ours], [0, []]);
      for (const unit of units) {
        assert.equal(property(unit, 'ActiveState'), 'active', unit);
        assert.equal(machine.run('systemctl', 'is-enabled', unit), 'enabled\n');
      }
      assert.equal(machine.attempt(['test', '-S', DOCKER]).code, 0);
    });

    it('configures a first network, and nothing beside another one', () => {
      assert.equal(machine.run('ls', '/etc/cni/net.d'), '10-web.conflist\n');
      assert.equal(machine.run('readlink', '/opt/cni/bin/loopback', '/usr/lib/cni/loopback'), 'isthmus\nisthmus\n');
      const { stdout, stderr } = machine.attempt(['env', 'CNI_COMMAND=VERSION', '/usr/lib/cni/isthmus'], {
        input: '{"cniVersion":"1.1.0"}',
      });
      assert.match(stdout, /"supportedVersions"/, stderr);
    });

    it('gives a pod of containerd a network', async () => {
      const containerd = await startContainerd(machine);
      importImage(machine, machine.name);
      assert.match(machine.run('ctr', '-n', machine.name, ...POD_ADDRESS), /inet 10\.77\.0\.\d+\/16 /);
      await containerd.stop();
    });

    it('gives a container of Docker a network', async () => {
      const dockerd = await startDocker(machine);
      loadImage(machine);
      docker(machine, 'network', 'create', '-d', 'isthmus', 'app');
      docker(machine, 'run', '-d', '--name', 'web', '--network', 'app', IMAGE);
      assert.match(
        docker(machine, 'exec', 'web', 'ip', '-4', 'addr', 'show', 'dev', 'eth0'),
        /inet 10\.202\.\d+\.\d+\//,
      );
      assert.match(machine.run('isthmus', 'endpoint', 'ls'), /ready/);
      docker(machine, 'rm', '-f', 'web');
      docker(machine, 'network', 'rm', 'app');
      await dockerd.stop();
      machine.attempt(['ip', 'link', 'delete', 'docker0']);
    });

    it('is upgraded without a failed call while pods come and go', async () => {
      machine.run('ip', 'netns', 'add', 'kept');
      succeed(callPod(machine, 'ADD', 'kept'));
      machine.write('/etc/default/isthmus', '# mine\n');
      const before = property('isthmus.service', 'MainPID');
      const stream = await startStream(machine);
      succeed(dpkg('--force-confold', '--install', '/tmp/next.deb'));
      const upgraded = stream.count();
      await waitFor('calls go on', () => stream.count() > upgraded + 3);
      assert.equal(await stream.stop(), '');
      assert.match(succeed(dpkg('--status', 'isthmus')), new RegExp(`^Version: ${NEXT}$`, 'm'));
      const after = property('isthmus.service', 'MainPID');
      assert.ok(after !== before && after !== '0', `daemon ${before}, then ${after}`);
      assert.equal(machine.run('cat', '/etc/default/isthmus'), '# mine\n');
      succeed(callPod(machine, 'CHECK', 'kept'));
    });

    it('replaces reference plugins where it is asked to, and says at removal who uses its networks', () => {
      machine.write('/opt/cni/bin/bridge', 'the reference');
      succeed(machine.attempt(['isthmus', 'install', '--names', 'bridge']));
      assert.equal(machine.run('readlink', '/opt/cni/bin/bridge'), 'isthmus\n');
      const refused = machine.attempt(['isthmus', 'uninstall']);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /uninstall isthmus: 1 endpoint uses it, such as kept on web\. Remove/);
      succeed(callPod(machine, 'DEL', 'kept'));
      const removed = dpkg('--remove', 'isthmus');
      assert.doesNotMatch(succeed(removed) + removed.stderr, /isthmus: |warning/);
      assert.equal(machine.run('cat', '/opt/cni/bin/bridge'), 'the reference');
      assert.equal(machine.run('cat', '/etc/default/isthmus'), '# mine\n');
      machine.run('rm', '/opt/cni/bin/bridge');
    });

    it('leaves nothing after a purge', () => {
      succeed(dpkg('--purge', 'isthmus'));
      machine.run('sh', '-c', 'rmdir /opt/cni/bin /opt/cni 2>/dev/null; ip netns delete kept; true');
      const [before, now] = [new Set(clean), new Set(files())];
      assert.deepEqual([...now.difference(before)], [], 'is left');
      assert.deepEqual([...before.difference(now)], [], 'is gone');
      assert.equal(machine.run('sh', '-c', 'ls -d /run/isthmus* /run/docker/plugins/isthmus* 2>/dev/null; true'), '');
      assert.doesNotMatch(machine.run('nft', 'list', 'ruleset'), /isth/);
      assert.deepEqual(machine.run('ls', '/sys/class/net').split('\n').filter(Boolean), ['lo']);
      assert.doesNotMatch(machine.run('systemctl', 'list-units', '--all', '--plain'), /isthmus/);
    });
  });

  describe('the image, run by containerd on a clean Debian', () => {
    let machine: TestHost;
    const name = (): string =>
      machine
        .run('ctr', '-n', machine.name, 'image', 'ls', '-q')
        .split('\n')
        .find((one) => one.includes('isthmus:')) ?? '';
    const mount = ['--mount', 'type=bind,src=/,dst=/host,options=rbind:rw'];
    const run = (id: string, ...words: readonly string[]): string =>
      machine.run('ctr', '-n', machine.name, 'run', '--rm', '--snapshotter', 'native', ...mount, name(), id, ...words);

    before(async () => {
      machine = await makeCleanMachine({ CONTAINERD_SNAPSHOTTER: 'native' });
      await startContainerd(machine);
      importImage(machine, machine.name);
      copyFileSync(image.file, machine.outside('/tmp/image.tar'));
      machine.run('ctr', '-n', machine.name, 'image', 'import', '--snapshotter', 'native', '/tmp/image.tar');
    });
    after(async () => {
      await machine?.[Symbol.asyncDispose]();
    });

    it('installs on the node, whose pods get a network', () => {
      const said = run('installer');
      assert.match(said, /^install +\/opt\/cni\/bin\/isthmus$/m);
      assert.equal(machine.run('ls', '/etc/cni/net.d'), '10-web.conflist\n');
      assert.ok(isBuiltVersion(machine.run('isthmus', '--version').trimEnd()));
      assert.match(machine.run('ctr', '-n', machine.name, ...POD_ADDRESS), /inet 10\.77\.0\.\d+\/16 /);
    });

    it('run again changes nothing, and uninstalls', () => {
      assert.match(run('again'), /^isthmus 0\.1\.0\+\S+ is installed already$/m);
      run('uninstaller', '/usr/bin/isthmus', 'uninstall', '--root', '/host');
      assert.equal(machine.attempt(['ls', '/opt/cni']).code, 2);
    });
  });
});

function foundBelow(directory: string | undefined, suffix: string): string | undefined {
  if (directory === undefined) return undefined;
  const name = readdirSync(directory).find((file) => file.endsWith(suffix));
  return name === undefined ? undefined : join(directory, name);
}
