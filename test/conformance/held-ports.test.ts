import { strict as assert } from 'node:assert';
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DaemonBin, type DaemonSite, daemonBin, makeSite, until } from '../support/daemon-site.ts';
import { netnsMissing } from '../support/netns.ts';
import { skipIf } from '../support/skip.ts';
import { type Attempt, isFree, isHeld, takePort } from '../support/stranger.ts';
import { assertTraffic, startAgent, type Target } from '../support/traffic.ts';

const PORT = 8200;
/** Exists in a kernel that has SCTP. */
const SCTP = '/proc/net/sctp';
const WILD: readonly Attempt[] = (['tcp', 'udp'] as const).flatMap((protocol) =>
  ['0.0.0.0', '127.0.0.1', '::', '::1'].map((address) => ({ protocol, address, port: PORT })),
);

describe('held host ports', function () {
  this.timeout(60_000);
  let bin: DaemonBin;
  let site: DaemonSite;

  before(function () {
    skipIf(this, netnsMissing());
    bin = daemonBin();
  });
  after(() => bin?.[Symbol.dispose]());
  beforeEach(async () => {
    site = makeSite(bin);
    site.host.ns.ip('addr', 'add', '192.0.2.1/24', 'dev', 'lo');
    await site.start();
  });
  afterEach(() => site?.[Symbol.dispose]());

  const path = (): string => site.host.ns.path;
  const publishing = (...mappings: readonly object[]) => ({
    config: { ...site.config, capabilities: { portMappings: true }, runtimeConfig: { portMappings: mappings } },
  });
  const both = () => publishing(...['tcp', 'udp'].map((protocol) => mapping({ protocol })));
  const assertHeld = (attempts = WILD): void =>
    assert.deepEqual(
      attempts.filter((one) => !isHeld(path(), one)),
      [],
      'not held',
    );
  const assertFree = (attempts = WILD): void =>
    assert.deepEqual(
      attempts.filter((one) => !isFree(path(), one)),
      [],
      'not free',
    );

  const portsOf = (): unknown => {
    const env = { PATH: process.env.PATH, ISTHMUS_STATE_DIR: site.host.stateDir };
    const words = ['netns', 'exec', site.host.ns.name, `${site.bin}/cnm-shim`, 'ports', '-o', 'json'];
    return JSON.parse(execFileSync('ip', words, { encoding: 'utf8', env }));
  };

  it('no other process can bind them, until DEL', () => {
    site.ok('ADD', both());
    assertHeld();
    assertFree(WILD.map((one) => ({ ...one, port: PORT + 1 })));
    site.ok('DEL', both());
    assertFree();
  });

  it('after a restart of the daemon they are held again, after its death they are free', async () => {
    site.ok('ADD', both());
    await site.daemon.end();
    assertFree();
    await site.start();
    assertHeld();
    await site.daemon.end('SIGKILL');
    assertFree();
    await site.start();
    await until(() => WILD.every((one) => isHeld(path(), one)), 'held');
    site.ok('DEL', both());
    assertFree();
  });

  it('calls of a stand-alone plugin reach the daemon beside it, also after the state directory was made anew', async () => {
    const alone = { ...both(), env: { ISTHMUS_RUN_DIR: `${site.runDir}-of-nobody` } };
    site.ok('ADD', both());
    site.ok('DEL', alone);
    await until(() => WILD.every((one) => isFree(path(), one)), 'free');
    rmSync(site.host.stateDir, { recursive: true });
    // The daemon looks for the directory every two seconds.
    await sleep(2500);
    site.ok('ADD', alone);
    // Its runtime gets ten seconds to bind them.
    await until(() => WILD.every((one) => isHeld(path(), one)), 'held', 30);
    site.ok('DEL', alone);
    await until(() => WILD.every((one) => isFree(path(), one)), 'free');
  });

  it('a daemon that starts beside another takes the ports when that one has ended', async () => {
    site.ok('ADD', both());
    const first = site.daemon;
    await site.start({ env: { ISTHMUS_RUN_DIR: `${site.runDir}2` } });
    assertHeld();
    await first.end();
    await until(() => WILD.every((one) => isHeld(path(), one)), 'held');
    await site.daemon.end();
    assertFree();
  });

  it('a failed ADD holds nothing', () => {
    using _server = takePort(path(), { address: '0.0.0.0', port: PORT + 1 });
    const two = publishing(mapping(), mapping({ hostPort: PORT + 1 }));
    const { json } = site.run('ADD', two);
    assert.match(json?.msg ?? '', /host port 8201\/tcp: .*\(pid \d+\) listens on it/);
    assertFree(WILD.filter(({ protocol }) => protocol === 'tcp'));
  });

  it('a port that a process has bound and does not listen on is refused, where the kernel tells it', function () {
    const [major = 0, minor = 0] = release().split('.').map(Number);
    const isOld = major < 6 || (major === 6 && minor < 9);
    skipIf(this, isOld ? 'this kernel lists no socket that is only bound (before Linux 6.9)' : undefined);
    using _server = takePort(path(), { address: '0.0.0.0', port: PORT, listens: false });
    const { json } = site.run('ADD', both());
    assert.match(json?.msg ?? '', /host port 8200\/tcp: .*\(pid \d+\) listens on it/);
  });

  it('an SCTP port of a kernel without SCTP is published and not held, which the log says once', async function () {
    skipIf(this, existsSync(SCTP) ? 'this kernel has SCTP itself' : undefined);
    using pod = startAgent('pod', site.host.pod(0));
    using own = startAgent('host', site.host.ns);
    await pod.serve('sctp', 80);
    const target: Target = { protocol: 'sctp', address: '192.0.2.1', port: PORT };
    const published = publishing(mapping({ protocol: 'sctp' }));
    site.ok('ADD', published);
    await assertTraffic([[own, target, 'pod']]);
    const second = site.run('ADD', { ...published, pod: 1 });
    assert.match(second.json?.msg ?? '', /host port 8200\/sctp/);
    site.daemon.child.kill('SIGHUP');
    await until(() => site.daemon.log().split('event=reconciled').length > 2, 'another pass');
    site.ok('DEL', published);
    await assertTraffic([[own, target, 'silent']]);
    site.ok('ADD', published);
    const said = site.daemon.log().match(/event=ports\.not\.held .*/g);
    assert.deepEqual(said, ['event=ports.not.held ports="* 8200/sctp" reason="the kernel refuses it"']);
    assert.ok(!existsSync(SCTP), 'nothing has loaded the module');
  });

  it('one family or one address leaves the others free', () => {
    const at = (address: string, protocol: 'tcp' | 'udp' = 'tcp') => ({ address, port: PORT, protocol });
    const four = publishing(mapping({ hostIP: '0.0.0.0' }));
    site.ok('ADD', four);
    assertHeld([at('0.0.0.0'), at('127.0.0.1')]);
    assertFree([at('::'), at('0.0.0.0', 'udp')]);
    site.ok('DEL', four);
    const one = publishing(mapping({ hostIP: '192.0.2.1', protocol: 'udp' }));
    site.ok('ADD', one);
    assertHeld([at('192.0.2.1', 'udp'), at('0.0.0.0', 'udp')]);
    assertFree([at('127.0.0.1', 'udp'), at('::', 'udp')]);
  });

  it('an address that comes later is held before', () => {
    site.host.ns.run('sysctl', '-qw', 'net.ipv4.ip_nonlocal_bind=1');
    site.ok('ADD', publishing(mapping({ hostIP: '192.0.2.77' })));
    assertHeld([
      { address: '192.0.2.77', port: PORT },
      { address: '0.0.0.0', port: PORT },
    ]);
  });

  it('the daemon does not answer on them', () => {
    site.ok('ADD', publishing(mapping({ protocol: 'udp', hostIP: '192.0.2.1' }), mapping({ hostIP: '192.0.2.1' })));
    const sockets = site.host.ns.run('ss', '-Hlnutp', `sport = ${PORT}`);
    assert.doesNotMatch(sockets, /LISTEN/);
    assert.match(sockets, /%if\d+:8200/, 'bound to no interface that exists');
  });

  it('a container takes over the port of another at once, also without the daemon in between', async () => {
    site.ok('ADD', both());
    site.ok('DEL', both());
    site.ok('ADD', { ...both(), pod: 1 });
    assertHeld();
    // The daemon holds the ports of an endpoint that a stand-alone plugin deletes. The next ADD succeeds nevertheless.
    const alone = { ISTHMUS_RUN_DIR: '/nonexistent' };
    site.ok('DEL', { ...both(), pod: 1, env: alone });
    site.ok('ADD', { ...both(), env: alone });
    site.daemon.child.kill('SIGHUP');
    await until(() => WILD.every((one) => isHeld(path(), one)), 'held', 30);
    site.ok('DEL', { ...both(), env: alone });
    site.daemon.child.kill('SIGHUP');
    await until(() => WILD.every((one) => isFree(path(), one)), 'free');
  });

  it('with "proxy6to4", the plugin says that the relay needs the daemon, which opens it when it starts', async () => {
    const config = { ...both().config, proxy6to4: true };
    await site.daemon.end();
    const { code, stderr } = site.run('ADD', { config });
    assert.equal(code, 0);
    assert.match(stderr, /event=relay\.none container=pod0 what=".*needs the daemon/);
    const listening = (): string => site.host.ns.run('ss', '-Hln6tu', `sport = ${PORT}`);
    assert.equal(listening(), '');
    await site.start();
    await until(() => /tcp.*LISTEN.*\[::\]:8200/.test(listening()) && /udp.*\[::\]:8200/.test(listening()), 'a relay');
    assertHeld();
    // Another attachment of the container has the ports too.
    const second = { ...both(), config: { ...config, name: 'other', bridge: 'isth1', ipam: OTHER }, ifName: 'eth1' };
    site.ok('ADD', second);
    site.ok('DEL', { config });
    await until(() => /10\.89\.0\.2/.test(JSON.stringify(portsOf())), 'the other attachment');
    assert.match(listening(), /tcp.*LISTEN.*\[::\]:8200/);
    assertHeld();
    site.ok('DEL', second);
    assert.equal(listening(), '');
    assertFree();
  });

  it('a port in TIME_WAIT is published and held', () => {
    const script = `
      const net = require('node:net');
      const server = net.createServer((one) => one.end());
      server.listen(${PORT}, '127.0.0.1', () => {
        const client = net.connect({ port: ${PORT}, host: '127.0.0.1' });
        client.resume().on('close', () => server.close());
      });`;
    site.host.ns.run(process.execPath, '-e', script);
    assert.match(site.host.ns.run('ss', '-Htan', `sport = ${PORT}`), /TIME-WAIT/);
    site.ok('ADD', both());
    assertHeld();
  });

  it('a port that an outgoing connection uses is published, and held once that has ended', async () => {
    using _server = takePort(path(), { address: '127.0.0.1', port: 7000 });
    const client = takePort(path(), { address: '127.0.0.1', port: PORT, listens: false });
    client?.connect(7000);
    site.ok('ADD', both());
    assert.match(site.daemon.log(), /event=ports\.not\.held ports="\* 8200\/tcp" reason="another socket has it/);
    client?.[Symbol.dispose]();
    await until(() => isHeld(path(), { address: '0.0.0.0', port: PORT }), 'held', 20);
  });
});

/** A second network of a container. */
const OTHER = { ranges: [[{ subnet: '10.89.0.0/24' }]] };

function mapping(more: Readonly<Record<string, unknown>> = {}): object {
  return { hostPort: PORT, containerPort: 80, protocol: 'tcp', ...more };
}
