import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { referencePath } from '../support/e2e.ts';
import { byTable } from '../support/filter-tools.ts';
import { skipIf } from '../support/skip.ts';
import { makeSystemdHost, type SystemdHost, systemdMissing, UNITS } from '../support/systemd-host.ts';
import { type Attempt, waitFor } from '../support/test-host.ts';

const SERVICE = 'isthmus.service';
const DOCKER = '/run/docker/plugins/isthmus.sock';

const PACKAGING = join(UNITS, '..');
const SETTINGS = readFileSync(join(UNITS, SERVICE), 'utf8').split('\n');

/** linux/capability.h */
const CAPABILITIES: Readonly<Record<string, number>> = {
  CAP_DAC_READ_SEARCH: 2,
  CAP_NET_BIND_SERVICE: 10,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_ADMIN: 21,
};

describe('the units under a separate systemd', function () {
  this.timeout(120_000);
  let host: SystemdHost;
  let pods = 0;

  before(async function () {
    skipIf(this, systemdMissing());
    host = await makeSystemdHost();
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  /** A pod's namespace and calls for it, through the launcher. */
  function makePod(): { id: string; call: (command: string, config: object, path?: string) => Attempt } {
    const id = `pod${pods++}`;
    host.run('ip', 'netns', 'add', id);
    const env = [`CNI_CONTAINERID=${id}`, `CNI_NETNS=/run/netns/${id}`, 'CNI_IFNAME=eth0'];
    return {
      id,
      call: (command, config, path = '/usr/lib/isthmus') =>
        host.attempt(['env', `CNI_COMMAND=${command}`, `CNI_PATH=${path}`, ...env, '/usr/lib/isthmus/launcher'], {
          input: JSON.stringify({ cniVersion: '1.1.0', name: 'web', type: 'isthmus', driver: 'bridge', ...config }),
        }),
    };
  }

  const ok = ({ code, stdout, stderr }: Attempt): Record<string, unknown> => {
    assert.equal(code, 0, stdout + stderr);
    return stdout === '' ? {} : JSON.parse(stdout);
  };

  /** The calls of a pod that the daemons have answered: `ADD ok`. */
  const served = (id: string): string[] =>
    host.log().flatMap((line) => {
      const [, event, result] = new RegExp(`event=(\\w+) .*container=${id} .*result=(\\w+)`).exec(line) ?? [];
      return event === undefined ? [] : [`${event} ${result}`];
    });

  /** Selects the variant of `iptables` and related commands on this machine. */
  function useIptables(tool: string): void {
    for (const suffix of ['', '-save', '-restore'])
      for (const family of ['iptables', 'ip6tables'])
        host.run(
          'ln',
          '-sf',
          `/usr/sbin/${tool.replace('iptables', family)}${suffix}`,
          `/etc/alternatives/${family}${suffix}`,
        );
  }

  const RICH = {
    ...{ bridge: 'isth0', isGateway: true, ipMasq: true, hairpinMode: true, macspoofchk: true },
    ipam: { ranges: [[{ subnet: '10.88.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] },
  };

  it('are enabled together, for boot and for socket activation', () => {
    host.run('systemctl', 'enable', SERVICE);
    assert.match(host.run('ls', '/etc/systemd/system/multi-user.target.wants'), /^isthmus\.service$/m);
    assert.match(
      host.run('ls', '/etc/systemd/system/sockets.target.wants'),
      /^isthmus-docker\.socket\nisthmus\.socket$/m,
    );
  });

  it('run the daemon with its status, private directories and only the capabilities they name', () => {
    assert.equal(
      host.property(SERVICE, 'StatusText'),
      `Serving CNI calls on /run/isthmus/cni.sock, and Docker on ${DOCKER}`,
    );
    const paths = ['/run/isthmus', '/var/lib/isthmus', '/run/isthmus/cni.sock', '/run/docker/plugins', DOCKER];
    const modes = host.run('stat', '-c', '%a %U', ...paths);
    assert.equal(modes, '700 root\n700 root\n600 root\n755 root\n600 root\n');
    const status = host.run('cat', `/proc/${host.daemon()}/status`);
    const [, names = ''] = /^CapabilityBoundingSet=(.*)$/m.exec(readFileSync(join(UNITS, SERVICE), 'utf8')) ?? [];
    const named = names.split(' ').reduce((mask, name) => mask | (1n << BigInt(CAPABILITIES[name] ?? 63)), 0n);
    const [, bounding = ''] = /^CapBnd:\t(\w+)$/m.exec(status) ?? [];
    assert.equal(BigInt(`0x${bounding}`), named);
    assert.match(status, /^NoNewPrivs:\t1$/m);
  });

  it('leave the daemon in the mount namespace of the machine', () => {
    assert.equal(host.run('readlink', `/proc/${host.daemon()}/ns/mnt`), host.run('readlink', '/proc/1/ns/mnt'));
  });

  for (const [tool, backend] of [
    ['nftables', 'nftables'],
    ['iptables-nft', 'iptables'],
    ['iptables-legacy', 'iptables'],
  ] as const)
    it(`let the daemon do all its work, with ${tool}`, () => {
      if (backend === 'iptables') useIptables(tool);
      const config = {
        ...RICH,
        firewall: { backend },
        runtimeConfig: {
          portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
          bandwidth: { ingressRate: 1_000_000, ingressBurst: 1_000_000 },
        },
      };
      const { id, call } = makePod();
      const prevResult = ok(call('ADD', config));
      ok(call('CHECK', { ...config, prevResult }));
      ok(call('STATUS', config));
      ok(call('DEL', config));
      assert.deepEqual(served(id), ['ADD ok', 'CHECK ok', 'STATUS ok', 'DEL ok']);
    });

  it('let the daemon name the process of another user that holds a host port', async () => {
    const listen = 'setpriv --reuid=65534 --regid=65534 --clear-groups busybox nc -l -p 8081 >/dev/null 2>&1 &';
    host.run('sh', '-c', listen);
    await waitFor('somebody listens', () => host.run('ss', '-Hltn').includes(':8081'));
    const { call } = makePod();
    const portMappings = [{ hostPort: 8081, containerPort: 80, protocol: 'tcp' }];
    const { code, stdout } = call('ADD', { ...RICH, runtimeConfig: { portMappings } });
    assert.equal(code, 1);
    assert.match(stdout, /busybox \(pid \d+\)/);
  });

  it('let foreign IPAM plugins work', () => {
    const { id, call } = makePod();
    const ipam = { type: 'host-local', ranges: [[{ subnet: '10.99.0.0/24' }]], dataDir: '/var/lib/cni/networks' };
    // The version that Debian's reference plugins know.
    const config = { cniVersion: '1.0.0', name: 'other', bridge: 'isth1', ipam };
    ok(call('ADD', config, referencePath));
    ok(call('DEL', config, referencePath));
    assert.deepEqual(served(id), ['ADD ok', 'DEL ok']);
  });

  it('keep the daemon and its plugins from other roots, foreign namespaces and tracing', () => {
    const probe = `#!/bin/sh
try() { "$@" >/dev/null 2>&1 && echo "can $*" || echo "cannot $*"; }
[ "$CNI_COMMAND" = ADD ] || exit 0
{
  umask
  try ip link show lo
  try unshare --net true
  for kind in mount user pid uts ipc cgroup; do try unshare --$kind true; done
  try chroot / true
  try strace -o /dev/null true
} >/run/isth/tried 2>&1
echo '{"cniVersion":"1.1.0","ips":[{"address":"10.97.0.9/16"}]}'
`;
    host.write('/run/isth/plugins/probe', probe);
    host.run('chmod', '755', '/run/isth/plugins/probe');
    const { id, call } = makePod();
    const config = { name: 'probe', bridge: 'isth3', ipam: { type: 'probe' } };
    ok(call('ADD', config, '/run/isth/plugins'));
    ok(call('DEL', config, '/run/isth/plugins'));
    assert.deepEqual(served(id), ['ADD ok', 'DEL ok']);
    const kinds = ['mount', 'user', 'pid', 'uts', 'ipc', 'cgroup'];
    assert.deepEqual(host.run('cat', '/run/isth/tried').split('\n'), [
      ...['0022', 'can ip link show lo', 'can unshare --net true'],
      ...kinds.map((kind) => `cannot unshare --${kind} true`),
      ...['cannot chroot / true', 'cannot strace -o /dev/null true'],
      '',
    ]);
    const status = host.run('cat', `/proc/${host.daemon()}/status`);
    assert.match(status, /^Umask:\t0077$/m);
    assert.match(status, /^Seccomp:\t2$/m);
    for (const name of ['DevicePolicy', 'TasksMax', 'OOMPolicy'])
      assert.ok(SETTINGS.includes(`${name}=${host.property(SERVICE, name)}`), name);
    assert.equal(host.property(SERVICE, 'MemoryMax'), String(2 ** 31));
  });

  describe('beside a systemd-networkd that manages every interface', () => {
    const UNMANAGED = '10-isthmus.network';
    before(() => {
      host.write(`/etc/systemd/network/${UNMANAGED}`, readFileSync(join(PACKAGING, 'networkd', UNMANAGED), 'utf8'));
      host.write(
        '/etc/systemd/network/50-all.network',
        '[Match]\nName=*\n[Network]\nDHCP=no\nLinkLocalAddressing=no\n',
      );
      // As which user networkd runs.
      const directories = [
        '/run/systemd/netif',
        ...['links', 'leases', 'lldp'].map((name) => `/run/systemd/netif/${name}`),
      ];
      host.run('install', '-d', '-o', 'systemd-network', ...directories);
    });
    afterEach(() => {
      host.attempt(['systemctl', 'stop', 'networkd-test']);
      host.attempt(['ip', 'link', 'delete', 'witness0']);
    });
    after(() => host.run('rm', '-r', '/etc/systemd/network'));

    /** What networkd does with an interface: `configured`, `unmanaged`. */
    const managed = (name: string): string => {
      const index = host.attempt(['cat', `/sys/class/net/${name}/ifindex`]).stdout.trim();
      const state = host.attempt(['cat', `/run/systemd/netif/links/${index}`]).stdout;
      return /^ADMIN_STATE=(.*)$/m.exec(state)?.[1] ?? 'unknown';
    };

    async function startNetworkd(): Promise<void> {
      host.run('systemd-run', '--unit=networkd-test', '--property=Type=simple', '/lib/systemd/systemd-networkd');
      host.run('ip', 'link', 'add', 'witness0', 'up', 'type', 'bridge');
      await waitFor('networkd has configured a bridge of somebody else', () => managed('witness0') === 'configured');
    }

    const config = {
      ...RICH,
      runtimeConfig: { bandwidth: { egressRate: 1_000_000, egressBurst: 1_000_000 } },
    };

    for (const order of ['before', 'after'])
      it(`leave the interfaces of a pod to us, attached ${order} it starts`, async () => {
        const { call } = makePod();
        if (order === 'after') await startNetworkd();
        const prevResult = ok(call('ADD', config));
        if (order === 'before') await startNetworkd();
        const names = host.run('ls', '/sys/class/net').match(/^(isth0|veth\w{11}|ifb\w{12})$/gm) ?? [];
        assert.equal(names.length, 3, names.join(' '));
        for (const name of names)
          await waitFor(
            `networkd has seen ${name}`,
            () => !['unknown', 'pending', 'initialized'].includes(managed(name)),
          );
        assert.deepEqual(names.map(managed), ['unmanaged', 'unmanaged', 'unmanaged'], names.join(' '));
        ok(call('CHECK', { ...config, prevResult }));
        ok(call('DEL', config));
      });
  });

  it('restore the packet filter at reload', () => {
    const { call } = makePod();
    ok(call('ADD', RICH));
    const rules = (): string => byTable(host.run('nft', '--stateless', 'list', 'ruleset'));
    const before = rules();
    host.run('nft', 'flush', 'ruleset');
    host.run('systemctl', 'reload', SERVICE);
    return waitFor('the rules are back', () => rules() === before).then(() => ok(call('DEL', RICH)));
  });

  /** True when another daemon than that one is ready. */
  const isReplaced = (before: number | undefined): boolean =>
    ![before, undefined].includes(host.daemon()) && host.property(SERVICE, 'ActiveState') === 'active';

  it('restart a killed daemon, and calls are answered throughout', async () => {
    const before = host.daemon();
    host.run('kill', '-KILL', String(before));
    const { id, call } = makePod();
    await waitFor('there is another', () => {
      ok(call('STATUS', RICH));
      return isReplaced(before);
    });
    const earlier = served(id).length;
    ok(call('STATUS', RICH));
    assert.equal(served(id).length, earlier + 1);
  });

  it('lose no call while the daemon is replaced', async () => {
    const before = host.daemon();
    host.run('systemctl', 'restart', '--no-block', SERVICE);
    const { id, call } = makePod();
    let pairs = 0;
    await waitFor('there is another', () => {
      ok(call('ADD', RICH));
      ok(call('DEL', RICH));
      pairs++;
      return isReplaced(before);
    });
    const earlier = served(id).length;
    // Those that waited for the new daemon for more than a second have been answered without.
    assert.ok(earlier > 0 && earlier <= 2 * pairs, `${earlier} of ${2 * pairs}`);
    ok(call('ADD', RICH));
    ok(call('DEL', RICH));
    assert.deepEqual(served(id).slice(earlier), ['ADD ok', 'DEL ok']);
  });

  it('wait at stop for calls and their IPAM plugins, and start the daemon for the next call', async () => {
    const slow = `#!/bin/sh
[ "$CNI_COMMAND" = ADD ] || exit 0
touch /run/isth/asked
while ! [ -e /run/isth/go ]; do sleep 0.05; done
echo '{"cniVersion":"1.1.0","ips":[{"address":"10.98.0.9/16"}]}'
`;
    host.write('/run/isth/plugins/slow', slow);
    host.run('chmod', '755', '/run/isth/plugins/slow');
    const { id, call } = makePod();
    const config = { name: 'slow', bridge: 'isth2', ipam: { type: 'slow' } };
    // The command that releases the plugin starts only while the daemon is being stopped.
    const script = `while ! [ -e /run/isth/asked ]; do sleep 0.05; done
systemctl stop --no-block isthmus.service
while [ "$(systemctl show --value --property=StatusText isthmus.service)" != 'Finishing the calls under way' ]; do sleep 0.05; done
touch /run/isth/go`;
    const stopping = host.attempt(['sh', '-c', `(${script}) >/dev/null 2>&1 &`]);
    assert.equal(stopping.code, 0);
    ok(call('ADD', config, '/run/isth/plugins'));
    await waitFor('the daemon has ended', () => host.property(SERVICE, 'ActiveState') === 'inactive');
    assert.equal(host.property(SERVICE, 'Result'), 'success');
    assert.equal(host.property('isthmus.socket', 'ActiveState'), 'active');
    assert.deepEqual(served(id), ['ADD ok']);
    ok(call('DEL', config, '/run/isth/plugins'));
    await waitFor('there is a daemon again', () => host.property(SERVICE, 'ActiveState') === 'active');
  });

  it('hold calls of dockerd while the daemon is replaced or not running', async () => {
    const activate = (): void => {
      const script = `const request = require('node:http').request({ socketPath: '${DOCKER}', method: 'POST', path: '/Plugin.Activate' });
        request.on('response', (response) => response.pipe(process.stdout)).end()`;
      const { stdout, stderr } = host.attempt([process.execPath, '-e', script]);
      assert.equal(stdout, '{"Implements":["NetworkDriver","IpamDriver"]}', stderr);
    };
    const before = host.daemon();
    activate();
    host.run('systemctl', 'restart', '--no-block', SERVICE);
    await waitFor('there is another', () => {
      activate();
      return isReplaced(before);
    });
    host.run('systemctl', 'stop', SERVICE);
    assert.equal(host.run('stat', '-c', '%a', DOCKER), '600\n');
    activate();
    await waitFor('there is a daemon again', () => host.property(SERVICE, 'ActiveState') === 'active');
    assert.equal(host.run('ls', '/run/docker/plugins'), 'isthmus.sock\n');
  });

  it('let dockerd use a CNI list, and hold its interface while the daemon is replaced', async () => {
    const call = (method: string, body: object): string => {
      const script = `const request = require('node:http').request({ socketPath: '${DOCKER}', method: 'POST', path: '/NetworkDriver.${method}' });
        request.on('response', (response) => response.pipe(process.stdout)).end(process.argv[1])`;
      return host.attempt([process.execPath, '-e', script, JSON.stringify(body)]).stdout;
    };
    const ipam = { type: 'host-local', ranges: [[{ subnet: '10.96.0.0/24' }]] };
    const conf = {
      cniVersion: '1.0.0',
      name: 'listed',
      plugins: [{ type: 'bridge', bridge: 'cni9', isGateway: true, ipam }],
    };
    const generic = { driver: 'cni', conf: JSON.stringify(conf), cniPath: referencePath };
    const [NetworkID, EndpointID] = ['a'.repeat(64), 'b'.repeat(64)];
    const IPv4Data = [{ AddressSpace: 'null', Pool: '0.0.0.0/0' }];
    const Options = { 'com.docker.network.generic': generic };
    assert.equal(call('CreateNetwork', { NetworkID, Options, IPv4Data }), '{}');
    const made = call('CreateEndpoint', { NetworkID, EndpointID, Interface: {}, Options: {} });
    assert.match(made, /"Address":"10\.96\.0\.2\/24"/);
    const before = host.daemon();
    host.run('systemctl', 'kill', '--signal=SIGKILL', SERVICE);
    await waitFor('there is another', () => isReplaced(before));
    const joined = call('Join', { NetworkID, EndpointID, SandboxKey: '', Options: {} });
    assert.match(joined, /"SrcName":"peerbbbbbbbbbbb"/);
    host.run('ip', 'link', 'show', 'peerbbbbbbbbbbb');
    assert.equal(call('DeleteEndpoint', { NetworkID, EndpointID }), '{}');
    assert.equal(call('DeleteNetwork', { NetworkID }), '{}');
    assert.doesNotMatch(host.run('ls', '/run/netns'), /isth-bbbbbbbbbbbb/);
    assert.doesNotMatch(host.run('ls', '/var/lib/cni/networks/listed'), /10\.96/);
    host.run('ip', 'link', 'delete', 'cni9');
  });

  it('replace a daemon that hangs', async () => {
    host.override(SERVICE, '[Service]\nWatchdogSec=1\nTimeoutAbortSec=1\nLimitCORE=0');
    host.run('systemctl', 'restart', SERVICE);
    const before = host.daemon();
    host.run('kill', '-STOP', String(before));
    await waitFor('there is another', () => isReplaced(before), 30_000);
  });

  it('give up a daemon that cannot start and its socket, so that the plugin serves at once', async () => {
    host.override(SERVICE, '[Service]\nExecStart=\nExecStart=/bin/false');
    host.attempt(['systemctl', 'restart', SERVICE]);
    const { id, call } = makePod();
    await waitFor(
      'the socket is given up',
      () => {
        ok(call('STATUS', RICH));
        return host.property('isthmus.socket', 'ActiveState') === 'failed';
      },
      60_000,
    );
    assert.notEqual(host.attempt(['ls', DOCKER]).code, 0, 'nobody is there for dockerd, but a socket is');
    ok(call('ADD', RICH));
    ok(call('DEL', RICH));
    assert.deepEqual(served(id), []);
  });
});
