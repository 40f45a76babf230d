import { strict as assert } from 'node:assert';
import { existsSync, readFileSync } from 'node:fs';
import type { CniAnswer } from '../support/cni.ts';
import { binDir, dhcpReleases, reference, referencePath, useTestHost } from '../support/e2e.ts';
import { type TestHost, waitFor } from '../support/test-host.ts';

const DATA_DIR = '/run/isth/networks';
const SOCKET = '/run/isth/dhcp.sock';
const LEASES = '/run/isth/dnsmasq.leases';

/** Under the reference's own name the configuration is the reference's. */
const TYPES = reference ? ['bridge'] : ['isthmus', 'bridge'];

describe('addresses from a foreign IPAM plugin', function () {
  this.timeout(60_000);
  const running = useTestHost();
  let host: TestHost;

  interface Call {
    readonly command: 'ADD' | 'CHECK' | 'DEL';
    readonly pod: string;
    readonly type: string;
    readonly ipam: object;
    /** CNI_PATH: where the delegate is looked for. */
    readonly path?: string;
    /** Directory of the plugin that is called. */
    readonly dir?: string;
    readonly prevResult?: CniAnswer;
  }

  const call = ({ command, pod, type, ipam, path = referencePath, dir = binDir, prevResult }: Call): CniAnswer => {
    // No guarded pod can be a DHCP server.
    const guard = pod === 'server' ? { spoofGuard: false } : {};
    const config = { cniVersion: '1.0.0', name: 'lan', type, bridge: 'lan0', ipam, prevResult, ...guard };
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: pod,
      CNI_NETNS: `/run/netns/${pod}`,
      CNI_IFNAME: 'eth0',
      CNI_PATH: path,
    };
    const { code, stdout, stderr } = host.attempt([`${dir}/${type}`], { input: JSON.stringify(config), env });
    assert.equal(code, 0, `${command} ${pod}: ${stdout}${stderr}`);
    return stdout.trim() === '' ? {} : JSON.parse(stdout);
  };
  const addressOf = (answer: CniAnswer): string => answer.ips?.[0]?.address.replace(/\/.*/, '') ?? '';
  const shown = (pod: string): string => host.run('ip', '-n', pod, '-o', '-4', 'addr', 'show', 'dev', 'eth0');
  const ping = (from: string, to: string): string =>
    host.run('ip', 'netns', 'exec', from, 'busybox', 'ping', '-c', '1', '-W', '2', to);

  before(() => {
    host = running();
  });

  beforeEach(() => {
    for (const pod of ['server', 'client']) host.run('ip', 'netns', 'add', pod);
  });

  afterEach(() => {
    for (const pod of ['server', 'client']) host.run('ip', 'netns', 'delete', pod);
    // The reference never removes a bridge.
    if (reference) host.attempt(['ip', 'link', 'delete', 'lan0']);
    assert.equal(host.attempt(['ip', 'link', 'show', 'lan0']).code, 1, 'the bridge went with its last endpoint');
    host.run('sh', '-c', `rm -rf ${DATA_DIR}; rmdir /run/netns/* 2>/dev/null; true`);
  });

  for (const type of TYPES) {
    it(`dhcp: ${type} assigns the address that a server on the network leases, and DEL releases it`, async () => {
      const fixed = { type: 'static', addresses: [{ address: '10.99.0.1/24' }] };
      call({ command: 'ADD', pod: 'server', type, ipam: fixed });
      const dnsmasq = await serve(host);
      host.run('rm', '-f', SOCKET);
      const daemon = await host.start('dhcp', [`${referencePath}/dhcp`, 'daemon', '-socketpath', SOCKET], () =>
        existsSync(host.outside(SOCKET)),
      );
      const ipam = { type: 'dhcp', daemonSocketPath: SOCKET };

      const added = call({ command: 'ADD', pod: 'client', type, ipam });
      const address = addressOf(added);
      assert.match(address, /^10\.99\.0\.1\d\d$/, 'an address of the range that the server leases');
      assert.match(shown('client'), new RegExp(`inet ${address}/24`));
      assert.match(leases(host), new RegExp(` ${address} `), 'the server knows the lease');
      assert.equal(added.ips?.[0]?.gateway, '10.99.0.1');
      assert.match(host.run('ip', '-n', 'client', 'route'), /^default via 10\.99\.0\.1 dev eth0/m);
      ping('client', '10.99.0.1');
      call({ command: 'CHECK', pod: 'client', type, ipam, prevResult: added });

      call({ command: 'DEL', pod: 'client', type, ipam, prevResult: added });
      // The reference deletes the interface first; then nothing can be sent through it to release the lease.
      if (!reference)
        await waitFor('the server has the address back', () => leases(host).trim() === '' || !dhcpReleases(host), 5000);
      call({ command: 'DEL', pod: 'client', type, ipam });
      call({ command: 'DEL', pod: 'server', type, ipam: fixed });
      await dnsmasq.stop();
      await daemon.stop();
    });

    it(`static: ${type} assigns the addresses in the configuration`, () => {
      const [one, two] = ['10.99.1.1/24', '10.99.1.2/24'].map((address) => ({
        type: 'static',
        addresses: [{ address }],
        routes: [{ dst: '10.100.0.0/16', gw: '10.99.1.1' }],
      }));
      assert.ok(one && two);
      call({ command: 'ADD', pod: 'server', type, ipam: { ...one, routes: [] } });
      const added = call({ command: 'ADD', pod: 'client', type, ipam: two });
      assert.equal(addressOf(added), '10.99.1.2');
      assert.match(host.run('ip', '-n', 'client', 'route'), /^10\.100\.0\.0\/16 via 10\.99\.1\.1 dev eth0/m);
      ping('client', '10.99.1.1');
      call({ command: 'CHECK', pod: 'client', type, ipam: two, prevResult: added });
      call({ command: 'DEL', pod: 'client', type, ipam: two });
      call({ command: 'DEL', pod: 'server', type, ipam: one });
    });
  }

  const pairs: [what: string, type: string, dir: string, path: string][] = TYPES.map((type) => [
    `${type} with Debian's host-local`,
    type,
    binDir,
    referencePath,
  ]);
  if (!reference) {
    pairs.push(["Debian's bridge with this executable as host-local", 'bridge', referencePath, binDir]);
    pairs.push(['bridge with itself as host-local', 'bridge', binDir, binDir]);
  }
  for (const [what, type, dir, path] of pairs) {
    it(`host-local: ${what}`, () => {
      const ipam = { type: 'host-local', ranges: [[{ subnet: '10.99.2.0/24' }]], dataDir: DATA_DIR };
      const from = { type, ipam, dir, path };
      const server = call({ ...from, command: 'ADD', pod: 'server' });
      const client = call({ ...from, command: 'ADD', pod: 'client' });
      assert.notEqual(addressOf(client), addressOf(server));
      assert.match(shown('client'), new RegExp(`inet ${addressOf(client)}/24`));
      ping('client', addressOf(server));
      call({ ...from, command: 'CHECK', pod: 'client', prevResult: client });
      call({ ...from, command: 'DEL', pod: 'client', prevResult: client });
      call({ ...from, command: 'DEL', pod: 'server', prevResult: server });
      const files = host.attempt(['find', DATA_DIR, '-name', '10.*']).stdout;
      assert.equal(files, '', 'no reservation is left');
      if (dir === referencePath) host.run('ip', 'link', 'delete', 'lan0');
    });
  }
});

/** dnsmasq leases 10.99.0.100–150 on the server's eth0, and nothing else: no DNS. */
function serve(host: TestHost): ReturnType<TestHost['start']> {
  host.write(LEASES, '');
  const options = ['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--interface=eth0', '--log-dhcp'];
  const range = ['--dhcp-range=10.99.0.100,10.99.0.150,255.255.255.0,1h', '--dhcp-authoritative', '--no-ping'];
  const files = [`--dhcp-leasefile=${LEASES}`, '--pid-file=/run/isth/dnsmasq', '--log-facility=-', '--user=root'];
  return host.start('dnsmasq', ['ip', 'netns', 'exec', 'server', 'dnsmasq', ...options, ...range, ...files], () =>
    host.logs().includes('DHCP, IP range'),
  );
}

function leases(host: TestHost): string {
  return readFileSync(host.outside(LEASES), 'utf8');
}
