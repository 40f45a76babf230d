import { strict as assert } from 'node:assert';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { TopologyReport } from '../../cmd/cnm-shim/topology/report.ts';
import { CHROMIUM, saveScreenshot, startBrowser } from '../support/browser.ts';
import { type PluginDir, pluginDir } from '../support/cni.ts';
import { type CniHost, makeHost } from '../support/cni-host.ts';
import { pluginCommand } from '../support/docker-plugin.ts';
import { netnsMissing } from '../support/netns.ts';
import { ping } from '../support/ping.ts';
import { skipIf } from '../support/skip.ts';
import { makeVerbs, type Verbs } from '../support/verbs.ts';

const CONF = {
  ...{ cniVersion: '1.0.0', name: 'web', type: 'isthmus', bridge: 'isth0', isGateway: true },
  ipam: { ranges: [[{ subnet: '10.77.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] },
};
const PORTS = [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }];

describe('isthmus topology', function () {
  this.timeout(60_000);
  let dir: PluginDir;
  let host: CniHost;
  let verbs: Verbs;
  let servers: ChildProcess[];

  before(function () {
    skipIf(this, netnsMissing());
    dir = pluginDir();
  });
  after(() => dir?.[Symbol.dispose]());
  beforeEach(() => {
    servers = [];
    host = makeHost(2);
    verbs = makeVerbs({ stateDir: host.stateDir, netns: host.ns.path });
    add(0, { runtimeConfig: { portMappings: PORTS } });
    add(1);
  });
  afterEach(async () => {
    for (const server of servers) {
      if (server.exitCode !== null || !server.kill('SIGTERM')) continue;
      const [code] = await once(server, 'exit');
      assert.equal(code, 0, 'SIGTERM ends the server');
    }
    host?.[Symbol.dispose]();
  });

  function add(pod: number, more: object = {}): void {
    host.ok({ dir: dir.path, name: 'isthmus', command: 'ADD', pod, config: { ...CONF, ...more } });
  }
  /** The host's end of a pod's veth. */
  async function hostEnd(pod: number): Promise<string> {
    const { networks } = await verbs.json<TopologyReport>('topology');
    const found = networks.flatMap(({ endpoints }) => endpoints).find(({ title }) => title === `pod${pod}`);
    return found?.hostInterface ?? assert.fail(`pod${pod} is not there`);
  }
  async function serve(...words: readonly string[]): Promise<string> {
    const [command, ...args] = pluginCommand();
    const inside = [`--net=${host.ns.path}`, '--', command, ...args, 'topology', '--web', ...words];
    const env = { PATH: process.env.PATH, ISTHMUS_STATE_DIR: host.stateDir, ISTHMUS_DOCKER_HOST: 'none' };
    const server = spawn('nsenter', inside, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    servers.push(server);
    const [line] = (await once(createInterface(server.stdout), 'line')) as [string];
    return line;
  }
  /** Status of a request that curl makes in the host, with its words. */
  const status = (url: string, ...words: string[]): string =>
    host.ns.run('curl', '-s', '-m', '5', '-o', '/dev/null', '-w', '%{http_code}', ...words, url);

  it('prints networks, containers and ports as a tree', async () => {
    const [line = '', network, first, second, ...more] = (await verbs.ok('topology')).trimEnd().split('\n');
    assert.doesNotMatch(line, /[├└]/, 'the host comes first');
    assert.match(network ?? '', /^└─ web {2}bridge isth0 {2}10\.77\.0\.0\/24, 2 of 253 in use$/);
    assert.match(first ?? '', /^ {3}├─ pod0 {2}cni {2}10\.77\.0\.2\/24 {2}eth0 ⇄ veth\w+ {2}8080 → 80\/tcp$/);
    assert.match(second ?? '', /^ {3}└─ pod1 {2}cni {2}10\.77\.0\.3\/24 {2}eth0 ⇄ veth\w+$/);
    assert.deepEqual(more, []);
  });

  it('says what is wrong with an interface and with a bridge', async () => {
    const [gone, apart] = [await hostEnd(0), await hostEnd(1)];
    host.ns.ip('link', 'del', gone);
    host.ns.ip('link', 'set', apart, 'nomaster');
    assert.match(
      await verbs.ok('topology'),
      new RegExp(`pod0 .*! ${gone} is missing\\n.*pod1 .*! ${apart} is not a port of isth0`),
    );
    host.ns.ip('link', 'set', 'isth0', 'down');
    assert.match(await verbs.ok('topology'), /web .*! device isth0 is down/);
    host.ns.ip('link', 'del', 'isth0');
    assert.match(await verbs.ok('topology'), /web .*! device isth0 is missing/);
  });

  it('serves a page on loopback that only answers GET, and only under its own names', async () => {
    const url = await serve('--listen', '127.0.0.1:0');
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
    assert.equal(status(url), '200');
    assert.equal(status(url, '-X', 'POST'), '405');
    assert.equal(status(`${url}other`), '404');
    assert.equal(status(url, '-H', 'Host: attacker.example'), '403', 'another name that means 127.0.0.1');
    for (const path of ['//', '///x', '//[', 'http://[', `/${'x'.repeat(20_000)}`])
      assert.match(status(url, '--request-target', path), /^4\d\d$/, path.slice(0, 20));
    assert.equal(status(url), '200', 'it goes on');
    assert.match(host.ns.run('ss', '-Htln'), /127\.0\.0\.1:\d+/);
    assert.doesNotMatch(host.ns.run('ss', '-Htln'), /(0\.0\.0\.0|\*|\[::\]):\d/);
  });

  it('wants a token on every other address', async () => {
    const url = new URL(await serve('--listen', '10.77.0.1:0'));
    assert.match(url.search, /^\?token=[\w-]{24}$/);
    assert.equal(status(String(url)), '200');
    for (const search of ['', '?token=', `?token=${'x'.repeat(24)}`, `${url.search}x`])
      for (const path of ['/', '/events']) assert.equal(status(`${url.origin}${path}${search}`), '403', path + search);
  });

  it('refuses an address that is no address, or that is taken', async () => {
    for (const wrong of ['8190', ':8190', '127.0.0.1', '127.0.0.1:99999', 'somewhere:1'])
      await verbs.refused(['topology', '--web', '--listen', wrong], 2, /Write ADDRESS:PORT/);
    const { host: taken } = new URL(await serve('--listen', '127.0.0.1:0'));
    await verbs.refused(['topology', '--web', '--listen', taken], 1, /--listen 127.*another process listens on it/);
    await verbs.refused(
      ['topology', '--web', '--listen', '192.0.2.77:0'],
      1,
      /--listen 192\.0\.2\.77:0: .*EADDRNOTAVAIL/,
    );
  });

  it('drops a reader that does not read, and goes on', async () => {
    const url = await serve('--listen', '127.0.0.1:0');
    assert.equal(host.ns.run('sh', '-c', `curl -s -m 1 -N ${url}events | head -c 10 | wc -c`).trim(), '10');
    assert.equal(status(url), '200');
  });

  it('draws the networks in a browser, live, by keyboard too', async function () {
    skipIf(this, existsSync(CHROMIUM) ? undefined : `${CHROMIUM} is missing`);
    const url = await serve('--listen', '127.0.0.1:0');
    await using browser = await startBrowser(host.ns.path);
    const { page, faults } = await browser.open(url);
    const node = (title: string) => page.getByRole('button', { name: title });
    await node('pod0, CNI, on web, 10.77.0.2/24, 8080 → 80/tcp').waitFor();
    assert.equal(await page.locator('#state').textContent(), 'live');
    assert.equal(await page.locator('#counts').textContent(), '1 network, 2 containers, no problems');
    await saveScreenshot(page, '2-light');

    // Keyboard: from the network into it, details beside.
    await page.keyboard.press('/');
    await page.keyboard.type('8080');
    assert.equal(await page.locator('#found').textContent(), '1 found');
    assert.equal(await page.locator('g.node.apart').count(), 2);
    await page.keyboard.press('Enter');
    assert.match((await page.locator('#details').textContent()) ?? '', /pod0.*10\.77\.0\.2\/24.*8080 → 80\/tcp/s);
    assert.equal(await page.evaluate('document.activeElement.getAttribute("data-key")'), 'web/cni/pod0/eth0');
    await page.locator('#find').fill('');
    await node('pod0').focus();
    await page.keyboard.press('ArrowRight');
    assert.equal(await page.evaluate('document.activeElement.getAttribute("data-key")'), 'web/cni/pod1/eth0');
    for (const [key, at] of [
      ['Home', 'network web'],
      ['End', 'web/cni/pod0/eth0'],
    ] as const) {
      await page.keyboard.press(key);
      assert.equal(await page.evaluate('document.activeElement.getAttribute("data-key")'), at);
    }
    await page.keyboard.press('Enter');
    assert.match((await page.locator('#drawing > g').getAttribute('transform')) ?? '', /scale\((?!1\))/);
    await page.keyboard.press('Escape');
    assert.match((await page.locator('#drawing > g').getAttribute('transform')) ?? '', /scale\(1\)/);

    // Traffic.
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 5; j++) ping(host.pod(0), '10.77.0.3');
      await page.waitForTimeout(300);
    }
    await page.locator('rect.busy').first().waitFor({ timeout: 10_000 });

    // What goes wrong is seen without a reload.
    const gone = await hostEnd(0);
    host.ns.ip('link', 'del', gone);
    await node(`pod0, CNI, on web, 10.77.0.2/24, 8080 → 80/tcp, problem: ${gone} is missing`).waitFor({
      timeout: 15_000,
    });
    assert.match((await page.locator('#counts').textContent()) ?? '', /1 with problems/);
    await page.locator('#problems').click();
    assert.equal(await page.locator('g.node:not(.apart)').count(), 1);

    // The same as a table.
    await page.locator('#problems').click();
    await page.locator('#view').click();
    assert.equal(await page.locator('#list tbody tr').count(), 2);
    assert.match((await page.locator('#list tbody').textContent()) ?? '', /pod1.*good/s);

    // A pod that leaves.
    host.ok({ dir: dir.path, name: 'isthmus', command: 'DEL', pod: 1, config: CONF });
    await page.locator('#list tbody tr').nth(1).waitFor({ state: 'detached', timeout: 15_000 });
    assert.deepEqual(faults, []);

    // The server ends.
    servers[0]?.kill('SIGTERM');
    await page.getByText('connection lost').waitFor({ timeout: 15_000 });
  });
});
