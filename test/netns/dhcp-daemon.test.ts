import { strict as assert } from 'node:assert';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { CniAnswer } from '../support/cni.ts';
import { until } from '../support/daemon-site.ts';
import {
  type DhcpServer,
  dnsmasqMissing,
  type RunningServer,
  startBriskServer,
  startDhcpServer,
} from '../support/dhcp-server.ts';
import { launch } from '../support/js-launcher.ts';
import { makeNetns, netnsMissing, type TestNetns } from '../support/netns.ts';
import { makeServeSite, type ServeSite, type Serving } from '../support/serve.ts';
import { skipIf } from '../support/skip.ts';

const RANGE = ['10.6.0.100', '10.6.0.150'] as const;
/** Its ports are guarded, as by default. */
const CONFIG = {
  ...{ cniVersion: '1.1.0', name: 'lease', type: 'isthmus', driver: 'bridge', bridge: 'lan0' },
  ipam: { type: 'dhcp' },
};

describe('the daemon as DHCP client', function () {
  this.timeout(60_000);
  let site: ServeSite;
  let lan: TestNetns;
  let pod: TestNetns;
  let daemon: Serving;
  let server: DhcpServer | RunningServer | undefined;

  before(function () {
    skipIf(this, netnsMissing() ?? dnsmasqMissing());
  });
  beforeEach(async () => {
    site = makeServeSite();
    [lan, pod] = [makeNetns('lan'), makeNetns('pod')];
    symlinkSync(process.execPath, join(site.root, 'dhcp'));
    site.ns.ip('link', 'add', 'lan0', 'type', 'bridge');
    site.ns.ip('link', 'set', 'lan0', 'up');
    lan.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'port0', 'netns', site.ns.name);
    site.ns.ip('link', 'set', 'port0', 'master', 'lan0', 'up');
    lan.ip('addr', 'add', '10.6.0.1/24', 'dev', 'eth0');
    lan.ip('link', 'set', 'eth0', 'up');
    await serve();
  });
  afterEach(async () => {
    await server?.[Symbol.asyncDispose]();
    daemon?.[Symbol.dispose]();
    for (const made of [pod, lan, site]) made?.[Symbol.dispose]();
  });

  async function serve(): Promise<void> {
    daemon = site.start({ args: ['--log-level', 'debug'] });
    await daemon.line(/event=daemon\.start/);
  }

  async function call(command: string, more: object = {}): Promise<CniAnswer> {
    const env = {
      ...{ CNI_COMMAND: command, CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0', CNI_NETNS: pod.path, CNI_PATH: site.root },
    };
    const config = { ...CONFIG, ...more };
    const { code, stdout } = await launch({ socket: site.socket, host: site.ns.path, plugin: 'isthmus', env, config });
    assert.equal(code, 0, `${command}: ${stdout}\n${daemon.lines.slice(-9).join('\n')}`);
    return stdout.trim() === '' ? {} : JSON.parse(stdout);
  }
  const shown = (): string => /inet (\S+)/.exec(pod.ip('-4', '-o', 'addr', 'show', 'dev', 'eth0'))?.[1] ?? '';
  const reachesLan = (): string => pod.run('busybox', 'ping', '-c', '1', '-W', '2', '10.6.0.1');

  it('leases an address on a guarded port, and its successor after kill -9 renews and releases it', async () => {
    server = await startBriskServer(lan, { dev: 'eth0', range: RANGE }, 4);
    const added = await call('ADD');
    assert.equal(added.ips?.[0]?.address, shown());
    reachesLan();
    await daemon.line(/event=dhcp\.renewed/);
    process.kill(daemon.pid, 'SIGKILL');
    await daemon.end;
    await serve();
    await daemon.line(/event=dhcp\.resumed leases=1/);
    await daemon.line(/event=dhcp\.renewed/);
    reachesLan();
    await call('CHECK', { prevResult: added });
    await call('DEL');
    await until(() => !pod.ip('link').includes('eth0'), 'the interface to go');
  });

  it('gives the interface another address after a NAK, and the guard of its port lets it through', async () => {
    server = await startBriskServer(lan, { dev: 'eth0', range: RANGE }, 4);
    const added = await call('ADD');
    const mac = added.interfaces?.find(({ sandbox }) => sandbox !== undefined)?.mac;
    await server[Symbol.asyncDispose]();
    server = await startDhcpServer(lan, { dev: 'eth0', range: RANGE, args: [`--dhcp-host=${mac},10.6.0.200`] });
    await until(() => shown() === '10.6.0.200/24', 'the new address', 30);
    await daemon.line(/event=dhcp\.again .*address=10\.6\.0\.200/);
    reachesLan();
    await call('DEL');
    await until(() => server !== undefined && 'leases' in server && server.leases().length === 0, 'the release');
  });
});
