import { strict as assert } from 'node:assert';
import type { Attachment } from '../../src/shared/model/attachment.ts';
import { dhcpLease, putDhcpLease } from '../../src/shared/store/dhcp-leases.ts';
import { until } from '../support/daemon-site.ts';
import {
  type DhcpServer,
  dnsmasqMissing,
  type RunningServer,
  startBriskServer,
  startDhcpServer,
} from '../support/dhcp-server.ts';
import { type DhcpSite, LAN, makeDhcpSite } from '../support/dhcp-site.ts';
import { netnsMissing, type TestNetns } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { runProgram } from '../support/spawn.ts';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const RANGE = ['10.6.0.100', '10.6.0.150'] as const;
describe('addresses from a DHCP server', function () {
  this.timeout(60_000);
  let site: DhcpSite;
  let server: DhcpServer;
  let brisk: RunningServer | undefined;

  before(function () {
    skipIf(this, netnsMissing() ?? dnsmasqMissing());
  });
  afterEach(async () => {
    await server?.[Symbol.asyncDispose]();
    await brisk?.[Symbol.asyncDispose]();
    site?.[Symbol.dispose]();
  });

  async function serve(...args: string[]): Promise<void> {
    site = makeDhcpSite();
    server = await startDhcpServer(site.lan, { dev: 'lan0', range: RANGE, args });
  }

  const addressOf = (pod: TestNetns): string =>
    /inet (\S+)/.exec(pod.ip('-4', '-o', 'addr', 'show', 'dev', 'eth0'))?.[1] ?? '';
  const acks = (): number => server.log().split('DHCPACK').length - 1;
  const attachmentOf = (pod: TestNetns): Attachment => ({
    ...{ camp: 'cni', network: 'lease', containerId: pod.name, ifName: 'eth0' },
  });
  const rowOf = (pod: TestNetns) => {
    using core = site.service.resident.open({ log: SILENT });
    return dhcpLease(core.store.notes, attachmentOf(pod));
  };

  it('ADD has address, routes and DNS of the server, CHECK finds them, DEL gives the address back', async () => {
    const options = [
      '--dhcp-option=6,10.6.0.53',
      '--dhcp-option=15,lab.example',
      '--dhcp-option=119,a.example,b.example',
    ];
    await serve(...options, '--dhcp-option=121,10.77.0.0/16,10.6.0.2,0.0.0.0/0,10.6.0.1');
    const pod = site.pod();
    const ipam = {
      provide: [
        { option: '12', value: 'myhost' },
        { option: '60', fromArg: 'K8S_POD_NAME' },
      ],
      priority: 50,
    };
    const args = 'IgnoreUnknown=1;K8S_POD_NAME=pod1';
    const added = await site.ok('ADD', pod, { ipam, args });
    const [ip] = added.ips ?? [];
    assert.match(ip?.address ?? '', /^10\.6\.0\.1\d\d\/24$/);
    assert.equal(ip?.gateway, LAN);
    assert.deepEqual(added.routes, [
      { dst: '10.77.0.0/16', gw: '10.6.0.2', priority: 50 },
      { dst: '0.0.0.0/0', gw: LAN, priority: 50 },
    ]);
    assert.deepEqual(added.dns, {
      nameservers: ['10.6.0.53'],
      domain: 'lab.example',
      search: ['a.example', 'b.example'],
    });
    assert.equal(addressOf(pod), ip?.address);
    assert.match(pod.ip('route'), /^default via 10\.6\.0\.1 dev eth0 metric 50/m);
    assert.match(server.log(), /vendor class: pod1/);
    assert.match(server.leases().join('\n'), new RegExp(` ${ip?.address.replace(/\/.*/, '')} myhost 00:`));
    await site.ok('CHECK', pod, { ipam, args, prevResult: added });
    await site.ok('STATUS', pod, { ipam });
    await site.ok('DEL', pod, { ipam, args });
    await until(() => server.leases().length === 0, 'the server to have the address back');
    assert.equal(rowOf(pod), undefined);
    await site.ok('DEL', pod, { ipam, args });
  });

  it('CHECK fails for an address that is gone, and asks no server', async () => {
    await serve();
    const pod = site.pod();
    const added = await site.ok('ADD', pod);
    const before = acks();
    pod.ip('addr', 'flush', 'dev', 'eth0');
    const { code, json } = await site.call('CHECK', pod, { prevResult: added });
    assert.equal(code, 1);
    assert.match(json.msg ?? '', /lacks the address 10\.6\.0\.1\d\d\/24, which is leased/);
    assert.equal(acks(), before);
    await site.ok('DEL', pod);
  });

  /** Ends the daemon, and starts it when the lease is older by some seconds. */
  async function restartLater(pod: TestNetns, seconds: number): Promise<void> {
    const row = rowOf(pod) ?? assert.fail('no lease');
    using core = site.service.resident.open({ log: SILENT });
    putDhcpLease(core.store.notes, { ...row, since: row.since - seconds * 1000 });
    await site.restart();
  }

  it('takes a lease up again after a restart of the daemon, and renews it from its address', async () => {
    await serve();
    const pod = site.pod();
    await site.ok('ADD', pod);
    const since = rowOf(pod)?.since ?? 0;
    assert.equal(acks(), 1);
    await restartLater(pod, 61);
    await until(() => acks() === 2, 'the renewal');
    await until(() => (rowOf(pod)?.since ?? 0) > since, 'the new lease on record');
    assert.match(site.logged.join(' '), /dhcp\.resumed \{"leases":1\}.*dhcp\.renewed/);
    await site.ok('DEL', pod);
    await until(() => server.leases().length === 0, 'the release');
  });

  it('rebinds by broadcast when its server is another one', async () => {
    await serve();
    const pod = site.pod();
    await site.ok('ADD', pod);
    await restartLater(pod, 110);
    await until(() => acks() === 2, 'the renewal');
    assert.match(site.logged.join('\n'), /dhcp\.renewed/);
    await site.ok('DEL', pod);
  });

  it('renews a short lease again and again', async () => {
    site = makeDhcpSite();
    brisk = await startBriskServer(site.lan, { dev: 'lan0', range: RANGE }, 4);
    const pod = site.pod();
    const added = await site.ok('ADD', pod);
    await until(() => site.logged.filter((line) => line.startsWith('dhcp.renewed')).length >= 3, 'three renewals', 20);
    assert.equal(addressOf(pod), added.ips?.[0]?.address);
    await site.ok('CHECK', pod, { prevResult: added });
    await site.ok('DEL', pod);
  });

  it('removes an address whose lease has ended, keeps the link up, and asks for it again', async () => {
    site = makeDhcpSite();
    brisk = await startBriskServer(site.lan, { dev: 'lan0', range: RANGE }, 4);
    const pod = site.pod();
    const added = await site.ok('ADD', pod);
    const address = addressOf(pod);
    brisk.silence(true);
    await until(() => addressOf(pod) === '', 'the address to go', 20);
    assert.match(pod.ip('link', 'show', 'eth0'), /[<,]UP[,>]/);
    assert.match(site.logged.join('\n'), /dhcp\.lost .*"why":"expired"/);
    assert.equal((await site.call('CHECK', pod, { prevResult: added })).code, 1);
    brisk.silence(false);
    await until(() => addressOf(pod) === address, 'the address to come back', 30);
    assert.match(pod.ip('route'), /^default via 10\.6\.0\.1 dev eth0/m);
    await site.ok('CHECK', pod, { prevResult: added });
    await site.ok('DEL', pod);
  });

  it('leases another address after a NAK, and puts it on the interface', async () => {
    await serve();
    const pod = site.pod();
    const added = await site.ok('ADD', pod);
    await server[Symbol.asyncDispose]();
    // An administrator has given the client a fixed address.
    const fixed = `--dhcp-host=${added.interfaces?.find(({ sandbox }) => sandbox !== undefined)?.mac},10.6.0.200`;
    server = await startDhcpServer(site.lan, { dev: 'lan0', range: RANGE, args: [fixed] });
    await restartLater(pod, 61);
    await until(() => addressOf(pod) === '10.6.0.200/24', 'the new address', 20);
    assert.match(site.logged.join('\n'), /dhcp\.lost .*"why":"refused"/);
    assert.match(pod.ip('route'), /^default via 10\.6\.0\.1 dev eth0/m);
    const { code } = await site.call('CHECK', pod, { prevResult: added });
    assert.equal(code, 1, 'prevResult has the former address');
    await site.ok('DEL', pod);
    await until(() => server.leases().length === 0, 'the release of the new address');
  });

  it('ADD fails in time where no server answers, says what it sent, and leaves nothing', async () => {
    await serve();
    server.silence(true);
    const pod = site.pod();
    const since = performance.now();
    const { code, json } = await site.call('ADD', pod);
    assert.ok(performance.now() - since < 12_000);
    assert.deepEqual([code, json.code], [1, 11]);
    assert.match(json.msg ?? '', /eth0: 3 DISCOVER were unanswered \(within 10 s, from [0-9a-f:]{17}\)/);
    assert.doesNotMatch(pod.ip('link'), /eth0/);
    assert.equal(rowOf(pod), undefined);
    await site.ok('DEL', pod);
  });

  it('ADD ends when its caller leaves, and leaves nothing', async () => {
    await serve();
    server.silence(true);
    const pod = site.pod();
    const caller = new AbortController();
    const added = site.call('ADD', pod, { gone: caller.signal });
    await until(() => pod.ip('link').includes('eth0'), 'the interface');
    caller.abort();
    const { json } = await added;
    assert.match(json.msg ?? '', /the caller has left/);
    assert.doesNotMatch(pod.ip('link'), /eth0/);
    assert.equal(rowOf(pod), undefined);
  });

  it('declines an address that another machine has, and takes the next', async () => {
    await serve();
    const pod = site.pod();
    const first = await site.ok('ADD', pod);
    const taken = first.ips?.[0]?.address.replace(/\/.*/, '') ?? '';
    await site.ok('DEL', pod);
    await until(() => server.leases().length === 0, 'the release');
    // The server offers a client the address that it had, as long as it is free.
    const rival = site.pod();
    rival.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'isth-rival', 'netns', String(process.pid));
    runProgram('ip', ['link', 'set', 'isth-rival', 'master', site.bridge, 'up']);
    rival.ip('addr', 'add', `${taken}/24`, 'dev', 'eth0');
    rival.ip('link', 'set', 'eth0', 'up');
    const second = await site.ok('ADD', pod);
    assert.notEqual(second.ips?.[0]?.address.replace(/\/.*/, ''), taken);
    assert.match(server.log(), new RegExp(`DHCPDECLINE\\(lan0\\) ${taken}`));
    await site.ok('DEL', pod);
  });

  it('DEL succeeds without namespace and without server, and the lease is forgotten', async () => {
    await serve();
    const pod = site.pod();
    await site.ok('ADD', pod);
    server.silence(true);
    pod[Symbol.dispose]();
    await site.ok('DEL', pod, { netns: '' });
    assert.equal(rowOf(pod), undefined);
  });

  it('forgets the lease of a namespace that is gone without DEL', async () => {
    site = makeDhcpSite();
    brisk = await startBriskServer(site.lan, { dev: 'lan0', range: RANGE }, 4);
    const pod = site.pod();
    await site.ok('ADD', pod);
    pod[Symbol.dispose]();
    await until(() => rowOf(pod) === undefined, 'the lease to be dropped');
    assert.match(site.logged.join('\n'), /dhcp\.dropped/);
    await site.ok('DEL', pod, { netns: '' });
  });

  it('releases at its start what a DEL without the daemon has left', async () => {
    await serve();
    const pod = site.pod();
    await site.ok('ADD', pod);
    using core = site.service.resident.open({ log: SILENT });
    core.store.endpoints.delete(attachmentOf(pod), 'interface');
    await site.restart();
    await until(() => server.leases().length === 0, 'the release');
    assert.equal(rowOf(pod), undefined);
  });

  it('serves another plugin that calls `dhcp` for its own interface', async () => {
    await serve();
    const pod = site.pod();
    pod.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'isth-other', 'netns', String(process.pid));
    runProgram('ip', ['link', 'set', 'isth-other', 'master', site.bridge, 'up']);
    const call = { plugin: 'dhcp', conf: { type: 'macvlan' } };
    const added = await site.ok('ADD', pod, call);
    const address = added.ips?.[0]?.address ?? '';
    assert.match(address, /^10\.6\.0\.1\d\d\/24$/);
    assert.match((await site.call('CHECK', pod, call)).json.msg ?? '', /lacks the address/);
    pod.ip('addr', 'add', address, 'dev', 'eth0');
    await site.ok('CHECK', pod, call);
    await site.restart();
    assert.notEqual(rowOf(pod), undefined, 'its interface is there');
    const alive = { containerID: pod.name, ifname: 'eth0' };
    await site.ok('GC', pod, { ...call, conf: { ...call.conf, 'cni.dev/valid-attachments': [alive] } });
    assert.notEqual(rowOf(pod), undefined, 'it is alive');
    await site.ok('DEL', pod, call);
    await until(() => server.leases().length === 0, 'the release');
    await site.ok('DEL', pod, call);
    pod.ip('addr', 'flush', 'dev', 'eth0');
    await site.ok('ADD', pod, call);
    await site.ok('GC', pod, { ...call, conf: { ...call.conf, 'cni.dev/valid-attachments': [] } });
    await until(() => server.leases().length === 0, 'the release by GC');
  });

  it('serves fifty pods at once, each with an address of its own, and its successor releases them', async () => {
    await serve();
    const pods = Array.from({ length: 50 }, () => site.pod());
    const added = await Promise.all(pods.map((pod) => site.ok('ADD', pod)));
    assert.equal(new Set(added.map(({ ips }) => ips?.[0]?.address)).size, 50);
    assert.equal(server.leases().length, 50);
    await site.restart();
    await Promise.all(pods.map((pod) => site.ok('DEL', pod)));
    await until(() => server.leases().length === 0, 'all releases');
  });
});
