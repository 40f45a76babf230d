import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { pluginNames } from '../support/cni.ts';
import { importImage, startContainerd } from '../support/containerd.ts';
import { docker, flushRules, loadImage, startDocker } from '../support/docker.ts';
import { type Block, ROOT, readBlocks } from '../support/docs.ts';
import { binDir, useTestHost } from '../support/e2e.ts';
import { etcdMissing } from '../support/etcd.ts';
import { IMAGE, makeImage } from '../support/image.ts';
import { removeNetworks } from '../support/networks.ts';
import { STORAGE, withoutCni } from '../support/podman.ts';
import { EXAMPLES, makeRuntime, readList } from '../support/runtime.ts';
import { skipIf } from '../support/skip.ts';
import type { Attempt, Daemon, TestHost } from '../support/test-host.ts';
import { isBuiltVersion, withoutRevisions } from '../support/version.ts';
import { zooKeeperCommand, zooKeeperMissing } from '../support/zookeeper.ts';

/** The image that the examples name, which here is one that was made on the spot. */
const NAMED_IMAGE = 'docker.io/library/busybox:latest';
const PODMAN_CONF = '/run/isth/containers.conf';

describe("the documentation's examples", function () {
  this.timeout(60_000);
  const running = useTestHost({
    CONTAINERS_CONF: PODMAN_CONF,
    STORAGE_DRIVER: 'vfs',
    CONTAINERD_SNAPSHOTTER: 'native',
  });
  const blocks = readBlocks();
  const ran = new Set<Block>();
  let host: TestHost;

  /** Types the runnable blocks of a section into a shell, line by line, as a reader would. */
  const type = (section: string, preamble = ''): Attempt => {
    const own = blocks.filter((block) => block.section === section && block.language === 'sh' && block.run);
    assert.ok(own.length > 0, `no block below "${section}"`);
    for (const block of own) ran.add(block);
    const input = [`cd '${ROOT}'`, preamble, ...own.map(({ text }) => text)].join('\n');
    return host.attempt(['bash'], { input, timeout: 60_000 });
  };
  const succeed = (section: string, preamble = ''): string => {
    const { code, stdout, stderr } = type(section, preamble);
    assert.equal(stderr, '', section);
    assert.equal(code, 0, stdout);
    return stdout;
  };
  const shown = (section: string, language: string): string => {
    const found = blocks.find((block) => block.section === section && block.language === language);
    assert.ok(found, `no ${language} block below "${section}"`);
    return found.text;
  };

  before(() => {
    host = running();
    removeNetworks(host);
  });

  it('install the executable and a network', () => {
    const planned = host.run(join(ROOT, 'dist/cnm-shim'), 'install', '--dry-run');
    assert.match(planned, /^isthmus \S+ would be installed\n[\s\S]*^this was a dry run: nothing has been changed\n$/m);
    assert.equal(host.attempt(['test', '-e', '/usr/bin/isthmus']).code, 1);
    const said = succeed('Install it', 'exec 2>&1');
    for (const path of ['/usr/lib/isthmus/cni-plugin', '/usr/bin/isthmus', '/etc/cni/net.d/10-web.conflist'])
      assert.match(said, new RegExp(`^install +${path}$`, 'm'));
    const told = withoutRevisions(host.attempt(['/opt/cni/bin/isthmus']).stderr);
    assert.equal(told, withoutRevisions(shown('Install', 'text')));
    assert.ok(isBuiltVersion(host.run('isthmus', '--version').trimEnd()));
    assert.equal(host.run('ls', '/etc/cni/net.d'), '10-web.conflist\n');
    assert.match(host.run('isthmus', 'status'), /^Configured: +web \(10-web\.conflist\)$/m);
    assertSmall(host);
  });

  it('install its names too, and tell what uninstall would do', () => {
    const said = succeed('Install', 'exec 2>&1');
    assert.match(said, /^replace +\/opt\/cni\/bin\/bridge: the former one is kept as /m);
    assert.ok(withoutRevisions(said).endsWith(withoutRevisions(shown('Install', 'text'))), said);
    const installed = host.run('ls', '-l', '/opt/cni/bin');
    assert.match(installed, /^-rwxr-xr-x .* isthmus$/m);
    for (const name of pluginNames.filter((known) => known !== 'isthmus'))
      assert.match(installed, new RegExp(` ${name} -> isthmus$`, 'm'));
    assert.equal(host.run('ls', '-A', '/usr/lib/isthmus'), 'LICENSES.txt\ncni-plugin\ncnm-shim\n');
    assertSmall(host);
    const files = host.run('ls', '-lR', '/opt/cni', '/usr/lib/isthmus', '/etc/systemd');
    assert.match(succeed('Uninstall'), /^put back +\/opt\/cni\/bin\/bridge$[\s\S]*nothing has been changed\n$/m);
    assert.equal(host.run('ls', '-lR', '/opt/cni', '/usr/lib/isthmus', '/etc/systemd'), files);
  });

  it('run the daemon, which answers the launcher', () => {
    const said = succeed('The daemon', 'exec 2>&1');
    const plain = (text: string): string => withoutRevisions(withoutTimes(text));
    assert.equal(plain(said), plain(shown('The daemon', 'text')));
    assert.match(host.run('ls', '/etc/systemd/system'), /^isthmus-docker\.socket\nisthmus\.service\nisthmus\.socket$/m);
  });

  it('call every command by hand, and ADD, CHECK and DEL in every version', () => {
    const said = succeed('Call it by hand');
    assert.ok(said.includes(shown('Call it by hand', 'json')), said);
    assert.match(said, /"supportedVersions": \[/);
    const versions = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];
    const lines = said.split('\n').filter((line) => /^\d\.\d\.\d: /.test(line));
    const expected = versions.flatMap((version) => [
      `${version}: ADD`,
      ...(version < '0.4.0' ? [] : [`${version}: CHECK`]),
      `${version}: DEL`,
    ]);
    assert.deepEqual(
      lines.map((line) => line.split(' ').slice(0, 2).join(' ')),
      expected,
    );
    for (const line of lines.filter((text) => text.includes(': ADD')))
      assert.match(line, /^(\d\.\d\.\d): ADD \{ "cniVersion": "\1",.*"10\.99\.0\.\d+\/24"/);
  });

  it('show an error as it is', () => {
    const { code, stdout, stderr } = type('Errors');
    assert.equal(stderr, '');
    assert.equal(code, 1);
    assert.equal(stdout, shown('Errors', 'json'));
  });

  it('write a log line with the trace id', () => {
    const section = 'State and environment';
    const said = succeed(section, 'exec 2>&1');
    assert.equal(withoutTimes(said), withoutTimes(shown(section, 'text')));
  });

  it('find the cause of trouble', () => {
    host.run('ln', '-sf', 'isthmus', '/opt/cni/bin/loopback');
    assert.equal(succeed('Find the cause'), shown('Find the cause', 'text'));
  });

  it('restore the packet filter', () => {
    const list = readList(join(EXAMPLES, 'masquerade-and-ports.conflist'));
    const runtime = makeRuntime(host, list, [binDir]);
    host.run('ip', 'netns', 'add', 'reloaded');
    const offers = { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] };
    const container = { id: 'reloaded', netns: '/run/netns/reloaded', offers };
    try {
      runtime.add(container);
      const tables = tablesOf(host);
      assert.equal(succeed('Reload'), shown('Reload', 'text'));
      assert.deepEqual(tablesOf(host), tables);
      runtime.check(container);
      host.run('nft', 'flush', 'ruleset');
      assert.throws(
        () => runtime.check(container),
        ({ message }: Error) => {
          const [, command = message] = /"details": "Run: (.*)"/.exec(message) ?? [];
          host.run('sh', '-c', command);
          return true;
        },
      );
      runtime.check(container);
    } finally {
      runtime.del(container);
      host.run('ip', 'netns', 'delete', 'reloaded');
    }
  });

  for (const [where, ...prepare] of [
    ['where other traffic is dropped', '-P', 'FORWARD', 'DROP'],
    ['in a chain that the administrator created', '-N', 'ISTHMUS-USER'],
  ] as const)
    it(`keep the administrator's rules ${where}`, () => {
      const runtime = makeRuntime(host, readList(join(EXAMPLES, 'bridge.conflist')), [binDir]);
      host.run('ip', 'netns', 'add', 'ruled');
      const container = { id: 'ruled', netns: '/run/netns/ruled' };
      host.run('iptables', ...prepare);
      try {
        runtime.add(container);
        assert.equal(succeed('Your own rules'), '');
        const rules = host.run('iptables', '-S').split('\n');
        assert.ok(rules.includes('-A ISTHMUS-USER -d 192.0.2.7/32 -i isth0 -j DROP'), rules.join('\n'));
        assert.match(rules.find((rule) => rule.startsWith('-A ISTHMUS-FORWARD')) ?? '', / -j ISTHMUS-USER$/);
        assert.ok(
          rules.some((rule) => /^-A FORWARD .*-j ISTHMUS-FORWARD$/.test(rule)),
          rules.join('\n'),
        );
      } finally {
        host.attempt(['iptables', '-F', 'ISTHMUS-USER']);
        runtime.del(container);
        host.run('ip', 'netns', 'delete', 'ruled');
        host.attempt(['iptables', '-P', 'FORWARD', 'ACCEPT']);
      }
    });

  it('keep networkd and NetworkManager from our interfaces', () => {
    const section = 'systemd-networkd and NetworkManager';
    assert.equal(succeed(section, 'networkctl() { echo "$@"; }; nmcli() { echo "$@"; }'), 'reload\ngeneral reload\n');
    const installed = ['/etc/systemd/network/10-isthmus.network', '/etc/NetworkManager/conf.d/10-isthmus.conf'];
    for (const file of installed) assert.match(host.run('cat', file), /\bisth\*/);
  });

  it('connect containers of podman', function () {
    skipIf(this, withoutCni(host));
    host.write('/etc/containers/storage.conf', STORAGE);
    host.write(PODMAN_CONF, `${shown('podman', 'toml')}${CONFINED}`);
    host.run('podman', 'load', '-q', '-i', makeImage(host));
    host.run('podman', 'tag', IMAGE, NAMED_IMAGE);
    const inside = `podman() { if [ $1 = run ]; then shift; set -- run --cgroup-parent /${host.name} "$@"; fi; command podman "$@"; }`;
    const said = succeed('podman', inside);
    assert.match(said, /^\S+ +web +isthmus$/m);
    assert.match(said, /inet 10\.77\.0\.\d+\/16 /);
    assert.match(said, /inet 10\.77\.9\.9\/16 /);
  });

  it('connect a container of containerd', async () => {
    await startContainerd(host);
    importImage(host, host.name);
    host.run('ctr', '-n', host.name, 'image', 'tag', IMAGE, NAMED_IMAGE);
    const said = succeed('ctr', `export CONTAINERD_NAMESPACE=${host.name}`);
    assert.match(said, /inet 10\.77\.0\.\d+\/16 /);
  });

  describe('with dockerd', () => {
    let dockerd: Daemon;
    let isthmus: Daemon;
    before(async () => {
      const socket = '/run/docker/plugins/isthmus.sock';
      const ready = (): boolean => host.attempt(['test', '-S', socket]).code === 0;
      isthmus = await host.start('isthmus', ['isthmus', 'serve'], ready);
      dockerd = await startDocker(host);
      loadImage(host);
      docker(host, 'tag', IMAGE, NAMED_IMAGE);
    });
    after(async () => {
      await dockerd?.stop();
      await isthmus?.stop();
      flushRules(host);
      host.run('ip', 'link', 'delete', 'docker0');
      removeNetworks(host);
    });

    it('connect containers of Docker', () => {
      const said = succeed('The first network', DOCKER);
      assert.match(said, / 0% packet loss/);
      const table = said.slice(said.indexOf('CONTAINER'));
      assert.equal(
        withoutIds(table.slice(0, table.indexOf('web1\napp'))),
        withoutIds(shown('The first network', 'text')),
      );
    });

    it('connect a container of Docker with a LAN', () => {
      const lan = 'ip netns add lan && ip link add eth1 up type veth peer name eth0 netns lan';
      host.run('sh', '-c', `${lan} && ip -n lan addr add 10.9.0.1/24 dev eth0 && ip -n lan link set eth0 up`);
      try {
        assert.match(succeed('macvlan and ipvlan', DOCKER), / 0% packet loss/);
      } finally {
        host.run('sh', '-c', 'ip link delete eth1; ip netns delete lan');
      }
    });

    it('connect containers of Docker by a CNI list', () => {
      assert.match(succeed('CNI plugins as Docker networks', DOCKER), / 0% packet loss/);
      host.run('rm', '/etc/cni/net.d/20-listed.conflist');
    });

    it('connect a container of Docker with a pod', () => {
      const said = succeed('One network for both', `${DOCKER} CONTAINERD_NAMESPACE=${host.name}`);
      assert.match(said, / 0% packet loss/);
      assert.match(said, /^web +db +eth0 +veth\w+ +10\.77\.\d+\.\d+\/16 .* docker +ready$/m);
    });
  });

  it('join a cluster, look at it and leave it', async function () {
    skipIf(this, etcdMissing());
    host.run('ip', 'link', 'add', 'eth1', 'type', 'bridge');
    host.run('ip', 'addr', 'add', '10.0.0.1/24', 'dev', 'eth1');
    host.run('ip', 'link', 'set', 'eth1', 'up');
    host.write('/run/etcd.env', `${shown('Set up etcd', 'ini')}ETCD_DATA_DIR=/run/etcd\n`);
    const healthy = ['etcdctl', '--endpoints', 'http://10.0.0.1:2379', 'endpoint', 'health'];
    const etcd = await host.start(
      'etcd',
      ['sh', '-c', 'set -a; . /run/etcd.env; exec etcd'],
      () => host.attempt(healthy).code === 0,
    );
    const serve = (): Promise<Daemon> =>
      host.start('isthmus', ['isthmus', 'serve', '--docker-socket', 'none'], () =>
        host.attempt(['isthmus', 'cluster', 'status']).stdout.includes(' present '),
      );
    const restarted = 'systemctl() { :; }';
    try {
      assert.match(succeed('Join a cluster', restarted), /^\/etc\/isthmus\/cluster\.json written\./);
      const isthmus = await serve();
      assert.equal(nodeOf(succeed('Look at the cluster')), nodeOf(shown('Look at the cluster', 'text')));
      assert.match(succeed('After a disaster', restarted), /^\/etc\/isthmus\/cluster\.json deleted\./);
      assert.equal(host.attempt(['test', '-e', '/etc/isthmus/cluster.json']).code, 1);
      await isthmus.stop();
      host.run('rm', '/var/lib/isthmus/host-id');
    } finally {
      await etcd.stop();
      host.run('ip', 'link', 'delete', 'eth1');
    }
  });

  it('join a cluster on ZooKeeper', async function () {
    skipIf(this, zooKeeperMissing());
    host.run('ip', 'link', 'add', 'eth1', 'type', 'bridge');
    host.run('ip', 'addr', 'add', '10.0.0.1/24', 'dev', 'eth1');
    host.run('ip', 'link', 'set', 'eth1', 'up');
    host.write('/run/zoo.cfg', `${shown('ZooKeeper', 'ini')}dataDir=/run/zookeeper\nadmin.enableServer=false\n`);
    const status = (): string => host.attempt(['isthmus', 'cluster', 'status']).stdout;
    const zooKeeper = await host.start('zookeeper', zooKeeperCommand('/run/zoo.cfg'), () => true);
    try {
      assert.match(succeed('ZooKeeper', 'systemctl() { :; }'), /^\/etc\/isthmus\/cluster\.json written\./);
      const serve = ['isthmus', 'serve', '--docker-socket', 'none'];
      const isthmus = await host.start('isthmus', serve, () => status().includes(' present '));
      assert.match(status(), /^prod +\S+ +member +3\/3 +0$/m);
      host.run('isthmus', 'cluster', 'leave');
      await isthmus.stop();
      host.run('rm', '/var/lib/isthmus/host-id');
    } finally {
      await zooKeeper.stop();
      host.run('ip', 'link', 'delete', 'eth1');
    }
  });

  it('show what the daemon did, and collect it', async () => {
    const isthmus = await host.start('isthmus', ['isthmus', 'serve', '--docker-socket', 'none'], () =>
      host.attempt(['isthmus', 'events']).stdout.includes(' reconcile '),
    );
    try {
      const lines = succeed('What the daemon did').split('\n');
      const [shownLine = ''] = shown('What the daemon did', 'text').split('\n');
      const plain = (line: string): string => line.replaceAll(/[\d.:TZ-]+/g, '0').replaceAll(/ +/g, ' ');
      assert.equal(plain(lines[0] ?? ''), plain(shownLine));
      assert.deepEqual(JSON.parse(lines.slice(1).join('\n')), []);
      assert.match(succeed('Report a fault'), /^\/tmp\/isthmus-support\.tar: \d+ files/);
      host.run('rm', '/tmp/isthmus-support.tar');
    } finally {
      await isthmus.stop();
    }
  });

  it('show networks, and make and remove one', () => {
    assert.equal(succeed('Look at networks'), shown('Look at networks', 'text'));
  });

  it('explain and check a configuration', () => {
    const section = 'See what a configuration does';
    assert.equal(succeed(section), shown(section, 'text'));
  });

  // The tests of a block come before those of the blocks in it.
  describe('complete', () => {
    it('all ran, except those that docker-plugin.test.ts and remote-runtimes.test.ts run', () => {
      const elsewhere = [
        'As a managed plugin',
        'A network of a Docker plugin',
        ...(withoutCni(host) === undefined ? [] : ['podman']),
      ];
      if (zooKeeperMissing() !== undefined) elsewhere.push('ZooKeeper');
      if (etcdMissing() !== undefined) elsewhere.push('Join a cluster', 'Look at the cluster', 'After a disaster');
      const left = blocks.filter((block) => block.run && !ran.has(block) && !elsewhere.includes(block.section));
      assert.deepEqual(left, []);
    });
  });
});

/** Bytes of everything installed: the executable is there once. */
function assertSmall(host: TestHost): void {
  const installed = ['/usr/lib/isthmus', '/usr/bin/isthmus', '/opt/cni/bin/isthmus'];
  const total = host
    .run('du', '-s', '-c', '--apparent-size', '--block-size=1', ...installed)
    .split('\n')
    .at(-2);
  const bytes = Number.parseInt(total ?? '', 10);
  assert.ok(bytes > 100e6 && bytes <= 125e6, `${bytes} bytes are installed`);
}

const DOCKER = 'export DOCKER_HOST=unix:///run/docker.sock';

/** The tables of nftables, which the kernel lists in the order of their creation, by name. */
function tablesOf(host: TestHost): string[] {
  return host
    .run('nft', 'list', 'ruleset')
    .split(/^(?=table )/m)
    .toSorted();
}

/** Names and ids of hosts are others in each run, and so are the widths of columns. */
function nodeOf(text: string): string {
  const first = /^prod +(\S+)/m.exec(text)?.[1] ?? assert.fail(text);
  return text
    .replaceAll(first, 'node')
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '…')
    .replaceAll(/ +/g, ' ');
}

/** Ids and addresses are others in each run. */
function withoutIds(text: string): string {
  return text.replaceAll(/\b[0-9a-f]{12}\b/g, '…').replaceAll(/\b(10|172)\.\d+\.\d+\.\d+/g, '…');
}

/** Times, and how long something took, are others in each run. */
function withoutTimes(text: string): string {
  return text.replaceAll(/\b(time|(?:\w+_)?ms)=\S+/g, '$1=…');
}

/** Without systemd, and within the limits on processes that a confined machine has. */
const CONFINED = `[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
[containers]
default_ulimits = ["nofile=1024:2048", "nproc=1024:2048"]
`;
